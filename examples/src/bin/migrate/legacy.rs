//! The old side: a server of plain HTTP/1.1 as somebody wrote it long ago, who knew nothing of sinew.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    Failure,
    api::{NewOrder, cost, order},
    tally::Tally,
};

/// What it takes it to answer.
const WORK: Duration = Duration::from_millis(1);

/// Starts it; where it listens.
pub(crate) async fn start(tally: Arc<Tally>) -> Result<(SocketAddr, JoinHandle<()>), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let tally = Arc::clone(&tally);
            tokio::spawn(async move {
                // Who hangs up is gone.
                let _ = serve(connection, &tally).await;
            });
        }
    });
    Ok((address, serving))
}

/// Requests of one connection, one after the other.
async fn serve(connection: TcpStream, tally: &Tally) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let (read, mut write) = connection.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut first = String::new();
        if read.read_line(&mut first).await? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            let mut line = String::new();
            read.read_line(&mut line).await?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        read.read_exact(&mut body).await?;
        tokio::time::sleep(WORK).await;
        tally.by_old();
        let (status, answer) = answer(first.trim_end(), &body);
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        write.write_all(&[head.as_bytes(), answer.as_bytes()].concat()).await?;
    }
}

fn answer(first: &str, body: &[u8]) -> (&'static str, String) {
    let nothing = || ("404 Not Found", "null".to_owned());
    let mut words = first.split(' ');
    match (words.next(), words.next()) {
        (Some("GET"), Some(path)) => {
            let id = path.strip_prefix("/orders/").and_then(|id| id.parse().ok());
            let found = id.and_then(order).and_then(|order| serde_json::to_string(&order).ok());
            found.map_or_else(nothing, |order| ("200 OK", order))
        }
        (Some("POST"), Some("/orders")) => match serde_json::from_slice::<NewOrder>(body) {
            Ok(order) => ("200 OK", cost(&order).to_string()),
            Err(_) => ("400 Bad Request", "{}".to_owned()),
        },
        (Some("OPTIONS"), _) => ("204 No Content", String::new()),
        _ => nothing(),
    }
}
