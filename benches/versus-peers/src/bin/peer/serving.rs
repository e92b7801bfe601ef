//! The server's side of the talk with `versus`: ready, begin, end.

use std::{io::Write as _, net::SocketAddr, process, thread};

use crate::{Failure, usage::Reading};

/// Says where the server is (and, with TLS, by which certificate), then answers `begin` and `end` from a thread that
/// sleeps otherwise, and ends the process when nobody is left to ask.
///
/// # Errors
/// The standard output is gone.
pub(crate) fn announce(addr: SocketAddr, certificate: Option<&str>) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "ready {addr} {}", certificate.unwrap_or("-"))?;
    out.flush()?;
    thread::spawn(listen_and_exit);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "nothing of an echo is worth draining")]
fn listen_and_exit() {
    match listen() {
        Ok(()) => process::exit(0),
        Err(why) => {
            eprintln!("peer: {why}");
            process::exit(1);
        }
    }
}

fn listen() -> Result<(), Failure> {
    let mut begun = None;
    for line in std::io::stdin().lines() {
        match (line?.as_str(), &begun) {
            ("begin", _) => begun = Some(Reading::now()?),
            ("end", Some(reading)) => {
                let spent = reading.spent()?;
                println!(
                    r#"{{"seconds":{:.6},"cpu_seconds":{:.6},"allocations":{},"resident_kib":{}}}"#,
                    spent.seconds, spent.cpu_seconds, spent.allocations, spent.resident_kib
                );
            }
            (other, _) => return Err(format!("`{other}` makes no sense now").into()),
        }
    }
    Ok(())
}
