//! Two versions of services: what changed, and who may be rolled out first.
//!
//! A method whose fingerprint is the same on both sides is spoken in bincode, and nothing of it changed on the wire. All
//! others go as MessagePack with named fields; whether that works is asked for each direction: a request of an old client
//! on a new server and the answer back, and the reverse.

use std::fmt;

use sinew_core::ids::Fingerprint;

use crate::{
    Descriptor,
    canonical::{self, fingerprint_with},
    reads::unread,
    service::{Method, Service},
    types::{Index, Type},
};

/// Which roll-out works. From the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing on the wire is another.
    Same,
    /// Old and new work together in both directions.
    BothWays,
    /// Old clients work with new servers, and new clients not with old servers: roll the servers out first.
    ServerFirst,
    /// New clients work with old servers, and old clients not with new servers: roll the clients out first.
    ClientFirst,
    /// Neither works.
    Breaking,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "the same",
            Self::BothWays => "compatible both ways",
            Self::ServerFirst => "compatible, servers first",
            Self::ClientFirst => "compatible, clients first",
            Self::Breaking => "breaking",
        })
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `service`, or `service/method`.
    pub element: String,
    /// The way to what changed within it: `argument order.lines[]`; empty for the element itself.
    pub at: String,
    /// What it means, in words.
    pub what: String,
    /// An old client fails with a new server: always, or for some values.
    pub fails_old_client: bool,
    /// A new client fails with an old server.
    pub fails_new_client: bool,
    /// Nobody can tell: what it is about cannot be seen.
    pub is_unknown: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.element)?;
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        f.write_str(&self.what)
    }
}

/// What two versions are to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Each change, service by service.
    pub changes: Vec<Change>,
    /// Which roll-out works for all of it.
    pub verdict: Verdict,
}

/// Compares an old descriptor with a new one.
pub fn compare(old: &Descriptor, new: &Descriptor) -> Comparison {
    let mut changes = Vec::new();
    for service in &old.services {
        match new.service(&service.name) {
            Some(later) => services(service, later, &mut changes),
            None => changes.push(Change {
                element: service.name.clone(),
                at: String::new(),
                what: "the service is gone".to_owned(),
                fails_old_client: true,
                fails_new_client: false,
                is_unknown: false,
            }),
        }
    }
    for service in new.services.iter().filter(|service| old.service(&service.name).is_none()) {
        changes.push(added(service.name.clone(), "the service is new; old servers do not have it"));
    }
    let verdict = verdict(&changes);
    Comparison { changes, verdict }
}

/// Which roll-out works with all of these changes.
fn verdict(changes: &[Change]) -> Verdict {
    let old = changes.iter().any(|change| change.fails_old_client);
    let new = changes.iter().any(|change| change.fails_new_client);
    match (old, new) {
        _ if changes.is_empty() => Verdict::Same,
        (false, false) => Verdict::BothWays,
        (false, true) => Verdict::ServerFirst,
        (true, false) => Verdict::ClientFirst,
        (true, true) => Verdict::Breaking,
    }
}

/// Something that new clients call and old servers do not have.
fn added(element: String, what: &str) -> Change {
    Change {
        element,
        at: String::new(),
        what: what.to_owned(),
        fails_old_client: false,
        fails_new_client: true,
        is_unknown: false,
    }
}

fn services(old: &Service, new: &Service, changes: &mut Vec<Change>) {
    let (old_types, new_types) = (Index::new(&old.types), Index::new(&new.types));
    for method in &old.methods {
        let element = format!("{}/{}", old.name, method.name);
        match new.methods.iter().find(|later| later.name == method.name) {
            Some(later) => {
                let old = Side { service: old, method, types: &old_types };
                let new = Side { service: new, method: later, types: &new_types };
                Methods { element, old, new, changes }.compare();
            }
            None => changes.push(Change {
                element,
                at: String::new(),
                what: "the method is gone; calls of it are answered with `Unimplemented`"
                    .to_owned(),
                fails_old_client: true,
                fails_new_client: false,
                is_unknown: false,
            }),
        }
    }
    let is_new = |method: &&Method| !old.methods.iter().any(|old| old.name == method.name);
    for method in new.methods.iter().filter(is_new) {
        let element = format!("{}/{}", new.name, method.name);
        changes.push(added(element, "the method is new; old servers answer `Unimplemented`"));
    }
}

/// One version of a method.
#[derive(Clone, Copy)]
struct Side<'d> {
    service: &'d Service,
    method: &'d Method,
    types: &'d Index<'d>,
}

impl Side<'_> {
    /// Its types in order: arguments, input items, value, error.
    fn all(&self) -> impl Iterator<Item = &Type> {
        let arguments = self.method.arguments.iter().map(|argument| &argument.ty);
        let input = self.method.input.iter().map(|input| &input.item);
        arguments.chain(input).chain([&self.method.output]).chain(&self.method.error)
    }

    /// What stands for the structure of its types, whether it is vouched for or not.
    fn structure(&self) -> Option<Fingerprint> {
        let service = Service { version: None, types: Vec::new(), ..self.service.clone() };
        let method = Method { trust_layout: false, ..self.method.clone() };
        fingerprint_with(self.types, &service, &method)
    }

    /// The types as bincode sees them, without names.
    fn layout(&self) -> Option<Vec<Vec<u8>>> {
        self.all().map(|ty| canonical::layout(ty, self.types).ok()).collect()
    }

    fn is_vouched(&self) -> bool {
        self.service.version.is_some() || self.method.trust_layout
    }
}

struct Methods<'c, 'd> {
    element: String,
    old: Side<'d>,
    new: Side<'d>,
    changes: &'c mut Vec<Change>,
}

impl<'d> Methods<'_, 'd> {
    fn add(&mut self, at: &str, what: impl Into<String>, fails: (bool, bool)) {
        self.changes.push(Change {
            element: self.element.clone(),
            at: at.to_owned(),
            what: what.into(),
            fails_old_client: fails.0,
            fails_new_client: fails.1,
            is_unknown: false,
        });
    }

    fn compare(&mut self) {
        let (old, new) = (self.old.method, self.new.method);
        if old.streams != new.streams {
            return self.add("", "one side streams now, or does no more", (true, true));
        }
        if old.raw != new.raw {
            return self.add("", "it carries bytes untouched now, or does no more", (true, true));
        }
        self.attributes();
        if old.raw {
            return;
        }
        let same = old.fingerprint.is_some() && old.fingerprint == new.fingerprint;
        let is_vouched = self.old.is_vouched() && self.new.is_vouched();
        if same && is_vouched && self.old.layout() != self.new.layout() {
            let what = "the types changed and the method is vouched for under the same name and version: \
                        bincode would read other values than were written; raise the `version`";
            return self.add("", what, (true, true));
        }
        if same {
            return;
        }
        if let Some(why) = old.not_named.as_ref().or(new.not_named.as_ref()) {
            let what = format!("the types differ, and MessagePack with names cannot carry {why}");
            return self.add("", what, (true, true));
        }
        self.unseen();
        let before = self.changes.len();
        self.arguments();
        self.answers();
        if self.changes.len() == before && self.old.structure() != self.new.structure() {
            let what = "its types differ in form and read each other by names; calls between the two go as MessagePack";
            self.add("", what, (false, false));
        }
    }

    /// What cannot be compared.
    fn unseen(&mut self) {
        for side in [self.old, self.new] {
            if let Some(why) = side.all().find_map(|ty| ty.opaque(side.types)) {
                self.changes.push(Change {
                    element: self.element.clone(),
                    at: String::new(),
                    what: format!("a type cannot be seen ({why}): whether it changed is not known"),
                    fails_old_client: false,
                    fails_new_client: false,
                    is_unknown: true,
                });
                return;
            }
        }
    }

    /// What is said of a method and changes nothing on the wire.
    fn attributes(&mut self) {
        let (old, new) = (self.old.method, self.new.method);
        if old.idempotent && !new.idempotent {
            let what = "it is no more idempotent; clients of the old version still repeat it";
            self.add("", what, (true, false));
        } else if old.idempotent != new.idempotent {
            self.add("", "it is idempotent now", (false, false));
        }
        if old.timeout_us != new.timeout_us {
            self.add("", "its timeout is another", (false, false));
        }
        if old.http != new.http {
            self.add("", "it goes another way over HTTP", (old.http.is_some(), new.http.is_some()));
        }
    }

    fn arguments(&mut self) {
        for is_old_client in [true, false] {
            let (client, server) =
                if is_old_client { (self.old, self.new) } else { (self.new, self.old) };
            let fails = (is_old_client, !is_old_client);
            for argument in &server.method.arguments {
                let written = client.method.arguments.iter().find(|one| one.name == argument.name);
                let at = format!("argument {}", argument.name);
                match written {
                    Some(written) => {
                        let types = (client.types, server.types);
                        self.reads(&at, (&written.ty, types.0), (&argument.ty, types.1), fails);
                    }
                    None if argument.optional => {
                        self.note(&at, "it is optional, and only one side has it");
                    }
                    None => {
                        let who = if is_old_client { "old" } else { "new" };
                        self.add(
                            &at,
                            format!("{who} clients do not send it, and the server needs it"),
                            fails,
                        );
                    }
                }
            }
            let known = |name: &str| server.method.arguments.iter().any(|one| one.name == name);
            for argument in client.method.arguments.iter().filter(|argument| !known(&argument.name))
            {
                self.note(
                    &format!("argument {}", argument.name),
                    "only one side has it, and the other passes it over",
                );
            }
            if let (Some(sent), Some(read)) = (&client.method.input, &server.method.input) {
                let types = (client.types, server.types);
                self.reads("input item", (&sent.item, types.0), (&read.item, types.1), fails);
            }
        }
    }

    fn answers(&mut self) {
        for is_old_client in [true, false] {
            let (client, server) =
                if is_old_client { (self.old, self.new) } else { (self.new, self.old) };
            let fails = (is_old_client, !is_old_client);
            let types = (server.types, client.types);
            let output = ((&server.method.output, types.0), (&client.method.output, types.1));
            self.reads("output", output.0, output.1, fails);
            match (&server.method.error, &client.method.error) {
                (Some(sent), Some(read)) => {
                    self.reads("error", (sent, types.0), (read, types.1), fails);
                }
                (Some(_), None) => {
                    self.add("error", "the server answers with an error of its own of which the client knows nothing", fails);
                }
                (None, _) => {}
            }
        }
    }

    /// One direction of one value.
    fn reads(
        &mut self,
        at: &str,
        from: (&'d Type, &'d Index<'d>),
        to: (&'d Type, &'d Index<'d>),
        fails: (bool, bool),
    ) {
        for unread in unread(from, to) {
            let who = match (fails.0, at == "output" || at == "error") {
                (true, false) => "an old client to a new server",
                (true, true) => "a new server to an old client",
                (false, false) => "a new client to an old server",
                (false, true) => "an old server to a new client",
            };
            self.add(&format!("{at}{}", unread.at), format!("{} ({who})", unread.what), fails);
        }
    }

    /// Something that fails nobody; once.
    fn note(&mut self, at: &str, what: &str) {
        let known = self.changes.iter().any(|change| {
            change.element == self.element
                && change.at == at
                && !change.fails_old_client
                && !change.fails_new_client
        });
        if !known {
            self.add(at, what, (false, false));
        }
    }
}
