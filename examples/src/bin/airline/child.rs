//! One process of the airline: serves one service until it is told to stop.

use std::{
    io::{Read, Write, stdin, stdout},
    time::Duration,
};

use sinew::Mesh;
use tokio::sync::oneshot;

use crate::{
    Problem,
    api::{CountersServer, FaresServer, GatewayServer, ScheduleServer, SearchServer, SeatsServer},
    arguments::{Child, Role},
    attempts::Attempts,
    counters::Tachograph,
    fares::Tariff,
    forwarder::Forwarder,
    gateway::FrontDoor,
    schedule::TimeTable,
    search::Finder,
    seats::Cabin,
    store::Store,
    world::World,
};

/// Who has not finished a call by then is not waited for: a demo should end soon.
const GRACE: Duration = Duration::from_secs(2);

/// Serves, and says where on the first line of stdout: the address that it listens at, and the one that its callers find.
pub(crate) async fn run(child: Child) -> Result<(), Problem> {
    let attempts = Attempts::default();
    let mesh = attempts.of(Mesh::builder()).build().await?;
    let counters = Tachograph::new(attempts);
    let forwarder = match child.role.is_behind_a_forwarder() {
        true => Some(Forwarder::bind(counters.clone()).await?),
        false => None,
    };
    let server = mesh.server().drain_grace(GRACE).serve(CountersServer::new(counters.clone()));
    let server = match child.role {
        Role::Schedule => {
            server.serve(ScheduleServer::new(TimeTable { world: World::load()?, counters }))
        }
        Role::Fares => server.serve(FaresServer::new(Tariff { world: World::load()?, counters })),
        Role::Search => server.serve(SearchServer::new(Finder {
            schedule: mesh.client(),
            fares: mesh.client(),
            counters,
        })),
        Role::Seats => {
            let (world, store) = (World::load()?, Store::open(child.books)?);
            server.serve(SeatsServer::new(Cabin { world, store, counters }))
        }
        Role::Gateway => server.serve(GatewayServer::new(FrontDoor {
            search: mesh.client(),
            seats: mesh.client(),
            counters,
        })),
    };
    let Some(forwarder) = forwarder else {
        let server = server.bind("127.0.0.1:0").await?;
        writeln!(stdout(), "{0} {0}", server.local_addr())?;
        server.run_until(told_to_stop()).await;
        return Ok(());
    };
    let found_at = forwarder.address()?;
    let server = server.advertise(found_at).bind("127.0.0.1:0").await?;
    writeln!(stdout(), "{} {found_at}", server.local_addr())?;
    tokio::spawn(forwarder.run(server.local_addr()));
    server.run_until(told_to_stop()).await;
    Ok(())
}

/// Ready on SIGTERM, and when stdin ends: then the process that started this one is gone or wants
/// no more of it.
async fn told_to_stop() {
    let (ended, end) = oneshot::channel::<()>();
    // A thread of its own, which may be left behind in its read when the program ends.
    std::thread::spawn(move || {
        let mut stdin = stdin().lock();
        while !matches!(stdin.read(&mut [0; 64]), Ok(0) | Err(_)) {}
        drop(ended);
    });
    tokio::select! {
        _ = end => {}
        () = sinew::shutdown_signal() => {}
    }
}
