//! A gateway that answers what a test says.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Store, client::Client, settings::Etcd};

/// A gateway, and what it was asked: the paths, each with its token.
pub(super) struct Gateway {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
    _task: JoinSet<()>,
}

impl Gateway {
    /// Answers each path with the next of its answers, the last one again and again. What has no length is never ended.
    pub(super) async fn of(answers: &[(&str, &[String])]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, connections) = (Arc::<Mutex<Vec<String>>>::default(), Arc::default());
        let answers: BTreeMap<String, Vec<String>> =
            answers.iter().map(|(path, all)| ((*path).to_owned(), all.to_vec())).collect();
        let mut task = JoinSet::new();
        let (answers, log) = (Arc::new(Mutex::new(answers)), Arc::clone(&asked));
        let count: Arc<Mutex<usize>> = Arc::clone(&connections);
        task.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                all.spawn(serve(stream, Arc::clone(&answers), Arc::clone(&log)));
            }
        });
        Self { address, asked, connections, _task: task }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(Etcd::new([self.address.to_string()]).check().unwrap())
    }

    pub(super) fn store(&self) -> Store {
        Store::new(Etcd::new([self.address.to_string()]).check().unwrap())
    }

    pub(super) fn known_to(&self) -> Client {
        let etcd = Etcd::new([self.address.to_string()]).credentials("u", "hunter2");
        Client::new(etcd.check().unwrap())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many there were.
    pub(super) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
    log: Arc<Mutex<Vec<String>>>,
) {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            body.len() >= len.unwrap_or("0").parse().unwrap()
        });
        if whole {
            let path = text.split(' ').nth(1).unwrap().to_owned();
            let token = text.lines().find_map(|line| line.strip_prefix("authorization: "));
            log.lock().unwrap().push(format!("{path} {}", token.unwrap_or_default()));
            let answer = {
                let mut answers = answers.lock().unwrap();
                let all = answers.get_mut(&path).unwrap();
                if all.len() > 1 { all.remove(0) } else { all[0].clone() }
            };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            text.clear();
        }
        let Ok(len @ 1..) = stream.read(&mut buffer).await else { return };
        text.push_str(std::str::from_utf8(&buffer[..len]).unwrap());
    }
}

/// An answer that is whole.
pub(super) fn says(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// An answer that goes on.
pub(super) fn streams(chunks: &[&str]) -> String {
    let chunk = |chunk: &&str| format!("{:x}\r\n{chunk}\r\n", chunk.len());
    let chunks: String = chunks.iter().map(chunk).collect();
    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}")
}
