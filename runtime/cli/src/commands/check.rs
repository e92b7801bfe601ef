//! `sinew check`: what changed between two versions.

use serde_json::json;
use sinew::descriptor::{Change, Verdict, compare};

use crate::{
    args::Check,
    output::{self, Failure, Style, styled},
    source,
};

pub(crate) async fn run(args: Check, json: bool) -> Result<(), Failure> {
    let old = source::descriptor(&args.old).await?;
    let new = source::descriptor(&args.new).await?;
    let comparison = compare(&old, &new);
    if json {
        let changes: Vec<_> = comparison.changes.iter().map(as_json).collect();
        let verdict = comparison.verdict;
        output::line(&json!({"verdict": word(verdict), "changes": changes}).to_string())?;
    } else {
        for change in &comparison.changes {
            let (style, mark) = match (change.fails_old_client, change.fails_new_client) {
                _ if change.is_unknown => (Style::Yellow, "not known     "),
                (false, false) => (Style::Green, "fine          "),
                (true, false) => (Style::Red, "old clients   "),
                (false, true) => (Style::Yellow, "new clients   "),
                (true, true) => (Style::Red, "both          "),
            };
            output::line(&format!("{}{change}", styled(style, mark)))?;
        }
        output::line(&styled(Style::Bold, &comparison.verdict.to_string()))?;
    }
    match comparison.verdict {
        Verdict::Same | Verdict::BothWays | Verdict::ServerFirst => Ok(()),
        Verdict::ClientFirst | Verdict::Breaking => Err(Failure::no("")),
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "same",
        Verdict::BothWays => "both_ways",
        Verdict::ServerFirst => "server_first",
        Verdict::ClientFirst => "client_first",
        Verdict::Breaking => "breaking",
    }
}

fn as_json(change: &Change) -> serde_json::Value {
    json!({
        "element": change.element,
        "at": change.at,
        "what": change.what,
        "fails_old_client": change.fails_old_client,
        "fails_new_client": change.fails_new_client,
        "is_unknown": change.is_unknown,
    })
}
