//! Runs the table and judges each call.

use sinew::{Disposition, Ran, Status};

use super::{Case, Codec, Exchange, Handled, Kind, Outcome, Pair, Position, Told, cases, observe};
use crate::{scene::Scene, wait::soon};

/// What became of the table.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Changes that were run, in both directions each.
    pub changes: usize,
    /// Kinds of type that were run with both sides alike.
    pub kinds: usize,
    /// Calls that gave another value than was sent, and no error.
    pub misread: usize,
    /// Calls of which something else became than the table says, misreads not counted.
    pub wrong_verdict: usize,
    /// Calls that gave a value over bincode.
    pub bincode: usize,
    /// Calls that gave a value over named fields.
    pub fallback: usize,
    /// Calls that were refused.
    pub refused: usize,
    /// One line per misread and wrong verdict.
    pub findings: Vec<String>,
}

impl Report {
    /// Whether all was as the table says.
    pub fn is_sound(&self) -> bool {
        self.misread == 0 && self.wrong_verdict == 0
    }

    /// The counts, as one JSON object in a line.
    pub fn json(&self) -> String {
        let Self { changes, misread, wrong_verdict, bincode, fallback, refused, .. } = self;
        format!(
            "{{\"changes\":{changes},\"misread\":{misread},\"wrong_verdict\":{wrong_verdict},\
             \"bincode\":{bincode},\"fallback\":{fallback},\"refused\":{refused}}}"
        )
    }

    fn is_wrong(&mut self, call: &str, why: &str) {
        self.wrong_verdict += 1;
        self.findings.push(format!("wrong verdict: {call}: {why}"));
    }
}

/// Runs all cases, one after the other, over connections of their own.
///
/// # Cancel safety
/// Dropping the future ends the servers of the case at hand.
pub async fn run() -> Report {
    let mut report = Report::default();
    if !observe::start() {
        report.is_wrong("all", "another subscriber is there: the codecs cannot be seen");
    }
    let scene = Scene::new();
    for case in cases::all() {
        match case.kind {
            Kind::Change => report.changes += 1,
            Kind::Same => report.kinds += 1,
        }
        for pair in &case.pairs {
            run_pair(&scene, &case, pair, &mut report).await;
        }
    }
    report
}

async fn run_pair(scene: &Scene, case: &Case, pair: &Pair, report: &mut Report) {
    let handled = Handled::default();
    let served = handled.clone();
    let server = scene.serve(|server| (pair.server.serve)(server, served)).await;
    let mesh = scene.mesh().await;
    for exchange in (pair.client.calls)(&mesh, server.address()) {
        let Exchange { what, position, codec, wanted, run } = exchange;
        let codec =
            if pair.must_fall_back && codec == Codec::Bincode { Codec::Fallback } else { codec };
        let before = handled.count();
        observe::forget();
        let told = soon("a call ends", run()).await;
        let call = Call {
            name: format!("{}, {}, {what}", case.name, pair.label),
            address: server.address().to_string(),
            service: case.name,
            position,
            codec,
            rode: observe::codec_of_last_call(),
            has_run: handled.count() > before,
        };
        call.judge(wanted, told, report);
    }
}

/// One call that has ended.
struct Call {
    name: String,
    address: String,
    service: &'static str,
    position: Position,
    codec: Codec,
    rode: Option<Codec>,
    has_run: bool,
}

impl Call {
    fn judge(&self, wanted: Outcome, told: Told, report: &mut Report) {
        match told {
            Ok(seen) => self.judge_value(wanted, &seen, report),
            Err(status) => self.judge_refusal(wanted, &status, report),
        }
    }

    fn judge_value(&self, wanted: Outcome, seen: &str, report: &mut Report) {
        match self.rode {
            Some(Codec::Bincode) => report.bincode += 1,
            Some(Codec::Fallback) => report.fallback += 1,
            Some(Codec::Raw) | None => {}
        }
        match wanted {
            Outcome::Sees(value) if value == seen => {
                if self.rode != Some(self.codec) {
                    let why = format!("it should ride {:?}, and rode {:?}", self.codec, self.rode);
                    report.is_wrong(&self.name, &why);
                }
            }
            Outcome::Sees(value) => {
                report.misread += 1;
                report.findings.push(format!("misread: {}: {seen} instead of {value}", self.name));
            }
            Outcome::Refused(_) => {
                report.misread += 1;
                let finding = format!("misread: {}: {seen} instead of an error", self.name);
                report.findings.push(finding);
            }
        }
    }

    fn judge_refusal(&self, wanted: Outcome, status: &Status, report: &mut Report) {
        report.refused += 1;
        let text = status.to_string();
        let words = match wanted {
            Outcome::Refused(words) => words,
            Outcome::Sees(value) => {
                return report.is_wrong(&self.name, &format!("not {value}, but: {text}"));
            }
        };
        let method = format!("{}/", self.service);
        let words = words.iter().copied().chain([&*method, &*self.address]);
        let missing: Vec<_> = words.filter(|word| !text.contains(word)).collect();
        if !missing.is_empty() {
            return report.is_wrong(&self.name, &format!("{missing:?} is missing from: {text}"));
        }
        let (ran, has_run) = (status.ran(), self.has_run);
        let is_right = match self.position {
            Position::Argument => ran == Ran::No && !has_run,
            Position::Result => status.disposition() == Disposition::Processed && has_run,
        };
        if !is_right {
            let why = format!("{ran:?} is told, and the handler ran: {has_run}: {text}");
            report.is_wrong(&self.name, &why);
        }
    }
}
