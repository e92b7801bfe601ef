//! A service is moved from plain HTTP to sinew while everybody keeps calling it.
//!
//! `cargo run --release -p sinew-examples --bin migrate -- [--seconds N] [--json]`
//!
//! ```text
//!   1  old alone        the client knows both sides, and all calls go to the old one
//!   2  shadow           idempotent calls go to both, and what the new side does wrong is found: mistakes are planted in it
//!   3  mended           nothing differs any more, although times and last digits do
//!   4  5 %, 50 %        the new side takes calls
//!   5  wrong again      the guard sees the difference, takes the calls away, and says so
//!   6  5, 50, 100 %     mended, and to the end; and once back to the old side and forth again
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a demo tells what it does")]

mod api;
mod fresh;
mod legacy;
mod tally;

use std::{process::ExitCode, sync::Arc, time::Duration};

use sinew::{Mesh, Server};
use sinew_bridge::{Guard, Migration, Report, Sample};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    api::{NewOrder, OrdersClient, OrdersServer},
    fresh::Fresh,
    tally::Tally,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: migrate [--seconds N] [--json]

  --seconds N   how long it takes, from 8 to 600; default 20
  --json        as the last line one JSON object of what was counted";

/// Who calls all the time.
const CALLERS: u64 = 16;
const PAUSE: Duration = Duration::from_millis(4);
/// One of so many orders is wrong where a shadow is to find it, and where the guard is to act.
const FEW: u64 = 50;
const MANY: u64 = 5;

struct Options {
    seconds: u64,
    json: bool,
}

/// What was asked for; none where that is how to ask.
fn options() -> Result<Option<Options>, Failure> {
    let mut options = Options { seconds: 20, json: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match &*word {
            "--seconds" => {
                options.seconds = words.next().ok_or(USAGE)?.parse().map_err(|_| USAGE)?
            }
            "--json" => options.json = true,
            "--help" => return Ok(None),
            _ => return Err(USAGE.into()),
        }
    }
    match options.seconds {
        8..=600 => Ok(Some(options)),
        _ => Err(USAGE.into()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    match run(options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("migrate: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Both sides, as endpoints of one service: a file says which is which.
struct Sides {
    _new: Server,
    file: std::path::PathBuf,
}

impl Sides {
    async fn start(tally: &Arc<Tally>) -> Result<Self, Failure> {
        let (old, _) = legacy::start(Arc::clone(tally)).await?;
        let own = Mesh::builder().without_local_discovery().build().await?;
        let fresh = OrdersServer::new(Fresh { tally: Arc::clone(tally) });
        let new = own.server().serve(fresh).bind("127.0.0.1:0").await?;
        let file = std::env::temp_dir().join(format!("sinew-migrate-{}.toml", std::process::id()));
        let text = format!(
            "[[endpoint]]\naddress = \"http://{old}\"\nlabels = {{ side = \"old\" }}\n\n\
             [[endpoint]]\naddress = \"{}\"\nlabels = {{ side = \"new\" }}\n",
            new.local_addr()
        );
        std::fs::write(&file, text)?;
        Ok(Self { _new: new, file })
    }
}

impl Drop for Sides {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Calls until it is aborted, nine of ten to read.
async fn calls(client: OrdersClient, tally: Arc<Tally>, first: u64) {
    let mut id = first;
    loop {
        id += CALLERS;
        let failed = if id.is_multiple_of(10) {
            let order = NewOrder { customer: "c".to_owned(), sku: "s".to_owned(), count: 3 };
            client.place(order).await.map_or_else(
                |why| Some(why.to_string()),
                |cost| (cost != 750).then(|| format!("it costs {cost}")),
            )
        } else {
            client.order(id).await.err().map(|why| why.to_string())
        };
        if let Some(why) = &failed {
            eprintln!("a call failed: {why}");
        }
        tally.call(failed.is_some());
        sleep(PAUSE).await;
    }
}

/// Told as it goes, with what the two sides did meanwhile.
struct Teller {
    tally: Arc<Tally>,
    migration: Migration,
    before: (u64, u64),
}

impl Teller {
    /// Lets so much time pass, and tells what happened in it.
    async fn watch(&mut self, time: Duration, what: &str) {
        sleep(time).await;
        let (now, report) = (self.tally.sides(), self.migration.report());
        let (old, new) = (now.0 - self.before.0, now.1 - self.before.1);
        self.before = now;
        eprintln!(
            "{what:<34} old {old:>6}   new {new:>6}   compared {:>6}, differed {:>4}   share {:>3} %",
            report.compared, report.differences, report.share
        );
    }
}

/// What the last line is made of.
struct Found {
    rolled_back: Option<String>,
    /// Nothing differed while nothing was wrong.
    clean: bool,
}

async fn run(options: Options) -> Result<bool, Failure> {
    let tally = Arc::new(Tally::default());
    let sides = Sides::start(&tally).await?;
    let guard = Guard { differences: 0.08, ..Guard::default() };
    let migration = Migration::new("shop.Orders", "side=old", "side=new");
    let migration = migration.ignore("seen_at_ms").tolerance(1e-9).guard(guard);
    let builder = Mesh::builder()
        .without_local_discovery()
        .transport(sinew_bridge::http())
        .endpoints("shop.Orders", format!("file:{}", sides.file.display()));
    let mesh = migration.attach(builder).build().await?;
    migration.begin(&mesh)?;
    let client: OrdersClient = mesh.client();
    let mut callers = JoinSet::new();
    for n in 0..CALLERS {
        callers.spawn(calls(client.clone(), Arc::clone(&tally), n));
    }
    let step = Duration::from_secs(options.seconds) / 20;
    let teller = Teller { tally: Arc::clone(&tally), migration: migration.clone(), before: (0, 0) };
    let found = moves(teller, step).await?;
    callers.shutdown().await;
    // The last copies are on their way.
    sleep(Duration::from_millis(300)).await;
    Ok(told(&tally, &migration.report(), &found, options.json))
}

/// The way from one side to the other, with all that happens on it.
async fn moves(mut teller: Teller, step: Duration) -> Result<Found, Failure> {
    let (tally, migration) = (Arc::clone(&teller.tally), teller.migration.clone());
    teller.watch(step * 2, "old alone").await;
    tally.plant(FEW);
    migration.shadow(100.0)?;
    teller.watch(step * 3, "shadow, one of 50 is wrong").await;
    for sample in migration.report().samples.iter().take(3) {
        for part in &sample.parts {
            eprintln!(
                "    {} differs at {}: {} and {}",
                sample.method, part.at, part.old, part.new
            );
        }
    }
    tally.plant(0);
    sleep(Duration::from_millis(200)).await;
    let before = migration.report().differences;
    teller.watch(step * 2, "shadow, mended").await;
    let clean = migration.report().differences == before;
    for share in [5.0, 50.0] {
        migration.share(share)?;
        teller.watch(step * 2, &format!("{share} % to the new side")).await;
    }
    tally.plant(MANY);
    teller.watch(step * 3, "one of 5 is wrong").await;
    let rolled_back = migration.report().rolled_back;
    match &rolled_back {
        Some(why) => eprintln!("    the guard: {why}"),
        None => eprintln!("    the guard did nothing"),
    }
    tally.plant(0);
    sleep(Duration::from_millis(200)).await;
    for share in [5.0, 50.0, 100.0, 0.0, 100.0] {
        migration.share(share)?;
        teller.watch(step, &format!("{share} % to the new side")).await;
    }
    Ok(Found { rolled_back, clean })
}

/// Says what came of it; whether that is what was to come.
fn told(tally: &Tally, report: &Report, found: &Found, json: bool) -> bool {
    let ((calls, failed), (old, new)) = (tally.calls(), tally.sides());
    let (planted, differed) = (tally.all_planted(), report.differences);
    let is_meant = |sample: &Sample| sample.parts.iter().all(|part| part.at == "$.total_cents");
    let odd = report.samples.iter().filter(|sample| !is_meant(sample)).count() as u64;
    let false_differences = differed.saturating_sub(planted) + odd;
    eprintln!(
        "{calls} calls, {failed} failed; {differed} of {planted} mistakes found, {false_differences} that were none; old \
         {old}, new {new}"
    );
    if json {
        println!(
            "{{\"calls\":{calls},\"failed\":{failed},\"differences_planted\":{planted},\"differences_found\":{differed},\
             \"false_differences\":{false_differences},\"rolled_back\":{},\"compared\":{},\"old\":{old},\"new\":{new}}}",
            found.rolled_back.is_some(),
            report.compared
        );
    }
    let all_found = planted > 0 && differed == planted && false_differences == 0 && found.clean;
    failed == 0 && all_found && found.rolled_back.is_some()
}
