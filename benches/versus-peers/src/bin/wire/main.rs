//! A link that takes time and loses packets: two TUN devices, and what happens between them.
//!
//! # Why
//! `tc netem` does the same where the kernel has it; many do not. Packets that reach a TUN device have been cut to its
//! MTU and have their checksums, so what is lost here is one packet, whether TCP or QUIC has sent it.
//!
//! ```text
//! wire LEFT RIGHT DELAY_MS LOSS_PERCENT
//! ```
//! makes two devices of these names, says `ready`, and carries packets from one to the other until its standard input
//! ends; then it says how many there were.

#![expect(clippy::disallowed_methods, reason = "its threads have nothing else to do than to wait")]

mod tun;

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use versus_peers::Failure;

/// Packets on their way, in one direction: more than any contestant has out.
const ON_THE_WAY: usize = 64 * 1024;
/// More than the MTU of any link that is meant.
const LARGEST: usize = 2048;

/// A packet and when it arrives.
type Underway = (Instant, Vec<u8>);

/// One direction of the link.
struct Lane {
    delay: Duration,
    /// Of 2^32 packets.
    lost_of_all: u32,
    chance: Chance,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    packets: AtomicU64,
    lost: AtomicU64,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("wire: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [left, right, delay, loss] = words.as_slice() else {
        return Err("`wire LEFT RIGHT DELAY_MS LOSS_PERCENT`".into());
    };
    let delay = Duration::try_from_secs_f64(delay.parse::<f64>()? / 1e3)?;
    let lost_of_all = (loss.parse::<f64>()? / 100.0 * f64::from(u32::MAX)) as u32;
    let (left, right) = (tun::device(left)?, tun::device(right)?);
    let counts = [Arc::new(Counts::default()), Arc::new(Counts::default())];
    let ways = [(left.try_clone()?, right.try_clone()?), (right, left)];
    for ((from, to), (seed, counts)) in ways.into_iter().zip((1..).zip(&counts)) {
        let lane =
            Lane { delay, lost_of_all, chance: Chance::new(seed), counts: Arc::clone(counts) };
        lane.begin(from, to);
    }
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let [there, back] =
        counts.map(|one| format!("{} packets, {} lost", one.packets(), one.lost.load(Relaxed)));
    eprintln!("wire: {there}; back {back}");
    Ok(())
}

impl Counts {
    fn packets(&self) -> u64 {
        self.packets.load(Relaxed)
    }
}

impl Lane {
    fn begin(self, from: File, to: File) {
        let (send, underway) = sync_channel(ON_THE_WAY);
        thread::spawn(move || self.take(from, &send));
        thread::spawn(move || deliver(to, &underway));
    }

    fn take(mut self, mut from: File, send: &SyncSender<Underway>) {
        let mut buffer = [0; LARGEST];
        loop {
            let length = match from.read(&mut buffer) {
                Ok(length) => length,
                // The device is not up yet, or not any more.
                Err(_) => {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
            };
            self.counts.packets.fetch_add(1, Relaxed);
            if self.chance.next() < self.lost_of_all {
                self.counts.lost.fetch_add(1, Relaxed);
                continue;
            }
            if send.send((Instant::now() + self.delay, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    }
}

fn deliver(mut to: File, underway: &Receiver<Underway>) {
    for (due, packet) in underway {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // One that cannot be delivered is lost, as on any wire.
        let _ = to.write(&packet);
    }
}

/// xorshift: the same losses at the same packets in every run.
struct Chance(u64);

impl Chance {
    /// Small seeds would begin with small numbers, so with losses.
    const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}
