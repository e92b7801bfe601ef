//! A call that was copied, and what both it and its copy came to: for whoever compares an old service with a new one.
//!
//! # Why
//! Nobody uses the answer of a copy, but whether it is the same as the original's is what many copies are made for. Who
//! wants to know is told of both, after the caller has been answered and beside its task.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use sinew_core::{codes::Code, wire::answer::AnswerOutcome};

use crate::{call::method::Method, codec, error::Status, transport::Answer};

/// A call of which a copy went to another endpoint ([`Policy::mirror`](crate::Policy::mirror)), and what the two came to; given
/// to [`MeshBuilder::compare_mirrored`](crate::MeshBuilder::compare_mirrored).
#[derive(Debug)]
#[non_exhaustive]
pub struct Mirrored {
    /// What was called.
    pub method: &'static Method,
    /// What the call came to, all of its attempts together.
    pub original: MirroredAnswer,
    /// What its copy came to.
    pub copy: MirroredAnswer,
    /// When the copy was sent: what was decided since is no matter of these two.
    pub sent: std::time::Instant,
    #[cfg(feature = "foreign")]
    pub(crate) types: &'static crate::call::types::Types,
}

#[cfg(feature = "foreign")]
impl Mirrored {
    /// One of the two as JSON of the method's own type, whatever it was carried in: what two builds, or two protocols, can be
    /// compared by.
    ///
    /// # Errors
    /// The status that it ended with; `Internal` where it is not of that type, or its types are not at hand.
    pub fn json(&self, answer: &MirroredAnswer) -> Result<Vec<u8>, Status> {
        let value = answer.0.as_ref().map_err(Status::clone)?;
        let json = self.types.json(value.codec, &value.body, value.is_error);
        json.map_err(|why| Status::new(Code::Internal, why))
    }
}

/// What a call, or its copy, came to.
#[derive(Debug, Clone)]
pub struct MirroredAnswer(Result<Value, Status>);

#[derive(Debug, Clone)]
struct Value {
    /// The service's own error, and no value.
    is_error: bool,
    codec: u8,
    body: Bytes,
}

impl MirroredAnswer {
    pub(crate) fn new(answer: &Result<Box<Answer>, Status>) -> Self {
        Self(match answer {
            Err(status) => Err(status.clone()),
            Ok(answer) => match &answer.head.outcome {
                AnswerOutcome::Status(status) => {
                    Err(Status::from_wire(status.clone(), answer.head.directive))
                }
                outcome => Ok(Value {
                    is_error: matches!(outcome, AnswerOutcome::App),
                    codec: answer.head.codec,
                    body: answer.body.clone(),
                }),
            },
        })
    }

    /// Why there is none, where it ended with a status. The service's own errors are answers.
    pub fn failed(&self) -> Option<&Status> {
        self.0.as_ref().err()
    }

    /// Whether it is the service's own error; else it is a value.
    pub fn is_error(&self) -> bool {
        self.0.as_ref().is_ok_and(|value| value.is_error)
    }

    /// The value or the error as it is on the wire, in [`codec`](Self::codec).
    pub fn body(&self) -> Option<&Bytes> {
        self.0.as_ref().ok().map(|value| &value.body)
    }

    /// The name of its codec: endpoints whose builds differ answer in different ones.
    pub fn codec(&self) -> Option<&'static str> {
        self.0.as_ref().ok().map(|value| codec::name(value.codec))
    }

    /// The value, or where [`is_error`](Self::is_error) the error, of its type.
    ///
    /// # Errors
    /// The status that it ended with; `Internal` where it is not of that type.
    pub fn decode<T: DeserializeOwned + 'static>(&self) -> Result<T, Status> {
        let value = self.0.as_ref().map_err(Status::clone)?;
        codec::decode(value.codec, &value.body)
            .map_err(|error| Status::new(Code::Internal, error.to_string()))
    }
}

/// Who compares.
#[derive(Clone)]
pub(crate) struct Observer(Arc<dyn Fn(Mirrored) + Send + Sync>);

impl Observer {
    pub(crate) fn new(compare: impl Fn(Mirrored) + Send + Sync + 'static) -> Self {
        Self(Arc::new(compare))
    }

    pub(crate) fn tell(&self, mirrored: Mirrored) {
        (self.0)(mirrored);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
