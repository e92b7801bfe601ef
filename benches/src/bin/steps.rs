//! What each step of a small call costs: nanoseconds and allocations here, instructions under `benches/steps`, which counts
//! them and fails where a step has grown.
//!
//! `steps` prints the table. `steps STEP TIMES` only does one of them so many times: for whoever counts from outside.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use sinew::Status;
use sinew_core::{
    codes::Criticality,
    ids::MethodId,
    limits,
    plan::{
        client::{ClientPlan, Config, Member, Outcome, Placement},
        server::{self, Arrived, Asks, Left, ServerPlan},
    },
    rng::SplitMix,
    wire::{
        AnswerHead, AnswerOutcome, CallKind, Frame, LoadReport, Parser, RequestHead, TimeLeft,
        put_call_frame, put_stamp,
    },
};

/// Times that a step is done for the table.
const TIMES: u64 = 100_000;
const ROUNDS: u32 = 5;
/// What lies in a batch: a stamp is for all of them.
const BATCH: u64 = 16;
const BODY: [u8; 32] = [7; 32];
const BINCODE: u8 = 1;
const TICK: Duration = Duration::from_micros(5);

type Done = Result<(), Box<dyn Error>>;
type Step = (&'static str, &'static str, fn(u64) -> Done);

/// Every step, in the order in which a call takes them.
const STEPS: [Step; 7] = [
    ("pick", "the client decides: begin, pick among 3, settle", pick),
    ("request_out", "a request becomes a frame of a batch", request_out),
    ("request_in", "and is found and read at the server", request_in),
    ("admission", "the server has a place for it, and gets it back", admission),
    ("answer_out", "an answer becomes a frame", answer_out),
    ("answer_in", "and is found and read at the client", answer_in),
    ("call", "a whole call of 32 bytes, both ends in one process, over memory", call),
];

#[sinew::service]
trait Echo {
    #[rpc(idempotent)]
    async fn echo(&self, payload: [u8; 32]) -> [u8; 32];
}

struct Mirror;

impl Echo for Mirror {
    async fn echo(&self, payload: [u8; 32]) -> [u8; 32] {
        payload
    }
}

fn main() -> Done {
    let mut words = std::env::args().skip(1);
    match (words.next(), words.next()) {
        (None, _) => table(),
        (Some(list), None) if list == "--list" => {
            STEPS.iter().for_each(|(name, ..)| println!("{name}"));
            Ok(())
        }
        (Some(name), Some(times)) => {
            let step = STEPS.iter().find(|(known, ..)| *known == name);
            let (.., step) = step.ok_or_else(|| format!("there is no step `{name}`"))?;
            step(times.parse()?)
        }
        (Some(name), None) => Err(format!("how often is `{name}` to be done?").into()),
    }
}

fn table() -> Done {
    for (name, what, step) in STEPS {
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let began = Instant::now();
            step(TIMES)?;
            best = best.min(began.elapsed().as_nanos() as f64 / TIMES as f64);
        }
        // What is set up once is in both.
        let made = |times| allocation_counter::measure(|| drop(step(times))).count_total as f64;
        let allocations = (made(3000) - made(1000)) / 2000.0;
        println!("{name:<12} {best:>6.0} ns {allocations:>5.2} allocations  {what}");
    }
    Ok(())
}

fn pick(times: u64) -> Done {
    struct Endpoint(Member);
    impl AsRef<Member> for Endpoint {
        fn as_ref(&self) -> &Member {
            &self.0
        }
    }
    let mut now = Instant::now();
    let plan = ClientPlan::new(Config::default(), now);
    let member = |_| Endpoint(plan.member(Placement::default(), false, now));
    let mut members: Vec<_> = (0..3).map(member).collect();
    plan.arrange(&mut members);
    members.iter().for_each(|member| member.0.set_connected(true));
    plan.recount(&members);
    let mut rng = SplitMix::new(1);
    for _ in 0..times {
        let mut turn = plan.begin(0, limits::ATTEMPTS, true, now);
        let picked = plan.pick(&members, &mut turn, now, &mut rng).ok_or("nobody to pick")?;
        let (of, outcome) = (&members[picked.at].0, (picked.ticket, Outcome::Answered));
        black_box(plan.settle(&members, of, outcome, now + TICK, &mut rng));
        now += TICK;
    }
    Ok(())
}

fn request() -> RequestHead {
    RequestHead { idempotent: true, ..RequestHead::new(MethodId(0x0123_4567_89ab_cdef), BINCODE) }
}

fn answer() -> AnswerHead {
    let load = LoadReport { in_flight: 3, latency_us: 0, utilisation_permille: 0 };
    let mut head = AnswerHead::new(AnswerOutcome::Ok, BINCODE);
    (head.work_us, head.load) = (12, Some(load));
    head
}

/// Frames of one kind, in batches; what is written is dropped with its batch.
fn out(times: u64, kind: CallKind, encode: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let (mut batch, mut rest) = (Vec::with_capacity(4096), Vec::with_capacity(256));
    for call in 0..times {
        if call % BATCH == 0 {
            batch.clear();
            put_stamp(&mut batch, call);
        }
        rest.clear();
        encode(&mut rest);
        rest.extend_from_slice(&BODY);
        put_call_frame(&mut batch, kind, call % BATCH, TimeLeft::Micros(9_900_000), &rest);
        black_box(&batch);
    }
    batch
}

fn request_out(times: u64) -> Done {
    let head = request();
    out(times, CallKind::Request, |rest| black_box(&head).encode(rest));
    Ok(())
}

fn answer_out(times: u64) -> Done {
    let head = answer();
    out(times, CallKind::Answer, |rest| black_box(&head).encode(rest));
    Ok(())
}

/// A batch of such frames, found and taken apart again and again.
fn taken_apart(
    times: u64,
    batch: Vec<u8>,
    decode: impl Fn(bytes::Bytes) -> Result<usize, Box<dyn Error>>,
) -> Done {
    let batch = bytes::Bytes::from(batch);
    let mut parser = Parser::new(limits::LANE_FRAME_MAX);
    for _ in 0..times.div_ceil(BATCH) {
        parser.feed(batch.clone());
        while let Some(frame) = parser.next()? {
            if let Frame::Call(call) = frame
                && decode(call.rest)? != BODY.len()
            {
                return Err("a body was cut".into());
            }
        }
    }
    Ok(())
}

fn request_in(times: u64) -> Done {
    let head = request();
    let batch = out(BATCH, CallKind::Request, |rest| head.encode(rest));
    taken_apart(times, batch, |rest| {
        let (head, body) = RequestHead::decode(rest)?;
        black_box(head);
        Ok(body.len())
    })
}

fn answer_in(times: u64) -> Done {
    let head = answer();
    let batch = out(BATCH, CallKind::Answer, |rest| head.encode(rest));
    taken_apart(times, batch, |rest| {
        let (head, body) = AnswerHead::decode(rest)?;
        black_box(head);
        Ok(body.len())
    })
}

fn admission(times: u64) -> Done {
    let mut now = Instant::now();
    let plan = ServerPlan::new(server::Config::default(), now);
    let (method, caller) = (plan.method(now), plan.caller());
    let asks = Asks { class: Criticality::Critical, key: 0, deadline: None };
    for _ in 0..times {
        if !matches!(plan.arrive(asks, &method, &caller, now), Arrived::Begins) {
            return Err("there was no place".into());
        }
        plan.leave(&method, &caller, (TICK, Left::Ended), now + TICK);
        now += TICK;
    }
    Ok(())
}

fn call(times: u64) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = EchoClient::local(Mirror);
        for _ in 0..times {
            black_box(client.echo(BODY).await?);
        }
        Ok::<(), Status>(())
    })?;
    Ok(())
}
