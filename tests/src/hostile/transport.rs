//! Attacks on the QUIC stack itself, with a client that does what quinn never would.
//!
//! quinn holds these bounds, not our code: they are tested because an update of it may lose one.

use std::time::Instant;

use sinew_core::{limits, wire::StreamType};
use tokio::time::sleep;

use super::{
    Attack, Ground, Verdict, held,
    rawquic::{FORGOTTEN, PACKET_ROOM, RawQuic, frames as quic},
};
use crate::{
    raw::frames::{self, millis_left},
    wait::ms,
};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "A4",
        bound: "closed by the piece after 2,048 of one stream; 100 streams below that",
        mib: 16,
        run: |ground| Box::pin(gapped_stream(ground)),
    },
    Attack {
        id: "A11",
        bound: "closed with CONNECTION_ID_LIMIT_ERROR once 50 retirements wait",
        mib: 16,
        run: |ground| Box::pin(retired_ids(ground)),
    },
    Attack {
        id: "A12",
        bound: "closed with PROTOCOL_VIOLATION before 10 MB were sent",
        mib: 16,
        run: |ground| Box::pin(optimistic_ack(ground)),
    },
];

/// RFC 9000, section 20.1.
const INTERNAL_ERROR: u64 = 0x01;
const CONNECTION_ID_LIMIT_ERROR: u64 = 0x09;
const PROTOCOL_VIOLATION: u64 = 0x0a;

/// Pieces of one stream that quinn-proto keeps before it puts them together, and gives up if that leaves more than 1,024.
const PIECES_KEPT: u64 = 2048;
/// Packets in a row: more than that and the server's socket loses some.
const PACKETS_IN_A_ROW: u64 = 16;

/// Sends frames, as many as fit in a packet; stops at the server's close.
async fn flood(client: &mut RawQuic, frames: impl Iterator<Item = Vec<u8>>) -> Result<u64, String> {
    let (mut packet, mut packets, mut sent) = (Vec::new(), 0, 0);
    for frame in frames {
        if packet.len() + frame.len() > PACKET_ROOM {
            client.send(&packet).await?;
            packet.clear();
            packets += 1;
            if packets % PACKETS_IN_A_ROW == 0 {
                sleep(ms(1)).await;
                client.hear_all()?;
                if client.closed.is_some() {
                    return Ok(sent);
                }
            }
        }
        packet.extend(frame);
        sent += 1;
    }
    client.send(&packet).await?;
    Ok(sent)
}

/// Every second byte of a stream, never its first.
async fn gapped_stream(ground: &Ground) -> Verdict {
    let mut client = RawQuic::connect(&ground.authority, ground.server).await?;
    let gaps = |stream: u64, count: u64| {
        (0..count).map(move |at| quic::stream(4 * stream, 1 + 2 * at, b"x"))
    };
    let mut open = 0;
    while open < 100 && client.closed.is_none() {
        // More may be open as they are used.
        let until = Instant::now() + ms(5000);
        while open >= client.streams.max(limits::PEER_BI_STREAMS_START.into()) {
            client.hear(until).await?;
        }
        flood(&mut client, gaps(open, PIECES_KEPT / 2)).await?;
        client.hear_all()?;
        open += 1;
    }
    if let Some((code, why)) = &client.closed {
        return Err(format!("{open} streams with gaps: closed with {code:#x}: {why}"));
    }
    let sent = flood(&mut client, gaps(0, 2 * PIECES_KEPT)).await?;
    let (code, why) = client.end(ms(5000)).await?;
    ground.others_are_served().await?;
    let saw =
        format!("{open} streams of gaps, then closed with {code:#x} ({why}) within {sent} pieces");
    held(code == INTERNAL_ERROR, saw)
}

/// Ids that retire each other, and no acknowledgement of the retirements.
async fn retired_ids(ground: &Ground) -> Verdict {
    let mut client = RawQuic::connect(&ground.authority, ground.server).await?;
    let began = Instant::now();
    let mut sequence = 1;
    // One in a packet: each retirement goes out at once, until the window of what is not acknowledged is full. What
    // comes then ends the connection.
    while client.closed.is_none() && began.elapsed() < ground.length {
        for _ in 0..PACKETS_IN_A_ROW {
            client.send(&quic::new_connection_id(sequence)).await?;
            sequence += 1;
        }
        sleep(ms(1)).await;
        client.hear_all()?;
    }
    let one_by_one = sequence - 1;
    let ended = match client.over(ms(1000)).await {
        Ok((code, _)) if code == FORGOTTEN => "ended by a reset".to_owned(),
        Ok((code, _)) => format!("ended by {code:#x}"),
        Err(_) => "not enough to fill its window".to_owned(),
    };
    // Sixty at once, of a connection whose window is open: they wait for each other.
    let mut client = RawQuic::connect(&ground.authority, ground.server).await?;
    let many = (1..=60).flat_map(quic::new_connection_id);
    client.send(&many.collect::<Vec<u8>>()).await?;
    let (code, why) = client.end(ms(5000)).await?;
    ground.others_are_served().await?;
    let saw =
        format!("{one_by_one} ids one by one, {ended}; 60 at once: closed with {code:#x} ({why})");
    held(code == CONNECTION_ID_LIMIT_ERROR, saw)
}

/// Acknowledges what was never sent: numbers that the server skips, and numbers that are still to come.
async fn optimistic_ack(ground: &Ground) -> Verdict {
    let mut saw = Vec::new();
    for (what, ahead) in [("skipped", 0), ("unsent", 1 << 20)] {
        let mut client = RawQuic::connect(&ground.authority, ground.server).await?;
        // Numbers without an end.
        let range = [frames::number(0), frames::number(1 << 40)].concat();
        let mut call = Vec::new();
        StreamType::Call.put(&mut call);
        call.extend(frames::request(1, millis_left(60_000), &frames::head("numbers"), &range));
        client.send(&quic::stream(0, 0, &call)).await?;
        let until = Instant::now() + ms(10_000);
        while client.closed.is_none() && client.received < 10_000_000 {
            if client.hear((Instant::now() + ms(500)).min(until)).await.is_err() {
                break;
            }
            client.hear_all()?;
            let largest = client.largest();
            client.send(&quic::ack(0, largest + ahead)).await?;
        }
        let (code, why) = client.over(ms(5000)).await?;
        let code = if code == FORGOTTEN { why } else { format!("{code:#x} ({why})") };
        saw.push(format!("{what}: closed with {code} after {} bytes", client.received));
        let is_told = code.starts_with(&format!("{PROTOCOL_VIOLATION:#x}"));
        // Where its window is full it cannot say so.
        if !(is_told || code == "a stateless reset") || client.received >= 10_000_000 {
            return Err(saw.join("; "));
        }
    }
    ground.others_are_served().await?;
    Ok(saw.join("; "))
}
