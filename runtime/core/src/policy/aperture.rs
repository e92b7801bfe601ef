//! Which of the endpoints of a service a client uses, where they are many: its aperture.
//!
//! # Why
//! A thousand clients that each use a thousand servers have a million connections, and each of them hears so little of
//! each server that what it knows is old when it is asked. So a client uses some of them: who is neither too few for a
//! choice, nor for the failure of half of them, and who are others for each client.
//!
//! # The algorithm
//! Each pair of client and endpoint has a random number of its own, by hashing; an endpoint's rank is its weight divided
//! by that number, and the first ones are the aperture. That is rendezvous hashing (Thaler and Ravishankar 1998; gRPC's
//! proposal A68 does it without weights): the same in each run, whatever the order, and a change of the list replaces
//! one endpoint of the aperture at most. With the weights it is priority sampling (Duffield, Lund and Thorup 2007): an
//! endpoint in the aperture stands for those outside by counting as if it had the rank of the first that is outside, if
//! its own weight is smaller. Then each endpoint gets its share of the calls of all clients, exactly, on average.
//!
//! ```text
//!   rank       40   31   22 | 19   11   6        an aperture of three, of endpoints of weight 1 and one of 30
//!   weight      1   30    1 |  1    1   1
//!   counts as  19   30   19 |                    the fourth's rank, or its own weight
//! ```
//!
//! # What it cannot do
//! The number of clients that an endpoint is used by is a sum of as many throws of a coin as there are clients, whatever
//! the scheme, as long as clients do not know of one another: the most is about `1 + sqrt(2 ln n / k)` times the mean
//! of `k`, of `n` endpoints. To be more even, clients would need numbers without gaps (Google's SRE book, chapter 20)
//! or a place on a common ring (Finagle's deterministic aperture), from somebody who counts them. What is at work at an
//! endpoint is more even than its clients are, for they see what the others send there.
//!
//! # Not here
//! Who is well: an endpoint that is out stays in the aperture as long as it is listed. Apertures that follow failures would
//! give each client another one with each outage, and all of them new connections at the worst time.

use crate::rng::{Rng as _, SplitMix, unit_f64};

/// An endpoint that may be in an aperture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// What tells it from the others, the same in every client.
    pub hash: u64,
    /// Its share beside others.
    pub weight: f64,
    /// The part that it belongs to: there is an aperture in each.
    pub part: usize,
}

/// The aperture of `client` with at most `size` endpoints of each part: what each of `all` counts at least if it is inside,
/// and `None` if it is not.
pub fn draw(client: u64, size: usize, all: &[Candidate]) -> Vec<Option<f64>> {
    let mut inside = vec![None; all.len()];
    let mut ranked: Vec<(usize, f64)> =
        all.iter().map(|one| rank(client, one)).enumerate().collect();
    ranked.sort_unstable_by(|(one, of_one), (other, of_other)| {
        let part = all[*one].part.cmp(&all[*other].part);
        // Those of equal hash have equal ranks: then it does not matter who is inside, but that it is always the same.
        part.then(of_other.total_cmp(of_one)).then(all[*one].hash.cmp(&all[*other].hash))
    });
    for part in ranked.chunk_by(|(one, _), (other, _)| all[*one].part == all[*other].part) {
        let floor = part.get(size).map_or(0.0, |(_, rank)| *rank);
        part.iter().take(size).for_each(|(at, _)| inside[*at] = Some(floor));
    }
    inside
}

/// The weight over a number in (0, 1] that belongs to this client and this endpoint.
fn rank(client: u64, one: &Candidate) -> f64 {
    let pair = SplitMix::new(client).next_u64() ^ one.hash;
    one.weight.max(1e-9) / (1.0 - unit_f64(&mut SplitMix::new(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(at: usize, weight: f64) -> Candidate {
        Candidate { hash: SplitMix::new(at as u64).next_u64(), weight, part: 0 }
    }

    fn alike(many: usize) -> Vec<Candidate> {
        (0..many).map(|at| candidate(at, 1.0)).collect()
    }

    fn clients() -> impl Iterator<Item = u64> {
        0..1000
    }

    /// The hashes of those inside.
    fn aperture(client: u64, size: usize, all: &[Candidate]) -> Vec<u64> {
        let inside = draw(client, size, all);
        let mut inside: Vec<u64> =
            all.iter().zip(inside).filter_map(|(one, inside)| inside.map(|_| one.hash)).collect();
        inside.sort_unstable();
        inside
    }

    #[test]
    fn few_are_all_inside_and_count_what_they_weigh() {
        let all: Vec<_> = (0..20).map(|at| candidate(at, at as f64)).collect();
        assert_eq!(draw(7, 20, &all), vec![Some(0.0); 20]);
        assert_eq!(draw(7, 20, &[]), vec![]);
    }

    #[test]
    fn the_order_of_the_list_makes_no_difference() {
        let all = alike(300);
        let mut other = all.clone();
        other.reverse();
        other.rotate_left(77);
        for client in clients().take(20) {
            let one = aperture(client, 30, &all);
            assert_eq!(one.len(), 30);
            assert_eq!(one, aperture(client, 30, &other));
        }
    }

    #[test]
    fn a_change_of_the_list_replaces_one_at_most() {
        let all = alike(200);
        for client in clients().take(50) {
            let before = aperture(client, 20, &all);
            for gone in [0, 57, 199] {
                let mut fewer = all.clone();
                let gone = fewer.remove(gone).hash;
                let after = aperture(client, 20, &fewer);
                let new = after.iter().filter(|hash| !before.contains(hash)).count();
                assert_eq!(new, usize::from(before.contains(&gone)));
            }
            let more: Vec<_> = all.iter().copied().chain([candidate(200, 1.0)]).collect();
            let after = aperture(client, 20, &more);
            assert!(after.iter().filter(|hash| !before.contains(hash)).count() <= 1);
        }
    }

    #[test]
    fn servers_have_as_many_clients_as_chance_allows() {
        let all = alike(1000);
        for size in [20, 100] {
            let mut clients_of = vec![0_u32; all.len()];
            for client in clients() {
                for (count, inside) in clients_of.iter_mut().zip(draw(client, size, &all)) {
                    *count += u32::from(inside.is_some());
                }
            }
            let mean = f64::from(clients_of.iter().sum::<u32>()) / 1000.0;
            assert_eq!(mean, size as f64);
            let most = f64::from(clients_of.iter().copied().max().unwrap_or(0)) / mean;
            let bound = 1.0 + (2.0 * 1000_f64.ln() / size as f64).sqrt();
            assert!(most <= bound * 1.05, "{size}: {most} of {bound}");
        }
    }

    #[test]
    fn shares_of_the_calls_of_all_clients_are_as_the_weights() {
        // Ten of ten times the weight, one of a hundred times.
        let weight = |at| {
            if at == 0 {
                100.0
            } else if at <= 10 {
                10.0
            } else {
                1.0
            }
        };
        let all: Vec<_> = (0..300).map(|at| candidate(at, weight(at))).collect();
        let total: f64 = all.iter().map(|one| one.weight).sum();
        let mut shares = vec![0.0; all.len()];
        for client in clients() {
            let counts: Vec<f64> = (all.iter().zip(draw(client, 30, &all)))
                .map(|(one, inside)| inside.map_or(0.0, |floor| one.weight.max(floor)))
                .collect();
            let sum: f64 = counts.iter().sum();
            shares
                .iter_mut()
                .zip(&counts)
                .for_each(|(share, counts)| *share += counts / sum / 1000.0);
        }
        let share = |range: std::ops::Range<usize>| shares[range].iter().sum::<f64>();
        for (range, weight) in [(0..1, 100.0), (1..11, 100.0), (11..300, 289.0)] {
            let (is, ought) = (share(range), weight / total);
            assert!((is / ought - 1.0).abs() < 0.05, "{is} where {ought} ought to be");
        }
    }

    #[test]
    fn each_part_has_an_aperture_of_its_own() {
        let mut all = alike(100);
        all[3].part = 1;
        all[40..].iter_mut().for_each(|one| one.part = 2);
        let inside = draw(1, 10, &all);
        let many = |part| {
            let of = all.iter().zip(&inside).filter(|(one, _)| one.part == part);
            of.filter(|(_, inside)| inside.is_some()).count()
        };
        assert_eq!([many(0), many(1), many(2)], [10, 1, 10]);
        assert_eq!(inside[3], Some(0.0), "who is alone stands for nobody");
    }
}
