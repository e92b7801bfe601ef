//! Handshakes that many begin and nobody ends.

use std::time::{Duration, Instant};

use tokio::{
    net::UdpSocket,
    time::{MissedTickBehavior, interval},
};

use super::{
    Attack, Ground, Verdict, held, network,
    rawquic::{FirstPacket, is_retry},
};
use crate::{Must as _, raw::RawClient, wait::ms};

pub(super) const ATTACKS: &[Attack] = &[Attack {
    id: "A5",
    bound: "64 handshakes open, the others are asked to retry; an honest client connects in 1 s",
    mib: 64,
    run: |ground| Box::pin(handshake_flood(ground)),
}];

/// First packets in a millisecond.
const PER_MS: usize = 3;

/// What came back of a flood.
#[derive(Debug, Default)]
struct Flood {
    sent: usize,
    bytes_in: usize,
    bytes_out: usize,
    retries: usize,
}

/// First packets from 250 addresses, each of a new connection, and silence.
async fn handshake_flood(ground: &Ground) -> Verdict {
    if ground.server.ip().is_loopback() {
        return Err("loopback is exempt: the server has to be in `network`".to_owned());
    }
    let mut flood = Flood::default();
    let mut honest = Vec::new();
    let until = Instant::now() + ground.length;
    tokio::join!(pour(&mut flood, ground, until), connect(&mut honest, ground, until));
    honest.sort_unstable();
    let (Some(median), Some(slowest)) = (honest.get(honest.len() / 2), honest.last()) else {
        return Err("no honest client came through".to_owned());
    };
    let saw = format!(
        "{} first packets from 250 addresses, {} retries, {:.2} bytes out for one in; {} honest clients connected, median \
         {:.0} ms, slowest {:.0} ms",
        flood.sent,
        flood.retries,
        flood.bytes_out as f64 / flood.bytes_in.max(1) as f64,
        honest.len(),
        median.as_secs_f64() * 1e3,
        slowest.as_secs_f64() * 1e3,
    );
    // The machine may be busy with other things: the slowest one is shown, and half of them are asserted.
    held(flood.retries > flood.sent / 2 && *median < ms(1000), saw)
}

async fn pour(flood: &mut Flood, ground: &Ground, until: Instant) {
    let first = FirstPacket::new(&ground.authority);
    let mut sockets = Vec::new();
    for address in network::peers() {
        sockets.push(UdpSocket::bind((address, 0)).await.must("an address of the network"));
    }
    let mut ticks = interval(ms(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut back = vec![0; 2048];
    let mut turn = 0;
    while Instant::now() < until {
        ticks.tick().await;
        for _ in 0..PER_MS {
            let socket = &sockets[turn % sockets.len()];
            turn += 1;
            let packet = first.make();
            // A full buffer loses it, as a network would.
            if socket.send_to(&packet, ground.server).await.is_ok() {
                flood.sent += 1;
                flood.bytes_in += packet.len();
            }
        }
        for socket in &sockets {
            while let Ok((len, _)) = socket.try_recv_from(&mut back) {
                flood.bytes_out += len;
                flood.retries += usize::from(is_retry(&back[..len]));
            }
        }
    }
}

/// Honest clients one after the other, and what each handshake took.
async fn connect(took: &mut Vec<Duration>, ground: &Ground, until: Instant) {
    while Instant::now() < until {
        let began = Instant::now();
        match RawClient::try_connect(&ground.authority, ground.server).await {
            Ok(_) => took.push(began.elapsed()),
            // One that is refused has waited for ever.
            Err(_) => took.push(Duration::from_secs(60)),
        }
        tokio::time::sleep(ms(50)).await;
    }
}
