//! The figures that the targets are written in: ours over theirs, like for like.
//!
//! Each is the worse of the two runtime flavours, since a user has one of them: the smaller for rates, the larger
//! for latencies and allocations. A figure whose cells did not all run is absent.

use crate::{
    cells::{Cell, Contestant, Flavour, Part},
    contest::Sample,
    outcome::Results,
};

/// Payload and calls in flight.
type Conditions = (usize, usize);

const SMALL: Conditions = (32, 64);
const ALONE: Conditions = (32, 1);
const KIB: Conditions = (1024, 64);
const LARGE: Conditions = (64 * 1024, 64);

/// The keys of the JSON line, in its order, with what they came to.
pub(crate) struct Verdict {
    figures: Vec<(&'static str, &'static str, Option<f64>)>,
}

impl Verdict {
    pub(crate) fn of(results: &Results) -> Self {
        let rate = |conditions, theirs| {
            worse(conditions, f64::min, |cell| {
                ratio(results, cell, theirs, |one| one.calls_per_second)
            })
        };
        let latency = |conditions, theirs, figure: fn(&Sample) -> f64| {
            worse(conditions, f64::max, |cell| ratio(results, cell, theirs, figure))
        };
        let with = |part: Part| rate(part.conditions(), Contestant::Without(part));
        let (tonic, tarpc) = (Contestant::TonicTls, Contestant::TarpcTls);
        let figures = vec![
            ("small_vs_tonic_tls", "32 B, 64 in flight: calls/s, x tonic TLS", rate(SMALL, tonic)),
            ("small_vs_tarpc_tls", "32 B, 64 in flight: calls/s, x tarpc TLS", rate(SMALL, tarpc)),
            (
                "small_p99_vs_tonic_tls",
                "32 B, 64 in flight: p99, x tonic TLS",
                latency(SMALL, tonic, |one| one.p99_us),
            ),
            ("kib_vs_tonic_tls", "1 KiB, 64 in flight: calls/s, x tonic TLS", rate(KIB, tonic)),
            ("kib_vs_tarpc_tls", "1 KiB, 64 in flight: calls/s, x tarpc TLS", rate(KIB, tarpc)),
            (
                "alone_p50_vs_tarpc_tls",
                "32 B, one at a time: p50, x tarpc TLS",
                latency(ALONE, tarpc, |one| one.p50_us),
            ),
            (
                "large_vs_tonic_tls",
                "64 KiB, 64 in flight: calls/s, x tonic TLS",
                rate(LARGE, tonic),
            ),
            (
                "large_vs_tarpc_tls",
                "64 KiB, 64 in flight: calls/s, x tarpc TLS",
                rate(LARGE, tarpc),
            ),
            (
                "allocs_per_call",
                "32 B, 64 in flight: allocations per call beyond the bare lane's, both ends",
                worse(SMALL, f64::max, |cell| {
                    let of = |who| allocations(results, cell, who);
                    Some(of(Contestant::Sinew)? - of(Contestant::Lane)?)
                }),
            ),
            (
                "mesh_on_vs_off",
                "32 B, 256 in flight: calls/s, x a build without the mesh",
                with(Part::Mesh),
            ),
            (
                "guard_on_vs_off",
                "32 B, 64 in flight: calls/s, x a build without the guard",
                with(Part::Guard),
            ),
            (
                "bridge_vs_hyper",
                "32 B in JSON over HTTP/1.1, 64 in flight: CPU per call, x hyper used directly, both ends",
                over_hyper(results, |one| one.cpu_us_per_call),
            ),
            (
                "bridge_client_vs_hyper",
                "the same, the client alone",
                over_hyper(results, |one| one.client_cpu_us),
            ),
        ];
        Self { figures }
    }

    /// For people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let heading = "sinew against the others, the worse of both runtime flavours";
        let mut lines = vec![String::new(), heading.to_owned()];
        lines.extend(self.figures.iter().map(|(_, meaning, figure)| {
            let figure = figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.2}"));
            format!("  {figure:>6}  {meaning}")
        }));
        lines
    }

    /// For machines, on one line.
    pub(crate) fn json(&self) -> String {
        let pairs: Vec<String> = self
            .figures
            .iter()
            .map(|(key, _, figure)| match figure {
                Some(figure) => format!("\"{key}\":{figure:.3}"),
                None => format!("\"{key}\":null"),
            })
            .collect();
        format!("{{{}}}", pairs.join(","))
    }
}

/// The worse of both flavours; `None` unless both ran.
fn worse(
    (payload, in_flight): Conditions,
    pick: fn(f64, f64) -> f64,
    figure: impl Fn(Cell) -> Option<f64>,
) -> Option<f64> {
    let [one, other] = Flavour::BOTH.map(|flavour| figure(Cell::new(payload, in_flight, flavour)));
    Some(pick(one?, other?)).filter(|figure| figure.is_finite())
}

/// The bridge over hyper, of medians.
fn over_hyper(results: &Results, figure: fn(&Sample) -> f64) -> Option<f64> {
    worse(SMALL, f64::max, |cell| {
        let ours = results.spread(cell, Contestant::Bridge, figure)?.median;
        Some(ours / results.spread(cell, Contestant::Hyper, figure)?.median)
    })
}

/// Ours over theirs, of medians.
fn ratio(
    results: &Results,
    cell: Cell,
    theirs: Contestant,
    figure: fn(&Sample) -> f64,
) -> Option<f64> {
    let ours = results.spread(cell, Contestant::Sinew, figure)?.median;
    Some(ours / results.spread(cell, theirs, figure)?.median)
}

/// Of both ends, per call.
fn allocations(results: &Results, cell: Cell, who: Contestant) -> Option<f64> {
    let both = |one: &Sample| one.client_allocations + one.server_allocations;
    Some(results.spread(cell, who, both)?.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(calls_per_second: f64, p99_us: f64) -> Sample {
        Sample {
            calls_per_second,
            p50_us: 1.0,
            p99_us,
            cpu_us_per_call: 1.0,
            client_cpu_us: 0.5,
            client_allocations: 4.0,
            server_allocations: 2.0,
        }
    }

    fn figure(verdict: &Verdict, key: &str) -> Option<f64> {
        verdict.figures.iter().find(|(known, ..)| *known == key).and_then(|(.., figure)| *figure)
    }

    #[test]
    fn the_worse_flavour_counts_for_rates_and_for_latencies() {
        let mut results = Results::default();
        for (flavour, ours) in Flavour::BOTH.into_iter().zip([(800.0, 10.0), (500.0, 40.0)]) {
            let cell = Cell::new(32, 64, flavour);
            results.add(cell, Contestant::Sinew, Ok(sample(ours.0, ours.1)));
            results.add(cell, Contestant::TonicTls, Ok(sample(100.0, 100.0)));
        }
        let verdict = Verdict::of(&results);
        assert_eq!(figure(&verdict, "small_vs_tonic_tls"), Some(5.0));
        assert_eq!(figure(&verdict, "small_p99_vs_tonic_tls"), Some(0.4));
    }

    #[test]
    fn what_was_taken_out_is_compared_with_the_whole() {
        let mut results = Results::default();
        for flavour in Flavour::BOTH {
            let cell = Cell::new(32, 256, flavour);
            results.add(cell, Contestant::Sinew, Ok(sample(95.0, 10.0)));
            let without = Contestant::Without(Part::Mesh);
            assert!(without.runs_in(cell));
            assert!(!without.runs_in(Cell::new(32, 64, flavour)));
            results.add(cell, without, Ok(sample(100.0, 10.0)));
        }
        let verdict = Verdict::of(&results);
        assert_eq!(figure(&verdict, "mesh_on_vs_off"), Some(0.95));
        assert_eq!(figure(&verdict, "guard_on_vs_off"), None);
    }

    #[test]
    fn a_figure_is_null_when_one_flavour_did_not_run() {
        let mut results = Results::default();
        let cell = Cell::new(32, 64, Flavour::MultiThread);
        results.add(cell, Contestant::Sinew, Ok(sample(800.0, 10.0)));
        results.add(cell, Contestant::TonicTls, Ok(sample(100.0, 100.0)));
        let json = Verdict::of(&results).json();
        assert!(json.starts_with("{\"small_vs_tonic_tls\":null,"), "{json}");
    }
}
