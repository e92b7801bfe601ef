//! What copies of calls cost who calls: the same callers with a mirror of all calls and without one, in turns, in one
//! process.
//!
//! Two servers take the calls, and a third one the copies. Everything shares the machine's cores: where the callers keep
//! them busy, what the third server does is felt as well, which on a machine of its own it would not be.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    error::Error,
    io,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sinew::{Context, Mesh, Policy, Server, Status};
use tokio::{task::JoinSet, time::sleep};

const SERVICE: &str = "bench.Copied";

/// What is called.
#[sinew::service(name = "bench.Copied")]
pub trait Copied {
    /// Gives it back.
    #[rpc(idempotent)]
    async fn at_once(&self, number: u64) -> u64;
    /// The same, after a millisecond.
    #[rpc(idempotent)]
    async fn later(&self, number: u64) -> u64;
}

#[derive(Clone, Default)]
struct Here {
    copies: Arc<AtomicU64>,
    /// Copies are not answered.
    hangs: Arc<AtomicBool>,
}

impl Here {
    async fn note(&self) {
        if Context::current().is_some_and(|context| context.is_shadow()) {
            self.copies.fetch_add(1, Relaxed);
            if self.hangs.load(Relaxed) {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Copied for Here {
    async fn at_once(&self, number: u64) -> u64 {
        self.note().await;
        number
    }

    async fn later(&self, number: u64) -> u64 {
        self.note().await;
        sleep(Duration::from_millis(1)).await;
        number
    }
}

/// What is asked for, and by how many at once.
#[derive(Clone, Copy)]
struct Cell {
    callers: u64,
    at_once: bool,
    /// Whether copies are never answered.
    hangs: bool,
}

impl Cell {
    /// Those of figures: `64_at_once`, `1_later_hangs`.
    fn name(self) -> String {
        let what = if self.at_once { "at_once" } else { "later" };
        format!("{}_{what}{}", self.callers, if self.hangs { "_hangs" } else { "" })
    }
}

/// What the callers of a turn saw.
#[derive(Clone, Copy)]
struct Turn {
    p50: f64,
    p99: f64,
    /// Those of the warm-up too: they have copies as well.
    calls: u64,
}

/// A turn without a mirror, one with it, and how many copies there were of its calls.
struct Pair {
    without: Turn,
    with: Turn,
    copies: u64,
}

const PAIRS: usize = 11;
const WARM_UP: Duration = Duration::from_millis(100);
const TIME: Duration = Duration::from_millis(500);
/// So long a call takes at most, and a copy that hangs: there are new ones in each turn.
const TIMEOUT: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_json = match &*words {
        [] => false,
        [one] if one == "--json" => true,
        _ => return usage(),
    };
    match measure(is_json).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("mirror: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    let _ = io::Write::write_all(&mut io::stderr(), b"usage: mirror [--json]\n");
    ExitCode::from(2)
}

async fn measure(is_json: bool) -> Result<(), Box<dyn Error>> {
    let world = World::new().await?;
    let mut report = Vec::new();
    for hangs in [false, true] {
        world.third.hangs.store(hangs, Relaxed);
        for at_once in [true, false] {
            for callers in [64, 1] {
                let cell = Cell { callers, at_once, hangs };
                let pairs = world.pairs(cell).await?;
                let figures = told(cell, &pairs, is_json);
                report.extend(figures);
            }
        }
    }
    if is_json {
        println!("{{{}}}", report.join(","));
    }
    Ok(())
}

/// Prints the figures of a cell, unless they are for JSON: the medians of all turns, and of what each pair of turns says.
fn told(cell: Cell, pairs: &[Pair], is_json: bool) -> Vec<String> {
    let of = |figure: fn(&Pair) -> f64| median(pairs.iter().map(figure).collect());
    let (p50, p99) = (of(|pair| pair.without.p50), of(|pair| pair.without.p99));
    let (p50_with, p99_with) = (of(|pair| pair.with.p50), of(|pair| pair.with.p99));
    let of_p99 = |pair: &Pair| pair.with.p99 / pair.without.p99;
    let ratio_p50 = of(|pair| pair.with.p50 / pair.without.p50);
    let ratio = median(pairs.iter().map(of_p99).collect());
    let least = pairs.iter().map(of_p99).fold(f64::INFINITY, f64::min);
    let most = pairs.iter().map(of_p99).fold(0.0, f64::max);
    let copied = of(|pair| pair.copies as f64 / pair.with.calls as f64);
    let rate = of(|pair| pair.with.calls as f64 / pair.without.calls as f64);
    let name = cell.name();
    if !is_json {
        println!(
            "{name:<18} p50 {p50:>7.0} us, with {p50_with:>7.0} ({ratio_p50:.2} x)   p99 {p99:>7.0} us, with \
             {p99_with:>7.0} ({ratio:.2} x, {least:.2} .. {most:.2})   calls {rate:.2} x, {:.1} % copied",
            copied * 100.0
        );
    }
    let mut figures = vec![
        format!("\"{name}_p50_us\":{p50:.1},\"{name}_p50_us_mirrored\":{p50_with:.1}"),
        format!("\"{name}_p99_us\":{p99:.1},\"{name}_p99_us_mirrored\":{p99_with:.1}"),
        format!("\"{name}_p50_ratio\":{ratio_p50:.3},\"{name}_p99_ratio\":{ratio:.3}"),
        format!("\"{name}_p99_ratio_min\":{least:.3},\"{name}_p99_ratio_max\":{most:.3}"),
        format!("\"{name}_calls_ratio\":{rate:.3},\"{name}_copied\":{copied:.3}"),
    ];
    match &*name {
        "64_at_once" => figures.insert(0, format!("\"mirror_p99_ratio\":{ratio:.3}")),
        "64_at_once_hangs" => {
            figures.insert(0, format!("\"mirror_p99_ratio_hangs\":{ratio:.3}"));
        }
        _ => {}
    }
    figures
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The servers, and a client of each kind.
struct World {
    third: Here,
    without: CopiedClient,
    with: CopiedClient,
    /// Dropped, they end.
    _meshes: [Mesh; 2],
    _servers: [Server; 3],
    _file: Scratch,
}

/// The list of the servers, which is removed at the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl World {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let (first, third) = (Here::default(), Here::default());
        let mesh = mesh(Policy::new()).await?;
        let server = |here: &Here, version: &str| {
            let here = CopiedServer::new(here.clone());
            mesh.server().label("version", version).serve(here).bind("127.0.0.1:0")
        };
        let servers =
            [server(&first, "1").await?, server(&first, "1").await?, server(&third, "2").await?];
        let mut list = String::new();
        for (server, version) in servers.iter().zip([1, 1, 2]) {
            let address = server.local_addr();
            list += &format!(
                "[[endpoint]]\naddress = \"{address}\"\nlabels = {{ version = \"{version}\" }}\n"
            );
        }
        let file = format!("sinew-bench-mirror-{}.toml", std::process::id());
        let file = Scratch(std::env::temp_dir().join(file));
        std::fs::write(&file.0, list)?;
        let policy = || {
            let policy = Policy::new().timeout(TIMEOUT);
            policy.label_weight("version=1", 100.0).label_weight("version=2", 0.0)
        };
        let meshes =
            [self::mesh(policy()).await?, self::mesh(policy().mirror("version=2", 100.0)).await?];
        let at = format!("file:{}", file.0.display());
        let (without, with) = (meshes[0].client_at(&at)?, meshes[1].client_at(&at)?);
        let world = Self { third, without, with, _meshes: meshes, _servers: servers, _file: file };
        world.begin().await?;
        Ok(world)
    }

    /// Until there are copies: the third server is connected.
    async fn begin(&self) -> Result<(), Box<dyn Error>> {
        let began = Instant::now();
        while self.third.copies.load(Relaxed) == 0 {
            if began.elapsed() > Duration::from_secs(10) {
                return Err("no call was copied in 10 s".into());
            }
            self.without.at_once(0).await?;
            self.with.at_once(0).await?;
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Turns without a mirror and with it, A B B A, so that what drifts is in both.
    async fn pairs(&self, cell: Cell) -> Result<Vec<Pair>, Box<dyn Error>> {
        let mut pairs = Vec::with_capacity(PAIRS);
        for at in 0..PAIRS {
            let mut turns = [None, None];
            let mut copies = 0;
            for mirrors in [at % 2 == 1, at % 2 == 0] {
                let before = self.third.copies.load(Relaxed);
                let client = if mirrors { &self.with } else { &self.without };
                turns[usize::from(mirrors)] = Some(turn(client, cell).await?);
                copies += self.third.copies.load(Relaxed) - before;
            }
            if let [Some(without), Some(with)] = turns {
                pairs.push(Pair { without, with, copies });
            }
        }
        Ok(pairs)
    }
}

/// A mesh of its own: a process, as far as connections and policies are concerned.
async fn mesh(policy: Policy) -> Result<Mesh, Box<dyn Error>> {
    let builder = Mesh::builder().without_local_discovery().without_policy_file();
    Ok(builder.policy(SERVICE, policy).build().await?)
}

/// All callers for [`TIME`], each with one call after the other.
async fn turn(client: &CopiedClient, cell: Cell) -> Result<Turn, Box<dyn Error>> {
    let mut callers = JoinSet::new();
    let begin = Instant::now() + WARM_UP;
    for _ in 0..cell.callers {
        callers.spawn(call(client.clone(), cell.at_once, begin));
    }
    let (mut took, mut calls) = (Vec::new(), 0);
    while let Some(done) = callers.join_next().await {
        let (its, made) = done??;
        took.extend(its);
        calls += made;
    }
    took.sort_unstable();
    // Nanoseconds, told in microseconds.
    let at = |share: f64| {
        let at = (took.len() as f64 * share) as usize;
        took.get(at).map_or(f64::NAN, |took| f64::from(*took) / 1e3)
    };
    Ok(Turn { p50: at(0.5), p99: at(0.99), calls })
}

/// How long each call took that began after `begin`, in nanoseconds, and how many there were.
async fn call(
    client: CopiedClient,
    at_once: bool,
    begin: Instant,
) -> Result<(Vec<u32>, u64), Status> {
    let mut took = Vec::with_capacity(16 * 1024);
    let end = begin + TIME;
    let mut number = 0;
    loop {
        let began = Instant::now();
        if began >= end {
            return Ok((took, number));
        }
        number += 1;
        if at_once {
            client.at_once(number).await?;
        } else {
            client.later(number).await?;
        }
        if began >= begin {
            took.push(u32::try_from(began.elapsed().as_nanos()).unwrap_or(u32::MAX));
        }
    }
}
