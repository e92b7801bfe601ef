//! The endpoints of a client in parts: by what their labels say, and within that by their zone.
//!
//! # Why
//! A split over labels and the rule of zones both say which share of the calls a part of the endpoints gets. So one draw
//! decides which part a call belongs to, and the balancer chooses within it. What that takes is worked out when the
//! endpoints or their health change, and published in atomics: a pick reads one number where nothing parts them, and at
//! most [`PARTS`] where something does.
//!
//! ```text
//!   part      0 near   0 far   1 near   1 far   ...      the number is a label's, in the order of the policy
//!   ends at      3       5        9       9              in the list, which is in this order
//!   share      95 %     95 %    100 %   100 %            of the calls, together with those before
//! ```
//!
//! # The side of a call
//! Of the labels the one has a call that scores highest for it ([`rendezvous`](crate::policy::rendezvous)), by the label's
//! share. What is scored is the trace of the call, so all calls of a trace have one side, in every process that goes by the
//! same weights; where there is none it is drawn, once for all attempts. So a weight that is moved moves only those traces
//! that have to, whoever is gone leaves his to all others, and in which order labels are written makes no difference.
//!
//! # Invariants
//! 1. A part is a preference: where nobody in it can be asked, somebody else is ([`pick`](super::pick)).
//! 2. Where a part is in the list is a hint. An endpoint knows its own part, so what is published a moment too early or
//!    too late sends no call astray.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};

use super::{ClientPlan, Config, member::Member};
use crate::{
    limits::{PANIC_BELOW, SUBSETS_MAX},
    policy::{
        aperture::{Candidate, draw},
        rendezvous::{place, score},
        zone::{Capacity, spill},
    },
    rng::{Rng, unit_f64},
};

/// What discovery says of an endpoint that a pick goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Its share among its peers, 1 for all equal.
    pub weight: f64,
    /// Whether it is in the caller's own zone, or there are none.
    pub near: bool,
    /// What tells it from the others for whoever hashes calls to endpoints: the same in every client.
    pub hash: u64,
    /// Which label of a split it has, as a place in [`Config::subsets`](super::Config::subsets); 0 where there is no split.
    pub subset: u8,
    /// Whether it is in the client's aperture. Where it is not, calls of a key go there, and no others.
    pub inside: bool,
    /// What it counts at least beside others in the aperture, for those that are outside.
    pub floor: f64,
}

impl Default for Placement {
    fn default() -> Self {
        Self { weight: 1.0, near: true, hash: 0, subset: 0, inside: true, floor: 0.0 }
    }
}

impl ClientPlan {
    /// Works out the aperture of a client, by its number: at most `size` of the endpoints of each part are inside.
    pub fn draw_aperture(&self, client: u64, size: usize, placements: &mut [Placement]) {
        let candidate = |one: &Placement| Candidate {
            hash: one.hash,
            weight: one.weight,
            part: part_of(usize::from(one.subset), one.near, &self.config),
        };
        let all: Vec<Candidate> = placements.iter().map(candidate).collect();
        for (placement, floor) in placements.iter_mut().zip(draw(client, size, &all)) {
            (placement.inside, placement.floor) = (floor.is_some(), floor.unwrap_or(0.0));
        }
    }
}

/// A near and a far one for each label.
const PARTS: usize = 2 * SUBSETS_MAX;

/// What is published of the parts.
#[derive(Debug)]
pub(super) struct Parts {
    /// One more than the number of the last one that has endpoints.
    count: AtomicU32,
    /// Endpoints of the aperture, which are the first of the list.
    inside: AtomicU32,
    /// Where each ends in the list, in the upper half; in the lower one, as an `f32`, the share of calls up to there.
    at: [AtomicU64; PARTS],
    /// The list is not in their order.
    mixed: AtomicBool,
    /// A bit for each in which too many breakers are open, so that none counts.
    panics: AtomicU32,
    /// What each label is scored by.
    labels: [AtomicU64; SUBSETS_MAX],
    /// The largest weight of an endpoint, as an `f32`.
    heaviest: AtomicU32,
    /// Whether weights differ.
    uneven: AtomicBool,
}

/// Where a call goes.
pub(super) struct Part {
    /// The endpoints to choose among.
    pub(super) range: Range<usize>,
    /// Its number; `None` where there is only one.
    pub(super) number: Option<usize>,
}

/// What a part consists of.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    many: u32,
    reachable: u32,
    open: u32,
    capacity: Capacity,
}

impl Tally {
    fn add(&mut self, member: &Member) {
        self.many += 1;
        self.reachable += u32::from(member.out().is_none());
        self.open += u32::from(member.is_open_only());
        // Who drains has left already: its zone is not the weaker for it.
        if !member.is_draining() {
            self.capacity.all += member.weight();
            self.capacity.healthy += if member.is_usable() { member.weight() } else { 0.0 };
        }
    }

    /// Whether so many breakers are open that the rest would be overrun.
    fn panics(&self) -> bool {
        let healthy = self.reachable - self.open.min(self.reachable);
        self.open > 0 && f64::from(healthy) < f64::from(self.reachable) * PANIC_BELOW
    }
}

impl Parts {
    pub(super) fn new() -> Self {
        Self {
            count: AtomicU32::new(0),
            inside: AtomicU32::new(u32::MAX),
            at: [const { AtomicU64::new(0) }; PARTS],
            mixed: AtomicBool::new(false),
            panics: AtomicU32::new(0),
            labels: [const { AtomicU64::new(0) }; SUBSETS_MAX],
            heaviest: AtomicU32::new(0),
            uneven: AtomicBool::new(false),
        }
    }

    /// Works out the shares of endpoints as they are now.
    pub(super) fn publish<'a>(&self, members: impl Iterator<Item = &'a Member>, config: &Config) {
        let mut tallies = [Tally::default(); PARTS];
        let (mut last, mut mixed) = (0, false);
        let (mut lightest, mut heaviest) = (f64::INFINITY, 0.0_f64);
        let (mut inside, mut outside, mut scattered) = (0, false, false);
        for member in members {
            if !member.is_inside() {
                outside = true;
                continue;
            }
            scattered |= outside;
            inside += 1;
            let part = number(member, config);
            mixed |= part < last;
            last = part;
            tallies[part].add(member);
            lightest = lightest.min(member.weight());
            heaviest = heaviest.max(member.weight());
        }
        self.heaviest.store((heaviest as f32).to_bits(), Relaxed);
        self.uneven.store(lightest < heaviest, Relaxed);
        self.mixed.store(mixed, Relaxed);
        self.inside.store(if scattered { u32::MAX } else { inside }, Relaxed);
        for (published, label) in self.labels.iter().zip(config.labels) {
            published.store(label, Relaxed);
        }
        let subsets = subset_shares(&tallies, &config.subsets);
        let (mut end, mut up_to, mut panics) = (0, 0.0, 0);
        for (subset, share) in subsets.into_iter().enumerate() {
            let (near, far) = (tallies[2 * subset], tallies[2 * subset + 1]);
            let spill = spill(near.capacity, far.capacity);
            for (of, part, stays) in
                [(near, 2 * subset, spill.near), (far, 2 * subset + 1, 1.0 - spill.near)]
            {
                end += of.many;
                up_to += share * stays;
                let packed = u64::from(end) << 32 | u64::from((up_to as f32).to_bits());
                self.at[part].store(packed, Relaxed);
                panics |= u32::from(spill.short && of.panics()) << part;
            }
        }
        self.panics.store(panics, Relaxed);
        let used = tallies.iter().rposition(|tally| tally.many > 0).map_or(0, |last| last + 1);
        self.count.store(used as u32, Relaxed);
    }

    /// How many of `n` endpoints in the list are the aperture; the others are called for their keys only.
    #[inline]
    pub(super) fn inside(&self, n: usize) -> usize {
        n.min(self.inside.load(Relaxed) as usize)
    }

    fn get(&self, part: usize) -> (usize, f64) {
        let packed = self.at[part].load(Relaxed);
        ((packed >> 32) as usize, f64::from(f32::from_bits(packed as u32)))
    }

    /// Draws the part of a call; `n` endpoints are in the list. Its `side` is what its label is found by, drawn where
    /// nothing says so and one is needed.
    #[inline]
    pub(super) fn draw(&self, n: usize, side: &mut Option<u64>, rng: &mut impl Rng) -> Part {
        let subset = match self.count.load(Relaxed) as usize {
            0 | 1 => return Part { range: 0..n, number: None },
            2 => 0,
            count => self.subset(count, *side.get_or_insert_with(|| rng.next_u64())),
        };
        let near = 2 * subset;
        let (before, end) = (self.up_to(near), self.get(near + 1).1);
        let is_near = unit_f64(rng) * (end - before) < self.get(near).1 - before;
        // Where neither zone has a share, either will do that has an endpoint.
        let number = near + usize::from(!is_near && self.get(near).0 < self.get(near + 1).0);
        Part { range: self.range(number, number, n), number: Some(number) }
    }

    /// The label of a call: the one that scores highest of those that have a share.
    fn subset(&self, count: usize, side: u64) -> usize {
        let mut best = (0.0, 0);
        for subset in 0..count.div_ceil(2) {
            let share = self.get(2 * subset + 1).1 - self.up_to(2 * subset);
            if share <= 0.0 {
                continue;
            }
            let score = score(side, self.labels[subset].load(Relaxed), share);
            if score > best.0 {
                best = (score, subset);
            }
        }
        best.1
    }

    /// The share of all parts before this one.
    fn up_to(&self, part: usize) -> f64 {
        if part == 0 { 0.0 } else { self.get(part - 1).1 }
    }

    /// The endpoints that a key may belong to: of the label that it falls to, always the same one, in every zone, and
    /// inside of the aperture or not. That label's first part is the number.
    pub(super) fn draw_by_key(&self, key: u64, n: usize) -> Part {
        let all_inside = self.inside(n) == n;
        match self.count.load(Relaxed) as usize {
            0..=2 => Part { range: 0..n, number: None },
            count => {
                let drawn = place(key);
                let last = count.div_ceil(2) - 1;
                let subset = (0..last).find(|subset| drawn < self.get(2 * subset + 1).1);
                let near = 2 * subset.unwrap_or(last);
                let range = if all_inside { self.range(near, near + 1, n) } else { 0..n };
                Part { range, number: Some(near) }
            }
        }
    }

    fn range(&self, first: usize, last: usize, n: usize) -> Range<usize> {
        if self.mixed.load(Relaxed) {
            return 0..n;
        }
        let begin = if first == 0 { 0 } else { self.get(first - 1).0 };
        begin.min(n)..self.get(last).0.min(n)
    }

    /// Whether the breakers of this part count for nothing now.
    pub(super) fn panics(&self, part: usize) -> bool {
        self.panics.load(Relaxed) & 1 << part != 0
    }

    /// Whether those of any part do.
    pub(super) fn any_panics(&self) -> bool {
        self.panics.load(Relaxed) != 0
    }

    /// The largest weight, and whether there are others.
    pub(super) fn heaviest(&self) -> (f64, bool) {
        let heaviest = f64::from(f32::from_bits(self.heaviest.load(Relaxed)));
        (heaviest, self.uneven.load(Relaxed))
    }
}

/// The part of an endpoint.
pub(super) fn number(member: &Member, config: &Config) -> usize {
    part_of(member.subset(), member.is_near(), config)
}

fn part_of(subset: usize, near: bool, config: &Config) -> usize {
    2 * subset.min(SUBSETS_MAX - 1) + usize::from(config.zones && !near)
}

/// The share of each label: as the weights say among those of which somebody is well. Where that leaves nobody, among
/// those that are well at all, then among those that have anybody.
fn subset_shares(tallies: &[Tally; PARTS], weights: &[f64; SUBSETS_MAX]) -> [f64; SUBSETS_MAX] {
    let is = |subset: usize, test: fn(&Tally) -> bool| {
        test(&tallies[2 * subset]) || test(&tallies[2 * subset + 1])
    };
    let well = |subset| is(subset, |tally| tally.capacity.healthy > 0.0);
    let there = |subset| is(subset, |tally| tally.many > 0);
    let one = |is: bool| f64::from(u8::from(is));
    let ways: [&dyn Fn(usize) -> f64; 4] = [
        &|subset| weights[subset] * one(well(subset)),
        &|subset| one(well(subset)),
        &|subset| weights[subset] * one(there(subset)),
        &|subset| one(there(subset)),
    ];
    let mut shares = [0.0; SUBSETS_MAX];
    for way in ways {
        let total: f64 = (0..SUBSETS_MAX).map(way).sum();
        if total > 0.0 {
            shares.iter_mut().enumerate().for_each(|(at, share)| *share = way(at) / total);
            break;
        }
    }
    shares
}
