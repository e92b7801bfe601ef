//! The old tariff: servers of static files over plain HTTP that nobody here wrote, nginx or else Python's `http.server`.
//!
//! They know nothing of sinew, and are endpoints of the service `Fares` all the same.

use std::path::{Path, PathBuf};

use crate::{
    Problem,
    api::Quote,
    keeper::{Kept, find, unused_port},
    world::World,
};

/// How many there are.
const SERVERS: usize = 2;
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
    running: Vec<Kept>,
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
            legacy.add(unused_port()?).await?;
        }
        Ok(Some(legacy))
    }

    /// Where they are, as a target.
    pub(crate) fn target(&self) -> String {
        let url = |server: &Kept| format!("http://127.0.0.1:{}", server.port);
        let urls: Vec<_> = self.running.iter().map(url).collect();
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
        let port = self.first_port()?;
        self.running.remove(0).kill().await?;
        Ok(port)
    }

    /// Starts one at this port.
    pub(crate) async fn add(&mut self, port: u16) -> Result<(), Problem> {
        let (program, arguments) = match &self.program {
            Program::Python(python) => {
                let arguments = ["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()];
                (python, arguments.map(str::to_owned).to_vec())
            }
            Program::Nginx(nginx) => {
                let conf = self.directory.join(format!("{port}.conf"));
                std::fs::write(&conf, nginx_conf(&self.directory, port))?;
                let text = |path: &Path| path.display().to_string();
                let (at, conf) = (text(&self.directory), text(&conf));
                (nginx, ["-p".to_owned(), at, "-c".to_owned(), conf].to_vec())
            }
        };
        self.running.push(Kept::start(&self.directory, program, arguments, port).await?);
        Ok(())
    }
}

impl Program {
    fn find() -> Option<Self> {
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
