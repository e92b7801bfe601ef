//! A handler that passes the status of an inner call on as it is has run all the same: nobody repeats it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use sinew::{Code, Ran, Status};

/// Debits, then asks somebody who cannot be reached.
#[sinew::service]
pub trait Account {
    /// Must run once.
    async fn debit(&self) -> Result<(), Status>;
}

struct Debited {
    runs: Arc<AtomicU32>,
    inner: AccountClient,
}

impl Account for Debited {
    async fn debit(&self) -> Result<(), Status> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        // Plain `?`, without `relay`.
        self.inner.debit().await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_handler_runs_once_when_a_call_that_it_made_was_not_sent() {
    let mesh = sinew::Mesh::builder()
        .identity(sinew::Identity::development().unwrap())
        .build()
        .await
        .unwrap();
    let runs = Arc::new(AtomicU32::new(0));
    // No endpoint of the inner service is known: its calls are never sent.
    let unreachable: AccountClient = mesh.client();
    let client = AccountClient::local(Debited { runs: Arc::clone(&runs), inner: unreachable });
    let status = client.debit().await.unwrap_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::Yes), "{status}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}
