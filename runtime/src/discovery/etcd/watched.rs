//! What one key holds, as it changes: for what is set in one piece.

use super::{
    super::{Doubt, Doubts},
    client::Client,
    json::Keys,
    watcher::Watcher,
};

/// One key.
pub(crate) struct KeyWatch {
    watcher: Watcher,
    doubts: Doubts,
    /// What was said last, unless that was a problem.
    said: Option<Option<String>>,
}

impl KeyWatch {
    pub(super) fn new(client: Client, key: &str) -> Self {
        let watcher = Watcher::new(client, Keys::one(key));
        // Nobody has reason to doubt it.
        Self { watcher, doubts: Doubt::new().heard(), said: None }
    }

    /// What it holds, if it is there: the first time as soon as that is known, then when it has changed. Otherwise why that
    /// is not known; what was said last stays true. It waits by itself before it tries again.
    ///
    /// Where the store is set back and has the key no more, it is there for another
    /// [`ANNOUNCE_LEASE`](sinew_core::limits::ANNOUNCE_LEASE); one that it has again with an older value holds that.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, String> {
        loop {
            if let Err(why) = self.watcher.next(&mut self.doubts).await {
                self.said = None;
                return Err(why);
            }
            let value = self.watcher.items().last().map(|item| item.value.clone());
            if self.said.as_ref() != Some(&value) {
                self.said = Some(value.clone());
                return Ok(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::discovery::etcd::gateway::{Gateway, says, streams};

    const HEADER: &str = r#""header":{"cluster_id":"1","revision":"7","raft_term":"2"}"#;

    fn told(value: &str) -> String {
        let kv =
            format!(r#"{{"key":"L3NpbmV3L3BvbGljeQ==","value":"{value}","mod_revision":"8"}}"#);
        format!("{{\"result\":{{{HEADER},\"events\":[{{\"kv\":{kv}}}]}}}}\n")
    }

    #[tokio::test]
    async fn what_a_key_holds_is_told_when_it_changes_and_stays_while_nobody_can_be_asked() {
        let none = says("200 OK", &format!("{{{HEADER}}}"));
        let away = says("503 Unavailable", r#"{"code":14,"message":"no leader"}"#);
        let gone = format!(
            "{{\"result\":{{{HEADER},\"events\":[{{\"type\":\"DELETE\",\"kv\":{{\"key\":\"L3NpbmV3L3BvbGljeQ==\"}}}}]}}}}\n"
        );
        let first = streams(&[&told("b25l"), &told("b25l"), &told("dHdv"), &gone]) + "0\r\n\r\n";
        let second = streams(&[&told("dHdv")]);
        let answers = [none.clone(), away, none];
        let gateway =
            Gateway::of(&[("/v3/kv/range", &answers), ("/v3/watch", &[first, second])]).await;
        let mut watched = gateway.store().watched("policy");
        assert_eq!(watched.next().await, Ok(None));
        assert_eq!(watched.next().await, Ok(Some("one".to_owned())));
        assert_eq!(watched.next().await, Ok(Some("two".to_owned())));
        assert_eq!(watched.next().await, Ok(None));
        let why = watched.next().await.unwrap_err();
        assert!(why.contains("no leader"), "{why}");
        assert_eq!(watched.next().await, Ok(None));
        assert_eq!(watched.next().await, Ok(Some("two".to_owned())));
    }
}
