//! A network in memory: hosts, the links between them, and sockets that quinn drives as if they were the system's.
//!
//! # Why
//! The socket and the clock are all that is simulated; above them run quinn and rustls. So what a packet meets here is
//! what decides: it is lost, late, doubled, out of order, held, or nobody is there any more.
//!
//! ```text
//!   try_send --- the link: cut? held? lost? twice? ---> inbox of the other host, by time ---> poll_recv
//! ```
//!
//! # Invariants
//! 1. All chance comes from one seed, and is drawn in the order in which packets are sent.
//! 2. A process that has crashed neither sends nor hears anything more; its host says that nobody listens.
//! 3. What is held on a link is bounded by `HELD_MAX`; beyond that it is lost, as in any queue.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use sinew::fuzzing::Simulated;
use sinew_core::rng::{Rng as _, SplitMix, below, unit_f64};
use tokio::time::{Instant, Sleep, sleep_until};

/// Packets that a link holds at most.
const HELD_MAX: usize = 4096;
/// What is lost is sent again within this time: two of QUIC's time-outs before a round trip is known, of 300 and 600 ms.
const SENT_AGAIN: Duration = Duration::from_millis(950);
/// The first port that is given to who does not ask for one.
const FIRST_FREE: u16 = 40_000;
/// The last byte of the address of the first host.
const FIRST_HOST: u8 = 10;

/// A host, by its number.
pub type Host = u8;

/// What packets meet everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weather {
    /// How many of them are lost.
    pub loss: f64,
    /// How many come twice.
    pub twice: f64,
    /// How many come so late that others overtake them.
    pub late: f64,
    /// Milliseconds that each may take longer.
    pub jitter_ms: u64,
}

/// All hosts and what is between them. Clones are the same network.
#[derive(Debug, Clone)]
pub struct Net(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    rng: SplitMix,
    weather: Weather,
    inboxes: BTreeMap<SocketAddr, Arc<Inbox>>,
    links: BTreeMap<(Host, Host), Link>,
    next_port: u16,
    number: u64,
    lost: u64,
}

#[derive(Debug, Default)]
struct Link {
    cut: bool,
    /// Packets that wait for its release, while it is held.
    held: Option<Vec<Packet>>,
    takes: Duration,
    /// Since when it is cut or held.
    since: Option<Instant>,
    /// The longest time that it was.
    longest: Duration,
    /// Packets were lost on it.
    lossy: bool,
}

impl Link {
    fn is_well(&self) -> bool {
        !self.cut && self.held.is_none()
    }

    fn worse(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    fn better(&mut self) {
        if self.is_well()
            && let Some(since) = self.since.take()
        {
            self.longest = self.longest.max(since.elapsed());
        }
    }
}

#[derive(Debug)]
struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// What has come for a socket, and what is still on its way.
#[derive(Debug, Default)]
struct Inbox(Mutex<Coming>);

#[derive(Debug, Default)]
struct Coming {
    packets: BTreeMap<(Instant, u64), (SocketAddr, Vec<u8>)>,
    waker: Option<Waker>,
}

/// What one process sees of the network.
#[derive(Debug)]
pub struct Process {
    net: Net,
    host: Host,
    lives: Arc<AtomicBool>,
}

/// Where a host is.
pub fn address(host: Host, port: u16) -> SocketAddr {
    (Ipv4Addr::new(127, 0, 0, FIRST_HOST + host), port).into()
}

/// Which host is there.
fn host_at(address: SocketAddr) -> Host {
    match address.ip() {
        IpAddr::V4(ip) => ip.octets()[3].wrapping_sub(FIRST_HOST),
        IpAddr::V6(_) => Host::MAX,
    }
}

fn pair(a: Host, b: Host) -> (Host, Host) {
    (a.min(b), a.max(b))
}

impl Net {
    /// A network of this seed, without anybody.
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            rng: SplitMix::new(seed),
            weather,
            inboxes: BTreeMap::new(),
            links: BTreeMap::new(),
            next_port: FIRST_FREE,
            number: 0,
            lost: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process that begins at a host.
    pub fn process(&self, host: Host) -> Arc<Process> {
        Arc::new(Process { net: self.clone(), host, lives: Arc::new(AtomicBool::new(true)) })
    }

    /// From now on this is what packets meet.
    pub fn set_weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// Nothing gets from one to the other.
    pub fn partition(&self, a: Host, b: Host) {
        let mut inner = self.lock();
        let link = inner.link(a, b);
        link.cut = true;
        link.worse();
    }

    /// The end of [`partition`](Self::partition).
    pub fn repair(&self, a: Host, b: Host) {
        let mut inner = self.lock();
        let link = inner.link(a, b);
        link.cut = false;
        link.better();
    }

    /// What one sends to the other is kept, and nothing lost.
    pub fn hold(&self, a: Host, b: Host) {
        let mut inner = self.lock();
        let link = inner.link(a, b);
        link.held.get_or_insert_default();
        link.worse();
    }

    /// What was kept goes on its way.
    pub fn release(&self, a: Host, b: Host) {
        let mut inner = self.lock();
        let link = inner.link(a, b);
        let held = link.held.take().unwrap_or_default();
        link.better();
        for packet in held {
            inner.deliver(packet);
        }
    }

    /// Every link is as it should be.
    pub fn mend(&self) {
        let links: Vec<_> = self.lock().links.keys().copied().collect();
        for (a, b) in links {
            self.repair(a, b);
            self.release(a, b);
        }
    }

    /// How much later than usual what is said on a link may have come so far: as long as it was cut or held, and the time
    /// until what was lost is sent again.
    pub fn late(&self, a: Host, b: Host) -> Duration {
        let mut inner = self.lock();
        let link = inner.link(a, b);
        let now = link.since.map_or(Duration::ZERO, |since| since.elapsed());
        link.longest.max(now) + if link.lossy { SENT_AGAIN } else { Duration::ZERO }
    }

    /// Packets that were sent, and those of them that were lost.
    pub fn counts(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.number, inner.lost)
    }
}

impl Inner {
    fn link(&mut self, a: Host, b: Host) -> &mut Link {
        let rng = &mut self.rng;
        self.links.entry(pair(a, b)).or_insert_with(|| Link {
            takes: Duration::from_millis(1 + below(rng, 4)),
            ..Link::default()
        })
    }

    fn send(&mut self, packet: Packet) {
        self.number += 1;
        let weather = self.weather;
        let (lost, twice) = (unit_f64(&mut self.rng), unit_f64(&mut self.rng));
        let link = self.link(host_at(packet.from), host_at(packet.to));
        if link.cut || lost < weather.loss {
            link.lossy = true;
            self.lost += 1;
            return;
        }
        if let Some(held) = &mut link.held {
            match held.len() < HELD_MAX {
                true => held.push(packet),
                false => link.lossy = true,
            }
            return;
        }
        if twice < weather.twice {
            let Packet { from, to, ref bytes } = packet;
            self.deliver(Packet { from, to, bytes: bytes.clone() });
        }
        self.deliver(packet);
    }

    fn deliver(&mut self, packet: Packet) {
        let weather = self.weather;
        let mut takes = self.link(host_at(packet.from), host_at(packet.to)).takes;
        takes += Duration::from_micros(below(&mut self.rng, weather.jitter_ms * 1000 + 1));
        if unit_f64(&mut self.rng) < weather.late {
            takes += Duration::from_millis(2 + below(&mut self.rng, 14));
        }
        self.number += 1;
        if let Some(inbox) = self.inboxes.get(&packet.to) {
            inbox.put((Instant::now() + takes, self.number), packet.from, packet.bytes);
        }
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Coming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, at: (Instant, u64), from: SocketAddr, bytes: Vec<u8>) {
        let mut coming = self.lock();
        let first = coming.packets.keys().next().is_none_or(|first| at < *first);
        coming.packets.insert(at, (from, bytes));
        let waker = if first { coming.waker.take() } else { None };
        drop(coming);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Process {
    /// It is gone, and nobody was told.
    pub fn crash(&self) {
        self.lives.store(false, Relaxed);
        let inboxes = std::mem::take(&mut self.net.lock().inboxes);
        let (gone, stay) = inboxes.into_iter().partition(|(at, _)| host_at(*at) == self.host);
        self.net.lock().inboxes = stay;
        // A waker that goes may take a task with it: not under the lock.
        let gone: BTreeMap<SocketAddr, Arc<Inbox>> = gone;
        drop(gone);
    }
}

impl Simulated for Process {
    fn bind(&self, address: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        if !self.lives.load(Relaxed) {
            return Err(io::ErrorKind::NetworkDown.into());
        }
        let mut inner = self.net.lock();
        let port = match address.port() {
            0 => {
                inner.next_port += 1;
                inner.next_port
            }
            port => port,
        };
        let me = self::address(self.host, port);
        if inner.inboxes.contains_key(&me) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let inbox: Arc<Inbox> = Arc::default();
        inner.inboxes.insert(me, Arc::clone(&inbox));
        let (net, lives) = (self.net.clone(), Arc::clone(&self.lives));
        Ok(Arc::new(Socket { me, net, lives, inbox, due: Mutex::default() }))
    }

    fn nobody_listens(&self, peer: SocketAddr) -> bool {
        let mut inner = self.net.lock();
        let link = inner.link(self.host, host_at(peer));
        let reaches = link.is_well();
        reaches && self.lives.load(Relaxed) && !inner.inboxes.contains_key(&peer)
    }

    fn seed(&self) -> [u8; 32] {
        let rng = &mut self.net.lock().rng;
        let mut seed = [0; 32];
        for eight in seed.chunks_mut(8) {
            eight.copy_from_slice(&rng.next_u64().to_le_bytes());
        }
        seed
    }
}

/// A socket of a process.
#[derive(Debug)]
struct Socket {
    me: SocketAddr,
    net: Net,
    lives: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
    /// When the next packet is there.
    due: Mutex<Option<Pin<Box<Sleep>>>>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        let mut inner = self.net.lock();
        // Another process may have the address by now.
        let ours = |known: &Arc<Inbox>| Arc::ptr_eq(known, &self.inbox);
        let is_ours = inner.inboxes.get(&self.me).is_some_and(ours);
        let gone = is_ours.then(|| inner.inboxes.remove(&self.me));
        drop(inner);
        drop(gone);
    }
}

impl Socket {
    /// Waits for the first packet that is on its way.
    fn arm(&self, first: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = first else {
            *due = None;
            return Poll::Pending;
        };
        match &mut *due {
            Some(due) if due.deadline() == first => {}
            Some(due) => due.as_mut().reset(first),
            None => *due = Some(Box::pin(sleep_until(first))),
        }
        due.as_mut().map_or(Poll::Pending, |due| due.as_mut().poll(cx))
    }
}

/// A socket that can always be written to.
#[derive(Debug)]
struct Writable;

impl UdpPoller for Writable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if self.lives.load(Relaxed) {
            let step = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
            let mut inner = self.net.lock();
            for bytes in transmit.contents.chunks(step) {
                let (from, to, bytes) = (self.me, transmit.destination, bytes.to_vec());
                inner.send(Packet { from, to, bytes });
            }
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if !self.lives.load(Relaxed) {
            return Poll::Pending;
        }
        loop {
            let now = Instant::now();
            let mut coming = self.inbox.lock();
            let mut count = 0;
            while count < bufs.len()
                && let Some(first) = coming.packets.first_entry()
                && first.key().0 <= now
            {
                let (from, bytes) = first.remove();
                bufs[count][..bytes.len()].copy_from_slice(&bytes);
                meta[count] = RecvMeta::default();
                (meta[count].addr, meta[count].len, meta[count].stride) =
                    (from, bytes.len(), bytes.len());
                count += 1;
            }
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            coming.waker = Some(cx.waker().clone());
            let first = coming.packets.keys().next().map(|(at, _)| *at);
            drop(coming);
            if self.arm(first, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.me)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

/// Hosts by pairs, each once.
pub fn pairs(hosts: &BTreeSet<Host>) -> Vec<(Host, Host)> {
    let each = |a: &Host| hosts.range(a + 1..).map(|b| (*a, *b)).collect::<Vec<_>>();
    hosts.iter().flat_map(each).collect()
}
