//! What can go wrong with a call, and what each side is told.
//!
//! A call gives a value, or one of two kinds of error: the service's *own answer*, in a type that
//! the service chose, or a [`Status`]: the mesh saying why there is no answer. The first is for the
//! program to act on; the second is for whoever runs the system.
#![expect(clippy::print_stdout, reason = "a demo prints")]

use std::{error::Error, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use sinew::{CallError, CallOptions, Code, Mesh, Ran, Relay as _, Status};
use tokio::time::sleep;

/// Takes money.
#[sinew::service]
pub trait Bank {
    /// What is left on the account afterwards.
    async fn withdraw(&self, account: String, cents: u64) -> Result<u64, BankError>;
}

/// Sells things, for which it asks the bank.
#[sinew::service]
pub trait Shop {
    /// Buys for so much.
    async fn buy(&self, cents: u64) -> Result<String, CallError<ShopError>>;
}

/// The bank's own answers. Any serde type will do; one that is an `Error` works with `?` as well.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum BankError {
    /// There is not enough.
    #[error("there are only {cents} cents")]
    TooLittle {
        /// So much is there.
        cents: u64,
    },
}

/// The shop's own answers, which are not the bank's.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum ShopError {
    /// The customer cannot pay.
    #[error("the bank says no")]
    Unpaid,
}

struct Vault;

impl Bank for Vault {
    async fn withdraw(&self, _account: String, cents: u64) -> Result<u64, BankError> {
        if cents == 13 {
            // Something that takes too long.
            sleep(Duration::from_secs(5)).await;
        }
        100_u64.checked_sub(cents).ok_or(BankError::TooLittle { cents: 100 })
    }
}

struct Counter {
    bank: BankClient,
}

impl Shop for Counter {
    async fn buy(&self, cents: u64) -> Result<String, CallError<ShopError>> {
        if cents == 0 {
            // A handler may say in the words of the mesh what is not worth a type.
            return Err(Status::new(Code::InvalidArgument, "nothing costs nothing").into());
        }
        match self.bank.withdraw("shop".to_owned(), cents).await {
            // What the shop's customers should understand gets an arm here.
            Err(CallError::App(BankError::TooLittle { .. })) => {
                Err(CallError::App(ShopError::Unpaid))
            }
            // `relay` is for the rest: it keeps the cause, the place and the ledger.
            answer => Ok(format!("sold, {} cents left", answer.relay()?)),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mesh = Mesh::from_env().await?;
    let vault = mesh.server().serve(BankServer::new(Vault)).bind("127.0.0.1:0").await?;
    let bank: BankClient = mesh.client_at(format!("static:{}", vault.local_addr()))?;
    let counter = Counter { bank: bank.clone() };
    let counter = mesh.server().serve(ShopServer::new(counter)).bind("127.0.0.1:0").await?;
    let shop: ShopClient = mesh.client_at(format!("static:{}", counter.local_addr()))?;

    show("a value", bank.withdraw("mine".to_owned(), 30).await);
    show("the service's own answer", bank.withdraw("mine".to_owned(), 500).await);
    show("an answer made from another", shop.buy(500).await);
    show("a status of the handler's", shop.buy(0).await);

    let hurry = CallOptions::new().timeout(Duration::from_millis(150));
    show("too late", bank.with(hurry.clone()).withdraw("mine".to_owned(), 13).await);
    show("too late, one hop further down", shop.with(hurry).buy(13).await);

    // A port with nobody behind it, and a call that does not wait for somebody to come.
    let nobody: BankClient = mesh.client_at(format!("static:{}", free_port()?))?;
    let at_once = CallOptions::new().wait_for_ready(Duration::ZERO);
    show("nobody there", nobody.with(at_once).withdraw("mine".to_owned(), 30).await);
    Ok(())
}

/// How a program takes a call's result apart.
fn show<T: fmt::Display, E: Error>(title: &str, result: Result<T, CallError<E>>) {
    println!("{title}:");
    match result {
        Ok(value) => println!("  {value}"),
        Err(CallError::App(answer)) => println!("  \"{answer}\", for the program to act on"),
        Err(CallError::Status(status)) => {
            // One line with all that an operator needs; see the second example for the ledger.
            println!("  {status}");
            println!("  {}", advice(&status));
        }
    }
}

/// The question that decides whether money may be lost: has it run?
fn advice(status: &Status) -> &'static str {
    match status.ran() {
        Ran::No => "=> it never ran: repeating it is safe",
        Ran::Maybe => "=> it may have run: only an idempotent call may be repeated",
        Ran::Yes => "=> it ran, and failed: repeating it would run it again",
    }
}

fn free_port() -> std::io::Result<std::net::SocketAddr> {
    std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()
}
