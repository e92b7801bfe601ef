//! What a document may say, and what is said of one that is wrong.

use std::time::Duration;

use sinew_core::{
    codes::{Code, Criticality},
    plan::client::Balance,
};

use super::*;
use crate::{call::options::Hedge, policy::terms::Mirror};

/// Everything that can be said.
const WHOLE: &str = r#"
version = 1

[defaults]
timeout = "2s"
retry = { attempts = 2, per_attempt = "600ms", on = ["internal", "aborted"], backoff = { base = "10ms", max = "100ms" }, budget = { ratio = 0.1, overload_ratio = 0.05, min_per_second = 2 } }

[service."shop.Inventory"]
timeout     = "1500ms"
criticality = "sheddable-plus"
identity    = "spiffe://prod.example/inventory"
balance     = "least-request"
aperture    = 40
weights     = { "version=2" = 5, "version=1" = 95.5 }
mirror      = { to = "version=3", percent = 12.5 }
hedge       = { after = "p95", extra = 0.04 }
breaker     = { consecutive = 7, success_rate = 0.7, min_requests = 30, open = { base = "2s", max = "30s" }, max_ejected = 0.3 }
bulkhead    = { max_in_flight = 256, max_queue = 8, max_wait = "5%" }
throttle    = { k = 1.5, max_drop = 0.8 }

[service."shop.Inventory".method.stock]
timeout       = "50ms"
max_in_flight = 12
idempotent    = false
criticality   = "critical"
hedge         = { after = "10ms" }
mirror        = { to = "canary=yes", percent = 0 }

[server]
concurrency = { mode = "adaptive", initial = 32, max = 512 }
drain       = { grace = "5s" }

[[server.partition]]
caller = "spiffe://prod.example/batch/*"
share  = 0.2

[[server.partition]]
method = "shop.Inventory/export"
share  = 0.1

[[allow]]
caller = "spiffe://prod.example/checkout"
method = "shop.Inventory/*"
"#;

fn problems(text: &str) -> Vec<String> {
    Document::parse(text).expect_err(text).iter().map(ToString::to_string).collect()
}

#[test]
fn all_that_can_be_said_is_understood() {
    let document = Document::parse(WHOLE).unwrap();
    assert_eq!(document.defaults.timeout, Some(Duration::from_secs(2)));
    assert_eq!(document.defaults.attempts, Some(2));
    assert_eq!(document.defaults.per_attempt, Some(Duration::from_millis(600)));
    assert_eq!(document.defaults.retry_on, Some(vec![Code::Internal, Code::Aborted]));
    let terms = document.terms("shop.Inventory", &Terms::default());
    assert_eq!(terms.timeout, Some(Duration::from_millis(1500)));
    assert_eq!(terms.attempts, Some(2), "from the defaults");
    assert_eq!(terms.criticality, Some(Criticality::SheddablePlus));
    assert_eq!(terms.balance, Some(Balance::LeastRequest));
    assert_eq!(terms.aperture, Some(40));
    assert_eq!(terms.weights.as_ref().unwrap().len(), 2);
    let mirror = |to: &str, percent| Some(Mirror { to: to.to_owned(), percent });
    assert_eq!(terms.mirror, mirror("version=3", 12.5));
    assert_eq!(terms.hedge, Some(Hedge::AfterPercentile(95)));
    assert_eq!(terms.hedge_extra, Some(0.04));
    assert_eq!(terms.breaker_open_max, Some(Duration::from_secs(30)));
    assert_eq!(terms.bulkhead_wait, Some(0.05));
    assert_eq!(terms.throttle_k, Some(1.5));
    assert_eq!(terms.budget_reserve, Some(2));
    assert_eq!(terms.backoff_base, Some(Duration::from_millis(10)));
    let stock = &terms.methods["stock"];
    assert!(stock.once);
    assert_eq!(stock.max_in_flight, Some(12));
    assert_eq!(stock.mirror, mirror("canary=yes", 0.0));
    assert_eq!(stock.hedge, Some(Hedge::After(Duration::from_millis(10))));
    assert_eq!(document.server.concurrency, Some(Concurrency::Adaptive { initial: 32, max: 512 }));
    assert_eq!(document.server.drain_grace, Some(Duration::from_secs(5)));
    assert_eq!(document.server.partitions.len(), 2);
    assert_eq!(document.allow.unwrap().len(), 1);
    assert_eq!(document.services["shop.Inventory"].identity.as_ref().unwrap().path(), "/inventory");
}

#[test]
fn nothing_but_a_version_is_the_defaults_and_nothing_at_all_is_no_policy() {
    assert_eq!(Document::parse("version = 1").unwrap(), Document::default());
    for text in ["", "\n# what\n", "[defaults]"] {
        assert!(problems(text)[0].contains("there is no `version = 1`"), "{text}");
    }
    assert_eq!(problems("version = 2"), ["line 1: `version` is 2; 1 to 1 are accepted"]);
}

#[test]
fn an_empty_list_of_rules_allows_nothing_and_none_at_all_everything() {
    assert_eq!(Document::parse("version = 1\nallow = []").unwrap().allow, Some(Vec::new()));
    assert_eq!(Document::parse("version = 1").unwrap().allow, None);
}

/// Each with the line and the key, what is wrong, and what to write instead.
#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    let text = r#"version = 1
retries = 3
[defaults]
timout = "2s"
timeout = 2
balance = "peak_ewma"
mirror = {}
[defaults.retry]
attempts = 9
backoff = { base = "1s", max = "1x" }
on = ["internl"]
budget = { ratio = 1.5 }
[service.A]
timeout = "6m"
weights = { a = 1, "b=c" = -1 }
identity = "inventory"
breaker = { success_rate = "high" }
[service."b c"]
[service.A.method.m]
idempotent = true
hedge = { after = "p50" }
max_in_flight = 0
[server]
concurrency = { mode = "fixed", max = 3 }
[[server.partition]]
share = 0.5
[[allow]]
caller = "checkout"
method = "A"
[[allow]]
caller = "*"
"#;
    let expected = [
        "line 2: `retries` is no key here; there are `version`, `defaults`, `service`, `server`, `allow`",
        "line 4: `defaults.timout` is no key here; did you mean `timeout`?",
        "line 5: `defaults.timeout` is a whole number; a time with its unit is wanted, as \"250ms\"",
        "line 6: `defaults.balance` is `peak_ewma`; did you mean `peak-ewma`?",
        "line 7: `defaults.mirror` is no key here; there are",
        "line 9: `defaults.retry.attempts` is 9; 1 to 5 are accepted (ATTEMPTS_MAX)",
        "line 10: `defaults.retry.backoff.max` is `1x`; a whole number and its unit are wanted",
        "line 11: `defaults.retry.on[0]` is `internl`; did you mean `internal`?",
        "line 12: `defaults.retry.budget.ratio` is 1.5; 0 to 1 are accepted",
        "line 14: `service.A.timeout` is `6m`; 1 ms to 5 min are accepted (DEADLINE_MAX)",
        "line 15: `service.A.weights.a` is no label: write \"name=value\"",
        "line 15: `service.A.weights.\"b=c\"` is -1; 0 to 1000000 are accepted (LABEL_WEIGHT_MAX)",
        "line 16: `service.A.identity` names `inventory`: ",
        "line 17: `service.A.breaker.success_rate` is a text; a number is wanted",
        "line 18: `service.\"b c\"` is no name of a service",
        "line 20: `service.A.method.m.idempotent` is true; only the trait can promise that",
        "line 21: `service.A.method.m.hedge.after` is `p50`; p95 to p99 are accepted",
        "line 22: `service.A.method.m.max_in_flight` is 0; 1 to 1000000 are accepted",
        "line 24: `server.concurrency.max` belongs to mode = \"adaptive\"",
        "line 24: `server.concurrency` has mode = \"fixed\" and no `limit`",
        "line 25: `server.partition[0]` names neither a `caller` nor a `method`",
        "line 28: `allow[0].caller` names `checkout` is no caller",
        "line 29: `allow[0].method` names `A` is no method",
        "line 30: `allow[1]` has no `method`",
    ];
    let said = problems(text);
    for (expected, said) in expected.iter().zip(&said) {
        assert!(said.starts_with(expected), "expected {expected}\n     got {said}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
}

#[test]
fn what_is_right_by_itself_and_wrong_together_is_told() {
    let own = |body: &str| problems(&format!("version = 1\n[service.A]\n{body}")).join("\n");
    let why = own("timeout = \"50ms\"\nhedge = { after = \"60ms\" }");
    assert!(why.contains("hedges after 60 ms, which is not before its timeout of 50 ms"), "{why}");
    let why = own("[service.A.method.m]\ntimeout = \"5ms\"\nhedge = { after = \"6ms\" }");
    assert!(why.contains("hedges `m` after 6 ms"), "{why}");
    let why = own("timeout = \"50ms\"\nretry = { per_attempt = \"50ms\" }");
    assert!(
        why.contains("gives one attempt 50 ms, which is not less than the 50 ms of all"),
        "{why}"
    );
    let why = own("retry = { backoff = { base = \"300ms\" } }");
    assert!(why.contains("has a retry.backoff.base of 300 ms, and a max of 250 ms"), "{why}");
    let why = own("breaker = { open = { base = \"3s\", max = \"2s\" } }");
    assert!(why.contains("has a breaker.open.base of 3 s, and a max of 2 s"), "{why}");
}

#[test]
fn each_broken_line_of_no_toml_is_told() {
    let said = problems("version = 1\n[defaults\ntimeout = \n\n[service.A]\nbalance = peak\n");
    assert!(said.len() > 1, "{said:?}");
    assert!(said.iter().any(|problem| problem.starts_with("line 2: ")), "{said:?}");
}

#[test]
fn the_bounds_of_a_document_hold() {
    let long = format!("version = 1\n# {}", "x".repeat(limits::POLICY_FILE_MAX as usize));
    assert!(problems(&long)[0].contains("POLICY_FILE_MAX"));
    let rule = "[[allow]]\ncaller = \"*\"\nmethod = \"*\"\n";
    let rules = |many: usize| format!("version = 1\n{}", rule.repeat(many));
    assert!(Document::parse(&rules(limits::POLICY_RULES_MAX)).is_ok());
    assert!(problems(&rules(limits::POLICY_RULES_MAX + 1))[0].contains("POLICY_RULES_MAX"));
    let wrong: String = (0..1000).map(|at| format!("a{at} = 1\n")).collect();
    assert_eq!(problems(&format!("version = 1\n{wrong}")).len(), limits::POLICY_PROBLEMS_MAX);
}

/// Whatever is cut off or changed, it is read or refused, and nothing else.
#[test]
fn a_damaged_document_is_refused_and_harms_nobody() {
    for end in (0..WHOLE.len()).filter(|end| WHOLE.is_char_boundary(*end)) {
        let _ = Document::parse(&WHOLE[..end]);
    }
    for at in 0..WHOLE.len() {
        for byte in [b'[', b'"', b'=', b'\n', 0] {
            let mut bytes = WHOLE.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = Document::parse(std::str::from_utf8(&bytes).unwrap());
        }
    }
    let deep = format!("version = 1\na = {}", "[".repeat(100_000));
    assert!(Document::parse(&deep).is_err());
}
