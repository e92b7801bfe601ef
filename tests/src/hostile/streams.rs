//! Attacks with streams and frames: resets, floods, trickles, and answers that nobody reads.

use std::time::{Duration, Instant};

use quinn::{ReadToEndError, VarInt};
use sinew_core::{
    codes::CancelReason,
    limits,
    wire::{RequestHead, StreamType, TimeLeft, kinds, put_cancel, varint},
};
use tokio::time::{sleep, timeout, timeout_at};

use super::{Attack, Ground, Verdict, closed_for_load, held};
use crate::{
    raw::{
        RawClient,
        frames::{self, millis_left},
    },
    wait::ms,
};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "A1",
        bound: "closed for its load",
        mib: 32,
        run: |ground| Box::pin(rapid_reset(ground)),
    },
    Attack {
        id: "A2",
        bound: "malformed calls: closed after 100; answers stopped: closed after 100, and 50 more a second",
        mib: 32,
        run: |ground| Box::pin(made_you_reset(ground)),
    },
    Attack {
        id: "A3",
        bound: "closed within 1,000 frames of a second",
        mib: 32,
        run: |ground| Box::pin(idle_frames(ground)),
    },
    Attack {
        id: "A7",
        bound: "each ended at its deadline, +2 s",
        mib: 32,
        run: |ground| Box::pin(slow_request(ground)),
    },
    Attack {
        id: "A8",
        bound: "2 MiB of small answers, 4 MiB of large ones; they end at their deadline",
        mib: 24,
        run: |ground| Box::pin(slow_reader(ground)),
    },
    Attack {
        id: "A9",
        bound: "windows of 4 MiB; 3 streams of one direction; no datagrams",
        mib: 32,
        run: |ground| Box::pin(unread_windows(ground)),
    },
];

/// What the server may send of an answer that nobody reads.
const UNREAD_WINDOW: u32 = 1024;

fn call_stream(request: &[u8]) -> Vec<u8> {
    let mut first = Vec::new();
    StreamType::Call.put(&mut first);
    first.extend_from_slice(request);
    first
}

/// Calls for a handler of 50 ms, each taken back at once.
async fn rapid_reset(ground: &Ground) -> Verdict {
    let client = ground.client().await;
    let wait = frames::request(1, millis_left(60_000), &frames::head("wait"), &frames::number(50));
    let first = call_stream(&wait);
    let mut reset = 0;
    let resetting = async {
        while let Ok((mut send, mut recv)) = client.connection.open_bi().await {
            if send.write_all(&first).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
            reset += 1;
            // Fails only where the stream is over.
            let _ = send.reset(VarInt::from_u32(0x101));
            let _ = recv.stop(VarInt::from_u32(0x101));
        }
    };
    let closed = async { closed_for_load(&client.connection, ms(10_000)).await };
    let closed = tokio::select! { closed = closed => closed, () = resetting => {
        closed_for_load(&client.connection, ms(1000)).await
    } };
    closed.map(|closed| format!("{closed}, after {reset} resets"))
}

/// The server is made to do the resetting.
async fn made_you_reset(ground: &Ground) -> Verdict {
    let client = ground.client().await;
    let mut lane = client.lane([]).await;
    let mut rest = [0; 8].to_vec();
    varint::put(&mut rest, 1 << 20);
    let malformed = frames::frame(sinew_core::wire::CallKind::Request, 7, millis_left(1000), &rest);
    // The close may come while this is written.
    let _ = lane.send.write_all(&malformed.repeat(300)).await;
    let closed = closed_for_load(&client.connection, ms(5000)).await?;
    // An answer that was sent whole and acknowledged is a call like any other: nothing is left to stop. So it is not.
    let client = RawClient::connect_stingy(&ground.authority, ground.server, UNREAD_WINDOW).await;
    let make =
        frames::request(1, millis_left(5000), &frames::head("make"), &frames::number(60_000));
    let first = call_stream(&make);
    let began = Instant::now();
    let mut stopped: u32 = 0;
    while began.elapsed() < ms(10_000) {
        let Ok(Ok((mut send, mut recv))) = timeout(ms(1000), client.connection.open_bi()).await
        else {
            break;
        };
        if send.write_all(&first).await.is_err() {
            break;
        }
        // Fails only where the stream is over.
        let _ = send.finish();
        // The answer has begun: all of its work is done.
        if recv.read_chunk(1, true).await.is_err() {
            break;
        }
        let _ = recv.stop(VarInt::from_u32(0));
        stopped += 1;
    }
    let end = closed_for_load(&client.connection, ms(1000)).await?;
    let free = limits::RESETS_BURST + limits::RESETS_PER_S * (began.elapsed().as_secs() as u32 + 1);
    // As many as may be open are on their way when the server has had enough.
    let most = free + limits::PEER_BI_STREAMS_MAX;
    held(stopped <= most, format!("{closed}; {stopped} answers stopped, {end}"))
}

/// Frames that cost to look at and move nothing.
async fn idle_frames(ground: &Ground) -> Verdict {
    let mut cancel = Vec::new();
    put_cancel(&mut cancel, 77, TimeLeft::Unbounded, CancelReason::Dropped);
    let floods = [
        ("skipped", StreamType::Lane, frames::any_frame(frames::UNKNOWN_SKIPPABLE, b"")),
        ("pings", StreamType::Lane, frames::any_frame(kinds::PING, &[1])),
        ("cancels", StreamType::Lane, cancel),
        ("stamps", StreamType::Lane, frames::stamp(5)),
        ("empty data", StreamType::Call, frames::data(1, true, b"")),
    ];
    let mut saw = Vec::new();
    for (what, kind, frame) in floods {
        let client = ground.client().await;
        let head = RequestHead { input_stream: true, ..frames::head("sum") };
        let first = match kind {
            StreamType::Call => frames::request(1, millis_left(60_000), &head, &[]),
            _ => Vec::new(),
        };
        let mut stream = client.open(kind, first).await;
        let many = frame.repeat(2000);
        let mut sent = 0;
        let began = Instant::now();
        while began.elapsed() < ms(10_000) && stream.send.write_all(&many).await.is_ok() {
            sent += 2000;
        }
        let over = client.connection.close_reason().is_some() || kind == StreamType::Call;
        if !over || began.elapsed() >= ms(10_000) {
            return Err(format!("{what}: {sent} frames were taken"));
        }
        saw.push(format!("{what} < {}", sent + 2000));
    }
    Ok(saw.join(", "))
}

/// Requests of which a byte comes now and then.
async fn slow_request(ground: &Ground) -> Verdict {
    let client = ground.client().await;
    let request = frames::request(1, millis_left(1000), &frames::head("weigh"), &[7; 10_000]);
    let mut lanes = Vec::new();
    for _ in 0..80 {
        lanes.push(client.lane(&request[..40]).await);
    }
    let began = Instant::now();
    for at in 0..12 {
        for lane in &mut lanes {
            // Fails once the server has had enough.
            let _ = lane.send.write_all(&request[40 + at..=40 + at]).await;
        }
        sleep(ms(200)).await;
    }
    let mut ended = 0;
    for lane in &mut lanes {
        let left = ms(3000).saturating_sub(began.elapsed()) + ms(10);
        ended += usize::from(timeout(left, lane.send.stopped()).await.is_ok());
    }
    held(ended == lanes.len(), format!("{ended} of {} ended within 3 s", lanes.len()))
}

/// Asks for answers of every size, and lets the server send next to nothing of them.
async fn slow_reader(ground: &Ground) -> Verdict {
    let client = RawClient::connect_stingy(&ground.authority, ground.server, UNREAD_WINDOW).await;
    let ask = |call, len| {
        let head = frames::head("make");
        frames::request(call, millis_left(2000), &head, &frames::number(len))
    };
    let mut streams = Vec::new();
    for _ in 0..100 {
        let opened = timeout(ms(200), client.connection.open_bi()).await;
        let Ok(Ok((mut send, recv))) = opened else { break };
        send.write_all(&call_stream(&ask(1, 1 << 20))).await.map_err(|why| why.to_string())?;
        streams.push((send, recv));
    }
    // The same from a lane: these come on streams of the server's, which it may open a hundred of.
    let large: Vec<u8> = (0..100).flat_map(|call| ask(call, 1 << 20)).collect();
    let small: Vec<u8> = (100..1100).flat_map(|call| ask(call, 16_000)).collect();
    let mut lanes = vec![client.lane(&large).await];
    for _ in 0..40 {
        let mut lane = client.lane([]).await;
        // It is not taken where the server does not read on.
        let _ = timeout(ms(100), lane.send.write_all(&small)).await;
        lanes.push(lane);
    }
    ground.others_are_served().await?;
    // Nothing of them is read; with their deadline they are gone.
    sleep(ms(2500)).await;
    let until = tokio::time::Instant::now() + ms(5000);
    let mut ended = 0;
    for (_, recv) in &mut streams {
        // A reset, or the short word that its time was over before its turn.
        let end = timeout_at(until, recv.read_to_end(UNREAD_WINDOW as usize)).await;
        ended += usize::from(matches!(end, Ok(Ok(_) | Err(ReadToEndError::Read(_)))));
    }
    let all = ended == streams.len() && client.connection.close_reason().is_none();
    let saw = format!(
        "{} streams and a lane asked for 1 MiB, 100 times each, {} lanes for 16 MB",
        streams.len(),
        lanes.len()
    );
    held(all, format!("{saw}; {ended} of the streams ended"))
}

/// Fills what may be filled: streams whose handler stands still, streams of one direction, datagrams.
async fn unread_windows(ground: &Ground) -> Verdict {
    let client = ground.client().await;
    let head = RequestHead { input_stream: true, ..frames::head("double") };
    let request = frames::request(1, millis_left(60_000), &head, &[]);
    let item = frames::data(1, false, &frames::number(1 << 40)).repeat(20_000);
    let mut open = Vec::new();
    for _ in 0..limits::PEER_BI_STREAMS_MAX / 2 {
        let Ok(opened) = timeout(ms(500), client.connection.open_bi()).await else { break };
        let (mut send, recv) = opened.map_err(|why| why.to_string())?;
        let _ = timeout(ms(200), send.write_all(&call_stream(&request))).await;
        let _ = timeout(ms(50), send.write_all(&item)).await;
        open.push((send, recv));
    }
    let mut uni = Vec::new();
    while let Ok(Ok(mut send)) = timeout(ms(200), client.connection.open_uni()).await {
        let _ = timeout(ms(50), send.write_all(&[9; 1000])).await;
        uni.push(send);
        if uni.len() > 16 || client.connection.close_reason().is_some() {
            break;
        }
    }
    let datagrams = client.connection.max_datagram_size();
    sleep(ground.length.min(Duration::from_secs(2))).await;
    let saw = format!("{} streams, {} more of one direction", open.len(), uni.len());
    held(uni.len() < limits::PEER_UNI_STREAMS_MAX as usize + 1 && datagrams.is_none(), saw)
}
