//! The parent: starts the airline, lets the travellers travel, closes the books.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    sync::Arc,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    Problem,
    api::GatewayClient,
    arguments::Options,
    attempts::Attempts,
    books::Reckoning,
    chaos, curl,
    fleet::Fleet,
    operators::{self, Operations},
    overload, probes,
    report::Report,
    tally::Tally,
    travellers,
    world::World,
};

/// Runs the demo, and prints its summary.
pub(crate) async fn run(options: Options) -> Result<(), Problem> {
    let world = Arc::new(World::load()?);
    let mut fleet = Fleet::start(&world, options.etcd).await?;
    let attempts = Attempts::default();
    let mesh = fleet.mesh(&attempts).await?;
    let gateway: GatewayClient = mesh.client();
    let door = curl::Door::open(&mesh).await?;
    let tally = Tally::default();
    let (directory, mut operations) = (fleet.directory(), Operations::default());

    let began = Instant::now();
    let (ends, end) = watch::channel(false);
    let with_curl = door.travel(&world, end.clone(), &tally);
    let everybody = travellers::travel(&gateway, &world, options.travellers, end, &tally);
    let one_of_many = async {
        sleep(options.length / 2).await;
        probes::follow_a_deadline(&gateway, &tally).await
    };
    let raging = async {
        let faults = async {
            match options.chaos {
                true => chaos::rage(&mut fleet, options.length, &tally, &attempts).await,
                false => Ok(Vec::new()),
            }
        };
        let (episodes, ()) = tokio::join!(faults, sleep(options.length));
        ends.send_replace(true);
        episodes
    };
    let all = async { tokio::join!(everybody, with_curl, one_of_many, raging) };
    let ((), curl_calls, hop_budget_us, episodes) = tokio::select! {
        all = all => all,
        why = operators::operate(&directory, &mut operations) => return Err(why),
        () = sinew::shutdown_signal() => return Err("stopped before the end".into()),
    };
    let episodes = episodes?;
    let seconds = began.elapsed().as_secs_f64();
    if stderr().is_terminal() {
        write!(stderr(), "\r\x1b[K")?;
    }

    let miss = probes::miss_a_deadline(&gateway, &tally).await;
    let counts = fleet.counts().await;
    let overload = match options.overload {
        true => Some(overload::overload(&fleet, &gateway).await?),
        false => None,
    };
    let numbers = std::mem::take(&mut *tally.numbers());
    let report = Report {
        seconds,
        travellers: options.travellers,
        processes: fleet.processes(),
        reckoning: Reckoning::of(&fleet.store()?, &numbers).map_err(|why| why.to_string()),
        counts,
        operations,
        overload,
        own: (attempts.calls(), attempts.retries()),
        legacy: fleet.legacy_name(),
        curl_calls,
        numbers,
        hop_budget_us,
        episodes,
        miss,
    };
    let stopped = fleet.stop().await;
    print(&report, options.json)?;
    let mut faults = report.faults();
    faults.extend(stopped);
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ").into()) }
}

/// For people; with `json` the line for programs is all that goes to stdout.
fn print(report: &Report, json: bool) -> Result<(), Problem> {
    if !json {
        return Ok(write!(stdout(), "{report}")?);
    }
    write!(stderr(), "{report}")?;
    if let Ok(reckoning) = &report.reckoning {
        writeln!(stdout(), "{}", report.json(reckoning))?;
    }
    Ok(())
}
