//! The development authority: one for all processes, whatever they race, find or lose.

use std::{collections::BTreeSet, process::Command, thread};

use super::{
    super::{
        DevelopmentCa, DevelopmentLeaf, DevelopmentStanding,
        dev_ca::{self, Authority},
        dev_dir::Directory,
    },
    *,
};

const HOUR: i64 = 3600;

/// Names the directory in which a child process of a test looks for the authority.
const CHILD: &str = "SINEW_TEST_DEVELOPMENT_DIRECTORY";

fn directory(scratch: &Scratch) -> Directory {
    Directory::open(&scratch.join("ca")).expect("a directory")
}

/// The certificate that a process that starts now would issue from.
fn newest(directory: &Directory) -> Vec<u8> {
    dev_ca::load_or_make(directory).expect("an authority")[0].certificate().to_vec()
}

/// Puts an authority into the directory, valid from and to these seconds from now.
fn put(directory: &Directory, number: u64, not_before: i64, not_after: i64) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let at = |offset: i64| now.as_secs().saturating_add_signed(offset);
    let made = Authority::make(at(not_before), at(not_after)).expect("an authority");
    directory.publish(number, made.as_bytes()).expect("a file");
}

fn connect(client: &Identity, server: &Identity, service: &str) -> Outcome {
    let expected = SpiffeId::for_service(server.trust_domain(), service).expect("an id");
    let server = server.server_config(&["Shop", "Bank"]).expect("a server");
    handshake(client.client_config(&expected).expect("a client"), server, &expected)
}

#[test]
fn two_processes_know_each_other_without_a_setting() {
    let scratch = Scratch::new();
    let open = || Identity::development_in(scratch.join("ca")).expect("an identity");
    let (client, server) = (open(), open());
    assert!(client.is_development());
    assert_eq!(client.trust_domain().as_str(), "dev.local");
    assert!(client.id().as_str().starts_with("spiffe://dev.local/client/"));
    for service in ["Shop", "Bank"] {
        let outcome = connect(&client, &server, service);
        outcome.assert_done();
        let peer = |chain: Option<&[_]>| {
            super::super::peer_identity(chain.expect("a chain")).expect("an id").to_string()
        };
        let (of_client, of_server) = &outcome.connections;
        assert_eq!(peer(of_client.peer_certificates()), format!("spiffe://dev.local/{service}"));
        assert_eq!(peer(of_server.peer_certificates()), client.id().as_str());
    }
    let outcome = connect(&client, &server, "Elsewhere");
    let text = format!("{:?}", outcome.client);
    assert_says(&text, &["`spiffe://dev.local/Elsewhere`", "`spiffe://dev.local/Shop`"]);
}

#[test]
fn a_server_without_a_service_still_shows_who_it_is() {
    let scratch = Scratch::new();
    let identity = Identity::development_in(scratch.join("ca")).expect("an identity");
    let server = identity.server_config(&[]).expect("a server");
    let client = identity.client_config(&identity.id()).expect("a client");
    handshake(client, server, &identity.id()).assert_done();
}

#[test]
fn users_with_authorities_of_their_own_refuse_each_other_and_hear_what_to_do() {
    let (one, other) = (Scratch::new(), Scratch::new());
    let client = Identity::development_in(one.join("ca")).expect("an identity");
    let server = Identity::development_in(other.join("ca")).expect("an identity");
    let text = format!("{:?}", connect(&client, &server, "Shop").client);
    assert_says(&text, &["sinew development authority", "same user", "XDG_RUNTIME_DIR"]);
}

#[test]
fn it_does_not_leave_the_machine() {
    let scratch = Scratch::new();
    let identity = Identity::development_in(scratch.join("ca")).expect("an identity");
    for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        identity.allows_address(address.parse().expect("an address")).expect(address);
    }
    for address in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[fe80::1]:1", "[::ffff:10.0.0.1]:1"] {
        let error = identity.allows_address(address.parse().expect("an address"));
        let text = error.expect_err(address).to_string();
        assert_says(&text, &[address, "loopback", "SINEW_CERT", "127.0.0.1"]);
    }
}

#[test]
fn all_threads_that_race_end_with_the_same_authority() {
    for start in 0..3 {
        let scratch = Scratch::new();
        match start {
            0 => {}
            1 => put(&directory(&scratch), 7, -HOUR, HOUR / 2),
            _ => directory(&scratch).publish(3, b"damaged").expect("a file"),
        }
        let found: BTreeSet<_> = thread::scope(|scope| {
            let race = || newest(&directory(&scratch));
            let racers: Vec<_> = (0..16).map(|_| scope.spawn(race)).collect();
            racers.into_iter().map(|racer| racer.join().expect("a result")).collect()
        });
        assert_eq!(found.len(), 1, "from start {start}");
        assert_eq!(
            directory(&scratch).numbers().expect("a list").len(),
            1 + usize::from(start == 1)
        );
        let names = std::fs::read_dir(scratch.join("ca")).expect("a list");
        let left = names.filter(|name| {
            name.as_ref().expect("a name").file_name().to_string_lossy().starts_with(".new-")
        });
        assert_eq!(left.count(), 0, "nothing unfinished is left");
    }
}

#[test]
fn all_processes_that_race_end_with_the_same_authority() {
    if let Some(path) = std::env::var_os(CHILD) {
        // This is one of the processes.
        let directory = Directory::open(Path::new(&path)).expect("a directory");
        let certificate = newest(&directory);
        let name = format!("{}.found", std::process::id());
        std::fs::write(Path::new(&path).with_file_name(name), certificate).expect("a file");
        return;
    }
    let scratch = Scratch::new();
    let (_, module) = module_path!().split_once("::").expect("a path");
    let this = format!("{module}::all_processes_that_race_end_with_the_same_authority");
    let start = || {
        Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", &this, "--test-threads=1"])
            .env(CHILD, scratch.join("ca"))
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("a process")
    };
    let processes: Vec<_> = (0..8).map(|_| start()).collect();
    for mut process in processes {
        assert!(process.wait().expect("an end").success());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&scratch).expect("a list") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "found") {
            found.push(std::fs::read(path).expect("a certificate"));
        }
    }
    assert_eq!(found.len(), 8);
    found.dedup();
    assert_eq!(found, [newest(&directory(&scratch))]);
}

#[test]
fn an_authority_that_is_good_is_found_again() {
    let scratch = Scratch::new();
    let directory = directory(&scratch);
    let first = newest(&directory);
    assert_eq!(newest(&directory), first);
    assert_eq!(directory.numbers().expect("a list"), [1]);
}

#[test]
fn an_authority_with_less_than_an_hour_left_gets_a_successor_and_stays_trusted() {
    let scratch = Scratch::new();
    let directory = directory(&scratch);
    put(&directory, 1, -23 * HOUR, HOUR + 60);
    let good = newest(&directory);
    assert_eq!(directory.numbers().expect("a list"), [1], "more than an hour is left");
    put(&directory, 2, -23 * HOUR, HOUR - 60);
    let all = dev_ca::load_or_make(&directory).expect("authorities");
    assert_eq!(directory.numbers().expect("a list"), [1, 2, 3]);
    assert_eq!(all.len(), 3);
    assert!(all.iter().any(|authority| authority.certificate().as_ref() == good));
}

#[test]
fn what_is_damaged_expired_or_from_the_future_is_replaced() {
    let scratch = Scratch::new();
    let directory = directory(&scratch);
    put(&directory, 1, -25 * HOUR, -HOUR);
    directory.publish(2, b"-----BEGIN CERTIFICATE-----\nAAAA\n").expect("a file");
    newest(&directory);
    assert_eq!(directory.numbers().expect("a list"), [3], "what is useless is gone");
    put(&directory, 4, HOUR, 25 * HOUR);
    newest(&directory);
    assert_eq!(directory.numbers().expect("a list"), [3, 4, 5]);
    // A key that is not the one of the certificate.
    let read = |number| String::from_utf8(directory.read(number).expect("a file").expect("it"));
    let (one, other) = (read(3).expect("PEM"), read(5).expect("PEM"));
    let split = |pem: &str| pem.find("-----BEGIN PRIVATE").expect("a key");
    let mixed = format!("{}{}", &one[..split(&one)], &other[split(&other)..]);
    directory.publish(6, mixed.as_bytes()).expect("a file");
    newest(&directory);
    assert_eq!(directory.numbers().expect("a list"), [3, 4, 5, 7]);
}

#[test]
fn a_process_that_runs_follows_a_new_authority() {
    let scratch = Scratch::new();
    let path = scratch.join("ca");
    let old = Identity::development_in(&path).expect("an identity");
    let service = "spiffe://dev.local/Shop";
    let server = old.server_config(&["Shop"]).expect("a server");
    let client = old.client_config(&id(service)).expect("a client");
    // As a cleaner of temporary files would.
    std::fs::remove_dir_all(&path).expect("it is there");
    let new = Identity::development_in(&path).expect("an identity");
    // It has not looked yet, and does so when a stranger knocks.
    let from_new = || new.client_config(&id(service)).expect("a client");
    assert!(old.reload().expect("a look"), "there is news");
    handshake(from_new(), server.clone(), &id(service)).assert_done();
    let new_server = new.server_config(&["Shop"]).expect("a server");
    handshake(client.clone(), new_server, &id(service)).assert_done();
    handshake(client, server, &id(service)).assert_done();
    assert!(!old.reload().expect("a look"), "nothing is new");
}

#[test]
fn a_certificate_of_the_authority_before_is_accepted_until_it_is_over() {
    let scratch = Scratch::new();
    let path = scratch.join("ca");
    let open = || Identity::development_in(&path).expect("an identity");
    let (server, late) = (open(), open());
    std::fs::remove_dir_all(&path).expect("it is there");
    open();
    assert!(server.reload().expect("a look"), "there is news");
    // The client still shows the certificate that it had at its start.
    connect(&late, &server, "Shop").assert_done();
}

#[test]
fn a_stranger_who_knocks_makes_it_look_at_once() {
    let scratch = Scratch::new();
    let path = scratch.join("ca");
    let old = Identity::development_in(&path).expect("an identity");
    std::fs::remove_dir_all(&path).expect("it is there");
    let new = Identity::development_in(&path).expect("an identity");
    let service = id("spiffe://dev.local/Shop");
    let client = old.client_config(&service).expect("a client");
    let server = new.server_config(&["Shop"]).expect("a server");
    // The client had chosen its certificate before it saw that of the server: the next try works.
    let first = handshake(client.clone(), server.clone(), &service);
    assert!(first.client.is_ok() || first.server.is_err());
    handshake(client, server, &service).assert_done();
}

#[test]
fn program_names_become_segments() {
    for (name, segment) in [
        ("shop", "shop"),
        ("my shop (2)", "my-shop--2-"),
        ("", "process"),
        ("..", "process"),
        ("größe", "gr--e"),
    ] {
        assert_eq!(dev_ca::as_segment(name), segment);
    }
    assert_eq!(dev_ca::as_segment(&"x".repeat(100)).len(), 64);
}

#[cfg(unix)]
mod rights {
    use std::{
        fs,
        os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    };

    use super::{super::super::dev_dir, *};

    fn refused(path: &Path, fragments: &[&str]) {
        let error = Identity::development_in(path).expect_err("it is not ours alone");
        let shown = path.display().to_string();
        assert_says(&error.to_string(), &[&[shown.as_str()], fragments].concat());
    }

    #[test]
    fn the_directory_and_its_files_are_for_the_user_alone() {
        let scratch = Scratch::new();
        let path = scratch.join("ca");
        Identity::development_in(&path).expect("an identity");
        let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("dev-ca.1.pem")), 0o600);
        let names = fs::read_dir(&path).expect("a list").count();
        assert_eq!(names, 1, "one file and no keys of certificates");
    }

    #[test]
    fn the_runtime_directory_is_used_if_it_is_there_and_ours_else_the_temporary_one() {
        let scratch = Scratch::new();
        let temporary = scratch.as_ref();
        let user = fs::metadata(temporary).expect("it is there").uid();
        let chosen = |runtime: Option<&str>| {
            dev_dir::default_path(runtime.map(PathBuf::from), temporary).expect("a path")
        };
        let ours = scratch.join("runtime");
        fs::create_dir(&ours).expect("a directory");
        assert_eq!(chosen(ours.to_str()), ours.join("sinew"));
        let instead = temporary.join(format!("sinew-{user}"));
        // Unset, empty, relative, missing, and one in which nobody can make a file.
        for other in [None, Some(""), Some("relative"), Some("/missing"), Some("/proc")] {
            assert_eq!(chosen(other), instead, "{other:?}");
        }
        assert_eq!(fs::read_dir(temporary).expect("a list").count(), 1, "nothing is left");
        let error = dev_dir::default_path(None, Path::new("/missing")).expect_err("nowhere to go");
        assert_says(&error.to_string(), &["/missing", "XDG_RUNTIME_DIR", "TMPDIR"]);
    }

    #[test]
    fn a_directory_that_others_may_use_is_refused() {
        let scratch = Scratch::new();
        let path = scratch.join("ca");
        fs::create_dir(&path).expect("a directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        refused(&path, &["mode 755", "chmod 700"]);
    }

    #[test]
    fn a_symbolic_link_or_a_file_in_place_of_the_directory_is_refused() {
        let scratch = Scratch::new();
        let path = scratch.join("ca");
        Directory::open(&scratch.join("real")).expect("a directory");
        symlink(scratch.join("real"), &path).expect("a link");
        refused(&path, &["symbolic link", "remove it"]);
        refused(&scratch.write("file", ""), &["a file", "remove it"]);
        refused(&scratch.join("missing/ca"), &["cannot be made"]);
    }

    #[test]
    fn a_file_that_others_may_use_or_a_link_is_passed_over() {
        let scratch = Scratch::new();
        let directory = directory(&scratch);
        newest(&directory);
        let file = scratch.join("ca/dev-ca.1.pem");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a mode");
        newest(&directory);
        assert_eq!(directory.numbers().expect("a list"), [2]);
        symlink(scratch.join("ca/dev-ca.2.pem"), scratch.join("ca/dev-ca.3.pem")).expect("a link");
        newest(&directory);
        assert_eq!(directory.numbers().expect("a list"), [2, 4]);
    }
}

/// An identity of what was issued as files.
fn of_files(leaf: &DevelopmentLeaf) -> Identity {
    let [certificate, key, bundle] =
        [&leaf.certificate, &leaf.key, &leaf.bundle].map(|pem| pem.as_bytes());
    Identity::from_pem(certificate, key, bundle).expect("an identity")
}

fn issued(ca: &DevelopmentCa, path: &str) -> Identity {
    let id = SpiffeId::new(&format!("spiffe://dev.local/{path}")).expect("an id");
    of_files(&ca.issue(&id).expect("a certificate"))
}

#[test]
fn certificates_in_files_meet_each_other_and_processes_without() {
    let scratch = Scratch::new();
    let ca = DevelopmentCa::open_in(scratch.join("ca")).expect("a directory");
    assert_eq!(ca.authorities().expect("a list"), [], "to look makes none");
    let (server, client) = (issued(&ca, "Shop"), issued(&ca, "client/me"));
    connect(&client, &server, "Shop").assert_done();
    let without = Identity::development_in(scratch.join("ca")).expect("an identity");
    connect(&without, &server, "Shop").assert_done();
    connect(&client, &without, "Bank").assert_done();
    // Who it is decides, not that this CA issued it.
    let text = format!("{:?}", connect(&client, &issued(&ca, "Bank"), "Shop").client);
    assert_says(&text, &["`spiffe://dev.local/Bank`"]);
    let elsewhere = SpiffeId::new("spiffe://prod.example/Shop").expect("an id");
    assert_says(&ca.issue(&elsewhere).unwrap_err().to_string(), &["`dev.local` alone"]);
}

#[test]
fn a_successor_leaves_what_was_issued_before_as_it_is() {
    let scratch = Scratch::new();
    let ca = DevelopmentCa::open_in(scratch.join("ca")).expect("a directory");
    let id = SpiffeId::new("spiffe://dev.local/client/old").expect("an id");
    let leaf = ca.issue(&id).expect("a certificate");
    let (old_server, old_client) = (issued(&ca, "Shop"), of_files(&leaf));
    ca.rotate().expect("a successor");
    let (new_server, new_client) = (issued(&ca, "Shop"), issued(&ca, "client/new"));
    connect(&old_client, &old_server, "Shop").assert_done();
    connect(&new_client, &new_server, "Shop").assert_done();
    // The new bundle has both authorities; what is in the old one is all that its owner trusts.
    let text = format!("{:?}", connect(&old_client, &new_server, "Shop").client);
    assert_says(&text, &["sinew development authority", "not trusted here"]);
    let known = ca.authorities().expect("a list");
    let standings: Vec<_> = known.iter().map(|one| (&one.standing, one.has_key)).collect();
    assert_eq!(
        standings,
        [(&DevelopmentStanding::Issues, true), (&DevelopmentStanding::Trusted, true)]
    );
    let today = ca.bundle().expect("authorities");
    connect(&of_files(&DevelopmentLeaf { bundle: today, ..leaf }), &new_server, "Shop")
        .assert_done();
}

#[test]
fn what_is_of_no_use_says_why() {
    let scratch = Scratch::new();
    let ca = DevelopmentCa::open_in(scratch.join("ca")).expect("a directory");
    let directory = directory(&scratch);
    put(&directory, 1, -2 * HOUR, -HOUR);
    put(&directory, 2, -HOUR, HOUR / 2);
    directory.publish(3, b"nonsense").expect("a file");
    let whole = Authority::make(1, 4_000_000_000).expect("an authority");
    let (certificate, _) = whole.split_once("-----BEGIN PRIVATE").expect("a key");
    directory.publish(4, certificate.as_bytes()).expect("a file");
    let known = ca.authorities().expect("a list");
    let standings: Vec<_> = known.iter().map(|one| &one.standing).collect();
    let unusable =
        |why: &str| DevelopmentStanding::Unusable { why: format!("it is damaged ({why})") };
    assert_eq!(
        standings,
        [
            &unusable("no key"),
            &unusable("no certificate"),
            &DevelopmentStanding::Trusted,
            &DevelopmentStanding::Over
        ]
    );
    assert!(known[0].name.starts_with("sinew development authority "), "{:?}", known[0]);
    assert!(!known[0].has_key && known[2].has_key, "{known:?}");
}
