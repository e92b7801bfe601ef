//! What was seen, for people and for programs, and whether it is as it must be.

use std::fmt;

use crate::{
    api::Counts,
    arguments::Role,
    books::Reckoning,
    chaos::Episode,
    operators::Operations,
    overload::Overload,
    probes::{KNOWN, Miss, TOO_SHORT},
    tally::{Mark, Numbers},
    travellers::is_falling,
};

/// All that one run has shown.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seconds: f64,
    pub(crate) travellers: u32,
    pub(crate) processes: usize,
    pub(crate) numbers: Numbers,
    /// The seats may be gone with their books.
    pub(crate) reckoning: Result<Reckoning, String>,
    pub(crate) counts: Vec<(Role, Result<Counts, String>)>,
    /// The calls of this process, and how often one of them was tried again.
    pub(crate) own: (u64, u64),
    pub(crate) hop_budget_us: [u64; 3],
    /// What serves the old tariff over plain HTTP, if anything does.
    pub(crate) legacy: Option<&'static str>,
    /// Calls of those who use curl.
    pub(crate) curl_calls: u64,
    /// What was done to the servers, and what came of it.
    pub(crate) episodes: Vec<Episode>,
    pub(crate) miss: Miss,
    /// What its operators did meanwhile.
    pub(crate) operations: Operations,
    /// What became of calls when there were too many, if that was asked for.
    pub(crate) overload: Option<Overload>,
}

impl Report {
    /// What should not be after a run in which nothing was broken on purpose.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let failed = self.numbers.failed();
        if failed > 0 {
            faults.push(format!("{failed} calls failed"));
        }
        match &self.reckoning {
            Ok(reckoning) if reckoning.balances() => {}
            Ok(_) => faults.push("the books do not balance".to_owned()),
            Err(_) => faults.push("the books are gone".to_owned()),
        }
        let late = self.late_handlers();
        if late > 0 {
            faults.push(format!("{late} handlers began after their deadline"));
        }
        let refused: u64 = self.counts().map(|counts| counts.policies_refused).sum();
        if refused > 0 {
            faults.push(format!("{refused} processes have not the last policy"));
        }
        if self.policies() < self.operations.policies {
            faults.push("changes of the policy were not heard".to_owned());
        }
        if !is_falling(&self.hop_budget_us) {
            faults.push("a deadline did not shrink on its way down".to_owned());
        }
        faults
    }

    /// One object on one line.
    pub(crate) fn json(&self, reckoning: &Reckoning) -> String {
        let latencies = self.latencies();
        let [gateway, search, fares] = self.hop_budget_us;
        let faults: Vec<String> = self.episodes.iter().map(Episode::json).collect();
        let overload = self.overload.as_ref();
        let overload =
            overload.map_or(String::new(), |one| format!(",\"overload\":{}", one.json()));
        format!(
            "{{\"seconds\":{:.1},\"processes\":{},\"calls\":{},\"failed\":{},\"p50_us\":{},\
             \"p99_us\":{},\"hop_budget_us\":[{gateway},{search},{fares}],\"seats_sold\":{},\
             \"seats_confirmed\":{},\"seats_maybe\":{},\"late_handlers\":{},\
             \"legacy_http_calls\":{},\"curl_calls\":{},\"amplification\":{:.4},\"double_sold\":{},\"policy_changes\":{},\"ca_rotations\":{},\"faults\":[{}]{}}}",
            self.seconds,
            self.processes,
            self.numbers.calls(),
            self.numbers.failed(),
            percentile(&latencies, 50.0),
            percentile(&latencies, 99.0),
            reckoning.sold,
            reckoning.confirmed,
            reckoning.in_doubt,
            self.late_handlers(),
            self.legacy_http_calls(),
            self.curl_calls,
            self.amplification(),
            reckoning.double_sold,
            self.operations.policies,
            self.operations.authorities,
            faults.join(","),
            overload,
        )
    }

    fn late_handlers(&self) -> u64 {
        self.counts().map(|counts| counts.late).sum()
    }

    /// Policies that have been in force, over all processes.
    fn policies(&self) -> u64 {
        self.counts().map(|counts| counts.policies).sum()
    }

    /// Attempts that went out over plain HTTP.
    fn legacy_http_calls(&self) -> u64 {
        self.counts().map(|counts| counts.legacy_http_calls).sum()
    }

    /// Unary calls of all processes, and how often one of them was tried again.
    fn calls_and_retries(&self) -> (u64, u64) {
        let add = |(calls, retries), more: &Counts| (calls + more.calls, retries + more.retries);
        self.counts().fold(self.own, add)
    }

    /// Attempts per call.
    fn amplification(&self) -> f64 {
        let (calls, retries) = self.calls_and_retries();
        (calls + retries) as f64 / calls.max(1) as f64
    }

    /// Of the processes that answered.
    fn counts(&self) -> impl Iterator<Item = &Counts> {
        self.counts.iter().filter_map(|(_, counts)| counts.as_ref().ok())
    }

    /// Of both calls, ascending.
    fn latencies(&self) -> Vec<u32> {
        let mut all = [&*self.numbers.plans, &*self.numbers.bookings].concat();
        all.sort_unstable();
        all
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.numbers.calls();
        writeln!(
            f,
            "airline: {} travellers, {} processes, {:.1} s\n",
            self.travellers, self.processes, self.seconds
        )?;
        writeln!(
            f,
            "calls       {calls}, {:.0} per second, {} failed",
            calls as f64 / self.seconds,
            self.numbers.failed()
        )?;
        for (cause, failures) in &self.numbers.failures {
            writeln!(
                f,
                "            {} x {cause}\n              {}",
                failures.count, failures.first
            )?;
        }
        latency_line(f, "latency", &self.latencies())?;
        latency_line(f, "  plan", &sorted(&self.numbers.plans))?;
        latency_line(f, "  book", &sorted(&self.numbers.bookings))?;
        self.faults_seen(f)?;
        self.deadlines(f)?;
        self.books(f)?;
        writeln!(f, "\na fare that takes 2 s was wanted within {} ms:", TOO_SHORT.as_millis())?;
        writeln!(f, "  {}", self.miss.words)?;
        if let Some(ledger) = &self.miss.ledger {
            for line in ledger.to_string().lines() {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

impl Episode {
    fn json(&self) -> String {
        let Mark { plans, bookings, failed, p99_us } = self.seen;
        let ms =
            |us: Option<u64>| us.map_or("null".to_owned(), |us| format!("{:.1}", us as f64 / 1e3));
        format!(
            "{{\"fault\":\"{}\",\"calls\":{},\"failed\":{failed},\"retried\":{},\
             \"p99_us\":{p99_us},\"left_ms\":{},\"back_ms\":{}}}",
            self.fault.name(),
            plans + bookings,
            self.retried,
            ms(self.left_us),
            ms(self.back_us),
        )
    }
}

impl Report {
    fn faults_seen(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Episode { fault, seen, retried, left_us, back_us } in &self.episodes {
            write!(
                f,
                "{:<12}{:<10}{} calls, {} failed, {retried} retried, p99 {:.2} ms",
                fault.name(),
                fault.struck(),
                seen.plans + seen.bookings,
                seen.failed,
                f64::from(seen.p99_us) / 1e3
            )?;
            for (word, us) in [("left after", left_us), ("back after", back_us)] {
                if let Some(us) = us {
                    write!(f, ", {word} {:.1} ms", *us as f64 / 1e3)?;
                }
            }
            writeln!(f)?;
        }
        let Operations { policies, authorities } = self.operations;
        writeln!(
            f,
            "operators   changed the policy {policies} times, and the authority of the certificates {authorities} times"
        )?;
        if let Some(overload) = &self.overload {
            write!(f, "{overload}")?;
        }
        let (calls, retries) = self.calls_and_retries();
        let amplification = self.amplification();
        writeln!(f, "attempts    {amplification:.4} per call: {calls} calls, {retries} retries")?;
        match self.legacy {
            Some(program) => {
                let calls = self.legacy_http_calls();
                writeln!(f, "plain HTTP  {calls} attempts at fares went to {program}")?;
            }
            None => writeln!(f, "plain HTTP  none: there is neither nginx nor python3 here")?,
        }
        match self.curl_calls {
            0 => writeln!(f, "            and none came in: there is no curl here"),
            calls => writeln!(f, "            {calls} calls came in by curl"),
        }
    }

    fn deadlines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [gateway, search, fares] = self.hop_budget_us.map(|us| us as f64 / 1e3);
        writeln!(
            f,
            "deadline    given {} ms; left at gateway {gateway:.3}, search {search:.3}, \
             fares {fares:.3} ms",
            KNOWN.as_millis(),
        )?;
        let handlers: u64 = self.counts().map(|counts| counts.handlers).sum();
        let lost: u64 = self.counts().map(|counts| counts.lost_contexts).sum();
        let late = self.late_handlers();
        writeln!(f, "handlers    {handlers}, {late} began late, {lost} calls without a context")?;
        for (role, counts) in &self.counts {
            match counts {
                Ok(counts) => writeln!(f, "  {:<10}{}", role.name(), counts.handlers)?,
                Err(why) => writeln!(f, "  {:<10}{why}", role.name())?,
            }
        }
        Ok(())
    }

    fn books(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reckoning = match &self.reckoning {
            Ok(reckoning) => reckoning,
            Err(why) => return writeln!(f, "books       {why}"),
        };
        let Reckoning {
            sold,
            double_sold,
            confirmed,
            in_doubt,
            in_doubt_sold,
            not_run,
            not_run_sold,
        } = reckoning;
        let verdict = if reckoning.balances() { "they balance" } else { "THEY DO NOT BALANCE" };
        writeln!(
            f,
            "books       {sold} seats sold = {confirmed} confirmed + {in_doubt_sold} in doubt: {verdict}"
        )?;
        writeln!(
            f,
            "            {in_doubt} bookings in doubt; {not_run} never ran, {not_run_sold} of them \
             sold; {double_sold} sold twice; {} came when all was sold",
            self.numbers.sold_out
        )
    }
}

fn latency_line(f: &mut fmt::Formatter<'_>, name: &str, us: &[u32]) -> fmt::Result {
    write!(f, "{name:<12}")?;
    for (label, share) in [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("max", 100.0)] {
        write!(f, "{label} {:.2} ms  ", f64::from(percentile(us, share)) / 1e3)?;
    }
    writeln!(f)
}

fn sorted(us: &[u32]) -> Vec<u32> {
    let mut us = us.to_vec();
    us.sort_unstable();
    us
}

/// The smallest value that is not below `share` percent of the values, which are in order.
fn percentile(ascending: &[u32], share: f64) -> u32 {
    let rank = (share / 100.0 * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<u32> = (1..=200).collect();
        let of = |share| percentile(&values, share);
        assert_eq!([of(0.0), of(50.0), of(99.0), of(100.0)], [1, 100, 198, 200]);
        assert_eq!(percentile(&[7], 50.0), 7);
        assert_eq!(percentile(&[], 99.0), 0);
    }
}
