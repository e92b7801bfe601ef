//! Who announces a service in etcd.

use std::collections::{BTreeMap, BTreeSet};

use sinew_core::{
    limits,
    policy::roster::{Snapshot, Withdrawn},
};

use super::{
    super::{
        Doubts, Entry, Hearing, Source, announcement::Announcement, entry::check_id,
        local::directory_name,
    },
    client::Client,
    json::{Item, Keys},
    watcher::Watcher,
};

/// `etcd:name`.
pub(crate) struct EtcdSource {
    name: String,
    watcher: Watcher,
    reading: Reading,
    /// What was said last, unless that was a problem.
    said: Option<Snapshot<Entry>>,
}

impl EtcdSource {
    pub(super) fn new(client: Client, prefix: &str, service: &str) -> Self {
        let members: Vec<&str> =
            client.settings().members.iter().map(|member| &*member.name).collect();
        // The members are part of it: it names what is kept on disk.
        let name = format!("etcd:{service} at {}{prefix}", members.join(","));
        let below = keys_of(prefix, service);
        let watcher = Watcher::new(client, Keys::below(&below));
        Self { name, watcher, reading: Reading::new(service, below), said: None }
    }
}

/// What the keys of a service's announcements begin with.
pub(super) fn keys_of(prefix: &str, service: &str) -> String {
    format!("{prefix}/services/{}/", directory_name(service))
}

impl Source for EtcdSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn is_kept(&self) -> bool {
        true
    }

    fn next<'a>(&'a mut self, doubts: &'a mut Doubts) -> Hearing<'a> {
        Box::pin(async move {
            loop {
                if let Err(why) = self.watcher.next(doubts).await {
                    self.said = None;
                    return Err(why);
                }
                self.reading.tell_cut(self.watcher.is_cut());
                let snapshot = self.reading.snapshot(&self.watcher.items());
                if self.said.as_ref() != Some(&snapshot) {
                    self.said = Some(snapshot.clone());
                    return Ok(snapshot);
                }
            }
        })
    }
}

/// Makes a list of what the keys hold.
struct Reading {
    service: String,
    /// What the keys begin with.
    below: String,
    /// What each key held when it was read last, and what that means.
    known: BTreeMap<String, (String, Option<Announcement>)>,
    /// Whoever has taken himself back stays away, also where an old store says otherwise: an id is never used again.
    withdrawn: BTreeSet<String>,
    /// It was told that there are too many.
    is_cut: bool,
}

impl Reading {
    fn new(service: &str, below: String) -> Self {
        let (service, known) = (service.to_owned(), BTreeMap::new());
        Self { service, below, known, withdrawn: BTreeSet::new(), is_cut: false }
    }

    /// All that live, and who has taken himself back.
    fn snapshot(&mut self, items: &[&Item]) -> Snapshot<Entry> {
        let mut before = std::mem::take(&mut self.known);
        let (mut endpoints, mut withdrawn) = (Vec::new(), BTreeSet::new());
        for item in items {
            let known = before.remove(&item.key).filter(|(value, _)| *value == item.value);
            let (value, announcement) =
                known.unwrap_or_else(|| (item.value.clone(), self.read(item)));
            let id = item.key.strip_prefix(&self.below).unwrap_or_default();
            if let Some(announcement) = &announcement {
                if announcement.withdrawn {
                    withdrawn.insert(id.to_owned());
                } else if !self.withdrawn.contains(id) {
                    let address = announcement.address.to_string();
                    let about = announcement.about.clone();
                    endpoints.push(Entry { id: id.to_owned(), address, about });
                }
            }
            self.known.insert(item.key.clone(), (value, announcement));
        }
        self.withdrawn.extend(withdrawn);
        while self.withdrawn.len() > limits::ETCD_KEYS_MAX {
            self.withdrawn.pop_first();
        }
        Snapshot { endpoints, withdrawn: Withdrawn::Ids(self.withdrawn.clone()) }
    }

    fn read(&self, item: &Item) -> Option<Announcement> {
        match read(item, &self.below, Some(&self.service)) {
            Ok(announcement) => Some(announcement),
            Err(why) => {
                let key = &item.key;
                tracing::warn!("`{key:?}` in etcd is no announcement and is passed over: {why}");
                None
            }
        }
    }

    fn tell_cut(&mut self, is_cut: bool) {
        if is_cut && !self.is_cut {
            let most = limits::ETCD_KEYS_MAX;
            tracing::warn!(
                "`{}` in etcd has more than {most} keys (ETCD_KEYS_MAX): the others are passed over",
                self.below
            );
        }
        self.is_cut = is_cut;
    }
}

/// What a key says, below this; of the service that is expected, where one is.
pub(super) fn read(
    item: &Item,
    below: &str,
    service: Option<&str>,
) -> Result<Announcement, String> {
    if item.value.len() as u64 > limits::ANNOUNCEMENT_MAX {
        return Err(format!("it has more than {} bytes", limits::ANNOUNCEMENT_MAX));
    }
    check_id(item.key.strip_prefix(below).ok_or("its key is another's")?)?;
    let announcement = Announcement::parse(&item.value)?;
    if service.is_some_and(|service| service != announcement.service) {
        return Err(format!("it is of `{}`", announcement.service));
    }
    let address = announcement.address;
    if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
        return Err(format!("nobody can be at {address}"));
    }
    Ok(announcement)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BELOW: &str = "/sinew/services/shop/";

    fn item(id: &str, value: &str) -> Item {
        let key = format!("{BELOW}{id}");
        Item { key, value: value.to_owned(), created: 1, modified: 1 }
    }

    fn says(address: &str) -> String {
        format!("sinew-announcement 1\nservice shop\naddress {address}\nend\n")
    }

    fn withdrawn(address: &str) -> String {
        says(address).replace("end\n", "withdrawn yes\nend\n")
    }

    fn snapshot(reading: &mut Reading, items: &[Item]) -> (Vec<String>, Vec<String>) {
        let Snapshot { endpoints, withdrawn } = reading.snapshot(&items.iter().collect::<Vec<_>>());
        let Withdrawn::Ids(ids) = withdrawn else { panic!("{withdrawn:?}") };
        let of = |entry: Entry| format!("{}@{}", entry.id, entry.address);
        (endpoints.into_iter().map(of).collect(), ids.into_iter().collect())
    }

    #[test]
    fn who_lives_is_listed_and_who_took_himself_back_is_not_even_where_the_store_is_old() {
        let mut reading = Reading::new("shop", BELOW.to_owned());
        let (one, two) = (item("1", &says("10.0.0.1:7")), item("2", &says("10.0.0.2:7")));
        let listed = snapshot(&mut reading, &[one.clone(), two.clone()]);
        assert_eq!(listed, (vec!["1@10.0.0.1:7".into(), "2@10.0.0.2:7".into()], vec![]));
        let back = item("1", &withdrawn("10.0.0.1:7"));
        let listed = snapshot(&mut reading, &[back, two.clone()]);
        assert_eq!(listed, (vec!["2@10.0.0.2:7".into()], vec!["1".into()]));
        let listed = snapshot(&mut reading, &[one, two]);
        assert_eq!(listed, (vec!["2@10.0.0.2:7".into()], vec!["1".into()]), "restored old");
    }

    #[test]
    fn what_is_no_announcement_is_passed_over() {
        let mut reading = Reading::new("shop", BELOW.to_owned());
        let long = format!("sinew-announcement 1\nmood {}\nend\n", "x".repeat(17_000));
        let mut elsewhere = item("9", &says("10.0.0.1:7"));
        elsewhere.key = "/other/9".to_owned();
        let items = [
            item("1", ""),
            item("2", "\u{fffd}\u{0}"),
            item("3", &says("10.0.0.1:0")),
            item("4", &says("0.0.0.0:7")),
            item("5", &says("224.0.0.1:7")),
            item("6", &says("10.0.0.1:7").replace("shop", "bank")),
            item("7", &long),
            item("a b", &says("10.0.0.1:7")),
            item("", &says("10.0.0.1:7")),
            elsewhere,
            item("8", &says("[::1]:7")),
        ];
        assert_eq!(snapshot(&mut reading, &items), (vec!["8@[::1]:7".into()], vec![]));
    }
}
