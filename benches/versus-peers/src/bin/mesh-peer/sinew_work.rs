//! sinew, by its defaults: mutual TLS with the development certificates, balancing, breakers, the budget for retries.

use bytes::Bytes;
use sinew::{CallOptions, Code, Mesh, Status};

use crate::{
    Failure,
    args::Args,
    caller::{Answer, DEADLINE, Refusal},
    handler::{self, Handler, Unwell},
};

#[sinew::service]
trait Work {
    #[rpc(idempotent)]
    async fn work(&self, payload: Bytes) -> Result<Bytes, Status>;
}

impl Work for Handler {
    async fn work(&self, payload: Bytes) -> Result<Bytes, Status> {
        let answer = Self::work(self, &payload).await;
        answer.map_err(|Unwell| Status::new(Code::Unavailable, "told to fail"))
    }
}

/// Serves until told to stop, then drains.
///
/// # Errors
/// The socket or the certificate cannot be had.
pub(crate) async fn serve(args: &Args) -> Result<(), Failure> {
    let stop = handler::told_to_stop()?;
    let (handler, end) = Handler::new(args);
    let mesh = Mesh::from_env().await?;
    let server = mesh.server().serve(WorkServer::new(handler));
    let server = server.bind(args.at.as_slice()).await?;
    handler::ready()?;
    tokio::select! {
        () = server.run_until(stop) => {}
        _ = end => {}
    }
    Ok(())
}

/// A client of all replicas.
#[derive(Clone, Debug)]
pub(crate) struct Client(WorkClient);

impl Client {
    /// # Errors
    /// The certificate cannot be had.
    pub(crate) async fn new(args: &Args) -> Result<Self, Failure> {
        let mesh = Mesh::from_env().await?;
        let at: Vec<_> = args.at.iter().map(ToString::to_string).collect();
        let client: WorkClient = mesh.client_at(format!("static:{}", at.join(",")))?;
        Ok(Self(client.with(CallOptions::new().timeout(DEADLINE))))
    }

    /// # Errors
    /// The call's own.
    pub(crate) async fn call(&self, payload: Bytes) -> Result<Answer, Refusal> {
        match self.0.work(payload).await {
            Ok(body) => Ok(Answer { body, attempts: None }),
            Err(status) => Err(Refusal {
                code: format!("{:?}", status.code()),
                attempts: Some(status.attempts()),
                why: status.to_string(),
            }),
        }
    }
}
