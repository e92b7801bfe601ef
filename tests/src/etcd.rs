//! A real etcd, which a test kills, empties, sets back, compacts and locks.
//!
//! `tests/run` installs it; a test that cannot have it says so and is counted as failed there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    time::sleep,
};

use crate::{
    Must as _,
    legacy::programs::find,
    port,
    scratch::Scratch,
    wait::{ms, soon},
};

/// An etcd of one member, at a port of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct Etcd {
    program: PathBuf,
    child: Option<Child>,
    port: u16,
    peers: u16,
    scheme: &'static str,
    scratch: Scratch,
}

impl Etcd {
    /// One that speaks HTTP.
    pub async fn start() -> Option<Self> {
        let mut etcd = Self::new("http")?;
        etcd.restart().await;
        Some(etcd)
    }

    /// One that speaks HTTPS alone, as `localhost`, with callers that show a certificate of this authority: PEM of the
    /// authority, and of its own certificate and key.
    pub async fn over_tls(authority: &str, certificate: &str, key: &str) -> Option<Self> {
        let mut etcd = Self::new("https")?;
        for (name, pem) in [("ca.pem", authority), ("cert.pem", certificate), ("key.pem", key)] {
            fs::write(etcd.scratch.join(name), pem).must("a file");
        }
        etcd.restart().await;
        Some(etcd)
    }

    fn new(scheme: &'static str) -> Option<Self> {
        let program = find("etcd", "etcd-server", &[])?;
        let (port, peers, scratch) = (port::unused(), port::unused(), Scratch::new());
        Some(Self { program, child: None, port, peers, scheme, scratch })
    }

    /// Its port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is, as `SINEW_DISCOVERY` says it.
    pub fn text(&self) -> String {
        format!("etcd://127.0.0.1:{}", self.port)
    }

    /// Kills it.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.must("killed");
        }
    }

    /// Starts it where it was, and waits until it answers.
    pub async fn restart(&mut self) {
        let url = format!("{}://127.0.0.1:{}", self.scheme, self.port);
        let peer_url = format!("http://127.0.0.1:{}", self.peers);
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(self.data());
        for (option, value) in [
            ("--listen-client-urls", &*url),
            ("--advertise-client-urls", &*url),
            ("--listen-peer-urls", &*peer_url),
            ("--initial-advertise-peer-urls", &*peer_url),
            ("--initial-cluster", &*format!("default={peer_url}")),
            ("--heartbeat-interval", "50"),
            ("--election-timeout", "500"),
        ] {
            command.arg(option).arg(value);
        }
        if self.scheme == "https" {
            command.arg("--client-cert-auth");
            for (option, name) in [
                ("--trusted-ca-file", "ca.pem"),
                ("--cert-file", "cert.pem"),
                ("--key-file", "key.pem"),
            ] {
                command.arg(option).arg(self.scratch.join(name));
            }
        }
        let log = fs::File::create(self.scratch.join("log")).must("a file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn().must("etcd"));
        soon("etcd answers", self.answers()).await;
    }

    async fn answers(&self) {
        let is_up = async || match self.scheme {
            // Also one that answers that it wants to know who asks.
            "http" => match self.ask("/v3/kv/range", r#"{"key":"AA=="}"#).await {
                Ok(_) => true,
                Err(why) => why.starts_with("HTTP/1.1 4"),
            },
            _ => TcpStream::connect(("127.0.0.1", self.port)).await.is_ok(),
        };
        while !is_up().await {
            sleep(ms(20)).await;
        }
    }

    fn data(&self) -> PathBuf {
        self.scratch.join("data")
    }

    /// Has a key hold a text.
    pub async fn put(&self, key: &str, value: &str) {
        let question = format!(r#"{{"key":"{}","value":"{}"}}"#, base64(key), base64(value));
        self.must("/v3/kv/put", &question).await;
    }

    /// Takes away all that it knows, while it is not running.
    pub fn wipe(&self) {
        assert!(self.child.is_none(), "it runs");
        fs::remove_dir_all(self.data()).must("its data");
    }

    /// Keeps what it knows for [`restore`](Self::restore), while it is not running.
    pub fn back_up(&self) {
        assert!(self.child.is_none(), "it runs");
        copy(&self.data(), &self.scratch.join("backup"));
    }

    /// Makes it know what it knew then, while it is not running.
    pub fn restore(&self) {
        self.wipe();
        copy(&self.scratch.join("backup"), &self.data());
    }

    /// Forgets how everything came about.
    pub async fn compact(&self) {
        let said = self.must("/v3/kv/range", r#"{"key":"AA=="}"#).await;
        let revision = said.split("\"revision\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let revision = revision.must("a revision");
        let question = format!(r#"{{"revision":"{revision}","physical":true}}"#);
        // Where nothing happened since the last time, there is nothing to forget.
        match soon("compaction", self.ask("/v3/kv/compaction", &question)).await {
            Err(why) if why.contains("revision has been compacted") => {}
            outcome => drop(outcome.must("compaction")),
        }
    }

    /// From now on only `root` with this password may do anything.
    pub async fn lock(&self, password: &str) {
        let root = format!(r#"{{"name":"root","password":"{password}"}}"#);
        self.must("/v3/auth/user/add", &root).await;
        self.must("/v3/auth/role/add", r#"{"name":"root"}"#).await;
        self.must("/v3/auth/user/grant", r#"{"user":"root","role":"root"}"#).await;
        self.must("/v3/auth/enable", "{}").await;
    }

    /// Asks its gateway; the body of what it answers with 200.
    pub async fn must(&self, path: &str, question: &str) -> String {
        soon(path, self.ask(path, question)).await.must(path)
    }

    async fn ask(&self, path: &str, question: &str) -> Result<String, String> {
        let asked = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            let len = question.len();
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: etcd\r\nconnection: close\r\ncontent-length: {len}\r\n\r\n{question}"
            );
            stream.write_all(head.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = asked.await.map_err(|why| why.to_string())?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
            _ => Err(answer),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).must("a directory");
    for entry in fs::read_dir(from).must("a directory") {
        let entry = entry.must("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).must("a file");
        }
    }
}

/// RFC 4648, as etcd's gateway wants keys and values.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| char::from(LETTERS[(bits & 63) as usize]);
    let group = |bytes: &[u8]| {
        let at = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let all = [letter(bits >> 18), letter(bits >> 12), letter(bits >> 6), letter(bits)];
        let used = all.iter().take(bytes.len() + 1).collect::<String>();
        format!("{used:=<4}")
    };
    text.as_bytes().chunks(3).map(group).collect()
}
