//! The old tariff: servers of static files over plain HTTP that nobody here wrote, nginx or else Python's `http.server`.
//!
//! They know nothing of sinew, and are endpoints of the service `Fares` all the same.
//!
//! # Invariants
//! 1. None of them outlives this process: the shell that starts one ends it when its stdin ends, and that ends with us.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::Command,
    time::{sleep, timeout},
};

use crate::{Problem, api::Quote, world::World};

/// How many there are.
const SERVERS: usize = 2;
/// From its start until it listens.
const START: Duration = Duration::from_secs(10);
/// Starts a program, says its number, and kills it when stdin ends.
const KEEPER: &str = "\"$@\" >/dev/null 2>&1 & echo $!; read _; kill -9 $! 2>/dev/null";

/// Who serves the files.
#[derive(Debug, Clone)]
enum Program {
    Nginx(PathBuf),
    Python(PathBuf),
}

/// The servers, and the files that they serve.
#[derive(Debug)]
pub(crate) struct Legacy {
    program: Program,
    directory: PathBuf,
    running: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    port: u16,
    pid: String,
    _keeper: tokio::process::Child,
}

impl Legacy {
    /// Writes the tariff below `directory` and starts the servers; `None` where this machine has neither program.
    pub(crate) async fn start(directory: &Path, world: &World) -> Result<Option<Self>, Problem> {
        let Some(program) = Program::find() else { return Ok(None) };
        let directory = directory.join("tariff");
        let files = directory.join("fares");
        std::fs::create_dir_all(&files)?;
        for way in world.ways() {
            let quote = Quote { cents: way.cents(), left_us: None };
            let name = format!("{}-{}.json", way.route.from, way.route.to);
            std::fs::write(files.join(name), format!("{{\"cents\":{}}}\n", quote.cents))?;
        }
        let mut legacy = Self { program, directory, running: Vec::new() };
        for _ in 0..SERVERS {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            legacy.add(port).await?;
        }
        Ok(Some(legacy))
    }

    /// Where they are, as a target.
    pub(crate) fn target(&self) -> String {
        let urls: Vec<_> = self.running.iter().map(|server| server.url()).collect();
        format!("static:{}", urls.join(","))
    }

    /// What they are, for people.
    pub(crate) fn name(&self) -> &'static str {
        match self.program {
            Program::Nginx(_) => "nginx",
            Program::Python(_) => "Python's http.server",
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.running.len()
    }

    /// The port of the one that faults happen to.
    pub(crate) fn first_port(&self) -> Result<u16, Problem> {
        Ok(self.running.first().ok_or("no server of the old tariff runs")?.port)
    }

    /// Ends the first at once, without a word; where it was.
    pub(crate) async fn kill(&mut self) -> Result<u16, Problem> {
        let server = self.running.first().ok_or("no server of the old tariff runs")?;
        let (pid, port) = (server.pid.clone(), server.port);
        let status = Command::new("kill").args(["-9", &pid]).status().await?;
        if !status.success() {
            return Err(format!("`kill -9 {pid}` failed").into());
        }
        self.running.remove(0);
        Ok(port)
    }

    /// Starts one at this port.
    pub(crate) async fn add(&mut self, port: u16) -> Result<(), Problem> {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh"]);
        match &self.program {
            Program::Python(python) => {
                command.arg(python).args(["-m", "http.server", "--bind", "127.0.0.1"]);
                command.arg(port.to_string());
            }
            Program::Nginx(nginx) => {
                let conf = self.directory.join(format!("{port}.conf"));
                std::fs::write(&conf, nginx_conf(&self.directory, port))?;
                command.arg(nginx).arg("-p").arg(&self.directory).arg("-c").arg(conf);
            }
        }
        command.current_dir(&self.directory).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for the parent, and the keeper has its own way to end.
        #[cfg(unix)]
        command.process_group(0);
        let mut keeper = command.spawn()?;
        let stdout = keeper.stdout.take().ok_or("a keeper has no stdout")?;
        let mut pid = String::new();
        BufReader::new(stdout).read_line(&mut pid).await?;
        let pid = pid.trim().to_owned();
        self.running.push(Server { port, pid, _keeper: keeper });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let started = timeout(START, listens).await;
        Ok(started.map_err(|_| format!("{} did not start at port {port}", self.name()))?)
    }
}

impl Server {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Program {
    fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Debian keeps nginx where users do not look.
        let places = || std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        let find = |name: &str| places().map(|at| at.join(name)).find(|program| program.is_file());
        find("nginx").map(Self::Nginx).or_else(|| find("python3").map(Self::Python))
    }
}

/// One process, whose files are all below one directory.
fn nginx_conf(directory: &Path, port: u16) -> String {
    let at = directory.display();
    format!(
        "daemon off; master_process off; pid {at}/{port}.pid; error_log {at}/{port}.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; default_type application/json;\n\
         client_body_temp_path {at}/{port}-body; proxy_temp_path {at}/{port}-proxy;\n\
         fastcgi_temp_path {at}/{port}-fastcgi; uwsgi_temp_path {at}/{port}-uwsgi;\n\
         scgi_temp_path {at}/{port}-scgi;\n\
         server {{ listen 127.0.0.1:{port}; root {at}; }} }}\n"
    )
}
