//! The caller's side, whoever is behind it.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    Failure,
    args::{Args, Contender},
    sinew_work, tonic_work,
};

/// What each call has, all attempts together.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1);

/// One client, cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Sinew(sinew_work::Client),
    Tonic(tonic_work::Client),
}

/// What a call came to.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its first byte is the index of the replica.
    pub(crate) body: Bytes,
    /// How many were made, where the caller is told.
    pub(crate) attempts: Option<u8>,
}

/// What it came to otherwise.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) attempts: Option<u8>,
    pub(crate) why: String,
}

impl Caller {
    /// # Errors
    /// The certificate cannot be had.
    pub(crate) async fn new(args: &Args) -> Result<Self, Failure> {
        Ok(match args.contender {
            Contender::Sinew => Self::Sinew(sinew_work::Client::new(args).await?),
            Contender::Tonic | Contender::TonicRetry | Contender::Envoy => {
                Self::Tonic(tonic_work::Client::new(args)?)
            }
        })
    }

    /// # Errors
    /// The call's own.
    pub(crate) async fn call(&self, payload: Bytes) -> Result<Answer, Refusal> {
        match self {
            Self::Sinew(client) => client.call(payload).await,
            Self::Tonic(client) => client.call(payload).await,
        }
    }
}
