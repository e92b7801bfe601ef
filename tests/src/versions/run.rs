//! Runs the table and judges each call.

use sinew::{
    Disposition, Ran, Status,
    descriptor::{Comparison, compare},
};

use super::{Case, Codec, Exchange, Handled, Kind, Outcome, Pair, Position, Told, cases, observe};
use crate::{scene::Scene, wait::soon};

/// Changes of which structure does not tell what becomes of these very values: which ones a type accepts, what an
/// attribute leaves out of some, and which fit into both of two integers that a method vouches for.
const BEYOND_STRUCTURE: &[&str] =
    &["versions.non_zero", "versions.same_skipped_by_a_predicate", "versions.trusted_layout"];

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
    /// Changes of which the comparison of the two descriptors says something else than what became of the calls.
    pub miscompared: usize,
    /// One line per misread and wrong verdict.
    pub findings: Vec<String>,
}

impl Report {
    /// Whether all was as the table says.
    pub fn is_sound(&self) -> bool {
        self.misread == 0 && self.wrong_verdict == 0 && self.miscompared == 0
    }

    /// The counts, as one JSON object in a line.
    pub fn json(&self) -> String {
        let Self { changes, misread, wrong_verdict, miscompared, .. } = self;
        let Self { bincode, fallback, refused, .. } = self;
        format!(
            "{{\"changes\":{changes},\"misread\":{misread},\"wrong_verdict\":{wrong_verdict},\
             \"miscompared\":{miscompared},\"bincode\":{bincode},\"fallback\":{fallback},\"refused\":{refused}}}"
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
        let mut failed = Vec::new();
        for pair in &case.pairs {
            let refused = report.refused;
            run_pair(&scene, &case, pair, &mut report).await;
            failed.push(report.refused > refused);
        }
        if let (Kind::Change, [up, _], [fails_old, fails_new]) = (case.kind, &*case.pairs, &*failed)
        {
            let compared = compare(&(up.client.describe)(), &(up.server.describe)());
            judge_comparison(&case, &compared, (*fails_old, *fails_new), &mut report);
        }
    }
    report
}

/// Whether the comparison of two descriptors says of a change what became of its calls.
fn judge_comparison(
    case: &Case,
    compared: &Comparison,
    (fails_old, fails_new): (bool, bool),
    report: &mut Report,
) {
    let says_old = compared.changes.iter().any(|change| change.fails_old_client);
    let says_new = compared.changes.iter().any(|change| change.fails_new_client);
    let is_unknown = compared.changes.iter().any(|change| change.is_unknown);
    let is_beyond = BEYOND_STRUCTURE.contains(&case.name);
    if !is_unknown && !is_beyond && (says_old, says_new) != (fails_old, fails_new) {
        report.miscompared += 1;
        let words: Vec<_> = compared.changes.iter().map(ToString::to_string).collect();
        report.findings.push(format!(
            "miscompared: {}: {} is said, and an old client fails: {fails_old}, a new one: {fails_new}: {}",
            case.name,
            compared.verdict,
            words.join("; ")
        ));
    }
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
