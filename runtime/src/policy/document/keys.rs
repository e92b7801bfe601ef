//! The keys of a document, what each may say, and what must fit together.
//!
//! docs/policy.md has the same list for people.

use std::time::Duration;

use sinew_core::{
    codes::{Code, Criticality},
    limits::{self, ATTEMPTS_MAX, DEADLINE_MAX, SEND_MIN, SUBSETS_MAX, Value as Limit},
    plan::{client::Balance, server::Concurrency},
    policy::authorize::{Allow, Callers, Methods},
    spiffe::{SpiffeId, is_service_name},
};

use super::{
    Document, Partition, Rule, ServerTerms, Whose,
    read::{Notes, Table, Value},
};
use crate::{
    call::options::Hedge,
    policy::terms::{MethodTerms, Mirror, Terms, is_label},
};

/// The version of the format.
const VERSION: u32 = 1;

const CLASSES: [(&str, Criticality); 4] = [
    ("critical-plus", Criticality::CriticalPlus),
    ("critical", Criticality::Critical),
    ("sheddable-plus", Criticality::SheddablePlus),
    ("sheddable", Criticality::Sheddable),
];

/// What an idempotent method may be called again for, beyond what always is.
const RETRIED: [(&str, Code); 7] = [
    ("unavailable", Code::Unavailable),
    ("data-loss", Code::DataLoss),
    ("internal", Code::Internal),
    ("unknown", Code::Unknown),
    ("aborted", Code::Aborted),
    ("resource-exhausted", Code::ResourceExhausted),
    ("deadline-exceeded", Code::DeadlineExceeded),
];

const BALANCES: [(&str, Balance); 3] = [
    ("peak-ewma", Balance::PeakEwma),
    ("least-request", Balance::LeastRequest),
    ("round-robin", Balance::RoundRobin),
];

pub(super) fn document(notes: &Notes<'_>, top: Table<'_, '_>) -> Document {
    match top.get("version") {
        Some(version) => _ = version.whole(VERSION..=VERSION, ""),
        None => notes.add(
            0,
            "",
            "there is no `version = 1`: an empty or half-written file is no policy",
        ),
    }
    let mut document = Document::default();
    if let Some(value) = top.get("defaults")
        && let Some(table) = value.table()
    {
        document.defaults = terms(table, false);
        if notes.count() == 0 {
            agrees(&value, &document.defaults);
        }
    }
    if let Some(services) = top.get("service").and_then(|value| value.table()) {
        let mut count = 0;
        for (name, value) in services.named() {
            count += 1;
            if count > limits::SERVICES_MAX {
                value.wrong(format!(
                    "is one of more than {} services (SERVICES_MAX)",
                    limits::SERVICES_MAX
                ));
                break;
            }
            if !is_service_name(name) {
                value.wrong("is no name of a service: up to 256 of `a-z A-Z 0-9 . - _`, in quotes");
            }
            if let Some(table) = value.table() {
                let own = terms(table, true);
                // What was not understood would be taken for the default.
                if notes.count() == 0 {
                    agrees(&value, &own.over(&document.defaults));
                }
                document.services.insert(name.to_owned(), own);
            }
        }
    }
    if let Some(table) = top.get("server").and_then(|value| value.table()) {
        document.server = server(table);
    }
    document.allow = top.get("allow").map(|value| allow(&value));
    top.end();
    document
}

/// What is right by itself and wrong together.
fn agrees(value: &Value<'_, '_>, all: &Terms) {
    let timeout = all.timeout.unwrap_or(limits::DEADLINE_DEFAULT);
    for (name, method) in &all.methods {
        let own = method.timeout.unwrap_or(timeout);
        if let Some(Hedge::After(after)) = method.hedge.or(all.hedge)
            && after >= own
        {
            value.wrong(format!(
                "hedges `{name}` after {}, which is not before its timeout of {}",
                Limit::Time(after),
                Limit::Time(own)
            ));
        }
    }
    let base = all.backoff_base.unwrap_or(limits::RETRY_BACKOFF_FIRST);
    let most = all.backoff_max.unwrap_or(limits::RETRY_BACKOFF_MAX);
    if base > most {
        value.wrong(format!(
            "has a retry.backoff.base of {}, and a max of {}",
            Limit::Time(base),
            Limit::Time(most)
        ));
    }
    let open = all.breaker_open.unwrap_or(limits::BREAKER_OPEN_FIRST);
    let open_max = all.breaker_open_max.unwrap_or(limits::BREAKER_OPEN_MAX);
    if open > open_max {
        value.wrong(format!(
            "has a breaker.open.base of {}, and a max of {}",
            Limit::Time(open),
            Limit::Time(open_max)
        ));
    }
    if let Some(one) = all.per_attempt
        && one >= timeout
    {
        value.wrong(format!(
            "gives one attempt {}, which is not less than the {} of all together",
            Limit::Time(one),
            Limit::Time(timeout)
        ));
    }
    if let Some(Hedge::After(after)) = all.hedge
        && after >= timeout
    {
        value.wrong(format!(
            "hedges after {}, which is not before its timeout of {}",
            Limit::Time(after),
            Limit::Time(timeout)
        ));
    }
}

/// `[defaults]`, or that of one service.
fn terms(table: Table<'_, '_>, is_service: bool) -> Terms {
    let mut terms = Terms {
        timeout: table.get("timeout").and_then(|value| timeout(&value)),
        criticality: table.get("criticality").and_then(|value| value.word(&CLASSES)),
        balance: table.get("balance").and_then(|value| value.word(&BALANCES)),
        aperture: table.get("aperture").and_then(|value| {
            value.whole(limits::APERTURE_MIN..=limits::ENDPOINTS_MAX, "APERTURE_MIN, ENDPOINTS_MAX")
        }),
        ..Terms::default()
    };
    within(&table, "retry", |table| retry(table, &mut terms));
    within(&table, "hedge", |table| terms.hedge = hedge(table, &mut terms.hedge_extra));
    within(&table, "breaker", |table| breaker(table, &mut terms));
    within(&table, "bulkhead", |table| bulkhead(table, &mut terms));
    within(&table, "throttle", |table| {
        terms.throttle_k = table.get("k").and_then(|value| value.number(1.1..=10.0, ""));
        terms.throttle_drop = table.get("max_drop").and_then(|value| value.number(0.0..=0.99, ""));
    });
    if is_service {
        terms.identity = table.get("identity").and_then(|value| {
            value.parsed(|text| SpiffeId::new(text).map_err(|why| format!("`{text}`: {why}")))
        });
        terms.weights = table.get("weights").and_then(|value| weights(&value));
        terms.mirror = mirror(&table);
        if let Some(methods) = table.get("method").and_then(|value| value.table()) {
            for (name, value) in methods.named() {
                if let Some(own) = value.table() {
                    terms.methods.insert(name.to_owned(), method(own));
                }
            }
        }
    }
    table.end();
    terms
}

/// Reads a table within another, if it is there, and says what is in it and was not asked for.
fn within(table: &Table<'_, '_>, name: &'static str, read: impl FnOnce(&Table<'_, '_>)) {
    if let Some(inner) = table.get(name).and_then(|value| value.table()) {
        read(&inner);
        inner.end();
    }
}

fn timeout(value: &Value<'_, '_>) -> Option<Duration> {
    value.time(SEND_MIN..=DEADLINE_MAX, "DEADLINE_MAX")
}

/// At most one for each, and a share that leaves the service alive.
fn share(value: &Value<'_, '_>) -> Option<f64> {
    value.number(0.0..=1.0, "")
}

fn retry(table: &Table<'_, '_>, terms: &mut Terms) {
    terms.attempts =
        table.get("attempts").and_then(|value| value.whole(1..=ATTEMPTS_MAX, "ATTEMPTS_MAX"));
    terms.per_attempt = table.get("per_attempt").and_then(|value| timeout(&value));
    terms.retry_on = table.get("on").map(|value| value.words(&RETRIED));
    let pause =
        |value: Value<'_, '_>| value.time(Duration::from_millis(1)..=Duration::from_secs(10), "");
    within(table, "backoff", |table| {
        terms.backoff_base = table.get("base").and_then(pause);
        terms.backoff_max = table.get("max").and_then(pause);
    });
    within(table, "budget", |table| {
        terms.budget_ratio = table.get("ratio").and_then(|value| share(&value));
        terms.budget_overload = table.get("overload_ratio").and_then(|value| share(&value));
        terms.budget_reserve =
            table.get("min_per_second").and_then(|value| value.whole(0..=100, ""));
    });
}

fn hedge(table: &Table<'_, '_>, extra: &mut Option<f64>) -> Option<Hedge> {
    *extra = table.get("extra").and_then(|value| value.number(0.0..=0.2, ""));
    let after = table.get("after")?;
    let text = after.text()?;
    let percent = text.strip_prefix('p').and_then(|percent| percent.parse().ok());
    match (text, percent) {
        ("off", _) => Some(Hedge::Off),
        (_, Some(percent)) => {
            let (least, most) = (limits::HEDGE_PERCENT_MIN, limits::HEDGE_PERCENT_MAX);
            if (least..=most).contains(&percent) {
                return Some(Hedge::AfterPercentile(percent));
            }
            after.wrong(format!(
                "is `{text}`; p{least} to p{most} are accepted (HEDGE_PERCENT_MIN, HEDGE_PERCENT_MAX)"
            ));
            None
        }
        _ => after.time(limits::HEDGE_MIN..=DEADLINE_MAX, "HEDGE_MIN").map(Hedge::After),
    }
}

fn breaker(table: &Table<'_, '_>, terms: &mut Terms) {
    terms.breaker_consecutive =
        table.get("consecutive").and_then(|value| value.whole(1..=1000, ""));
    terms.breaker_rate = table.get("success_rate").and_then(|value| share(&value));
    terms.breaker_requests =
        table.get("min_requests").and_then(|value| value.whole(1..=10_000, ""));
    terms.ejected_max = table.get("max_ejected").and_then(|value| share(&value));
    let open =
        |value: Value<'_, '_>| value.time(Duration::from_millis(10)..=Duration::from_secs(600), "");
    within(table, "open", |table| {
        terms.breaker_open = table.get("base").and_then(open);
        terms.breaker_open_max = table.get("max").and_then(open);
    });
}

fn bulkhead(table: &Table<'_, '_>, terms: &mut Terms) {
    let many = |value: Value<'_, '_>| value.whole(1..=1_000_000, "");
    terms.bulkhead_max = table.get("max_in_flight").and_then(many);
    terms.bulkhead_queue = table.get("max_queue").and_then(|value| value.whole(0..=1_000_000, ""));
    terms.bulkhead_wait = table.get("max_wait").and_then(|value| {
        let text = value.text()?;
        let percent: Option<f64> = text.strip_suffix('%').and_then(|percent| percent.parse().ok());
        let share =
            percent.map(|percent| percent / 100.0).filter(|share| (0.0..=1.0).contains(share));
        if share.is_none() {
            value.wrong(format!("is `{text}`; \"0%\" to \"100%\" of a call's time are accepted"));
        }
        share
    });
}

fn mirror(table: &Table<'_, '_>) -> Option<Mirror> {
    let mut mirror = None;
    within(table, "mirror", |table| {
        let label = |value: Value<'_, '_>| {
            let text = value.text()?;
            if !is_label(text) {
                value.wrong(format!("is `{text}`, which is no label: write \"name=value\""));
            }
            Some(text.to_owned())
        };
        let to = table.get("to").and_then(label);
        let percent = table.get("percent").and_then(|value| value.number(0.0..=100.0, ""));
        for name in ["to", "percent"] {
            if !table.has(name) {
                table.wrong(format!("has no `{name}`"));
            }
        }
        mirror = to.zip(percent).map(|(to, percent)| Mirror { to, percent });
    });
    mirror
}

fn weights(value: &Value<'_, '_>) -> Option<Vec<(String, f64)>> {
    let table = value.table()?;
    let mut weights = Vec::new();
    for (label, value) in table.named() {
        if !is_label(label) {
            value.wrong("is no label: write \"name=value\"");
        }
        if let Some(weight) = value.number(0.0..=limits::LABEL_WEIGHT_MAX, "LABEL_WEIGHT_MAX") {
            weights.push((label.to_owned(), weight));
        }
    }
    if weights.len() >= SUBSETS_MAX {
        let (many, most) = (weights.len(), SUBSETS_MAX - 1);
        value.wrong(format!("names {many} labels; {most} are accepted (SUBSETS_MAX)"));
    }
    if !weights.is_empty() && weights.iter().all(|(_, weight)| *weight == 0.0) {
        value.wrong("gives every label the weight 0, so that none has a share");
    }
    Some(weights)
}

fn method(table: Table<'_, '_>) -> MethodTerms {
    let mut extra = None;
    let mut method = MethodTerms {
        line: table.line(),
        timeout: table.get("timeout").and_then(|value| timeout(&value)),
        criticality: table.get("criticality").and_then(|value| value.word(&CLASSES)),
        max_in_flight: table.get("max_in_flight").and_then(|value| value.whole(1..=1_000_000, "")),
        mirror: mirror(&table),
        ..MethodTerms::default()
    };
    within(&table, "hedge", |table| {
        method.hedge = hedge(table, &mut extra);
        if extra.is_some() {
            table.get("extra").into_iter().for_each(|value| {
                value.wrong("is said of a service, not of one of its methods");
            });
        }
    });
    if let Some(value) = table.get("idempotent") {
        match value.boolean() {
            Some(true) => value.wrong(
                "is true; only the trait can promise that (`#[rpc(idempotent)]`), and only `false` can be said here, to take \
                 the promise back",
            ),
            said => method.once = said == Some(false),
        }
    }
    table.end();
    method
}

fn server(table: Table<'_, '_>) -> ServerTerms {
    let mut server = ServerTerms::default();
    within(&table, "concurrency", |table| server.concurrency = concurrency(table));
    within(&table, "drain", |table| {
        let range = Duration::ZERO..=Duration::from_secs(3600);
        server.drain_grace = table.get("grace").and_then(|value| value.time(range, ""));
    });
    if let Some(value) = table.get("partition") {
        let tables = value.tables();
        if tables.len() > limits::POLICY_RULES_MAX {
            value.wrong(too_many(tables.len()));
        }
        server.partitions = tables.into_iter().filter_map(partition).collect();
    }
    table.end();
    server
}

fn too_many(many: usize) -> String {
    format!("has {many} entries; {} are accepted (POLICY_RULES_MAX)", limits::POLICY_RULES_MAX)
}

fn concurrency(table: &Table<'_, '_>) -> Option<Concurrency> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mode {
        Adaptive,
        Fixed,
        Unlimited,
    }
    let modes =
        [("adaptive", Mode::Adaptive), ("fixed", Mode::Fixed), ("unlimited", Mode::Unlimited)];
    let (mode, initial) = (table.get("mode"), table.get("initial"));
    let (max, limit) = (table.get("max"), table.get("limit"));
    let mode = match mode {
        Some(value) => value.word(&modes)?,
        None => Mode::Adaptive,
    };
    let belongs = |value: &Option<Value<'_, '_>>, to: Mode, word: &str| {
        if let Some(value) = value.as_ref().filter(|_| mode != to) {
            value.wrong(format!("belongs to mode = \"{word}\""));
        }
    };
    belongs(&initial, Mode::Adaptive, "adaptive");
    belongs(&max, Mode::Adaptive, "adaptive");
    belongs(&limit, Mode::Fixed, "fixed");
    let many =
        |value: Option<Value<'_, '_>>| value.and_then(|value| value.whole(1..=65_536_u32, ""));
    match mode {
        Mode::Unlimited => Some(Concurrency::Unlimited),
        Mode::Fixed if limit.is_none() => {
            table.wrong("has mode = \"fixed\" and no `limit`");
            None
        }
        Mode::Fixed => many(limit).map(Concurrency::Fixed),
        Mode::Adaptive => Some(Concurrency::Adaptive {
            initial: many(initial).unwrap_or(limits::CONCURRENCY_START),
            max: many(max).unwrap_or(limits::CONCURRENCY_MAX),
        }),
    }
}

fn partition(table: Table<'_, '_>) -> Option<Partition> {
    let share = table.get("share").and_then(|value| value.number(0.01..=1.0, ""));
    let callers = table.get("caller").and_then(|value| value.parsed(Callers::new));
    let method = table.get("method").and_then(|value| {
        value.parsed(|text| match Methods::new(text) {
            Ok(Methods::One(path)) => Ok(String::from(path)),
            Ok(_) => Err(format!("`{text}`, and one method is wanted: `Service/method`")),
            Err(why) => Err(why),
        })
    });
    let whose = match (callers, method) {
        (Some(callers), None) => Some(Whose::Callers(callers)),
        (None, Some(method)) => Some(Whose::Method(method)),
        (Some(_), Some(_)) => {
            table.wrong("names a caller and a method; write two entries, each with its share");
            None
        }
        (None, None) => {
            table.wrong("names neither a `caller` nor a `method`");
            None
        }
    };
    if !table.has("share") {
        table.wrong("has no `share`");
    }
    let line = table.line();
    table.end();
    Some(Partition { line, whose: whose?, share: share? })
}

fn allow(value: &Value<'_, '_>) -> Vec<Rule> {
    let tables = value.tables();
    if tables.len() > limits::POLICY_RULES_MAX {
        value.wrong(too_many(tables.len()));
        return Vec::new();
    }
    let rule = |table: Table<'_, '_>| {
        let line = table.line();
        let callers = table.get("caller").and_then(|value| value.parsed(Callers::new));
        let methods = table.get("method").and_then(|value| value.parsed(Methods::new));
        for name in ["caller", "method"] {
            if !table.has(name) {
                table.wrong(format!("has no `{name}`"));
            }
        }
        table.end();
        Some(Rule { line, allow: Allow { callers: callers?, methods: methods? } })
    };
    tables.into_iter().filter_map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_code_has_one_in_the_document() {
        assert_eq!(CLASSES.map(|(_, class)| class), Criticality::ALL);
        for (word, class) in CLASSES {
            assert_eq!(class.to_string(), word);
        }
        let known: std::collections::BTreeSet<u8> =
            BALANCES.map(|(_, balance)| balance as u8).into();
        assert_eq!(known.len(), 3);
    }
}
