//! Which endpoint a key belongs to: the one that scores highest for it, of all that can be asked.
//!
//! # Why
//! Every client that knows the same endpoints finds the same one for a key, with nothing to agree on and nothing to
//! keep. When an endpoint goes, its keys go to the others evenly, and no other key moves; when one comes, it takes its
//! share from everybody. A ring has that too, but needs hundreds of points per endpoint to be as even, and a table to
//! find them in (Ketama, Maglev): that pays from some hundreds of endpoints on.
//!
//! # The algorithm
//! Rendezvous hashing, "highest random weight" (Thaler and Ravishankar 1998), with the score `-weight / ln(h)`, where `h`
//! in (0, 1) is a hash of key and endpoint: then shares are exactly as the weights (Schindelhauer and Schomaker 2005).
//! A bound keeps one hot key from overrunning its endpoint: who has more than [`KEY_LOAD_FACTOR`] times its share of the
//! calls that are out is passed over, and the next in the order of scores is asked (consistent hashing with bounded
//! loads, Mirrokni, Thorup and Zadimoghaddam 2018).
//!
//! # What is stable
//! [`hash`] is FNV-1a with 64 bits, [`score`] uses SplitMix64's finaliser: both are the same in every build and on every
//! machine, and are to stay what they are, or all keys move during the deploy that changes them.

use crate::limits::{KEY_FREE, KEY_LOAD_FACTOR};

/// FNV-1a with 64 bits, fed piece by piece.
#[derive(Debug, Clone, Copy)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self::new()
    }
}

impl Fnv {
    /// Of nothing yet.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// The same, and these bytes after it.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The hash so far.
    pub const fn end(self) -> u64 {
        self.0
    }
}

/// The hash of these bytes: of what names an endpoint, or of a key.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut fnv = Fnv::new();
    fnv.add(bytes);
    fnv.end()
}

/// SplitMix64's finaliser: each bit of the input changes half of those of the output. FNV's upper bits are poor.
const fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in (0, 1), neither end included.
fn unit(bits: u64) -> f64 {
    ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Where a key falls between 0 and 1, for whoever cuts that into shares: always the same place.
pub fn place(key: u64) -> f64 {
    unit(mixed(key ^ 0x5350_4c49_545f_5348))
}

/// What stands for a trace wherever calls of one trace are to be treated alike: of all its bits, for only some of them may
/// be random. The same in every build and on every machine.
pub const fn of_trace(id: [u8; 16]) -> u64 {
    let id = u128::from_be_bytes(id);
    mixed(mixed((id >> 64) as u64) ^ id as u64)
}

/// Where a trace falls between 0 and 1, for whoever copies the calls of some: another place than where a key falls, and
/// one that has nothing to do with the side of a split.
pub fn place_of_copy(trace: u64) -> f64 {
    unit(mixed(trace ^ 0x4d49_5252_4f52_4544))
}

/// What an endpoint scores for a key; the highest has it. So do the sides of a split for what is drawn between them.
pub fn score(key: u64, endpoint: u64, weight: f64) -> f64 {
    let h = unit(mixed(mixed(key) ^ endpoint));
    weight.max(1e-9) / -h.ln()
}

/// Calls that an endpoint may have out before a key is sent on to the next: of `total` calls, the one to be sent
/// included, its share by weight (`share`, of 1) times [`KEY_LOAD_FACTOR`], rounded up, and [`KEY_FREE`] at least.
pub fn cap(total: u64, share: f64) -> u32 {
    let fair = (total as f64 * share * KEY_LOAD_FACTOR).ceil();
    (fair as u32).max(KEY_FREE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The endpoint of a key.
    fn owner(key: u64, endpoints: &[(u64, f64)]) -> usize {
        let scores = endpoints.iter().map(|(hash, weight)| score(key, *hash, *weight));
        let best = scores.enumerate().max_by(|one, other| one.1.total_cmp(&other.1));
        best.map_or(usize::MAX, |(at, _)| at)
    }

    fn keys() -> impl Iterator<Item = u64> {
        (0..20_000_u64).map(|user| hash(&user.to_le_bytes()))
    }

    fn endpoints(weights: &[f64]) -> Vec<(u64, f64)> {
        let name = |at| hash(format!("10.0.0.{at}:7000").as_bytes());
        weights.iter().enumerate().map(|(at, weight)| (name(at), *weight)).collect()
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // Of the authors' own list.
        let known: [(&[u8], u64); 3] = [
            (b"", 0xcbf2_9ce4_8422_2325),
            (b"a", 0xaf63_dc4c_8601_ec8c),
            (b"foobar", 0x8594_4171_f739_67e8),
        ];
        for (bytes, expected) in known {
            assert_eq!(hash(bytes), expected);
        }
    }

    /// Another implementation must find the same endpoints; a change of any of these moves everybody's keys.
    #[test]
    fn owners_are_what_they_have_always_been() {
        let endpoints = endpoints(&[1.0, 1.0, 2.0, 1.0]);
        let owners: Vec<usize> =
            (0..12_u64).map(|user| owner(hash(&user.to_le_bytes()), &endpoints)).collect();
        assert_eq!(owners, [2, 1, 0, 0, 3, 2, 2, 2, 1, 3, 0, 1]);
    }

    #[test]
    fn only_the_keys_of_an_endpoint_that_goes_move_and_they_go_to_all_others() {
        let all = endpoints(&[1.0; 10]);
        for gone in 0..10 {
            let mut rest = all.clone();
            rest.remove(gone);
            let mut moved = vec![0_u32; 9];
            for key in keys() {
                let (before, after) = (owner(key, &all), owner(key, &rest));
                if before == gone {
                    moved[after] += 1;
                } else {
                    assert_eq!(all[before], rest[after], "a key of another moved");
                }
            }
            // A tenth of the keys, a ninth of them to each.
            assert!(moved.iter().all(|moved| (160..300).contains(moved)), "{moved:?}");
        }
    }

    #[test]
    fn a_new_endpoint_takes_its_share_and_nothing_else_moves() {
        let all = endpoints(&[1.0; 11]);
        let (mut moved, mut count) = (0_u32, 0_u32);
        for key in keys() {
            let (before, after) = (owner(key, &all[..10]), owner(key, &all));
            assert!(after == before || after == 10);
            moved += u32::from(after == 10);
            count += 1;
        }
        let share = f64::from(moved) / f64::from(count);
        assert!((share - 1.0 / 11.0).abs() < 0.01, "{share}");
    }

    #[test]
    fn shares_are_as_the_weights() {
        let weights = [1.0, 2.0, 3.0, 0.5, 3.5];
        let endpoints = endpoints(&weights);
        let mut hits = [0_u32; 5];
        keys().for_each(|key| hits[owner(key, &endpoints)] += 1);
        for (hits, weight) in hits.iter().zip(weights) {
            let share = f64::from(*hits) / 20_000.0;
            assert!((share - weight / 10.0).abs() < 0.012, "{weight}: {share}");
        }
    }

    #[test]
    fn more_weight_only_draws_keys_to_it() {
        let before = endpoints(&[1.0; 6]);
        let mut after = before.clone();
        after[3].1 = 2.0;
        for key in keys() {
            let (one, other) = (owner(key, &before), owner(key, &after));
            assert!(one == other || other == 3);
        }
    }

    #[test]
    fn places_are_even() {
        let mut hits = [0_u32; 10];
        keys().for_each(|key| hits[(place(key) * 10.0) as usize] += 1);
        assert!(hits.iter().all(|hits| (1800..2200).contains(hits)), "{hits:?}");
    }

    #[test]
    fn places_of_traces_are_even_whichever_of_their_bits_differ() {
        let low = |n: u128| n.to_be_bytes();
        let high = |n: u128| (n << 96).to_be_bytes();
        for id in [low, high] {
            let mut hits = [0_u32; 10];
            for n in 0..20_000 {
                hits[(place_of_copy(of_trace(id(n))) * 10.0) as usize] += 1;
            }
            assert!(hits.iter().all(|hits| (1800..2200).contains(hits)), "{hits:?}");
        }
    }

    /// Another process, of another build, must find the same side for a trace.
    #[test]
    fn what_stands_for_a_trace_is_what_it_has_always_been() {
        // The trace of W3C's own examples.
        let example = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128;
        assert_eq!(of_trace(example.to_be_bytes()), 0xbe91_1584_2d9e_1964);
        assert_eq!(of_trace(1_u128.to_be_bytes()), 0x5692_161d_100b_05e5);
    }

    #[test]
    fn a_cap_is_a_quarter_above_the_share_and_never_below_what_is_free() {
        assert_eq!(cap(1, 0.1), KEY_FREE);
        assert_eq!(cap(100, 0.1), 13);
        assert_eq!(cap(100, 0.5), 63);
        // There is always one below its cap: together they hold more than there is.
        for total in [1_u64, 7, 50, 1000] {
            let together: u64 =
                [0.1, 0.2, 0.7].map(|share| u64::from(cap(total, share))).iter().sum();
            assert!(together >= total);
        }
    }
}
