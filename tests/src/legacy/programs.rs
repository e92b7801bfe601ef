//! HTTP servers that nobody here wrote, each a process of a test alone: nginx, Python's `http.server`, Kinto, httpbinx, a
//! JSON server of npm, etcd.
//!
//! `tests/run` installs them; a test that cannot have one says so and is counted as failed there.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{Must as _, port, scratch::Scratch, wait::until};

/// A server. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    port: u16,
    scratch: Scratch,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The target directory.
pub(crate) fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
}

/// Where `tests/run` installs what Debian does not have: `tools` of the target directory.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// The Python that has the packages of the services here, and a validator of JSON Schema.
pub fn python() -> Option<PathBuf> {
    find("python", "kinto, httpbinx and jsonschema (pip)", &[tools().join("legacy/bin/python")])
}

/// A program of the system, by its name; of Debian's package of that name.
pub fn program(name: &str) -> Option<PathBuf> {
    find(name, &format!("Debian package `{name}`"), &[])
}

/// The first of these programs that is there, or a line that says what to install.
pub(crate) fn find(name: &str, install: &str, places: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join(name));
    let found = places.iter().cloned().chain(on_path).find(|program| program.is_file());
    if found.is_none() {
        // `tests/run` looks for these words.
        let _ = writeln!(io::stdout(), "cannot run here: {name} is missing: install {install}");
    }
    found
}

impl Program {
    async fn start(mut command: Command, port: u16, scratch: Scratch) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().must("a server of HTTP");
        let mut program = Self { child, port, scratch };
        until("it listens", || program.listens()).await;
        program
    }

    fn listens(&mut self) -> bool {
        let ended = self.child.try_wait().must("its status");
        assert!(ended.is_none(), "it ended before it listened: {ended:?}");
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// nginx with these locations in its one server: lines of its configuration. The directory `files` beside it is its root.
    pub async fn nginx(locations: &str) -> Option<Self> {
        Self::nginx_with(locations, |_| ";".to_owned()).await
    }

    /// The same, with what `listens` says behind its port: `ssl http2;` and what that needs, of files that it writes into
    /// the directory.
    pub async fn nginx_with(
        locations: &str,
        listens: impl FnOnce(&Path) -> String,
    ) -> Option<Self> {
        let nginx = find("nginx", "nginx-light", &["/usr/sbin/nginx".into()])?;
        let (port, scratch) = (port::unused(), Scratch::new());
        std::fs::create_dir(scratch.join("files")).must("a root");
        let listens = listens(scratch.path());
        let at = scratch.path().display();
        let conf = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n\
             access_log off; default_type application/json;\n\
             client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;\n\
             uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n\
             server {{ listen 127.0.0.1:{port} {listens} root {at}/files;\n{locations}\n}}\n}}\n"
        );
        let path = scratch.join("nginx.conf");
        std::fs::write(&path, conf).must("its configuration");
        let mut command = Command::new(nginx);
        command.arg("-p").arg(scratch.path()).arg("-c").arg(&path);
        Some(Self::start(command, port, scratch).await)
    }

    /// Python's own server over a directory with these files.
    pub async fn http_server(files: &[(&str, &str)]) -> Option<Self> {
        let python = find("python3", "python3", &[])?;
        let (port, scratch) = (port::unused(), Scratch::new());
        for (name, content) in files {
            std::fs::write(scratch.join(name), content).must("a file");
        }
        let mut command = Command::new(python);
        command.args(["-m", "http.server", "--bind", "127.0.0.1"]).arg(port.to_string());
        command.current_dir(scratch.path());
        Some(Self::start(command, port, scratch).await)
    }

    /// The same, with a handler of requests in place of the files: the body of a Python class.
    pub async fn handler(body: &str) -> Option<Self> {
        let python = find("python3", "python3", &[])?;
        let (port, scratch) = (port::unused(), Scratch::new());
        let program = format!(
            "import os, time\nfrom http.server import *\n\
             class Handler(BaseHTTPRequestHandler):\n    protocol_version = 'HTTP/1.1'\n    def log_message(self, *_): pass\n\
             {body}\nThreadingHTTPServer.request_queue_size = 128\n\
             ThreadingHTTPServer(('127.0.0.1', {port}), Handler).serve_forever()\n"
        );
        let mut command = Command::new(python);
        command.arg("-c").arg(program).current_dir(scratch.path());
        Some(Self::start(command, port, scratch).await)
    }

    /// Mozilla's JSON store.
    pub async fn kinto() -> Option<Self> {
        let kinto = find("kinto", "kinto (pip)", &[tools().join("legacy/bin/kinto")])?;
        let (port, scratch) = (port::unused(), Scratch::new());
        let conf = format!(
            "[server:main]\nuse = egg:waitress#main\nhost = 127.0.0.1\nport = {port}\n\
             [app:main]\nuse = egg:kinto\nkinto.userid_hmac_secret = x\n\
             kinto.storage_backend = kinto.core.storage.memory\nkinto.cache_backend = kinto.core.cache.memory\n\
             kinto.permission_backend = kinto.core.permission.memory\n\
             multiauth.policies = basicauth\nkinto.bucket_create_principals = system.Everyone\n"
        );
        let path = scratch.join("kinto.ini");
        std::fs::write(&path, conf).must("its configuration");
        let mut command = Command::new(kinto);
        command.args(["start", "--ini"]).arg(&path);
        Some(Self::start(command, port, scratch).await)
    }

    /// httpbin on FastAPI.
    pub async fn httpbin() -> Option<Self> {
        let uvicorn =
            find("uvicorn", "httpbinx uvicorn (pip)", &[tools().join("legacy/bin/uvicorn")])?;
        let (port, scratch) = (port::unused(), Scratch::new());
        let mut command = Command::new(uvicorn);
        command.args(["httpbinx.main:app", "--host", "127.0.0.1", "--port"]).arg(port.to_string());
        Some(Self::start(command, port, scratch).await)
    }

    /// A REST server over this JSON, of npm.
    pub async fn json_server(data: &str) -> Option<Self> {
        let installed = tools().join("npm/node_modules/.bin/json-server");
        let program = find("json-server", "json-server (npm)", &[installed])?;
        let (port, scratch) = (port::unused(), Scratch::new());
        std::fs::write(scratch.join("db.json"), data).must("its data");
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port"]).arg(port.to_string()).arg("db.json");
        command.current_dir(scratch.path());
        Some(Self::start(command, port, scratch).await)
    }

    /// etcd, for the JSON gateway in front of its gRPC.
    pub async fn etcd() -> Option<Self> {
        let etcd = find("etcd", "etcd-server", &[])?;
        let (port, peers, scratch) = (port::unused(), port::unused(), Scratch::new());
        let (url, peer_url) =
            (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peers}"));
        let mut command = Command::new(etcd);
        command.arg("--data-dir").arg(scratch.join("data"));
        for (option, value) in [
            ("--listen-client-urls", &url),
            ("--advertise-client-urls", &url),
            ("--listen-peer-urls", &peer_url),
            ("--initial-advertise-peer-urls", &peer_url),
            ("--initial-cluster", &format!("default={peer_url}")),
        ] {
            command.arg(option).arg(value);
        }
        Some(Self::start(command, port, scratch).await)
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file in its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").arg("-c").arg(&kill).status();
        assert!(status.must("a shell").success(), "{kill}");
    }
}
