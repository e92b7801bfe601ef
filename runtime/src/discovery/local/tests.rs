//! Announcements that come, go, are left behind, or are none.

use std::{os::unix::fs::symlink, time::Duration};

use sinew_core::policy::roster::{Snapshot, Withdrawn};

use super::{look::Look, *};
use crate::discovery::{Entry, scratch::Scratch};

fn local(scratch: &Scratch) -> Local {
    Local::in_directory(scratch.path())
}

fn look(scratch: &Scratch, service: &str) -> Look {
    Look::new(service, local(scratch).of(service))
}

fn announce(scratch: &Scratch, service: &str, port: u16) -> Announced {
    local(scratch).announce(service, ([127, 0, 0, 1], port).into(), About::default())
}

fn snapshot(look: &mut Look, now: Instant) -> Snapshot<Entry> {
    look.again(now).unwrap().unwrap()
}

fn addresses(look: &mut Look, now: Instant) -> Vec<String> {
    snapshot(look, now).endpoints.into_iter().map(|entry| entry.address).collect()
}

/// The names of those that were taken back.
fn withdrawn(look: &mut Look, now: Instant) -> Vec<String> {
    match snapshot(look, now).withdrawn {
        Withdrawn::Ids(ids) => ids.into_iter().collect(),
        Withdrawn::Rest => panic!("a directory does not know who is missing"),
    }
}

/// A later look, at which everything is looked at again.
fn later(now: Instant, looks: u32) -> Instant {
    now + limits::DISCOVERY_LOOK * looks
}

/// An announcement of a process that ran with our number before.
fn of_a_process_that_is_gone(announced: &Announced) -> String {
    let text = fs::read_to_string(&announced.words.file).unwrap();
    let process = text.lines().find(|line| line.starts_with("process")).unwrap();
    let began = process.split(' ').nth(2).unwrap();
    text.replace(began, "1")
}

#[tokio::test]
async fn what_is_announced_is_found_and_what_is_taken_back_is_not() {
    let scratch = Scratch::new();
    let now = Instant::now();
    let mut look = look(&scratch, "shop.Inventory");
    assert_eq!(addresses(&mut look, now), [""; 0], "there is no directory yet");
    let one = announce(&scratch, "shop.Inventory", 1);
    let two = announce(&scratch, "shop.Inventory", 2);
    let _other = announce(&scratch, "shop.Pricing", 3);
    assert_eq!(addresses(&mut look, later(now, 1)), ["127.0.0.1:1", "127.0.0.1:2"]);
    one.withdraw();
    assert_eq!(addresses(&mut look, later(now, 2)), ["127.0.0.1:2"]);
    assert_eq!(withdrawn(&mut look, later(now, 3)).len(), 1, "it said so");
    drop(one);
    drop(two);
    assert_eq!(addresses(&mut look, later(now, 4)), [""; 0]);
    assert_eq!(withdrawn(&mut look, later(now, 5)), [""; 0], "a file that is gone says nothing");
}

#[tokio::test]
async fn all_services_are_listed_when_none_is_named() {
    let scratch = Scratch::new();
    assert_eq!(local(&scratch).announced().unwrap(), [], "there is no directory yet");
    // The second has a name that cannot be a directory's.
    let odd = "x".repeat(300);
    let [pricing, odd_one, withdrawn, gone] = [("shop.Pricing", 1), (&*odd, 2), ("a", 3), ("b", 4)]
        .map(|(service, port)| announce(&scratch, service, port));
    withdrawn.withdraw();
    fs::write(&gone.words.file, of_a_process_that_is_gone(&gone)).unwrap();
    // One in the directory of another service is passed over, as whoever looks for that service does.
    let misplaced = local(&scratch).of("shop.Pricing").join("1-1");
    fs::write(misplaced, odd_one.words.lock().text.clone()).unwrap();
    fs::write(scratch.path().join("services/stray"), "no directory").unwrap();
    let listed = local(&scratch).announced().unwrap();
    let seen = listed.iter().map(|one| (&*one.service, &*one.address, one.process));
    let own = Some(std::process::id());
    let expected = [("shop.Pricing", "127.0.0.1:1", own), (&*odd, "127.0.0.1:2", own)];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    drop(pricing);
    assert_eq!(local(&scratch).announced().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_server_says_of_itself_is_heard() {
    let scratch = Scratch::new();
    let about = About {
        weight: 3.0,
        zone: Some("eu-1".to_owned()),
        labels: [("version".to_owned(), "2".to_owned())].into(),
        ..About::default()
    };
    let _announced = local(&scratch).announce("a", ([127, 0, 0, 1], 9).into(), about.clone());
    let found = snapshot(&mut look(&scratch, "a"), Instant::now()).endpoints;
    assert_eq!(found.into_iter().map(|entry| entry.about).collect::<Vec<_>>(), [about]);
}

#[tokio::test]
async fn a_server_that_listens_everywhere_is_found_on_loopback() {
    let scratch = Scratch::new();
    let everywhere = ([0, 0, 0, 0], 9).into();
    let _announced = local(&scratch).announce("a", everywhere, About::default());
    assert_eq!(addresses(&mut look(&scratch, "a"), Instant::now()), ["127.0.0.1:9"]);
}

#[tokio::test]
async fn nothing_is_read_again_while_nothing_changes() {
    let scratch = Scratch::new();
    let _announced = announce(&scratch, "a", 1);
    let mut look = look(&scratch, "a");
    let now = Instant::now();
    assert!(look.again(now).is_some());
    assert_eq!(look.again(now + limits::DISCOVERY_TICK), None);
    assert!(look.again(now + limits::DISCOVERY_LOOK).is_some());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_server_that_was_killed_is_gone_and_one_that_is_frozen_is_not() {
    let scratch = Scratch::new();
    let announced = announce(&scratch, "a", 1);
    let killed = announced.words.file.with_file_name("killed");
    fs::write(&killed, of_a_process_that_is_gone(&announced)).unwrap();
    let mut look = look(&scratch, "a");
    let now = Instant::now();
    assert_eq!(addresses(&mut look, now), ["127.0.0.1:1"]);
    assert_eq!(withdrawn(&mut look, later(now, 1)), ["killed"]);
    // Nobody touches the file of the one that runs, for long.
    announced.heartbeat.abort();
    assert_eq!(addresses(&mut look, later(now, 100)), ["127.0.0.1:1"]);
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_process_whose_file_is_gone_is_watched_until_it_is_gone_too() {
    let scratch = Scratch::new();
    let announced = announce(&scratch, "a", 1);
    let mut look = look(&scratch, "a");
    let now = Instant::now();
    let child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let mut child = Child(child);
    let text = fs::read_to_string(&announced.words.file).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/stat", child.0.id())).unwrap();
    let began = status.rsplit(' ').nth(52 - 22).unwrap();
    let own = text.lines().find(|line| line.starts_with("process")).unwrap();
    let namespace = own.split(' ').nth(3).unwrap();
    let process = format!("process {} {began} {namespace}", child.0.id());
    let file = announced.words.file.with_file_name("child");
    fs::write(&file, text.replace(own, &process).replace(":1\n", ":2\n")).unwrap();
    assert_eq!(addresses(&mut look, now).len(), 2);
    fs::remove_file(&file).unwrap();
    assert_eq!(addresses(&mut look, later(now, 1)), ["127.0.0.1:1"]);
    assert_eq!(withdrawn(&mut look, later(now, 2)), [""; 0], "it runs");
    // A zombie until it is waited for.
    child.0.kill().unwrap();
    let mut at = later(now, 3);
    while withdrawn(&mut look, at) != ["child"] {
        at += limits::DISCOVERY_LOOK;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(withdrawn(&mut look, later(at, 1)), [""; 0], "that was told");
}

struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn without_a_process_a_server_is_lost_when_it_has_said_nothing_for_its_lease() {
    let scratch = Scratch::new();
    let directory = local(&scratch).of("a");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("elsewhere");
    fs::write(&file, "sinew-announcement 1\nservice a\naddress 127.0.0.1:1\nend\n").unwrap();
    let mut look = look(&scratch, "a");
    let now = Instant::now();
    assert_eq!(addresses(&mut look, now).len(), 1);
    assert_eq!(addresses(&mut look, now + limits::ANNOUNCE_LEASE).len(), 1);
    let late = now + limits::ANNOUNCE_LEASE + limits::DISCOVERY_LOOK;
    assert_eq!(addresses(&mut look, late).len(), 0);
    assert_eq!(withdrawn(&mut look, later(late, 1)), [""; 0], "nobody knows");
    // One heartbeat, whatever the clock on the wall says, and it is there again.
    let touched = SystemTime::now() - Duration::from_secs(3600);
    OpenOptions::new().append(true).open(&file).unwrap().set_modified(touched).unwrap();
    assert_eq!(addresses(&mut look, later(late, 2)).len(), 1);
}

#[tokio::test]
async fn what_was_left_behind_long_ago_is_not_found_and_taken_away() {
    let scratch = Scratch::new();
    let directory = local(&scratch).of("a");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("left");
    fs::write(&file, "sinew-announcement 1\nservice a\naddress 127.0.0.1:1\nend\n").unwrap();
    let half = directory.join(".new-1-1");
    fs::write(&half, "sinew-ann").unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    OpenOptions::new().append(true).open(&file).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(addresses(&mut look(&scratch, "a"), Instant::now()), [""; 0]);
    let (own, now) = (directory.join("own"), Instant::now());
    let mut leftovers = Leftovers::default();
    leftovers.clean(&own, now);
    assert!(file.exists(), "a clock on the wall that was set says nothing");
    leftovers.clean(&own, now + limits::ANNOUNCEMENT_LEFT + limits::ANNOUNCE_EVERY);
    assert!(!file.exists() && !half.exists());
}

#[tokio::test]
async fn what_is_touched_or_of_a_process_that_runs_is_not_taken_away() {
    let scratch = Scratch::new();
    let frozen = announce(&scratch, "a", 1);
    frozen.heartbeat.abort();
    let directory = local(&scratch).of("a");
    let file = directory.join("elsewhere");
    let mut leftovers = Leftovers::default();
    let now = Instant::now();
    for round in 0..30 {
        // Its clock is an hour ahead, or behind.
        fs::write(&file, "sinew-announcement 1\nservice a\naddress 127.0.0.1:1\nend\n").unwrap();
        let touched = SystemTime::now() - Duration::from_secs(3600 - round);
        OpenOptions::new().append(true).open(&file).unwrap().set_modified(touched).unwrap();
        leftovers.clean(&directory.join("own"), now + limits::ANNOUNCE_LEASE * round as u32);
    }
    assert!(file.exists());
    assert!(frozen.words.file.exists() || !cfg!(target_os = "linux"));
}

#[tokio::test]
async fn what_is_no_announcement_is_passed_over() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let announced = announce(&scratch, "a", 1);
    let directory = local(&scratch).of("a");
    let good = fs::read_to_string(&announced.words.file).unwrap();
    fs::write(directory.join("garbage"), [0xff; 100]).unwrap();
    fs::write(directory.join("empty"), "").unwrap();
    fs::write(directory.join("large"), good.clone() + &"x".repeat(20_000)).unwrap();
    fs::write(directory.join("another"), good.replace("service a", "service b")).unwrap();
    fs::write(directory.join("heavy"), good.clone() + "weight 1e9\n").unwrap();
    fs::write(directory.join("foreign"), good.clone() + "protocol https\n").unwrap();
    // TEST-NET-1, which is nobody's; a group; nobody; any port.
    for address in ["192.0.2.1:1", "224.0.0.1:1", "0.0.0.0:1", "127.0.0.1:0"] {
        fs::write(directory.join(address), good.replace("127.0.0.1:1\n", &format!("{address}\n")))
            .unwrap();
    }
    fs::create_dir(directory.join("directory")).unwrap();
    symlink(&announced.words.file, directory.join("link")).unwrap();
    fs::write(directory.join(".new-half"), &good[..30]).unwrap();
    let writable = directory.join("writable");
    fs::write(&writable, &good).unwrap();
    fs::set_permissions(&writable, fs::Permissions::from_mode(0o666)).unwrap();
    let mut look = look(&scratch, "a");
    assert_eq!(addresses(&mut look, Instant::now()), ["127.0.0.1:1"]);
}

#[tokio::test]
async fn a_service_of_any_name_has_a_directory_of_its_own() {
    let scratch = Scratch::new();
    let long = "x".repeat(limits::SERVICE_NAME_MAX);
    let longer = "x".repeat(limits::SERVICE_NAME_MAX - 1) + "y";
    let names = [&*long, &*longer, "a/b", "a+b", "..", ".", ".hidden", "ä", "plain"];
    let announced: Vec<_> =
        (1..).zip(names).map(|(at, name)| announce(&scratch, name, at)).collect();
    for (port, name) in (1..).zip(names) {
        let found = addresses(&mut look(&scratch, name), Instant::now());
        assert_eq!(found, [format!("127.0.0.1:{port}")], "{name}");
    }
    for announced in &announced {
        let services = local(&scratch).services;
        assert_eq!(announced.words.file.parent().unwrap().parent(), Some(&*services));
    }
}

#[tokio::test]
async fn a_heartbeat_that_was_under_way_does_not_bring_back_what_was_removed() {
    let scratch = Scratch::new();
    let announced = announce(&scratch, "a", 1);
    let words = Arc::clone(&announced.words);
    announced.withdraw();
    words.write();
    assert!(fs::read_to_string(&words.file).unwrap().contains("withdrawn yes"));
    drop(announced);
    words.write();
    assert!(!words.file.exists());
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_stops_no_server_and_is_tried_again() {
    let scratch = Scratch::new();
    // A file stands where the directory should be: the disk is as good as full.
    fs::write(scratch.path().join("services"), "").unwrap();
    let announced = announce(&scratch, "a", 1);
    assert!(!announced.words.file.exists());
    let mut look = look(&scratch, "a");
    assert!(look.again(Instant::now()).unwrap().is_err(), "it is said, and nobody is missing");
    fs::remove_file(scratch.path().join("services")).unwrap();
    let began = Instant::now();
    while !announced.words.file.exists() && began.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(addresses(&mut look, later(Instant::now(), 1)), ["127.0.0.1:1"]);
}
