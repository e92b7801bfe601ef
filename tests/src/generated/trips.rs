//! Round trips: a server says what it is, a client is generated from that, compiled without any crate of the server, and
//! calls every method of the original.
//!
//! # Invariants
//! 1. What the generated client says of itself has the fingerprints that the server's own descriptor has.
//! 2. A method that has one is called over bincode.
//! 3. A handler answers, be it with its own error; one that never ends is ended. [`PANICS`] alone panics.

use std::collections::BTreeMap;

use serde_json::{Map, json};
use sinew::{
    Mesh, ServerBuilder,
    descriptor::{Descriptor, Method},
};
use sinew_codegen::generate::module;

use super::{
    airline::Airline,
    crates::{Needs, Package},
    driver::{self, Call, Outcome, Over, Told},
    examples,
};
use crate::{
    errand::errand,
    feed::{FeedServer, Feeding},
    fuzz, hops,
    probe::Counting,
    scene::Scene,
    versions,
};

/// How long a call may take: some handlers wait for ever.
const LIMIT_MS: u64 = 500;

/// The one method that panics, whatever it is called with.
const PANICS: &str = "test.Probe/panic";

/// What the servers of the airline are told to do worse with, which would fail the calls after it.
const MOOD: &str = "Counters/be";

/// What became of the round trips.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Methods that were generated from a server's own words and called.
    pub(super) calls: usize,
    /// One line for each that failed.
    pub(super) failed: Vec<String>,
    /// Methods of which an argument cannot be seen, so that nobody can make one up.
    pub(super) opaque: usize,
}

/// Every service here: what it is called in the report does not matter.
fn services(mut server: ServerBuilder) -> ServerBuilder {
    server = server
        .serve(Counting::new().server())
        .serve(FeedServer::new(Feeding::default()))
        .serve(errand(|| async { Ok(7) }));
    server = examples::serve(server);
    versions::serve_kinds(fuzz::serve_subject(hops::serve_in_process(server)))
}

/// Every service that is asked what it is, and where each of them is.
struct Asked {
    described: Descriptor,
    at: BTreeMap<String, String>,
}

impl Asked {
    /// Asks a server for all that it serves. Several may serve the same: one of them is called.
    async fn ask(&mut self, mesh: &Mesh, service: &str, at: &str) -> Result<(), String> {
        let told = |why: &dyn std::fmt::Display| format!("{service}: {why}");
        let client = mesh.dynamic_at(service, at).map_err(|why| told(&why))?;
        let described = client.describe().await.map_err(|why| told(&why))?;
        let mut services = std::mem::take(&mut self.described.services);
        for service in described.services {
            if self.at.insert(service.name.clone(), at.to_owned()).is_none() {
                services.push(service);
            }
        }
        self.described = Descriptor::new(services);
        Ok(())
    }
}

/// Makes all round trips.
///
/// # Errors
/// What was generated does not compile, or its program does not run: what it printed.
pub(super) async fn run() -> Result<Report, String> {
    let scene = Scene::new();
    let server = scene.serve(services).await;
    let airline = Airline::start(&scene).await?;
    let mesh = scene.mesh().await;
    let mut asked = Asked { described: Descriptor::new(Vec::new()), at: BTreeMap::new() };
    asked.ask(&mesh, "test.Probe", &format!("static:{}", server.address())).await?;
    for (service, at) in &airline.servers {
        asked.ask(&mesh, service, at).await?;
    }
    let Asked { described, at } = asked;
    let calls = calls(&described);
    let (program, opaque) = driver::program(&described, &calls, Over::Quic);
    let generated = module(&described);
    if let Some(refused) = generated.refused.first() {
        return Err(refused.to_string());
    }
    let files = [("main.rs", program), ("generated.rs", generated.code)];
    let files = files.map(|(name, text)| (name.to_owned(), text)).into();
    let package = Package::write("round-trip", Needs::Tokio, &files)?;
    let servers: BTreeMap<_, _> =
        at.iter().map(|(name, at)| (name, driver::server(at, LIMIT_MS, None))).collect();
    let servers = json!(servers).to_string();
    let runtime = scene.runtime_dir();
    let runtime = runtime.to_str().ok_or("a directory whose name is no text")?;
    let lines = package.run(&[("DRIVER_SERVERS", &servers), ("XDG_RUNTIME_DIR", runtime)]).await?;
    let told: Vec<Told> = lines.iter().map(|line| driver::told(line)).collect::<Result<_, _>>()?;
    let mut report = Report { opaque: opaque.len(), calls: calls.len(), failed: Vec::new() };
    let methods = described.services.iter().flat_map(|service| &service.methods);
    for (index, (call, method)) in calls.iter().zip(methods).enumerate() {
        let told = told.iter().find(|told| told.call == index);
        let problem = match told {
            Some(told) => judge(&call.path(), told, method),
            None if opaque.contains(&index) => None,
            None => Some("it was not called".to_owned()),
        };
        report.failed.extend(problem.map(|problem| format!("{}: {problem}", call.path())));
    }
    Ok(report)
}

/// Each method once, in the order of the descriptor.
fn calls(described: &Descriptor) -> Vec<Call> {
    let mut calls = Vec::new();
    for service in &described.services {
        calls.extend(service.methods.iter().map(|method| {
            let (service, method) = (service.name.clone(), method.name.clone());
            let mut call = Call { service, method, given: Map::new(), is_full: true };
            if call.path() == MOOD {
                let well = json!({"slow_ms": 0, "fails": false, "swallowed": false});
                call.given.insert("mood".to_owned(), well);
            }
            call
        }));
    }
    calls
}

/// What is wrong with what became of a method.
fn judge(path: &str, told: &Told, method: &Method) -> Option<String> {
    // A type that does not read what it writes is one that does, once it is generated: the server still refuses bincode.
    if method.fingerprint.is_some() && told.fingerprint != method.fingerprint {
        return Some(format!(
            "the fingerprint is {:?}, and the server's is {:?}",
            told.fingerprint, method.fingerprint
        ));
    }
    if method.fingerprint.is_some() && !told.bincode {
        return Some("it did not go in bincode".to_owned());
    }
    let (code, origin, words) = match &told.outcome {
        Outcome::Value(_) | Outcome::Own(_) if path == PANICS => {
            return Some("its handler panics, and it was answered".to_owned());
        }
        Outcome::Value(_) | Outcome::Own(_) => return None,
        Outcome::Status(code, origin, words) => (code, origin, words),
    };
    let is_right = match path == PANICS {
        true => code == "Internal" && words.contains("panicked"),
        false => {
            let is_answered = ["PeerHandler", "Relayed"].contains(&&**origin);
            !words.contains("panicked") && (is_answered || code == "DeadlineExceeded")
        }
    };
    (!is_right).then(|| words.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::Must as _;

    fn problem(path: &str, outcome: Value, bincode: bool) -> Option<String> {
        let method = json!({"name": "echo", "fingerprint": "01"});
        let method = serde_json::from_value(method).must("a method");
        let told = json!({"call": 0, "outcome": outcome, "fingerprint": "01", "bincode": bincode});
        judge(path, &driver::told(&told.to_string()).must("an outcome"), &method)
    }

    #[test]
    fn what_becomes_of_a_method_is_judged() {
        let status = |code, origin, words| json!({"status": [code, origin, words]});
        for (path, outcome, bincode, is_right) in [
            ("a", json!({"value": 1}), true, true),
            ("a", json!({"value": 1}), false, false),
            ("a", json!({"own": 1}), true, true),
            ("a", status("Aborted", "PeerHandler", "no"), true, true),
            ("a", status("Aborted", "PeerRuntime", "no"), true, false),
            ("a", status("DeadlineExceeded", "Local", "late"), true, true),
            ("a", status("Internal", "PeerHandler", "panicked"), true, false),
            (PANICS, status("Internal", "PeerRuntime", "panicked"), true, true),
            (PANICS, status("Internal", "PeerHandler", "no"), true, false),
            (PANICS, json!({"value": 1}), true, false),
        ] {
            assert_eq!(problem(path, outcome.clone(), bincode).is_none(), is_right, "{outcome}");
        }
    }
}
