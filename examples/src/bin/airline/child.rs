//! One process of the airline: serves one service until it is told to stop.

use std::{
    io::{Read, Write, stdin, stdout},
    sync::Arc,
    time::Duration,
};

use sinew::Mesh;
use tokio::sync::oneshot;

use crate::{
    Problem,
    api::{
        ClerkServer, CountersServer, FaresServer, GatewayServer, ScheduleServer, SearchServer,
        SeatsServer,
    },
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
    let mut builder = attempts.of(Mesh::builder()).transport(sinew_bridge::http());
    if let Some(legacy) = &child.legacy {
        // Beside those that announce themselves: one service, and it does not matter who speaks what.
        let fares = Role::Fares.name();
        builder = builder.endpoints(fares, legacy).endpoints(fares, format!("sinew:{fares}"));
    }
    let mesh = builder.build().await?;
    let counters = Tachograph::new(mesh.clone(), attempts);
    let mut server = mesh.server().drain_grace(GRACE).serve(CountersServer::new(counters.clone()));
    let mut forwarder = None;
    if child.role.is_behind_a_forwarder() {
        let new = Forwarder::bind(counters.clone()).await?;
        server = server.advertise(new.address()?);
        forwarder = Some(new);
    }
    let server = match child.role {
        Role::Schedule => {
            server.serve(ScheduleServer::new(TimeTable { world: World::load()?, counters }))
        }
        Role::Fares => {
            let tariff = Tariff { world: Arc::new(World::load()?), counters };
            server.serve(FaresServer::new(tariff.clone())).serve(ClerkServer::new(tariff))
        }
        Role::Search => server.serve(SearchServer::new(Finder {
            schedule: mesh.client(),
            fares: mesh.client(),
            clerk: mesh.client(),
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
    let server = server.bind("127.0.0.1:0").await?;
    let own = server.local_addr();
    let mut found_at = own;
    if let Some(forwarder) = forwarder {
        found_at = forwarder.address()?;
        tokio::spawn(forwarder.run(own));
    }
    writeln!(stdout(), "{own} {found_at}")?;
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
