//! Who else might choose: the yardsticks that the plan of a client is compared with.
//!
//! # Why
//! Prequal (Wydrowski and others, NSDI '24) asks a few random servers beside each call what they have to do, and takes
//! later calls to the best of those that answered. That is a policy of its own, with messages of its own; whether it is
//! worth them is measured here, against what answers say anyway, and against somebody who knows everything.
//!
//! # Not here
//! What production does: the plan, in `runtime/core`. There are no probes on the wire.

use std::{collections::VecDeque, time::Duration};

use sinew_core::{
    plan::client::Ticket,
    rng::{Rng, SplitMix, below},
};

use super::{Event, Server, World};
use crate::Must as _;

/// Who chooses the endpoint of an attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Choose {
    /// The plan of the client.
    Plan,
    /// The one of two random servers that really has less to do.
    Oracle,
    /// The best of the servers that were asked lately, each answer used once; so many are asked per call.
    Probing(u32),
}

/// Answers that wait to be used.
const POOL: usize = 4;
/// How old one may be.
const FRESH: Duration = Duration::from_millis(100);
/// The quantile of what was heard lately above which a server counts as busy ...
const BUSY: f64 = 0.25;
/// ... but never below so many calls.
const BUSY_MIN: u32 = 2;
/// Answers that the quantile is taken of.
const HEARD: usize = 64;
/// Calls that a server remembers the duration of.
const REMEMBERED: usize = 32;

/// What a server answered.
#[derive(Debug, Clone, Copy)]
struct Answered {
    server: usize,
    at_work: u32,
    took_us: u64,
    at: Duration,
}

/// What a client was told and has not used.
#[derive(Debug, Default)]
pub(super) struct Pool {
    answers: Vec<Answered>,
    heard: VecDeque<u32>,
}

/// How long calls took at a server, by how many were there when they came.
#[derive(Debug, Default)]
pub(super) struct Durations(VecDeque<(u32, u64)>);

impl Durations {
    pub(super) fn ended(&mut self, at_work: u32, took: Duration) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((at_work, u64::try_from(took.as_micros()).unwrap_or(u64::MAX)));
    }

    /// The median of those that came when about as many were there.
    fn estimate_us(&self, at_work: u32) -> u64 {
        let near = |margin: u32| {
            let near = self.0.iter().filter(|(then, _)| then.abs_diff(at_work) <= margin);
            near.map(|(_, took)| *took).collect::<Vec<_>>()
        };
        let mut took = near(1);
        if took.is_empty() {
            took = near(u32::MAX);
        }
        took.sort_unstable();
        took.get(took.len() / 2).copied().unwrap_or(0)
    }
}

impl Pool {
    fn add(&mut self, answered: Answered) {
        self.answers.retain(|known| known.server != answered.server);
        if self.answers.len() == POOL {
            self.answers.remove(0);
        }
        self.answers.push(answered);
        if self.heard.len() == HEARD {
            self.heard.pop_front();
        }
        self.heard.push_back(answered.at_work);
    }

    /// Uses the best answer up; a random server where there are fewer than two.
    fn take(&mut self, servers: usize, now: Duration, rng: &mut impl Rng) -> usize {
        self.answers.retain(|known| now - known.at <= FRESH);
        if self.answers.len() < 2 {
            return below(rng, servers as u64) as usize;
        }
        let mut heard: Vec<u32> = self.heard.iter().copied().collect();
        heard.sort_unstable();
        let busy = heard[(heard.len() as f64 * BUSY) as usize].max(BUSY_MIN);
        let price = |answer: &Answered| {
            let is_busy = answer.at_work > busy;
            (is_busy, if is_busy { u64::from(answer.at_work) } else { answer.took_us })
        };
        let best = (0..self.answers.len()).min_by_key(|at| price(&self.answers[*at]));
        self.answers.remove(best.unwrap_or(0)).server
    }
}

impl World {
    /// Where the next attempt of a call goes.
    pub(super) fn choose(&mut self, id: usize) -> Option<(usize, Ticket)> {
        let now = self.instant();
        let call = self.calls[id].as_ref()?;
        let (of, counts) = (call.client, call.counts);
        let servers = self.servers.len();
        let chosen = match self.setup.choose {
            Choose::Plan => None,
            Choose::Oracle => Some(less_loaded(&self.servers, &mut self.rng)),
            Choose::Probing(asked) => {
                let pool = &mut self.clients[of].pool;
                let chosen = pool.take(servers, self.now, &mut self.rng);
                for _ in 0..asked {
                    let server = below(&mut self.rng, servers as u64) as usize;
                    self.stats.probes += u64::from(counts);
                    self.after(self.setup.one_way, Event::Probe { client: of, server });
                }
                Some(chosen)
            }
        };
        let call = self.calls[id].as_mut()?;
        let client = &self.clients[of];
        // The plan is left one endpoint to choose from.
        let range = chosen.map_or(0..servers, |chosen| chosen..chosen + 1);
        let (first, members) = (range.start, &client.members[range]);
        let picked = client.plan.pick(members, &mut call.turn, now, &mut self.rng);
        let picked = picked.must("an endpoint");
        Some((first + picked.at, picked.ticket))
    }

    /// A server is asked what it has to do.
    pub(super) fn probed(&mut self, client: usize, server: usize) {
        let at_work = self.servers[server].at_work();
        let took_us = self.servers[server].durations.estimate_us(at_work);
        self.after(self.setup.one_way, Event::Told { client, server, at_work, took_us });
    }

    /// It answered.
    pub(super) fn told(&mut self, client: usize, server: usize, at_work: u32, took_us: u64) {
        let answered = Answered { server, at_work, took_us, at: self.now };
        self.clients[client].pool.add(answered);
    }
}

fn less_loaded(servers: &[Server], rng: &mut SplitMix) -> usize {
    let one = below(rng, servers.len() as u64) as usize;
    let other = (one + 1 + below(rng, servers.len() as u64 - 1) as usize) % servers.len();
    if servers[other].at_work() < servers[one].at_work() { other } else { one }
}
