//! What is believed of a file, and when.

use std::{collections::BTreeMap, fs};

use super::*;
use crate::{
    discovery::scratch::Scratch,
    metrics::{Metrics, Registry},
};

/// A file of one test's own.
struct Own(Scratch);

impl Own {
    fn new() -> Self {
        Self(Scratch::new())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("sinew.toml")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    /// Puts a new file in the place of the old one.
    fn replace(&self, text: &str) {
        let new = self.0.path().join("new.toml");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    /// A mesh's policy, that begins with this file.
    fn begin(&self) -> (Live, Result<(), PolicyError>) {
        self.begin_counted(&Arc::default())
    }

    /// The same, counted there.
    fn begin_counted(&self, metrics: &Arc<Registry>) -> (Live, Result<(), PolicyError>) {
        let live = Live::new(BTreeMap::new(), Arc::clone(metrics));
        let begun = PolicyFile::new(self.file(), Some(self.0.path())).load(&live);
        (live, begun)
    }
}

/// One that allows so many attempts.
fn policy(attempts: u8) -> String {
    format!("version = 1\n[defaults]\nretry = {{ attempts = {attempts} }}\n")
}

fn attempts(live: &Live) -> Option<u8> {
    live.now().terms("S").attempts
}

#[test]
fn what_is_written_in_place_is_believed_when_it_is_the_same_twice() {
    let own = Own::new();
    own.write("one");
    let mut seen = Seen { told: Some(Ok("one".to_owned())), ..Seen::default() };
    assert_eq!(seen.look(&own.file()), None);
    assert_eq!(seen.look(&own.file()), None, "it was told at the start");
    own.write("");
    assert_eq!(seen.look(&own.file()), None, "somebody has begun to write");
    own.write("other");
    assert_eq!(seen.look(&own.file()), None);
    assert_eq!(seen.look(&own.file()), Some(Ok("other".to_owned())));
    assert_eq!(seen.look(&own.file()), None);
}

#[test]
#[cfg(unix)]
fn what_takes_its_place_is_believed_at_once() {
    let own = Own::new();
    own.write("one");
    let mut seen = Seen::default();
    assert_eq!(seen.look(&own.file()), None);
    assert_eq!(seen.look(&own.file()), Some(Ok("one".to_owned())));
    own.replace("two");
    assert_eq!(seen.look(&own.file()), Some(Ok("two".to_owned())));
    assert_eq!(seen.look(&own.file()), None);
}

#[test]
fn a_file_that_is_gone_or_none_is_told_once() {
    let own = Own::new();
    own.write("one");
    let mut seen = Seen { told: Some(Ok("one".to_owned())), ..Seen::default() };
    (0..3).for_each(|_| assert_eq!(seen.look(&own.file()), None));
    fs::remove_file(own.file()).unwrap();
    assert_eq!(seen.look(&own.file()), None);
    assert!(matches!(seen.look(&own.file()), Some(Err(_))));
    (0..3).for_each(|_| assert_eq!(seen.look(&own.file()), None));
    own.write("one");
    assert_eq!(seen.look(&own.file()), None);
    assert_eq!(seen.look(&own.file()), Some(Ok("one".to_owned())));
}

#[test]
fn a_restart_with_a_broken_file_goes_on_with_what_was_in_force() {
    let own = Own::new();
    own.write("version = ");
    let (_, begun) = own.begin();
    assert!(begun.unwrap_err().to_string().contains("line 1"), "there was none before");
    own.write(&policy(2));
    let (live, begun) = own.begin();
    assert_eq!((begun, attempts(&live)), (Ok(()), Some(2)));
    for broken in [Some("version = 1\nretries = 5"), Some(""), None] {
        match broken {
            Some(text) => own.write(text),
            None => fs::remove_file(own.file()).unwrap(),
        }
        let metrics = Arc::default();
        let (live, begun) = own.begin_counted(&metrics);
        assert_eq!((begun, attempts(&live)), (Ok(()), Some(2)), "{broken:?}");
        let page = Metrics::new(&metrics).to_string();
        assert!(page.contains("\nsinew_policy_refused 1\n"), "{page}");
        let status = live.status();
        assert!(status.source.contains("an earlier start"), "{}", status.source);
        assert!(status.refused.is_some(), "{broken:?}");
    }
    own.write(&policy(4));
    let (live, _) = own.begin();
    assert_eq!((attempts(&live), live.status().refused), (Some(4), None));
}

#[test]
fn what_was_kept_and_others_may_have_written_is_not_used() {
    let own = Own::new();
    own.write(&policy(2));
    assert_eq!(own.begin().1, Ok(()));
    let kept =
        fs::read_dir(own.0.path().join("last-good")).unwrap().next().unwrap().unwrap().path();
    #[cfg(unix)]
    fs::set_permissions(&kept, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    #[cfg(not(unix))]
    fs::write(&kept, "no policy").unwrap();
    own.write("");
    assert!(own.begin().1.is_err());
}

#[test]
fn a_document_that_is_wrong_changes_nothing_and_is_counted() {
    let live = Live::new(BTreeMap::new(), Arc::default());
    assert_eq!(live.apply(&policy(2), "a test"), Ok(1));
    let why = live.apply("version = 1\n[defaults]\ntimout = \"1s\"", "a test").unwrap_err();
    assert_eq!(why.problems()[0].line, 3);
    assert_eq!((attempts(&live), live.status().version), (Some(2), 1));
    assert_eq!(live.status().refused, Some(why));
    assert_eq!(live.apply(&policy(3), "a test"), Ok(2));
    assert_eq!((attempts(&live), live.status().refused), (Some(3), None));
    assert_eq!(live.status().unused, Vec::<String>::new());
    live.apply("version = 1\n[service.Typo]", "a test").unwrap();
    assert_eq!(live.status().unused, ["Typo"]);
}
