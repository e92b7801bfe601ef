//! Requests over plain HTTP, byte by byte as a test writes them, and what is answered.
//!
//! # Why
//! A library would refuse to send what a hostile client sends, and would mend it.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Must as _, wait::soon};

/// An answer.
#[derive(Debug, Clone)]
pub struct Said {
    /// 200, 404 ..
    pub status: u16,
    /// Names in lower case, and values, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// Without the framing of chunks.
    pub body: Vec<u8>,
    /// The body ended as its framing said.
    pub is_whole: bool,
}

impl Said {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).must("a body of text")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).must("a body of JSON")
    }
}

/// Sends this, and reads the answer, on a connection of its own. Each `\n` in the text is sent as CRLF.
pub async fn ask(address: SocketAddr, request: &str) -> Said {
    let all = sent(address, request.replace('\n', "\r\n").as_bytes()).await;
    let (said, rest) = parse(&all).must("an answer");
    assert!(rest.is_empty(), "more than one answer came: {:?}", String::from_utf8_lossy(rest));
    said
}

/// Asks for this path, with this verb.
pub async fn get(address: SocketAddr, verb: &str, path: &str) -> Said {
    ask(address, &format!("{verb} {path} HTTP/1.1\nhost: localhost\nconnection: close\n\n")).await
}

/// Posts this JSON to this path, with these further headers, each with its end of line.
pub async fn post(address: SocketAddr, path: &str, headers: &str, json: &str) -> Said {
    let length = json.len();
    let head = format!(
        "POST {path} HTTP/1.1\nhost: localhost\nconnection: close\ncontent-type: application/json\ncontent-length: \
         {length}\n{headers}\n"
    );
    let mut bytes = head.replace('\n', "\r\n").into_bytes();
    bytes.extend_from_slice(json.as_bytes());
    let all = sent(address, &bytes).await;
    parse(&all).must("an answer").0
}

/// Sends these bytes, and reads what comes until the connection ends.
pub async fn sent(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut connection = TcpStream::connect(address).await.must("a connection");
    // Who is refused in the middle of what he says may be cut off.
    let _ = connection.write_all(bytes).await;
    let mut all = Vec::new();
    let _ = soon("the end of the connection", connection.read_to_end(&mut all)).await;
    all
}

/// The first answer in these bytes, and what follows it.
pub fn parse(bytes: &[u8]) -> Option<(Said, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut rest = &bytes[end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let of =
        |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value);
    let (body, is_whole) = if of("transfer-encoding") == Some("chunked") {
        let (mut body, mut is_whole) = (Vec::new(), false);
        while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
            let Some(length) = std::str::from_utf8(&rest[..at])
                .ok()
                .and_then(|hex| usize::from_str_radix(hex, 16).ok())
            else {
                break;
            };
            let Some(chunk) = rest.get(at + 2..at + 2 + length) else { break };
            body.extend_from_slice(chunk);
            rest = rest.get(at + 4 + length..).unwrap_or_default();
            if length == 0 {
                is_whole = true;
                break;
            }
        }
        (body, is_whole)
    } else {
        let length = of("content-length").and_then(|length| length.parse().ok());
        let length = length.unwrap_or(rest.len());
        let taken = length.min(rest.len());
        let (body, behind) = rest.split_at(taken);
        rest = behind;
        (body.to_vec(), taken == length)
    };
    Some((Said { status, headers, body, is_whole }, rest))
}
