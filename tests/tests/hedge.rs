//! A slow call of a hedged method is sent to a second server as well: the first answer counts, the other handler is
//! dropped, and nothing is hedged that must not be.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use sinew::{Account, CallOptions, CancelReason, Code, Hedge, Mesh, Ran, Status, Streaming};
use sinew_core::wire::{CallKind, RequestHead, decode_cancel};
use sinew_tests::{
    Must as _, MustFail as _,
    authority::Authority,
    probe::{Counting, PROBE, ProbeClient},
    raw::{RawServer, id},
    scene::{Running, Scene, client_at, mesh_of},
    scrape::Scrape,
    wait::{ms, soon, until},
};
use tokio::{sync::mpsc, task::JoinSet};

/// What a server is to do with a call.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum What {
    /// Answer after a moment.
    Answer,
    /// Hang, if it is this one.
    HangAt(u64),
    /// Hang.
    Hang,
    /// The first that is asked fails after a while, the second answers after a longer one.
    FailThenAnswer,
}

/// Readings of which some are slow.
#[sinew::service(name = "test.Shelf")]
trait Shelf {
    /// Which server it was.
    #[rpc(idempotent, hedge = "p95")]
    async fn read(&self, what: What) -> Result<u64, Status>;
    /// The same, with a time of its own.
    #[rpc(idempotent, hedge = "300ms")]
    async fn read_after(&self, what: What) -> Result<u64, Status>;
    /// May not run twice.
    async fn take(&self, what: What) -> Result<u64, Status>;
    /// Streams.
    #[rpc(idempotent)]
    async fn watch(&self) -> Streaming<u64>;
}

#[derive(Clone)]
struct Keeper {
    at: u64,
    /// Handlers that hang, at this server.
    hangs: Counting,
    /// Handlers that do anything but answer at once, at all servers.
    odd: Arc<AtomicU64>,
}

impl Keeper {
    async fn does(&self, what: What) -> Result<u64, Status> {
        match what {
            What::HangAt(at) if at != self.at => {}
            What::Answer => {}
            What::HangAt(_) | What::Hang => {
                self.odd.fetch_add(1, Ordering::SeqCst);
                let _turn = self.hangs.begin();
                pending::<()>().await;
            }
            What::FailThenAnswer => {
                if self.odd.fetch_add(1, Ordering::SeqCst) == 0 {
                    tokio::time::sleep(ms(600)).await;
                    return Err(Status::new(Code::Unavailable, "the shelf is locked"));
                }
                tokio::time::sleep(ms(900)).await;
            }
        }
        tokio::time::sleep(ms(2)).await;
        Ok(self.at)
    }
}

impl Shelf for Keeper {
    async fn read(&self, what: What) -> Result<u64, Status> {
        self.does(what).await
    }

    async fn read_after(&self, what: What) -> Result<u64, Status> {
        self.does(what).await
    }

    async fn take(&self, what: What) -> Result<u64, Status> {
        self.does(what).await
    }

    async fn watch(&self) -> Streaming<u64> {
        Streaming::iter([self.at])
    }
}

/// Three servers, and a client of all that has earned some hedges.
struct Three {
    _scene: Scene,
    _servers: Vec<Running>,
    keepers: Vec<Keeper>,
    mesh: Mesh,
    client: ShelfClient,
}

impl Three {
    async fn new() -> Self {
        let scene = Scene::new();
        let odd = Arc::new(AtomicU64::new(0));
        let keeper = |at| Keeper { at, hangs: Counting::new(), odd: Arc::clone(&odd) };
        let keepers: Vec<Keeper> = (0..3).map(keeper).collect();
        let mut servers = Vec::new();
        for keeper in &keepers {
            let shelf = ShelfServer::new(keeper.clone());
            servers.push(scene.serve(|server| server.serve(shelf)).await);
        }
        let addresses: Vec<_> = servers.iter().map(Running::address).collect();
        let mesh = scene.mesh().await;
        let client: ShelfClient = client_at(&mesh, &addresses);
        let client = client.with(patient());
        let mut seen = [false; 3];
        let mut made = 0;
        while made < 400 || seen != [true; 3] {
            let mut calls = JoinSet::new();
            for _ in 0..10 {
                calls.spawn(client.read(What::Answer));
                calls.spawn(client.read_after(What::Answer));
            }
            for answer in calls.join_all().await {
                seen[answer.must("an answer") as usize] = true;
                made += 1;
            }
        }
        Self { _scene: scene, _servers: servers, keepers, mesh, client }
    }

    /// Hedges of a method so far: those sent, those that answered first, and the attempts that were thrown away.
    fn hedges(&self, method: &str) -> [f64; 3] {
        let scrape = Scrape::of(&self.mesh);
        ["hedges", "hedges_won", "hedges_wasted"]
            .map(|what| scrape.get(&format!("sinew_client_{what}_total"), &[("method", method)]))
    }

    /// Handlers that did anything but answer at once.
    fn odd(&self) -> u64 {
        self.keepers[0].odd.load(Ordering::SeqCst)
    }
}

/// Long enough that only a hedge can be what ends a call to a server that hangs.
fn patient() -> CallOptions {
    CallOptions::new().timeout(ms(200_000))
}

#[tokio::test]
async fn calls_that_one_of_three_servers_does_not_answer_are_answered_by_another() {
    let three = Three::new().await;
    // Each call at the server that hangs is answered by another one, and the balancer begins to avoid it.
    for call in 0..40 {
        let by = soon("a hedged answer", three.client.read(What::HangAt(1))).await;
        assert_ne!(by.must("an answer"), 1, "{call}");
        if call > 10 && three.odd() > 0 {
            break;
        }
        tokio::time::sleep(ms(50)).await;
    }
    let hangs = &three.keepers[1].hangs;
    assert!(three.odd() > 0, "the server that hangs was never asked");
    until("the handlers that lost are dropped", || hangs.tally().running() == 0).await;
    assert_eq!(hangs.tally().dropped, three.odd());
    let [sent, won, wasted] = three.hedges("read");
    assert!(won >= three.odd() as f64 && wasted >= won && sent >= wasted, "{sent} {won} {wasted}");
}

#[tokio::test]
async fn both_attempts_are_in_the_ledger_and_there_is_no_third() {
    let three = Three::new().await;
    let short = three.client.with(CallOptions::new().timeout(ms(1500)));
    let status = soon("the deadline", short.read_after(What::Hang)).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::DeadlineExceeded, Ran::Maybe), "{status}");
    let attempts = &status.ledger().must("a ledger").attempts;
    assert_eq!(attempts.len(), 2, "{status:?}");
    assert_ne!(attempts[0].endpoint, attempts[1].endpoint);
    assert!(attempts[0].started_us + 300_000 <= attempts[1].started_us, "{attempts:?}");
    assert_eq!(three.odd(), 2);
    until("both handlers are dropped", || {
        three.keepers.iter().map(|keeper| keeper.hangs.tally().dropped).sum::<u64>() == 2
    })
    .await;
}

#[tokio::test]
async fn when_one_of_the_two_fails_the_other_is_waited_for() {
    let three = Three::new().await;
    let before = three.hedges("read_after");
    let account = Account::new();
    let client = three.client.with(patient().account(&account));
    let answer = soon("an answer", client.read_after(What::FailThenAnswer)).await;
    answer.must("the hedge's answer");
    assert_eq!(three.odd(), 2, "no retry beside it");
    let after = three.hedges("read_after");
    let more: [f64; 3] = std::array::from_fn(|at| after[at] - before[at]);
    assert_eq!(more, [1.0, 1.0, 0.0], "one was sent and won, and nothing was thrown away");
    // Whoever asks for an account hears of both.
    let picks = account.picks();
    let failed = |at: usize| picks[at].failed.as_ref().map(Status::message);
    assert_eq!((picks.len(), failed(0), failed(1)), (2, Some("the shelf is locked"), None));
    let ledger = account.ledger().must("a ledger");
    let tried: Vec<_> = ledger.attempts.iter().map(|attempt| &*attempt.endpoint).collect();
    assert_eq!(tried, [&*picks[0].endpoint, &*picks[1].endpoint]);
}

#[tokio::test]
async fn a_call_is_not_hedged_where_nobody_may_repeat_it_or_it_is_switched_off() {
    for options in [
        CallOptions::new().no_retry_below(),
        CallOptions::new().attempts(1),
        CallOptions::new().hedge(Hedge::Off),
    ] {
        let three = Three::new().await;
        let client = three.client.with(options.timeout(ms(900)));
        let status = soon("the deadline", client.read_after(What::Hang)).await.must_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert_eq!(three.odd(), 1, "{status}");
    }
}

#[tokio::test]
async fn to_hedge_what_may_not_run_twice_is_refused_and_to_bound_its_attempts_is_not() {
    let three = Three::new().await;
    for hedge in [Hedge::P95, Hedge::After(ms(20))] {
        let hedged = three.client.with(patient().hedge(hedge));
        let status = hedged.take(What::Answer).await.must_err();
        assert_eq!((status.code(), status.ran()), (Code::InvalidArgument, Ran::No), "{status}");
        assert!(status.to_string().contains("`#[rpc(idempotent)]`"), "{status}");
        let status = hedged.watch().await.must_err();
        assert_eq!((status.code(), status.ran()), (Code::InvalidArgument, Ran::No), "{status}");
        assert!(status.to_string().contains("a stream is not hedged"), "{status}");
        hedged.read(What::Answer).await.must("an answer");
    }
    let off = three.client.with(patient().hedge(Hedge::Off).attempts(5));
    off.take(What::Answer).await.must("an answer");
    drop(off.watch().await.must("a stream"));
}

/// What a server by hand was told.
#[derive(Debug)]
enum Told {
    Request(RequestHead),
    Cancel(CancelReason),
}

/// Two servers by hand, which echo, and a client of both.
struct Two {
    /// The next request is not answered.
    hold: Arc<AtomicBool>,
    told: mpsc::Receiver<(usize, Told)>,
    client: ProbeClient,
    _hands: JoinSet<()>,
}

impl Two {
    async fn new() -> Self {
        let authority = Authority::new("test authority");
        let servers = [(); 2].map(|()| RawServer::new(&authority, &id(PROBE)));
        let mesh = mesh_of(authority.identity(&id("web")), |builder| builder).await;
        let addresses: Vec<_> = servers.iter().map(RawServer::address).collect();
        let client: ProbeClient = client_at(&mesh, &addresses);
        let (hold, (tell, told)) = (Arc::new(AtomicBool::new(false)), mpsc::channel(1024));
        let mut hands = JoinSet::new();
        for (at, server) in servers.into_iter().enumerate() {
            let (hold, tell) = (Arc::clone(&hold), tell.clone());
            hands.spawn(serve(server, hold, move |what| {
                tell.try_send((at, what)).must("room for it");
            }));
        }
        Self { hold, told, client, _hands: hands }
    }

    async fn told(&mut self) -> (usize, Told) {
        soon("a request or a cancel", self.told.recv()).await.must("servers")
    }
}

async fn serve(server: RawServer, hold: Arc<AtomicBool>, tell: impl Fn(Told)) {
    let peer = server.accept().await;
    let mut lane = peer.lane().await;
    loop {
        let mut call = lane.call().await;
        if call.kind == CallKind::Cancel {
            tell(Told::Cancel(decode_cancel(&call.rest).must("a sound CANCEL")));
            continue;
        }
        let (head, body) = RequestHead::decode(call.rest).must("a sound REQUEST");
        call.rest = body;
        tell(Told::Request(head));
        if !hold.swap(false, Ordering::SeqCst) {
            lane.echo(&call).await;
        }
    }
}

#[tokio::test]
async fn a_hedge_says_that_it_is_one_and_who_loses_hears_why() {
    let mut two = Two::new().await;
    let client = two.client.with(patient().hedge(Hedge::After(ms(500))));
    let mut asked = [0; 2];
    let mut made = 0;
    while made < 60 || asked.contains(&0) {
        client.echo_again("x".into()).await.must("an answer");
        made += 1;
        while let Ok((at, what)) = two.told.try_recv() {
            assert!(matches!(what, Told::Request(_)), "{what:?}");
            asked[at] += 1;
        }
    }
    two.hold.store(true, Ordering::SeqCst);
    let call = tokio::spawn(client.echo_again("twice".into()));
    let (slow, first) = two.told().await;
    let (quick, second) = two.told().await;
    let (Told::Request(first), Told::Request(second)) = (first, second) else {
        panic!("two requests were expected")
    };
    assert_ne!(slow, quick);
    assert_eq!((first.hedge, first.attempt, first.no_retry), (false, 0, false));
    assert_eq!((second.hedge, second.attempt, second.no_retry), (true, 1, true));
    assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), "twice");
    match two.told().await {
        (at, Told::Cancel(why)) => assert_eq!((at, why), (slow, CancelReason::HedgeLost)),
        other => panic!("a CANCEL was expected, not {other:?}"),
    }
}
