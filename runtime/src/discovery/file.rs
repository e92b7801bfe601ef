//! A file of endpoints, looked at again and again.
//!
//! # Why
//! It is polled, not watched: a look costs a few microseconds, needs no crate, and works where notifications do not
//! (network file systems, links that an orchestrator swaps). What was changed is believed when it is the same twice, for
//! many editors write in place.
//!
//! # Invariants
//! 1. What cannot be read or understood changes nothing.
//! 2. Whoever is not in the file was taken out by its author; but a file that lists nobody has to say that it means so.

use std::path::PathBuf;

use sinew_core::{
    limits,
    policy::roster::{Snapshot, Withdrawn},
};
use tokio::time::sleep;

use super::{Doubts, Entry, Hearing, Source, endpoints, files::read_bounded, forever};

/// `file:endpoints.toml`.
#[derive(Debug)]
pub(crate) struct EndpointsFile {
    path: PathBuf,
    service: String,
    /// What was read last, and whether it has been evaluated.
    last: Option<(Result<String, String>, bool)>,
}

impl EndpointsFile {
    pub(crate) fn new(path: PathBuf, service: &str) -> Self {
        Self { path, service: service.to_owned(), last: None }
    }

    /// What the file says, if that is news.
    fn heard(&mut self, read: Result<String, String>) -> Option<Result<Snapshot<Entry>, String>> {
        let settled = match &mut self.last {
            Some((known, is_old)) if *known == read => !std::mem::replace(is_old, true),
            Some(last) => {
                *last = (read.clone(), false);
                false
            }
            first => {
                *first = Some((read.clone(), true));
                true
            }
        };
        settled.then(|| read.and_then(|text| self.evaluate(&text)))
    }

    fn evaluate(&self, text: &str) -> Result<Snapshot<Entry>, String> {
        let listed = endpoints::read(text, &self.service)?;
        if listed.entries.is_empty() && !listed.withdrawn {
            return Err(format!(
                "it lists no endpoint of `{}`; write `withdrawn = true` if there is to be none",
                self.service
            ));
        }
        Ok(Snapshot { endpoints: listed.entries, withdrawn: Withdrawn::Rest })
    }
}

impl Source for EndpointsFile {
    fn name(&self) -> String {
        format!("file:{}", self.path.display())
    }

    fn is_kept(&self) -> bool {
        true
    }

    fn next<'a>(&'a mut self, _doubts: &'a mut Doubts) -> Hearing<'a> {
        Box::pin(async move {
            loop {
                if self.last.is_some() {
                    sleep(limits::ENDPOINTS_FILE_LOOK).await;
                }
                let path = self.path.clone();
                let read = tokio::task::spawn_blocking(move || {
                    let text = read_bounded(&path, limits::ENDPOINTS_FILE_MAX);
                    text.map_err(super::files::Unusable::into_words)
                });
                // The runtime is shutting down.
                let Ok(read) = read.await else { forever().await };
                if let Some(heard) = self.heard(read) {
                    return heard;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> EndpointsFile {
        EndpointsFile::new("endpoints.toml".into(), "a")
    }

    fn listing(address: &str) -> Result<String, String> {
        Ok(format!("[[endpoint]]\naddress = \"{address}\"\n"))
    }

    fn addresses(heard: Option<Result<Snapshot<Entry>, String>>) -> Vec<String> {
        let snapshot = heard.expect("news").expect("a list");
        assert_eq!(snapshot.withdrawn, Withdrawn::Rest);
        snapshot.endpoints.into_iter().map(|entry| entry.address).collect()
    }

    #[test]
    fn a_change_is_believed_when_it_is_the_same_twice() {
        let mut file = file();
        assert_eq!(addresses(file.heard(listing("a:1"))), ["a:1"], "the first at once");
        assert_eq!(file.heard(listing("a:1")), None);
        assert_eq!(file.heard(Ok(String::new())), None, "an editor has begun to write");
        assert_eq!(file.heard(listing("b:1")), None);
        assert_eq!(addresses(file.heard(listing("b:1"))), ["b:1"]);
        assert_eq!(file.heard(listing("b:1")), None);
    }

    #[test]
    fn what_is_wrong_is_said_once_and_what_is_right_again_is_news() {
        let mut file = file();
        file.heard(listing("a:1")).unwrap().unwrap();
        let bad = || Ok("\n\nwhat".to_owned());
        assert_eq!(file.heard(bad()), None);
        assert!(file.heard(bad()).unwrap().unwrap_err().starts_with("line 3: "));
        assert_eq!(file.heard(bad()), None);
        assert_eq!(file.heard(listing("a:1")), None);
        assert_eq!(addresses(file.heard(listing("a:1"))), ["a:1"]);
    }

    #[test]
    fn an_empty_file_has_to_mean_it() {
        let why = file().heard(Ok(String::new())).unwrap().unwrap_err();
        assert!(why.contains("`withdrawn = true`"), "{why}");
        assert!(addresses(file().heard(Ok("withdrawn = true".to_owned()))).is_empty());
        assert_eq!(file().heard(Err("gone".to_owned())), Some(Err("gone".to_owned())));
    }
}
