//! A port for a server that another program binds.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{Ipv4Addr, TcpListener, UdpSocket},
};

use crate::Must as _;

/// Ports that the system gives to nobody who asks for any: below those of Linux (`ip_local_port_range`), so that no
/// socket of another test is there by the time the program binds it, or while the program restarts.
const RANGE: std::ops::Range<u16> = 12_000..32_000;

/// One on 127.0.0.1 that is free for TCP and for UDP.
///
/// # Panics
/// Where a thousand are taken.
pub fn unused() -> u16 {
    let chance = RandomState::new();
    let span = u64::from(RANGE.end - RANGE.start);
    let mut drawn = (0..1000_u64).map(|turn| RANGE.start + (chance.hash_one(turn) % span) as u16);
    let is_free = |port: &u16| {
        let at = (Ipv4Addr::LOCALHOST, *port);
        TcpListener::bind(at).is_ok() && UdpSocket::bind(at).is_ok()
    };
    drawn.find(is_free).must("a port that is free")
}
