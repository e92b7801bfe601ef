//! Which first packets may begin a handshake: bounds on peers that have not shown who they are.
//!
//! # Why
//! A handshake costs a signature and memory before anything is known of the peer, and the source of
//! a first packet can be forged. So the number of handshakes is bounded, for each address
//! and, as long as the address is unproven, in all; beyond that a peer must first show that it can
//! be reached (a stateless retry, which keeps nothing here).
//!
//! # Rules, in this order
//! 1. 10,000 connections exist: refused.
//! 2. The address is unproven, and 64 such handshakes are open or this address began 50 in the last
//!    second: it is asked to retry. Never refused, or a forger could lock a victim out.
//! 3. The address is proven, and has 64 handshakes open or began 50 in the last second: refused.
//!
//! Loopback is exempt from the bounds for each address. IPv6 addresses count by their /64, which is
//! what one host is given.
//!
//! # Invariants
//! 1. A ticket is given back exactly once, by its drop.
//! 2. An entry exists only while it can still hold somebody up; forged sources cannot fill the
//!    table, because rule 2 lets at most 64 of them in at a time.
//!
//! # Not here
//! No clock: callers pass `now`. Limits for verified identities belong to the server.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sinew_core::limits;

/// A table smaller than this is not worth cleaning.
const CLEAN_FROM: usize = 256;

/// The time that one handshake of an address uses up.
const SPACING: Duration = Duration::from_nanos(1_000_000_000 / limits::HANDSHAKES_PER_S as u64);

/// What to do with a first packet.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Begin a handshake; the ticket lives as long as that.
    Admit(Ticket),
    /// Let the peer prove its address first.
    Retry,
    /// Turn it away; why, for the log.
    Refuse(&'static str),
}

/// The handshakes that are open at one endpoint. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Admission(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    /// Open handshakes with unproven addresses.
    unproven: u32,
    addresses: HashMap<IpAddr, Entry>,
    clean_at: usize,
}

#[derive(Debug)]
struct Entry {
    /// Open handshakes since the address was proven.
    open: u32,
    unproven: Pace,
    proven: Pace,
}

/// A rate, kept as the moment until which it is used up.
#[derive(Debug)]
struct Pace(Instant);

impl Pace {
    /// Uses up one, unless a whole second is used up already.
    fn take(&mut self, now: Instant) -> bool {
        let next = self.0.max(now) + SPACING;
        let fits = next <= now + Duration::from_secs(1);
        if fits {
            self.0 = next;
        }
        fits
    }
}

impl Entry {
    fn new(now: Instant) -> Self {
        Self { open: 0, unproven: Pace(now), proven: Pace(now) }
    }

    fn matters(&self, now: Instant) -> bool {
        self.open > 0 || self.unproven.0 > now || self.proven.0 > now
    }
}

/// The right to one handshake.
#[derive(Debug)]
pub(super) struct Ticket {
    admission: Admission,
    holds: Holds,
}

#[derive(Clone, Copy, Debug)]
enum Holds {
    /// One of the handshakes with unproven addresses.
    Unproven,
    /// One of this address's.
    Proven(IpAddr),
    /// Nothing: proven loopback.
    Nothing,
}

impl Admission {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Table {
            unproven: 0,
            addresses: HashMap::new(),
            clean_at: CLEAN_FROM,
        })))
    }

    /// Decides on a first packet from `peer`, while `connections` exist already.
    pub(super) fn judge(
        &self,
        peer: IpAddr,
        proven: bool,
        connections: usize,
        now: Instant,
    ) -> Verdict {
        if connections >= limits::CONNECTIONS_MAX as usize {
            return Verdict::Refuse("as many connections are open as may be (CONNECTIONS_MAX)");
        }
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = if proven { table.proven(peer, now) } else { table.unproven(peer, now) };
        match holds {
            Ok(holds) => Verdict::Admit(Ticket { admission: self.clone(), holds }),
            Err(verdict) => verdict,
        }
    }
}

impl Table {
    fn unproven(&mut self, peer: IpAddr, now: Instant) -> Result<Holds, Verdict> {
        if self.unproven >= limits::HANDSHAKES_OPEN_MAX {
            return Err(Verdict::Retry);
        }
        if let Some(key) = key(peer)
            && !self.entry(key, now).unproven.take(now)
        {
            return Err(Verdict::Retry);
        }
        self.unproven += 1;
        Ok(Holds::Unproven)
    }

    fn proven(&mut self, peer: IpAddr, now: Instant) -> Result<Holds, Verdict> {
        let Some(key) = key(peer) else {
            return Ok(Holds::Nothing);
        };
        let entry = self.entry(key, now);
        if entry.open >= limits::HANDSHAKES_OPEN_MAX {
            return Err(Verdict::Refuse(
                "its address has as many handshakes open as it may (HANDSHAKES_OPEN_MAX)",
            ));
        }
        if !entry.proven.take(now) {
            return Err(Verdict::Refuse(
                "its address began more handshakes in a second than it may (HANDSHAKES_PER_S)",
            ));
        }
        entry.open += 1;
        Ok(Holds::Proven(key))
    }

    fn entry(&mut self, key: IpAddr, now: Instant) -> &mut Entry {
        if self.addresses.len() >= self.clean_at {
            self.addresses.retain(|_, entry| entry.matters(now));
            self.clean_at = CLEAN_FROM.max(2 * self.addresses.len());
        }
        self.addresses.entry(key).or_insert_with(|| Entry::new(now))
    }
}

/// What an address counts as; `None` for loopback, which has no bounds of its own.
fn key(peer: IpAddr) -> Option<IpAddr> {
    match peer.to_canonical() {
        peer if peer.is_loopback() => None,
        IpAddr::V6(peer) => {
            let network = u128::from(peer) & !u128::from(u64::MAX);
            Some(Ipv6Addr::from(network).into())
        }
        peer => Some(peer),
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut table = self.admission.0.lock().unwrap_or_else(PoisonError::into_inner);
        match self.holds {
            Holds::Unproven => table.unproven = table.unproven.saturating_sub(1),
            Holds::Proven(key) => {
                if let Some(entry) = table.addresses.get_mut(&key) {
                    entry.open = entry.open.saturating_sub(1);
                }
            }
            Holds::Nothing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));
    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    struct Gate {
        admission: Admission,
        now: Instant,
        open: Vec<Ticket>,
    }

    impl Gate {
        fn new() -> Self {
            Self { admission: Admission::new(), now: Instant::now(), open: Vec::new() }
        }

        /// One letter for the verdict; what is admitted stays open.
        fn try_one(&mut self, peer: IpAddr, proven: bool) -> char {
            match self.admission.judge(peer, proven, 0, self.now) {
                Verdict::Admit(ticket) => {
                    self.open.push(ticket);
                    'a'
                }
                Verdict::Retry => 'r',
                Verdict::Refuse(_) => 'x',
            }
        }

        fn admitted(&mut self, tries: usize, peer: IpAddr, proven: bool) -> usize {
            (0..tries).filter(|_| self.try_one(peer, proven) == 'a').count()
        }
    }

    #[test]
    fn unproven_peer_is_asked_to_retry_while_64_are_open() {
        let mut gate = Gate::new();
        assert_eq!(gate.admitted(100, LOOPBACK, false), 64);
        assert_eq!(gate.try_one(PEER, false), 'r');
        assert_eq!(gate.try_one(PEER, true), 'a', "a proven address is not held up");
        gate.open.remove(0);
        assert_eq!(gate.try_one(PEER, false), 'a');
    }

    #[test]
    fn proven_address_is_refused_while_it_has_64_open() {
        let mut gate = Gate::new();
        let first = gate.admitted(100, PEER, true);
        gate.now += Duration::from_secs(1);
        assert_eq!(first + gate.admitted(100, PEER, true), 64);
        gate.now += Duration::from_secs(1);
        assert_eq!(gate.try_one(PEER, true), 'x');
        assert_eq!(gate.try_one(OTHER, true), 'a');
        gate.open.clear();
        assert_eq!(gate.try_one(PEER, true), 'a');
    }

    #[test]
    fn address_is_held_to_50_per_second() {
        for (proven, verdict) in [(false, 'r'), (true, 'x')] {
            let mut gate = Gate::new();
            assert_eq!(gate.admitted(60, PEER, proven), 50);
            gate.open.clear();
            assert_eq!(gate.try_one(PEER, proven), verdict);
            gate.now += Duration::from_millis(100);
            assert_eq!(gate.admitted(60, PEER, proven), 5);
        }
    }

    #[test]
    fn forged_packets_do_not_use_up_what_a_proven_address_may() {
        let mut gate = Gate::new();
        gate.admitted(200, PEER, false);
        assert_eq!(gate.try_one(PEER, false), 'r');
        assert_eq!(gate.try_one(PEER, true), 'a');
    }

    #[test]
    fn loopback_has_no_bound_of_its_own() {
        let mut gate = Gate::new();
        assert_eq!(gate.admitted(500, LOOPBACK, true), 500);
        assert_eq!(gate.admitted(500, "::ffff:127.0.0.1".parse().unwrap(), true), 500);
    }

    #[test]
    fn hosts_of_one_ipv6_network_count_as_one() {
        let mut gate = Gate::new();
        let admitted = (0..100u16)
            .filter(|host| {
                gate.try_one(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, *host).into(), true) == 'a'
            })
            .count();
        assert_eq!(admitted, 50);
        assert_eq!(gate.try_one("2001:db8:0:2::1".parse().unwrap(), true), 'a');
    }

    #[test]
    fn nobody_is_admitted_while_all_connections_are_taken() {
        let gate = Gate::new();
        let verdict = gate.admission.judge(LOOPBACK, true, 10_000, gate.now);
        assert!(matches!(verdict, Verdict::Refuse(_)), "{verdict:?}");
    }

    #[test]
    fn table_forgets_addresses_that_no_longer_matter() {
        let mut gate = Gate::new();
        for host in 0..10_000u32 {
            gate.try_one(IpAddr::V4(host.to_be_bytes().into()), true);
            gate.open.clear();
            gate.now += Duration::from_millis(1);
        }
        let kept = gate.admission.0.lock().unwrap().addresses.len();
        assert!(kept <= CLEAN_FROM, "{kept}");
    }
}
