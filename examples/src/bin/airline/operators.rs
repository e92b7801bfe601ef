//! Those who operate the airline: while the travellers travel they change its policy, and renew the authority of its
//! certificates. No process is started again for either, and no call notices.

use std::{path::Path, time::Duration};

use sinew::DevelopmentCa;
use tokio::time::{Instant, interval};

use crate::Problem;

/// Between two changes of the policy.
const CHANGES: Duration = Duration::from_millis(500);
/// Between two authorities.
const RENEWS: Duration = Duration::from_secs(4);

/// What they have done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Operations {
    pub(crate) policies: u64,
    pub(crate) authorities: u64,
}

/// The file of policy in the directory of a fleet.
pub(crate) const FILE: &str = "sinew.toml";

/// A policy like any other; two with different numbers differ.
pub(crate) fn policy(number: u64) -> String {
    let (seconds, places) = (9 + number % 2, 1_000 + number % 50);
    format!(
        "version = 1\n\n[defaults]\ntimeout = \"{seconds}s\"\n\n[service.Search]\n\
         bulkhead = {{ max_in_flight = {places} }}\n\n[service.Fares]\nretry = {{ attempts = 3 }}\n"
    )
}

/// Does that until it is dropped; what was done stands in `done`.
pub(crate) async fn operate(directory: &Path, done: &mut Operations) -> Problem {
    let (mut ticks, mut renewed) = (interval(CHANGES), Instant::now());
    loop {
        ticks.tick().await;
        if let Err(why) = change(directory, done.policies + 1) {
            return format!("the policy cannot be changed: {why}").into();
        }
        done.policies += 1;
        if renewed.elapsed() >= RENEWS {
            renewed = Instant::now();
            let authority = DevelopmentCa::open_in(directory.join("sinew"));
            if let Err(why) = authority.and_then(|authority| authority.rotate()) {
                return why.into();
            }
            done.authorities += 1;
        }
    }
}

/// Puts a new file in the place of the old one, so that nobody reads half of it.
fn change(directory: &Path, number: u64) -> std::io::Result<()> {
    let new = directory.join("new.toml");
    std::fs::write(&new, policy(number))?;
    std::fs::rename(new, directory.join(FILE))
}
