//! A service that moves from an old side to a new one: what is compared, what moves, and what the guard does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sinew::{Code, Context, Mesh, Status};
use sinew_bridge::{Guard, Migration};
use sinew_tests::{
    Must as _, MustFail as _,
    scene::{Running, Scene},
    scratch::Scratch,
    wait::until,
};

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
struct Price {
    sku: String,
    cents: u64,
    rate: f64,
    seen: u64,
}

/// What moves.
#[sinew::service(name = "moving.Prices")]
trait Prices {
    #[rpc(idempotent)]
    async fn price(&self, sku: String) -> Result<Price, Status>;

    /// Not to be run twice.
    async fn sell(&self, sku: String) -> Result<u64, Status>;
}

/// One side. The new one can be made wrong, or to fail.
#[derive(Clone, Default)]
struct Side {
    calls: Arc<AtomicU64>,
    copies: Arc<AtomicU64>,
    sold: Arc<AtomicU64>,
    is_wrong: Arc<AtomicBool>,
    fails: Arc<AtomicBool>,
    /// Copies wait.
    holds: Arc<AtomicBool>,
    waiting: Arc<AtomicU64>,
}

impl Prices for Side {
    async fn price(&self, sku: String) -> Result<Price, Status> {
        let seen = self.calls.fetch_add(1, Relaxed);
        if Context::current().must("a context").is_shadow() {
            self.copies.fetch_add(1, Relaxed);
            self.waiting.fetch_add(1, Relaxed);
            while self.holds.load(Relaxed) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.waiting.fetch_sub(1, Relaxed);
        }
        if self.fails.load(Relaxed) {
            return Err(Status::new(Code::Internal, "out of order"));
        }
        let cents = 100 + u64::from(self.is_wrong.load(Relaxed));
        Ok(Price { sku, cents, rate: 0.1 + 0.2, seen: seen * 7 })
    }

    async fn sell(&self, _: String) -> Result<u64, Status> {
        Ok(self.sold.fetch_add(1, Relaxed))
    }
}

struct Moving {
    old: Side,
    new: Side,
    client: PricesClient,
    migration: Migration,
    _mesh: Mesh,
    _servers: [Running; 2],
    _scratch: Scratch,
}

async fn moving(guard: Guard) -> Moving {
    let (scene, scratch) = (Scene::new(), Scratch::new());
    let (old, new) = (Side::default(), Side::default());
    let at_old = scene.serve(|server| server.serve(PricesServer::new(old.clone()))).await;
    let at_new = scene.serve(|server| server.serve(PricesServer::new(new.clone()))).await;
    let endpoint = |address, side| {
        format!("[[endpoint]]\naddress = \"{address}\"\nlabels = {{ side = \"{side}\" }}\n")
    };
    let text = endpoint(at_old.address(), "old") + &endpoint(at_new.address(), "new");
    std::fs::write(scratch.join("sides.toml"), text).must("a file");
    let migration = Migration::new("moving.Prices", "side=old", "side=new");
    let migration = migration.ignore("seen").guard(guard);
    let file = format!("file:{}", scratch.join("sides.toml").display());
    let mesh =
        scene.mesh_with(|builder| migration.attach(builder.endpoints("moving.Prices", file))).await;
    assert!(migration.share(5.0).must_err().to_string().contains("begin"));
    migration.begin(&mesh).must("a beginning");
    let client = mesh.client();
    Moving {
        old,
        new,
        client,
        migration,
        _mesh: mesh,
        _servers: [at_old, at_new],
        _scratch: scratch,
    }
}

impl Moving {
    async fn calls(&self, many: u32) {
        for _ in 0..many {
            self.client.price("a".to_owned()).await.must("a price");
            // Copies have an end too.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_moves_before_it_is_said_and_then_as_far_as_it_is_said() {
    let moving = moving(Guard::default()).await;
    moving.calls(50).await;
    assert_eq!((moving.old.calls.load(Relaxed), moving.new.calls.load(Relaxed)), (50, 0));
    moving.migration.share(100.0).must("a share");
    moving.calls(50).await;
    assert_eq!(moving.old.calls.load(Relaxed), 50, "none is left at the old side");
    assert_eq!(moving.new.calls.load(Relaxed), 50);
    moving.migration.share(0.0).must("a share");
    moving.calls(50).await;
    assert_eq!(moving.new.calls.load(Relaxed), 50, "and back");
    assert!(moving.migration.share(101.0).is_err());
    assert!(moving.migration.shadow(-1.0).is_err());
    assert_eq!(moving.migration.report().share, 0.0, "what is refused changes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shadow_compares_what_can_be_compared_and_runs_nothing_twice() {
    let moving = moving(Guard { differences: 1.0, ..Guard::default() }).await;
    moving.migration.shadow(100.0).must("a shadow");
    // The connection to the new side is made for the first copy, and that one is not sent.
    until("copies arrive", || {
        moving.new.copies.load(Relaxed) > 0 || {
            let client = moving.client.clone();
            tokio::spawn(async move { client.price("a".to_owned()).await });
            false
        }
    })
    .await;
    let compared = || moving.migration.report().compared;
    let before = compared();
    moving.calls(50).await;
    until("they are compared", || compared() >= before + 50).await;
    assert_eq!(moving.migration.report().differences, 0, "{:?}", moving.migration.report());
    moving.client.sell("a".to_owned()).await.must("it is sold");
    assert_eq!((moving.old.sold.load(Relaxed), moving.new.sold.load(Relaxed)), (1, 0));

    moving.new.is_wrong.store(true, Relaxed);
    let before = compared();
    moving.calls(20).await;
    until("they are compared", || compared() >= before + 20).await;
    let report = moving.migration.report();
    assert_eq!(report.differences, 20, "{report:?}");
    let sample = &report.samples[0];
    assert_eq!(sample.method, "moving.Prices/price");
    let part = &sample.parts[0];
    assert_eq!((&*part.at, &*part.old, &*part.new), ("$.cents", "100", "101"));
    assert_eq!(sample.parts.len(), 1, "what is ignored is no difference: {sample:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guard_takes_the_calls_of_a_side_away_that_fails_and_nobody_notices() {
    let moving = moving(Guard::default()).await;
    moving.migration.share(50.0).must("a share");
    moving.calls(40).await;
    assert!(moving.new.calls.load(Relaxed) > 0);
    assert_eq!(moving.migration.report().rolled_back, None);
    moving.new.fails.store(true, Relaxed);
    // What failed there and may be made again is made at the old side.
    let client = moving.client.with(sinew::CallOptions::new().attempts(3));
    until("the guard acts", || {
        let client = client.clone();
        tokio::spawn(async move { client.price("a".to_owned()).await });
        moving.migration.report().rolled_back.is_some()
    })
    .await;
    let report = moving.migration.report();
    let why = report.rolled_back.clone().must("a reason");
    assert!(why.contains("attempts at the new side failed"), "{why}");
    assert_eq!(report.share, 0.0);
    let before = moving.new.calls.load(Relaxed);
    tokio::time::sleep(Duration::from_millis(200)).await;
    moving.calls(50).await;
    let after = moving.new.calls.load(Relaxed);
    assert!(after <= before + 16, "what was on its way, and no more: {before} and {after}");
    // It stays away until somebody begins anew.
    moving.new.fails.store(false, Relaxed);
    moving.migration.share(100.0).must("a share");
    assert_eq!(moving.migration.report().rolled_back, None);
    // Its breaker has to close first.
    until("it is called again", || {
        let client = moving.client.clone();
        tokio::spawn(async move { client.price("a".to_owned()).await });
        moving.new.calls.load(Relaxed) >= after + 20
    })
    .await;
}

/// What differs may long be mended: copies that were sent before the share was set say nothing of what is now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_copied_before_a_share_was_set_does_not_take_it_back() {
    let guard = Guard { differences: 0.0, least: 1, ..Guard::default() };
    let moving = moving(guard).await;
    moving.migration.shadow(100.0).must("a shadow");
    moving.new.is_wrong.store(true, Relaxed);
    moving.new.holds.store(true, Relaxed);
    until("copies wait", || {
        let client = moving.client.clone();
        tokio::spawn(async move { client.price("a".to_owned()).await });
        moving.new.waiting.load(Relaxed) > 10
    })
    .await;
    // None is sent any more, and those that are out have been sent.
    moving.migration.shadow(0.0).must("no shadow");
    moving.calls(20).await;
    moving.migration.share(5.0).must("a share");
    moving.new.holds.store(false, Relaxed);
    until("they are compared", || moving.migration.report().differences > 10).await;
    until("all of them", || moving.new.waiting.load(Relaxed) == 0).await;
    let report = moving.migration.report();
    assert_eq!((report.rolled_back, report.share), (None, 5.0));
}
