//! Files that cannot be used are named, with their variable; good ones can be renewed.

use std::ffi::OsString;

use super::{
    super::{IdentityError, files::Places},
    *,
};

/// Environment of a test.
fn places(set: &[(&str, &Path)]) -> Result<Option<Places>, IdentityError> {
    Places::of_environment(|name| {
        let value = set.iter().find(|(set, _)| *set == name);
        value.map(|(_, path)| OsString::from(path))
    })
}

fn identity(set: &[(&str, &Path)]) -> Result<Identity, IdentityError> {
    let places = places(set)?.expect("three variables");
    Identity::from_places(places)
}

struct Three {
    certificate: PathBuf,
    key: PathBuf,
    bundle: PathBuf,
}

impl Three {
    fn write(scratch: &Scratch, ca: &Ca, issued: &Issued) -> Self {
        Self {
            certificate: scratch.write("cert.pem", &issued.pem),
            key: scratch.write("key.pem", &issued.key_pem),
            bundle: scratch.write("bundle.pem", &ca.pem),
        }
    }

    fn variables(&self) -> [(&'static str, &Path); 3] {
        [
            ("SINEW_CERT", self.certificate.as_path()),
            ("SINEW_KEY", self.key.as_path()),
            ("SINEW_BUNDLE", self.bundle.as_path()),
        ]
    }

    fn load(&self) -> Result<Identity, IdentityError> {
        identity(&self.variables())
    }

    #[track_caller]
    fn fails_saying(&self, fragments: &[&str]) {
        let error = self.load().expect_err("cannot be used");
        assert_says(&error.to_string(), fragments);
    }
}

#[test]
fn an_identity_is_read_from_the_three_files() {
    let (scratch, ca) = (Scratch::new(), Ca::new("ca"));
    let three = Three::write(&scratch, &ca, &ca.issue(&Leaf::of(SHOP)));
    let loaded = three.load().expect("an identity");
    assert_eq!(loaded.id(), id(SHOP));
    assert_eq!(loaded.trust_domain().as_str(), "prod.example");
    assert!(!loaded.is_development());
    let anywhere = "192.0.2.1:7000".parse().expect("an address");
    loaded.allows_address(anywhere).expect("production goes everywhere");
    let shown = format!("{loaded:?}");
    assert!(shown.contains(SHOP) && !shown.contains("PRIVATE"), "{shown}");
    let same = Identity::from_files(&three.certificate, &three.key, &three.bundle);
    assert_eq!(same.expect("an identity").id(), id(SHOP));
}

#[test]
fn without_a_variable_there_are_no_files() {
    assert!(places(&[]).expect("nothing is wrong").is_none());
}

#[test]
fn a_variable_without_the_others_is_refused() {
    let path = Path::new("x.pem");
    let error = places(&[("SINEW_KEY", path)]).expect_err("one of three");
    assert_says(
        &error.to_string(),
        &["`SINEW_KEY` is set", "`SINEW_CERT` and `SINEW_BUNDLE` are not", "or none of them"],
    );
    let error = places(&[("SINEW_KEY", path), ("SINEW_CERT", path)]).expect_err("two of three");
    assert_says(
        &error.to_string(),
        &["`SINEW_CERT` and `SINEW_KEY` are set", "`SINEW_BUNDLE` is not"],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_variable() {
    let (scratch, ca) = (Scratch::new(), Ca::new("ca"));
    let good = || Three::write(&scratch, &ca, &ca.issue(&Leaf::of(SHOP)));
    let mut three = good();
    three.bundle = scratch.join("missing.pem");
    let path = three.bundle.display().to_string();
    three.fails_saying(&["bundle", &path, "(from `SINEW_BUNDLE`)", "cannot be read"]);
    let mut three = good();
    three.certificate = PathBuf::new();
    three.fails_saying(&["certificate", "`SINEW_CERT`", "the path is empty"]);
    let mut three = good();
    three.key = scratch.as_ref().to_owned();
    three.fails_saying(&["private key", "`SINEW_KEY`", "cannot be read"]);
    let mut three = good();
    three.key = scratch.write("large.pem", &"x".repeat((1 << 20) + 1));
    three.fails_saying(&["private key", "larger than 1 MiB"]);
}

#[test]
fn contents_that_cannot_be_used_are_explained() {
    let (scratch, ca) = (Scratch::new(), Ca::new("ca"));
    let issued = ca.issue(&Leaf::of(SHOP));
    let three = Three::write(&scratch, &ca, &issued);
    scratch.write("key.pem", &issued.pem);
    three.fails_saying(&["`SINEW_KEY`", "no unencrypted private key", "BEGIN PRIVATE KEY"]);
    scratch.write("key.pem", &issued.key_pem[..60]);
    three.fails_saying(&["`SINEW_KEY`", "no `-----END` line"]);
    scratch.write("key.pem", "-----BEGIN PRIVATE KEY-----\n*secret*\n-----END PRIVATE KEY-----\n");
    let error = three.load().expect_err("no base64").to_string();
    assert!(error.contains("not base64") && !error.contains("secret"), "{error}");
    scratch.write("key.pem", &issued.key_pem);
    scratch.write("cert.pem", "");
    three.fails_saying(&["`SINEW_CERT`", "BEGIN CERTIFICATE"]);
    scratch.write("cert.pem", &format!("{}{}", ca.pem, issued.pem));
    three.fails_saying(&["`SINEW_CERT`", "CA=true", "comes first"]);
    scratch.write("cert.pem", &issued.pem);
    scratch.write("bundle.pem", &issued.pem);
    three.fails_saying(&["`SINEW_BUNDLE`", "certificate 1", "`leaf`", "CA=true"]);
    scratch.write("bundle.pem", &Ca::valid("old", -7200, -3600).pem);
    three.fails_saying(&["`SINEW_BUNDLE`", "expired", "put in the current ones"]);
}

#[test]
fn a_key_of_another_certificate_is_refused_and_both_files_are_named() {
    let (scratch, ca) = (Scratch::new(), Ca::new("ca"));
    let three = Three::write(&scratch, &ca, &ca.issue(&Leaf::of(SHOP)));
    scratch.write("key.pem", &ca.issue(&Leaf::of(SHOP)).key_pem);
    three.fails_saying(&["cert.pem", "key.pem", "SINEW_CERT", "SINEW_KEY", "issued together"]);
}

#[test]
fn a_certificate_that_is_over_or_has_not_begun_does_not_start() {
    let (scratch, ca) = (Scratch::new(), Ca::new("ca"));
    let of = |from, to| Three::write(&scratch, &ca, &ca.issue(&Leaf::of(SHOP).valid(from, to)));
    of(-3600, -60).fails_saying(&["`SINEW_CERT`", "expired at 2", "renew it"]);
    of(600, 3600).fails_saying(&["`SINEW_CERT`", "valid from 2", "clock"]);
    of(15, 3600).load().expect("within what clocks may differ");
}

#[test]
fn a_certificate_for_one_side_serves_only_that() {
    let ca = Ca::new("ca");
    let only = |purpose| {
        let issued = ca.issue(&Leaf::of(SHOP).only_for(purpose));
        let (chain, key) = (issued.pem.as_bytes(), issued.key_pem.as_bytes());
        Identity::from_pem(chain, key, ca.pem.as_bytes()).expect("an identity")
    };
    let client = only(ExtendedKeyUsagePurpose::ClientAuth);
    let error = client.server_config(&["Shop"]).expect_err("it is for clients");
    assert_says(&error.to_string(), &["given in memory", "server authentication", "issue it"]);
    client.client_config(&id(SHOP)).expect("what it is for");
    let server = only(ExtendedKeyUsagePurpose::ServerAuth);
    let error = server.client_config(&id(SHOP)).expect_err("it is for servers");
    assert_says(&error.to_string(), &["client authentication"]);
    server.server_config(&["Shop"]).expect("what it is for");
}

#[test]
fn a_service_name_that_no_id_can_hold_is_refused() {
    let error = Ca::new("ca").identity(SHOP).server_config(&["a/b"]).expect_err("two segments");
    assert_says(&error.to_string(), &["`a/b`", "service name must be"]);
}

#[test]
fn renewed_files_reach_the_next_handshake_without_a_new_configuration() {
    let (scratch, old, new) = (Scratch::new(), Ca::new("old"), Ca::new("new"));
    let three = Three::write(&scratch, &old, &old.issue(&Leaf::of(SHOP)));
    let identity = three.load().expect("an identity");
    let server = identity.server_config(&["Shop"]).expect("a server");
    let web = new.identity(WEB).client_config(&id(SHOP)).expect("a client");
    assert!(handshake(web.clone(), server.clone(), &id(SHOP)).client.is_err());
    assert!(!identity.reload().expect("nothing is wrong"), "nothing is new");
    let renewed = new.issue(&Leaf::of(SHOP));
    scratch.write("cert.pem", &renewed.pem);
    scratch.write("key.pem", &renewed.key_pem);
    scratch.write("bundle.pem", &format!("{}{}", old.pem, new.pem));
    assert!(identity.reload().expect("good files"), "there is news");
    handshake(web, server.clone(), &id(SHOP)).assert_done();
    let web = old.identity(WEB);
    let outcome = handshake(web.client_config(&id(SHOP)).expect("a client"), server, &id(SHOP));
    assert_says(&format!("{:?}", outcome.client), &["issued by `new`"]);
}

#[test]
fn a_renewal_that_fails_leaves_what_was_there() {
    let (scratch, ca) = (Scratch::new(), Ca::new("ca"));
    let three = Three::write(&scratch, &ca, &ca.issue(&Leaf::of(SHOP)));
    let identity = three.load().expect("an identity");
    let server = identity.server_config(&["Shop"]).expect("a server");
    let web = ca.identity(WEB).client_config(&id(SHOP)).expect("a client");
    let foreign = ca.issue(&Leaf::of("spiffe://staging.example/Shop"));
    let expired = ca.issue(&Leaf::of(SHOP).valid(-3600, -60));
    let other_key = ca.issue(&Leaf::of(SHOP)).key_pem;
    for (pem, key, why) in [
        (&foreign.pem, &foreign.key_pem, "start it anew"),
        (&expired.pem, &expired.key_pem, "expired"),
        (&foreign.pem, &other_key, "issued together"),
        (&"half written".to_owned(), &other_key, "BEGIN CERTIFICATE"),
    ] {
        scratch.write("cert.pem", pem);
        scratch.write("key.pem", key);
        assert_says(&identity.reload().expect_err(why).to_string(), &[why]);
        handshake(web.clone(), server.clone(), &id(SHOP)).assert_done();
    }
    let good = ca.issue(&Leaf::of(SHOP));
    scratch.write("cert.pem", &good.pem);
    scratch.write("key.pem", &good.key_pem);
    assert!(identity.reload().expect("good again"));
}
