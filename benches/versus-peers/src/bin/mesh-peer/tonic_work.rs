//! tonic: a replica over TLS, and what can be put in front of three of them.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use tonic::{
    Request, Response, Status,
    metadata::MetadataMap,
    transport::{
        Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig,
        server::TcpIncoming,
    },
};
use versus_peers::{
    echo::{Echo, EchoClient, EchoServer, Message},
    tls,
};

use crate::{
    Failure,
    args::{Args, Contender},
    caller::{Answer, DEADLINE, Refusal},
    handler::{self, Handler, Unwell},
};

/// What a loop that somebody writes in a minute makes of an error: the same again, at once.
const ATTEMPTS: u8 = 3;

#[tonic::async_trait]
impl Echo for Handler {
    async fn echo(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        let answer = self.work(&request.into_inner().payload).await;
        let payload = answer.map_err(|Unwell| Status::unavailable("told to fail"))?;
        Ok(Response::new(Message { payload }))
    }
}

/// Serves until told to stop, then drains.
///
/// # Errors
/// The socket or the certificate cannot be had.
pub(crate) async fn serve(args: &Args) -> Result<(), Failure> {
    let stop = handler::told_to_stop()?;
    let (handler, end) = Handler::new(args);
    let at = *args.at.first().ok_or("no `--at`")?;
    let incoming = TcpIncoming::bind(at)?.with_nodelay(Some(true));
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| std::fs::read(args.pem.join(name)));
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(cert?, key?));
    let mut server = Server::builder().tls_config(tls)?;
    handler::ready()?;
    let serving =
        server.add_service(EchoServer::new(handler)).serve_with_incoming_shutdown(incoming, stop);
    tokio::select! {
        served = serving => served?,
        _ = end => {}
    }
    Ok(())
}

/// A client of all replicas, or of the sidecar.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    echo: EchoClient,
    attempts: u8,
    /// What each attempt may take.
    patience: Duration,
}

impl Client {
    /// # Errors
    /// The certificate cannot be had.
    pub(crate) fn new(args: &Args) -> Result<Self, Failure> {
        let channel = match args.contender {
            Contender::Envoy => {
                let at = args.at.first().ok_or("no `--at`")?;
                Endpoint::from_shared(format!("http://{at}"))?.connect_lazy()
            }
            Contender::Sinew | Contender::Tonic | Contender::TonicRetry => balanced(args)?,
        };
        let attempts = match args.contender {
            Contender::TonicRetry => ATTEMPTS,
            Contender::Sinew | Contender::Tonic | Contender::Envoy => 1,
        };
        Ok(Self {
            echo: EchoClient::new(channel),
            attempts,
            // A loop that gave the first attempt all of the time could not make a second.
            patience: DEADLINE / u32::from(attempts),
        })
    }

    /// # Errors
    /// The last attempt's.
    pub(crate) async fn call(&self, payload: Bytes) -> Result<Answer, Refusal> {
        let mut made = 0;
        loop {
            made += 1;
            match self.attempt(payload.clone()).await {
                Ok(answer) => {
                    let of_sidecar = attempts_of_sidecar(answer.metadata());
                    return Ok(Answer {
                        body: answer.into_inner().payload,
                        attempts: Some(of_sidecar.unwrap_or(made)),
                    });
                }
                Err(_) if made < self.attempts => {}
                Err(status) => {
                    return Err(Refusal {
                        code: format!("{:?}", status.code()),
                        attempts: Some(attempts_of_sidecar(status.metadata()).unwrap_or(made)),
                        why: status.to_string(),
                    });
                }
            }
        }
    }

    async fn attempt(&self, payload: Bytes) -> Result<Response<Message>, Status> {
        let mut echo = self.echo.clone();
        let mut request = Request::new(Message { payload });
        request.set_timeout(self.patience);
        // tonic's time-out begins when a connection has taken the call, which is not what a caller waits for.
        bounded(Instant::now() + self.patience, echo.echo(request)).await
    }
}

async fn bounded<T>(
    until: Instant,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let outcome = timeout_at(until, call).await;
    outcome.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")))
}

/// What tonic's users are told to take for several servers.
fn balanced(args: &Args) -> Result<Channel, Failure> {
    let cert = Certificate::from_pem(std::fs::read(args.pem.join("cert.pem"))?);
    let tls = ClientTlsConfig::new().ca_certificate(cert).domain_name(tls::NAME);
    let endpoints = args.at.iter().map(|at| {
        let endpoint = Endpoint::from_shared(format!("https://{at}"))?;
        endpoint.tls_config(tls.clone())
    });
    let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
    Ok(Channel::balance_list(endpoints.into_iter()))
}

fn attempts_of_sidecar(metadata: &MetadataMap) -> Option<u8> {
    let count = metadata.get("x-envoy-attempt-count")?;
    count.to_str().ok()?.parse().ok()
}
