//! What is kept, and what of it is not believed.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;
use crate::discovery::{About, scratch::Scratch};

fn id(path: &str) -> SpiffeId {
    SpiffeId::new(&format!("spiffe://a.example/{path}")).unwrap()
}

fn kept(scratch: &Scratch) -> LastGood {
    LastGood::in_directory(scratch.path(), "a", &id("a"))
}

fn entries() -> Vec<Entry> {
    let about = About { weight: 0.1, zone: Some("z".to_owned()), ..About::default() };
    vec![Entry::at("127.0.0.1:1"), Entry { about, ..Entry::at("127.0.0.1:2") }]
}

#[test]
fn what_is_kept_is_there_for_the_same_client_and_no_other() {
    let scratch = Scratch::new();
    assert_eq!(kept(&scratch).load("dns:a:1"), []);
    kept(&scratch).save("dns:a:1", &entries());
    assert_eq!(kept(&scratch).load("dns:a:1"), entries());
    assert_eq!(kept(&scratch).load("dns:b:1"), []);
    assert_eq!(LastGood::in_directory(scratch.path(), "b", &id("a")).load("dns:a:1"), []);
    // Who expects somebody else does not even look where this one was.
    assert_eq!(LastGood::in_directory(scratch.path(), "a", &id("b")).load("dns:a:1"), []);
    kept(&scratch).save("dns:a:1", &[]);
    assert_eq!(kept(&scratch).load("dns:a:1"), [], "none, on purpose");
}

#[test]
fn what_is_kept_is_this_users_alone() {
    let scratch = Scratch::new();
    kept(&scratch).save("dns:a:1", &entries());
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&kept(&scratch).directory), 0o700);
    assert_eq!(mode(&kept(&scratch).file("dns:a:1")), 0o600);
}

#[test]
fn what_is_corrupt_or_of_others_is_passed_over() {
    let scratch = Scratch::new();
    let (kept, source) = (kept(&scratch), "dns:a:1");
    kept.save(source, &entries());
    let file = kept.file(source);
    let good = fs::read_to_string(&file).unwrap();
    for bad in [&good[..good.len() / 2], "\0\0\0\0", "[[endpoint]]", &"#".repeat(2 << 20)] {
        fs::write(&file, bad).unwrap();
        assert_eq!(kept.load(source), [], "{} bytes", bad.len());
    }
    fs::write(&file, [0xff; 9]).unwrap();
    assert_eq!(kept.load(source), []);
    fs::write(&file, &good).unwrap();
    assert_eq!(kept.load(source), entries());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(kept.load(source), [], "others may have written it");
    fs::remove_file(&file).unwrap();
    symlink("/dev/zero", &file).unwrap();
    assert_eq!(kept.load(source), [], "a link");
    // The next answer mends it.
    kept.save(source, &entries());
    assert_eq!(kept.load(source), entries());
}

#[test]
fn only_so_many_are_kept() {
    let scratch = Scratch::new();
    let kept = kept(&scratch);
    kept.save("dns:a:1", &entries());
    for number in 1..MOST {
        fs::write(kept.directory.join(format!("{number}.toml")), "").unwrap();
    }
    kept.save("dns:b:1", &entries());
    assert_eq!(kept.load("dns:b:1"), []);
    kept.save("dns:a:1", &entries()[..1]);
    assert_eq!(kept.load("dns:a:1"), entries()[..1], "what is there is kept up to date");
}
