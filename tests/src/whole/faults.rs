//! What goes wrong, and when: a schedule that follows from the seed.

use std::{collections::BTreeSet, time::Duration};

use sinew_core::rng::{SplitMix, below, unit_f64};

use super::net::{Host, Weather, pairs};

/// Something that goes wrong, or is put right again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Nothing gets from one to the other.
    Partition(Host, Host),
    /// Its end.
    Repair(Host, Host),
    /// What one sends to the other is kept.
    Hold(Host, Host),
    /// Its end: all of it goes on its way.
    Release(Host, Host),
    /// The process is gone with all that it knew.
    Crash(Host),
    /// Another one is in its place.
    Restart(Host),
    /// The server's handlers take so many times longer; none is its end.
    Slow(Host, u32),
    /// Its handlers say that they cannot, at once.
    Ill(Host),
    /// Its end.
    Well(Host),
    /// What packets meet.
    Weather(Weather),
    /// Its discovery answers with nothing.
    Empty(Host),
    /// Its discovery answers with one endpoint of all.
    Half(Host),
    /// Its discovery cannot be asked.
    Unasked(Host),
    /// Its discovery knows what there is.
    Told(Host),
}

/// A fault and its time.
pub type At = (Duration, Fault);

/// Who is there.
#[derive(Debug, Clone)]
pub struct Cast {
    /// Those that only call.
    pub callers: Vec<Host>,
    /// The servers of each service, in the order of the hops.
    pub tiers: Vec<Vec<Host>>,
}

impl Cast {
    /// One or two callers, and three to five servers of two or three services.
    pub fn new(rng: &mut SplitMix) -> Self {
        let callers: Vec<Host> = (0..1 + below(rng, 2) as Host).collect();
        let sizes: &[u8] = match below(rng, 5) {
            0 => &[2, 1],
            1 => &[2, 2],
            2 => &[2, 1, 1],
            3 => &[2, 1, 2],
            _ => &[3, 2],
        };
        let mut next = callers.len() as Host;
        let tiers = sizes.iter().map(|size| {
            next += size;
            (next - size..next).collect()
        });
        let tiers = tiers.collect();
        Self { callers, tiers }
    }

    /// Every server.
    pub fn servers(&self) -> Vec<Host> {
        self.tiers.concat()
    }

    /// Everybody who calls somebody.
    fn calling(&self) -> Vec<Host> {
        let last = self.tiers.len().saturating_sub(1);
        self.callers.iter().chain(self.tiers[..last].iter().flatten()).copied().collect()
    }

    /// Two that speak with each other.
    fn link(&self, rng: &mut SplitMix) -> (Host, Host) {
        let all: BTreeSet<Host> = self.callers.iter().copied().chain(self.servers()).collect();
        let tier = |host: Host| {
            let at = self.tiers.iter().position(|tier| tier.contains(&host));
            at.map_or(0, |at| at + 1)
        };
        let next = |(a, b): &(Host, Host)| tier(*a).abs_diff(tier(*b)) == 1;
        let links: Vec<_> = pairs(&all).into_iter().filter(next).collect();
        *one_of(&links, rng)
    }
}

/// One of these, which are not none.
pub fn one_of<'a, T>(all: &'a [T], rng: &mut SplitMix) -> &'a T {
    &all[below(rng, all.len() as u64) as usize]
}

/// What goes wrong in this time. What is not put right in it stays so until all is.
pub fn schedule(cast: &Cast, time: Duration, rng: &mut SplitMix) -> Vec<At> {
    let mut faults = Vec::new();
    let millis = time.as_millis() as u64;
    let wet = Weather {
        loss: 0.05 * unit_f64(rng),
        twice: 0.03 * unit_f64(rng),
        late: 0.1 * unit_f64(rng),
        jitter_ms: below(rng, 6),
    };
    if below(rng, 3) > 0 {
        faults.push((Duration::ZERO, Fault::Weather(wet)));
    }
    for _ in 0..5 + below(rng, 8) {
        let at = Duration::from_millis(below(rng, millis));
        let lasts = Duration::from_millis(100 + below(rng, millis / 3));
        let (fault, end) = one(cast, rng);
        faults.push((at, fault));
        faults.push((at + lasts, end));
    }
    if below(rng, 2) == 0 {
        all_of_a_tier(cast, millis, rng, &mut faults);
    }
    faults.retain(|(at, _)| *at < time);
    faults.sort_by_key(|(at, _)| *at);
    faults
}

/// A fault, and what ends it.
fn one(cast: &Cast, rng: &mut SplitMix) -> (Fault, Fault) {
    let (a, b) = cast.link(rng);
    let server = *one_of(&cast.servers(), rng);
    let asks = *one_of(&cast.calling(), rng);
    match below(rng, 12) {
        0 | 1 => (Fault::Partition(a, b), Fault::Repair(a, b)),
        2 | 3 => (Fault::Hold(a, b), Fault::Release(a, b)),
        4 | 5 => (Fault::Crash(server), Fault::Restart(server)),
        6 => (Fault::Slow(server, 2 + below(rng, 20) as u32), Fault::Slow(server, 0)),
        7 | 8 => (Fault::Ill(server), Fault::Well(server)),
        9 => (Fault::Empty(asks), Fault::Told(asks)),
        10 => (Fault::Half(asks), Fault::Told(asks)),
        _ => (Fault::Unasked(asks), Fault::Told(asks)),
    }
}

/// What no retry helps against: a whole service is ill, or out of everybody's reach.
fn all_of_a_tier(cast: &Cast, millis: u64, rng: &mut SplitMix, faults: &mut Vec<At>) {
    let tier = one_of(&cast.tiers, rng).clone();
    let at = Duration::from_millis(below(rng, millis / 2));
    let until = at + Duration::from_millis(500 + below(rng, millis / 3));
    for server in tier {
        faults.push((at, Fault::Ill(server)));
        faults.push((until, Fault::Well(server)));
    }
}
