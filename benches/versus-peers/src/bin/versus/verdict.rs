//! The figures that the targets are written in: ours over theirs, like for like.
//!
//! Each is the worse of the two runtime flavours, since a user has one of them: the smaller for rates, the larger
//! for latencies and allocations. A figure whose cells did not all run is absent.

use crate::{
    cells::{Cell, Flavour, Network, Work},
    contest::Sample,
    contestants::{Contestant, Part},
    outcome::Results,
};

/// Payload and calls in flight.
type Conditions = (usize, usize);

const SMALL: Conditions = (32, 64);
const ALONE: Conditions = (32, 1);
const KIB: Conditions = (1024, 64);
const LARGE: Conditions = (64 * 1024, 64);

/// Of the cell that `idle_kb` is of.
const IDLE: usize = 2000;

/// A key of the JSON line, what it means, and what it came to.
type Figure = (&'static str, &'static str, Option<f64>);

/// The keys of the JSON line, in its order, with what they came to.
pub(crate) struct Verdict {
    figures: Vec<Figure>,
}

impl Verdict {
    pub(crate) fn of(results: &Results) -> Self {
        let mut figures = of_calls(results);
        figures.extend(of_parts(results));
        figures.extend(of_networks(results));
        figures.extend(of_connections(results));
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

/// Calls over one connection on loopback.
fn of_calls(results: &Results) -> Vec<Figure> {
    let rate = |(payload, in_flight), theirs| {
        rate(results, theirs, |flavour| Cell::new(payload, in_flight, flavour))
    };
    let (tonic, tarpc) = (Contestant::TonicTls, Contestant::TarpcTls);
    vec![
        ("small_vs_tonic_tls", "32 B, 64 in flight: calls/s, x tonic TLS", rate(SMALL, tonic)),
        ("small_vs_tarpc_tls", "32 B, 64 in flight: calls/s, x tarpc TLS", rate(SMALL, tarpc)),
        (
            "small_p99_vs_tonic_tls",
            "32 B, 64 in flight: p99, x tonic TLS",
            latency(results, tonic, |one| one.p99_us, plain(SMALL)),
        ),
        ("kib_vs_tonic_tls", "1 KiB, 64 in flight: calls/s, x tonic TLS", rate(KIB, tonic)),
        ("kib_vs_tarpc_tls", "1 KiB, 64 in flight: calls/s, x tarpc TLS", rate(KIB, tarpc)),
        (
            "alone_p50_vs_tarpc_tls",
            "32 B, one at a time: p50, x tarpc TLS",
            latency(results, tarpc, |one| one.p50_us, plain(ALONE)),
        ),
        ("large_vs_tonic_tls", "64 KiB, 64 in flight: calls/s, x tonic TLS", rate(LARGE, tonic)),
        ("large_vs_tarpc_tls", "64 KiB, 64 in flight: calls/s, x tarpc TLS", rate(LARGE, tarpc)),
        (
            "allocs_per_call",
            "32 B, 64 in flight: allocations per call beyond the bare lane's, both ends",
            worse(f64::max, |flavour| {
                let of = |who| allocations(results, plain(SMALL)(flavour), who);
                Some(of(Contestant::Sinew)? - of(Contestant::Lane)?)
            }),
        ),
    ]
}

/// What parts of sinew cost.
fn of_parts(results: &Results) -> Vec<Figure> {
    let with = |part: Part| rate(results, Contestant::Without(part), plain(part.conditions()));
    vec![
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
    ]
}

/// Networks that are none of one machine.
fn of_networks(results: &Results) -> Vec<Figure> {
    let tonic = Contestant::TonicTls;
    let lossy = |flavour| plain(KIB)(flavour).on(Network::Lossy);
    vec![
        (
            "large_1452_vs_tonic_tls",
            "64 KiB, 64 in flight, packets of 1,500 bytes: calls/s, x tonic TLS",
            rate(results, tonic, |flavour| plain(LARGE)(flavour).on(Network::Ethernet)),
        ),
        (
            "loss_p99_vs_tonic_tls",
            "1 KiB, 64 in flight, 10 ms, 1 % lost: p99, x tonic TLS",
            latency(results, tonic, |one| one.p99_us, lossy),
        ),
        (
            "loss_rate_vs_tonic_tls",
            "1 KiB, 64 in flight, 10 ms, 1 % lost: calls/s, x tonic TLS",
            rate(results, tonic, lossy),
        ),
    ]
}

/// Streams, and what a connection costs.
fn of_connections(results: &Results) -> Vec<Figure> {
    let tonic = Contestant::TonicTls;
    let [down, up] = [Work::Down, Work::Up]
        .map(|direction| rate(results, tonic, |flavour| Cell::of(direction, flavour)));
    vec![
        (
            "stream_vs_tonic_tls",
            "a stream of 16 KiB items, the worse of both directions: MB/s, x tonic TLS",
            down.zip(up).map(|(down, up)| down.min(up)),
        ),
        (
            "cold_vs_tonic_tls",
            "connecting and the first call: p50, x tonic TLS with certificates of both sides",
            latency(results, tonic, |one| one.p50_us, |flavour| Cell::of(Work::Cold, flavour)),
        ),
        (
            "idle_kb",
            "2,000 idle connections: KiB of the server's memory for each",
            worse(f64::max, |flavour| {
                let cell = Cell::of(Work::Idle, flavour).over(IDLE);
                let memory = |one: &Sample| one.server_kib_per_call;
                Some(results.spread(cell, Contestant::Sinew, memory)?.median)
            }),
        ),
    ]
}

/// The cell of a flavour with these conditions, of calls over one connection on loopback.
fn plain((payload, in_flight): Conditions) -> impl Fn(Flavour) -> Cell {
    move |flavour| Cell::new(payload, in_flight, flavour)
}

/// The worse of both flavours; `None` unless both ran.
fn worse(pick: fn(f64, f64) -> f64, figure: impl Fn(Flavour) -> Option<f64>) -> Option<f64> {
    let [one, other] = Flavour::BOTH.map(figure);
    Some(pick(one?, other?)).filter(|figure| figure.is_finite())
}

fn rate(results: &Results, theirs: Contestant, cell: impl Fn(Flavour) -> Cell) -> Option<f64> {
    worse(f64::min, |flavour| ratio(results, cell(flavour), theirs, |one| one.calls_per_second))
}

fn latency(
    results: &Results,
    theirs: Contestant,
    figure: fn(&Sample) -> f64,
    cell: impl Fn(Flavour) -> Cell,
) -> Option<f64> {
    worse(f64::max, |flavour| ratio(results, cell(flavour), theirs, figure))
}

/// The bridge over hyper, of medians.
fn over_hyper(results: &Results, figure: fn(&Sample) -> f64) -> Option<f64> {
    worse(f64::max, |flavour| {
        let cell = plain(SMALL)(flavour);
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
            server_kib_per_call: 0.0,
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
    fn the_worse_direction_counts_for_streams() {
        let mut results = Results::default();
        for flavour in Flavour::BOTH {
            for (direction, ours) in [(Work::Down, 300.0), (Work::Up, 150.0)] {
                let cell = Cell::of(direction, flavour);
                results.add(cell, Contestant::Sinew, Ok(sample(ours, 0.0)));
                results.add(cell, Contestant::TonicTls, Ok(sample(100.0, 0.0)));
            }
        }
        assert_eq!(figure(&Verdict::of(&results), "stream_vs_tonic_tls"), Some(1.5));
    }

    #[test]
    fn memory_is_of_the_server_and_of_nobody_else() {
        let mut results = Results::default();
        for (flavour, kib) in Flavour::BOTH.into_iter().zip([40.0, 50.0]) {
            let cell = Cell::of(Work::Idle, flavour).over(IDLE);
            let idle = Sample { server_kib_per_call: kib, ..sample(1.0, 1.0) };
            results.add(cell, Contestant::Sinew, Ok(idle));
        }
        assert_eq!(figure(&Verdict::of(&results), "idle_kb"), Some(50.0));
    }

    #[test]
    fn what_a_network_changes_is_a_figure_of_its_own() {
        let mut results = Results::default();
        for flavour in Flavour::BOTH {
            let cell = Cell::new(1024, 64, flavour).on(Network::Lossy);
            results.add(cell, Contestant::Sinew, Ok(sample(200.0, 30.0)));
            results.add(cell, Contestant::TonicTls, Ok(sample(100.0, 100.0)));
        }
        let verdict = Verdict::of(&results);
        assert_eq!(figure(&verdict, "loss_rate_vs_tonic_tls"), Some(2.0));
        assert_eq!(figure(&verdict, "loss_p99_vs_tonic_tls"), Some(0.3));
        assert_eq!(figure(&verdict, "kib_vs_tonic_tls"), None);
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
