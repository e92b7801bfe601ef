//! `sinew gateway`: callers over plain HTTP reach services of the mesh, and the mesh reaches legacy services that speak
//! nothing else.
//!
//! # Invariants
//! 1. What is wrong with the file when it starts ends it; what is wrong later is said, and the last good one stays in force.
//! 2. A service that nobody has at present is waited for: the others are served meanwhile. So they are where one takes a
//!    path of another that stands before it in the file.

mod config;

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sinew::{CallOptions, Mesh, Server, descriptor::Service, dynamic::DynamicClient};
use sinew_bridge::{Ingress, ingress::Listening, ingress_to, legacy};

use self::config::{Config, Http, Reached};
use crate::{
    args::Gateway,
    output::{self, Failure},
    source,
};

/// How often the file is looked at, and services that nobody had are asked for.
const LOOK: Duration = Duration::from_millis(500);
/// How often a service is asked whether it has changed: after so many looks.
const ASK_AGAIN: u32 = 20;
/// How long one may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: Gateway) -> Result<(), Failure> {
    let config = read(&args.file).await?;
    if args.check {
        check(&config).await?;
        return output::line(&format!("{}: nothing is wrong", args.file.display()));
    }
    let mesh = Mesh::builder().transport(sinew_bridge::http()).build().await;
    let mesh = mesh.map_err(|why| Failure::cannot(why.to_string()))?;
    let mut servers = Vec::new();
    for one in &config.legacy {
        let server = legacy_server(&mesh, one).await?;
        output::line(&format!("legacy {} at {}: {}", one.name, server.local_addr(), one.at))?;
        servers.push(server);
    }
    let mut front = match &config.http {
        Some(http) => Some(Front::start(&mesh, &args.file, http, &config.services).await?),
        None => None,
    };
    let _metrics = match &config.metrics {
        Some(at) => Some(metrics(&mesh, &at.listen).await?),
        None => None,
    };
    let shutdown = std::pin::pin!(sinew::shutdown_signal());
    match &mut front {
        Some(front) => tokio::select! {
            () = shutdown => {}
            () = front.follow() => {}
        },
        None => shutdown.await,
    }
    output::note("draining");
    let ends = servers.into_iter().map(|server| tokio::spawn(server.run_until(async {})));
    let ends: Vec<_> = ends.collect();
    if let Some(front) = front {
        front.listening.run_until(async {}).await;
    }
    for end in ends {
        let _ = end.await;
    }
    Ok(())
}

/// Metrics for whoever asks: there is nothing that could be called.
async fn metrics(mesh: &Mesh, listen: &str) -> Result<Listening, Failure> {
    let ingress = ingress_to(mesh).without_pages().metrics(mesh.metrics());
    let ingress = ingress.let_in_anybody().insecure_plain_http();
    let listening = ingress.bind(listen.to_owned()).await;
    let listening = listening.map_err(|why| Failure::cannot(chain(&why)))?;
    output::line(&format!("metrics at {}", listening.local_addr()))?;
    Ok(listening)
}

/// The file, as a whole, with what it names.
async fn read(file: &Path) -> Result<Config, Failure> {
    let cannot = |why: String| Failure::cannot(format!("{}: {why}", file.display()));
    let text = tokio::fs::read_to_string(file).await.map_err(|why| cannot(why.to_string()))?;
    let config =
        Config::read(&text).map_err(|why| Failure::no(format!("{}: {why}", file.display())))?;
    Ok(config.relative_to(file.parent().unwrap_or(Path::new("."))))
}

/// Whether the files that it names can be used.
async fn check(config: &Config) -> Result<(), Failure> {
    let descriptors = config
        .services
        .iter()
        .filter_map(|one| one.descriptor.as_ref().map(|file| (file, &one.name)));
    let legacy = config.legacy.iter().map(|one| (&one.descriptor, &one.name));
    for (file, name) in descriptors.chain(legacy) {
        described(file, name).await?;
    }
    for token in config.http.iter().flat_map(|http| &http.tokens) {
        bytes(&token.file).await?;
    }
    Ok(())
}

/// What a file describes: the service of this name, or the only one.
async fn described(path: &Path, name: &str) -> Result<Service, Failure> {
    let text = path.to_string_lossy();
    let descriptor = source::descriptor(&text).await?;
    let known: Vec<_> = descriptor.services.iter().map(|one| &*one.name).collect();
    let known = known.join(", ");
    match descriptor.services.iter().find(|one| one.name == name) {
        Some(service) => Ok(service.clone()),
        None if descriptor.services.len() == 1 => {
            Ok(Service { name: name.to_owned(), ..descriptor.services[0].clone() })
        }
        None => {
            Err(Failure::cannot(format!("{text} does not describe `{name}`; it describes {known}")))
        }
    }
}

/// A server by which the mesh reaches a legacy service.
async fn legacy_server(mesh: &Mesh, one: &config::Legacy) -> Result<Server, Failure> {
    let service = described(&one.descriptor, &one.name).await?;
    let client = mesh.dynamic_at(&one.name, &one.at).map_err(source::of_mesh)?;
    let passed_on = legacy(&service, &client).map_err(|why| Failure::no(why.to_string()))?;
    let server = mesh.server().serve(passed_on).bind(one.listen.clone()).await;
    server.map_err(|why| Failure::cannot(format!("`{}`: {why}", one.name)))
}

/// A service that callers over HTTP reach.
struct Behind {
    of: Reached,
    client: DynamicClient,
    /// What it is, once that is known.
    known: Option<Service>,
}

impl Behind {
    async fn new(mesh: &Mesh, of: &Reached) -> Result<Self, Failure> {
        let client = match &of.at {
            None => mesh.dynamic(&of.name),
            Some(target) => mesh.dynamic_at(&of.name, target).map_err(source::of_mesh)?,
        };
        let known = match &of.descriptor {
            Some(path) => Some(described(path, &of.name).await?),
            None => None,
        };
        Ok(Self { of: of.clone(), client, known })
    }

    /// Asks it what it is; whether that is news.
    async fn ask(&mut self) -> bool {
        if self.of.descriptor.is_some() {
            return false;
        }
        let client = self.client.with(CallOptions::new().timeout(PATIENCE));
        let Ok(descriptor) = client.describe().await else { return false };
        let Some(service) = descriptor.service(&self.of.name) else { return false };
        if self.known.as_ref() == Some(service) {
            return false;
        }
        output::note(&format!("`{}` is reached", self.of.name));
        self.known = Some(service.clone());
        true
    }
}

/// The side that callers over HTTP see.
struct Front {
    mesh: Mesh,
    file: PathBuf,
    http: Http,
    behind: Vec<Behind>,
    listening: Listening,
    /// When the files that it goes by changed last.
    changed: Vec<Option<SystemTime>>,
    /// What is known is not what is served yet.
    news: bool,
    /// Whose turn it is to be asked, of those that nobody had.
    turn: usize,
    /// What was said of services that are left out.
    said: Vec<String>,
}

impl Front {
    async fn start(
        mesh: &Mesh,
        file: &Path,
        http: &Http,
        services: &[Reached],
    ) -> Result<Self, Failure> {
        let changed = changed(file, http).await;
        let mut behind = all_behind(mesh, services).await?;
        for one in &mut behind {
            if !one.ask().await && one.known.is_none() {
                output::note(&format!(
                    "`{}` is waited for: nobody says yet what it is",
                    one.of.name
                ));
            }
        }
        let (ingress, said) = ingress(mesh, http, &behind).await?;
        said.iter().for_each(|words| output::note(words));
        let listening = ingress.bind(http.listen.clone()).await;
        let listening = listening.map_err(|why| Failure::cannot(chain(&why)))?;
        output::line(&format!("http at {}", listening.local_addr()))?;
        let (mesh, file, http) = (mesh.clone(), file.to_owned(), http.clone());
        Ok(Self { mesh, file, http, behind, listening, changed, news: false, turn: 0, said })
    }

    /// Follows the file and the services, for ever.
    async fn follow(&mut self) {
        let mut looks = 0_u32;
        loop {
            tokio::time::sleep(LOOK).await;
            looks = looks.wrapping_add(1);
            let now = changed(&self.file, &self.http).await;
            if now != self.changed {
                self.changed = now;
                if let Err(why) = self.reread().await {
                    output::note(&format!("the last good configuration stays in force: {why}"));
                }
            }
            self.ask(looks.is_multiple_of(ASK_AGAIN)).await;
            if self.news {
                match self.replace().await {
                    Ok(()) => self.news = false,
                    Err(why) => output::note(&format!("what was served goes on: {why}")),
                }
            }
        }
    }

    /// Asks one service that nobody had, or all of them.
    async fn ask(&mut self, all: bool) {
        self.turn = self.turn.wrapping_add(1);
        let unknown = self.behind.iter().filter(|one| one.known.is_none()).count();
        let turn = self.turn.checked_rem(unknown);
        let mut at = 0;
        for one in &mut self.behind {
            let is_unknown = one.known.is_none();
            if all || (is_unknown && Some(at) == turn) {
                self.news |= one.ask().await;
            }
            at += usize::from(is_unknown);
        }
    }

    async fn reread(&mut self) -> Result<(), String> {
        let config = read(&self.file).await.map_err(|why| why.to_string())?;
        let http = config.http.ok_or("there is no `[http]` any more")?;
        let behind =
            all_behind(&self.mesh, &config.services).await.map_err(|why| why.to_string())?;
        // It is tried before anything of it is kept.
        let said = self.served(&http, &behind).await?;
        self.say(said);
        let stays =
            |http: &Http| (http.listen.clone(), http.tls.clone(), http.client_roots.clone());
        if stays(&http) != stays(&self.http) {
            output::note("where it listens, and certificates, change with a restart alone");
        }
        (self.http, self.behind) = (http, behind);
        output::note("the configuration was read again");
        Ok(())
    }

    async fn replace(&mut self) -> Result<(), String> {
        let said = self.served(&self.http, &self.behind).await?;
        self.say(said);
        Ok(())
    }

    /// Serves this from now on; what is to be said of services that are left out.
    async fn served(&self, http: &Http, behind: &[Behind]) -> Result<Vec<String>, String> {
        let served = ingress(&self.mesh, http, behind).await;
        let (ingress, said) = served.map_err(|why| why.to_string())?;
        self.listening.replace(ingress).map_err(|why| why.to_string())?;
        Ok(said)
    }

    /// Says what was not said before.
    fn say(&mut self, said: Vec<String>) {
        let news = said.iter().filter(|words| !self.said.contains(words));
        news.for_each(|words| output::note(words));
        self.said = said;
    }
}

/// When the file, and those of its tokens, changed last.
async fn changed(file: &Path, http: &Http) -> Vec<Option<SystemTime>> {
    let mut all = Vec::new();
    for file in http.tokens.iter().map(|token| &*token.file).chain([file]) {
        all.push(tokio::fs::metadata(file).await.and_then(|about| about.modified()).ok());
    }
    all
}

async fn all_behind(mesh: &Mesh, services: &[Reached]) -> Result<Vec<Behind>, Failure> {
    let mut behind = Vec::new();
    for one in services {
        behind.push(Behind::new(mesh, one).await?);
    }
    Ok(behind)
}

/// The ingress that a file says, with the services that are known, and what is to be said of those of them that are left out:
/// a service that takes another's path keeps nobody from the rest.
async fn ingress(
    mesh: &Mesh,
    http: &Http,
    behind: &[Behind],
) -> Result<(Ingress, Vec<String>), Failure> {
    let mut ingress = ingress_to(mesh);
    if let Some(title) = &http.title {
        ingress = ingress.title(title);
    }
    if !http.pages {
        ingress = ingress.without_pages();
    }
    if http.trusted {
        ingress = ingress.trusted();
    }
    if http.let_in_anybody {
        ingress = ingress.let_in_anybody();
    }
    if http.insecure_plain_http {
        ingress = ingress.insecure_plain_http();
    }
    if let Some(tls) = &http.tls {
        ingress = ingress.tls(bytes(&tls.chain).await?, bytes(&tls.key).await?);
    }
    if let Some(roots) = &http.client_roots {
        ingress = ingress.client_roots(bytes(roots).await?);
    }
    for token in &http.tokens {
        let secret = String::from_utf8_lossy(&bytes(&token.file).await?).trim().to_owned();
        ingress = ingress.bearer_token(secret, &token.identity);
    }
    for one in behind {
        if let Some(service) = &one.known {
            ingress = ingress.reach(service.clone(), one.client.clone());
        }
    }
    let left_out = ingress.leave_out_conflicts().into_iter();
    let said = left_out.map(|(name, why)| format!("`{name}` is left out: {why}")).collect();
    Ok((ingress, said))
}

async fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    tokio::fs::read(path).await.map_err(|why| Failure::cannot(format!("{}: {why}", path.display())))
}

/// An error and what it comes from.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words.push_str(": ");
        words.push_str(&error.to_string());
        source = error.source();
    }
    words
}
