//! A bad network by hand: a UDP relay whose conditions are options.
//!
//! `cargo run --release -p sinew-tests --bin relay -- --to 127.0.0.1:7001 [--seed N] [--delay 20ms] [--loss 2%] ..`
//!
//! Its address is the first line of standard output; standard error has a line of counts every second. A wrong option
//! ends it with code 2.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use sinew_tests::relay::{
    Direction, Relay,
    options::{Options, USAGE},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            let _ = writeln!(io::stderr(), "relay: {wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "relay: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> io::Result<()> {
    let Options { to, listen, seed, to_server, to_client } = options;
    let relay = Relay::start_at(listen, to, to_server, seed).await?;
    relay.set(Direction::ToClient, to_client);
    writeln!(io::stdout(), "{}", relay.address())?;
    writeln!(io::stderr(), "to {to}, seed {seed}")?;
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let mut stop = std::pin::pin!(sinew::shutdown_signal());
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            _ = seconds.tick() => writeln!(io::stderr(), "{}", relay.counts())?,
        }
    }
}
