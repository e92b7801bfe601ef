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
    counters::Tachograph,
    fares::Tariff,
    gateway::FrontDoor,
    schedule::TimeTable,
    search::Finder,
    seats::Cabin,
    world::World,
};

/// Who has not finished a call by then is not waited for: a demo should end soon.
const GRACE: Duration = Duration::from_secs(2);

/// Serves, and says where on the first line of stdout.
pub(crate) async fn run(child: Child) -> Result<(), Problem> {
    let mesh = Mesh::from_env().await?;
    let counters = Tachograph::default();
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
        Role::Seats => server.serve(SeatsServer::new(Cabin::new(World::load()?, counters))),
        Role::Gateway => server.serve(GatewayServer::new(FrontDoor {
            search: mesh.client(),
            seats: mesh.client(),
            counters,
        })),
    };
    let server = server.bind("127.0.0.1:0").await?;
    writeln!(stdout(), "{}", server.local_addr())?;
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
