//! What became of the packets that a relay took in.

use std::fmt;

/// The packets of one direction.
///
/// Each that was received, and each second one of those that were duplicated, is lost, dropped, delivered, or still in
/// flight: [`Counts::in_flight`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken in.
    pub received: u64,
    /// Given to the receiver's socket. A full socket drops them without telling.
    pub delivered: u64,
    /// Lost by chance, alone or in a burst.
    pub lost: u64,
    /// Sent on twice: the number of additional packets.
    pub duplicated: u64,
    /// Held back, so that others may overtake them.
    pub reordered: u64,
    /// With a flipped bit.
    pub corrupted: u64,
    /// Dropped because the queue of a slow line was full.
    pub dropped_by_rate: u64,
    /// Dropped in a blackhole.
    pub blackholed: u64,
    /// Dropped because the relay held as much as it may.
    pub overflowed: u64,
    /// Refused by the system.
    pub unsent: u64,
}

impl Counts {
    /// Packets that the relay still holds. Zero once it is at rest: a relay loses nothing that it does not count.
    pub fn in_flight(&self) -> u64 {
        let Self { lost, dropped_by_rate, blackholed, overflowed, unsent, delivered, .. } = *self;
        let settled = lost + dropped_by_rate + blackholed + overflowed + unsent + delivered;
        (self.received + self.duplicated).saturating_sub(settled)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = [
            ("received", self.received),
            ("delivered", self.delivered),
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("corrupted", self.corrupted),
            ("dropped by rate", self.dropped_by_rate),
            ("blackholed", self.blackholed),
            ("overflowed", self.overflowed),
            ("unsent", self.unsent),
        ];
        write!(f, "{} in flight", self.in_flight())?;
        let seen = numbers.into_iter().filter(|(_, number)| *number > 0);
        seen.into_iter().try_for_each(|(name, number)| write!(f, ", {number} {name}"))
    }
}

/// The packets of both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From clients to the server.
    pub to_server: Counts,
    /// From the server to clients.
    pub to_client: Counts,
}

impl Traffic {
    /// Packets that the relay still holds.
    pub fn in_flight(&self) -> u64 {
        self.to_server.in_flight() + self.to_client.in_flight()
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to server: {} | to client: {}", self.to_server, self.to_client)
    }
}
