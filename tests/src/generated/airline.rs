//! The airline of the examples, whose types are in a program and nowhere else: a server of each of its services, as processes.

use std::{path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{legacy::programs::target, scene::Scene, scratch::Scratch};

/// Its roles, in an order in which each finds running whom it calls.
const ROLES: [&str; 5] = ["Schedule", "Fares", "Search", "Seats", "Gateway"];

/// The servers. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Airline {
    /// A service, and where it is.
    pub(super) servers: Vec<(&'static str, String)>,
    _processes: Vec<Child>,
    _books: Scratch,
}

impl Airline {
    /// Builds the program, and starts it once for each role.
    ///
    /// # Errors
    /// It cannot be built, or a server does not start.
    pub(super) async fn start(scene: &Scene) -> Result<Self, String> {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--offline", "-p", "sinew-examples", "--bin", "airline"]);
        build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        let output = build.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.map_err(|why| format!("cargo: {why}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let program = target().join("debug/airline");
        let (books, mut servers, mut processes) = (Scratch::new(), Vec::new(), Vec::new());
        for role in ROLES {
            let mut command = Command::new(&program);
            command.args(["--serve", role, "--books"]).arg(books.path());
            for variable in
                ["SINEW_CONFIG", "SINEW_CERT", "SINEW_KEY", "SINEW_BUNDLE", "SINEW_ZONE"]
            {
                command.env_remove(variable);
            }
            command.env("XDG_RUNTIME_DIR", scene.runtime_dir());
            // It ends with its standard input.
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            let mut child = command.spawn().map_err(|why| format!("the airline: {why}"))?;
            let output = child.stdout.take().ok_or("the airline has no output")?;
            let line = BufReader::new(output).lines().next_line().await;
            let line = line.ok().flatten().ok_or_else(|| format!("{role} does not start"))?;
            // Where it listens, and where others find it.
            let at = line.rsplit(' ').next().unwrap_or_default();
            servers.push((role, format!("static:{at}")));
            processes.push(child);
        }
        Ok(Self { servers, _processes: processes, _books: books })
    }
}
