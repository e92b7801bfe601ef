//! Attacks with packets and connections: garbage, forged ends, paths that change, crowds.

use std::{net::SocketAddr, time::Instant};

use sinew_core::limits;
use tokio::{
    net::UdpSocket,
    time::{sleep, timeout},
};

use super::{
    Attack, Ground, Verdict, held,
    rawquic::{FirstPacket, is_retry},
};
use crate::{Must as _, raw::RawClient, wait::ms};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "A6",
        bound: "others connect; loopback is exempt from the limits per address",
        mib: 64,
        run: |ground| Box::pin(hoarding(ground)),
    },
    Attack {
        id: "A10",
        bound: "the connection does not move; others are served",
        mib: 16,
        run: |ground| Box::pin(path_churn(ground)),
    },
    Attack {
        id: "A13",
        bound: "others connect after it",
        mib: 16,
        run: |ground| Box::pin(garbage(ground)),
    },
    Attack {
        id: "A14",
        bound: "no packet begun once three bytes are out for one in; at most one for one with a retry",
        mib: 16,
        run: |ground| Box::pin(amplification(ground)),
    },
    Attack {
        id: "A15",
        bound: "at most 50 resets a second, each smaller than its cause",
        mib: 16,
        run: |ground| Box::pin(reset_flood(ground)),
    },
];

const HERE: &str = "127.0.0.1:0";

/// The largest packet of a handshake's first flight: what every path carries.
const FIRST_PACKET_MAX: usize = 1200;

/// Bytes that nobody can foresee, the same in each run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Many connections of one identity that do nothing.
async fn hoarding(ground: &Ground) -> Verdict {
    let began = Instant::now();
    let mut open = Vec::new();
    while open.len() < 200 && began.elapsed() < ms(10_000) {
        match RawClient::try_connect(&ground.authority, ground.server).await {
            Ok(client) => open.push(client),
            Err(why) => return Err(format!("refused after {}: {why}", open.len())),
        }
    }
    let began = Instant::now();
    ground.others_are_served().await?;
    Ok(format!("{} open, another served after {:?}", open.len(), began.elapsed()))
}

/// A relay that speaks to the server from another port every 100 ms.
async fn path_churn(ground: &Ground) -> Verdict {
    let front = UdpSocket::bind(HERE).await.must("a socket");
    let address = front.local_addr().must("an address");
    let relay = tokio::spawn(relay(front, ground.server));
    let client = timeout(ms(3000), RawClient::try_connect(&ground.authority, address)).await;
    let mut sent = 0_u64;
    let began = Instant::now();
    if let Ok(Ok(client)) = &client {
        while began.elapsed() < ground.length {
            let Ok(Ok((mut send, _recv))) = timeout(ms(50), client.connection.open_bi()).await
            else {
                sleep(ms(10)).await;
                continue;
            };
            sent += u64::from(timeout(ms(20), send.write_all(&[0; 512])).await.is_ok());
        }
    }
    relay.abort();
    ground.others_are_served().await?;
    Ok(format!("{sent} writes while the port changed"))
}

async fn relay(front: UdpSocket, server: SocketAddr) {
    let mut back = UdpSocket::bind(HERE).await.must("a socket");
    let mut client = None;
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    let mut changed = Instant::now();
    loop {
        tokio::select! {
            got = front.recv_from(&mut up) => if let Ok((len, from)) = got {
                client = Some(from);
                let _ = back.send_to(&up[..len], server).await;
            },
            got = back.recv_from(&mut down) => if let (Ok((len, _)), Some(client)) = (got, client) {
                let _ = front.send_to(&down[..len], client).await;
            },
            () = sleep(ms(100)) => {}
        }
        if changed.elapsed() > ms(100) {
            changed = Instant::now();
            back = UdpSocket::bind(HERE).await.must("a socket");
        }
    }
}

/// Datagrams that are nothing, or nearly something.
async fn garbage(ground: &Ground) -> Verdict {
    let socket = UdpSocket::bind(HERE).await.must("a socket");
    let initial = first_packet(ground).await?;
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut buffer = vec![0; 1400];
    let (began, mut sent) = (Instant::now(), 0_u64);
    while began.elapsed() < ground.length {
        for _ in 0..64 {
            let pick = noise.next();
            let len = (pick >> 8) as usize % buffer.len();
            noise.fill(&mut buffer);
            match pick % 4 {
                // A real first packet with one bit wrong, or cut short.
                0 => {
                    let at = len % initial.len();
                    buffer[..initial.len().min(1400)]
                        .copy_from_slice(&initial[..initial.len().min(1400)]);
                    buffer[at.min(1399)] ^= 1 << (pick >> 40 & 7);
                }
                1 => buffer[..5].copy_from_slice(&[0xc0, 0, 0, 0, 1]),
                2 => buffer[0] |= 0x40,
                _ => {}
            }
            let _ = socket.send_to(&buffer[..len], ground.server).await;
            sent += 1;
        }
        tokio::task::yield_now().await;
    }
    ground.others_are_served().await?;
    Ok(format!("{sent} datagrams"))
}

/// The first packet of a sound client.
async fn first_packet(ground: &Ground) -> Result<Vec<u8>, String> {
    let trap = UdpSocket::bind(HERE).await.must("a socket");
    let address = trap.local_addr().must("an address");
    let mut bytes = vec![0; 65_536];
    let got = tokio::select! {
        got = trap.recv_from(&mut bytes) => got,
        _ = RawClient::try_connect(&ground.authority, address) => return Err("no packet".into()),
    };
    bytes.truncate(got.map_err(|why| why.to_string())?.0);
    Ok(bytes)
}

/// The first packet of a client that then says nothing: what comes back, until the server gives up. And what comes back
/// once so many do that, that the server asks for a proof of the address first.
async fn amplification(ground: &Ground) -> Verdict {
    let initial = first_packet(ground).await?;
    let socket = UdpSocket::bind(HERE).await.must("a socket");
    socket.send_to(&initial, ground.server).await.map_err(|why| why.to_string())?;
    let (mut back, mut sizes) = (0, Vec::new());
    let mut bytes = vec![0; 65_536];
    let until = Instant::now() + ms(3000);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if let Ok(Ok((len, _))) = timeout(left, socket.recv_from(&mut bytes)).await {
            back += len;
            sizes.push(len);
        }
    }
    // quinn begins no packet once three for one are out, but does not cut the last one: `poll_transmit` in quinn-proto's
    // connection/mod.rs asks for one byte of what is left and lets a whole packet go (quinn's issue 1082).
    let last = sizes.last().copied().unwrap_or_default();
    let whole = back - last < 3 * initial.len() && last <= FIRST_PACKET_MAX;
    let saw = format!("{} bytes in, {back} out: {sizes:?}", initial.len());
    if back == 0 || !whole {
        return Err(saw);
    }
    let retry = asked_to_retry(ground).await?;
    held(retry <= initial.len(), format!("{saw}; while many are open, {retry} out: a retry"))
}

/// What the server sends back to one more, while as many handshakes are open as it keeps for addresses without proof.
async fn asked_to_retry(ground: &Ground) -> Result<usize, String> {
    let first = FirstPacket::new(&ground.authority);
    let socket = UdpSocket::bind(HERE).await.must("a socket");
    for _ in 0..2 * limits::HANDSHAKES_OPEN_MAX {
        socket.send_to(&first.make(), ground.server).await.map_err(|why| why.to_string())?;
        sleep(ms(1)).await;
    }
    let one_more = UdpSocket::bind(HERE).await.must("a socket");
    one_more.send_to(&first.make(), ground.server).await.map_err(|why| why.to_string())?;
    let (mut back, mut bytes) = (0, vec![0; 65_536]);
    while let Ok(Ok((len, _))) = timeout(ms(1000), one_more.recv_from(&mut bytes)).await {
        if !is_retry(&bytes[..len]) {
            return Err(format!("{len} bytes that are no retry, beside many open handshakes"));
        }
        back += len;
    }
    if back == 0 { Err("no retry, beside many open handshakes".to_owned()) } else { Ok(back) }
}

/// Packets of connections that nobody has.
async fn reset_flood(ground: &Ground) -> Verdict {
    let socket = UdpSocket::bind(HERE).await.must("a socket");
    let mut noise = Noise(0x2545_f491_4f6c_dd1d);
    let mut packet = vec![0; 200];
    let mut reply = vec![0; 2048];
    let (began, mut sent, mut resets, mut largest) = (Instant::now(), 0_u64, 0_u64, 0);
    while began.elapsed() < ground.length {
        for _ in 0..10 {
            noise.fill(&mut packet);
            packet[0] = 0x40 | packet[0] & 0x3f;
            let _ = socket.send_to(&packet, ground.server).await;
            sent += 1;
        }
        sleep(ms(1)).await;
        while let Ok((len, _)) = socket.try_recv_from(&mut reply) {
            resets += 1;
            largest = largest.max(len);
        }
    }
    let most = 50 * (began.elapsed().as_secs() + 1);
    let saw = format!("{sent} packets, {resets} resets of at most {largest} bytes");
    ground.others_are_served().await?;
    held(resets <= most && largest < packet.len(), saw)
}
