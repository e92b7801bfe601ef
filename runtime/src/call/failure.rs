//! How a method can fail, as both ends see it: the service's own error, typed or still encoded, or a status.
//!
//! # Why
//! A trait's method names its error type; the pipeline between must not. So the error travels erased, and the two
//! generated ends, which know the type, put it in and take it out.

use std::{
    any::{Any, type_name},
    fmt,
};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use sinew_core::codes::Code;
use sinew_descriptor::Type;

use super::types::{Facts, Meeting, undecodable};
use crate::{
    codec::{self, CodecError},
    error::{CallError, Status},
    schema::{self, Collector},
};

/// Why a method or one of its streams gave no value.
#[derive(Debug)]
pub enum Failure {
    /// The service's own error.
    App(AppError),
    /// The mesh's or the handler's status.
    Status(Status),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// The service's own error without its type.
pub struct AppError(Repr);

enum Repr {
    Encoded { codec: u8, body: Bytes, meeting: Option<Meeting>, otherwise: Option<Status> },
    Typed(Box<dyn Erased>),
}

/// A typed error that can be written, or taken back out in process.
trait Erased: Send {
    fn encode(&self, codec: u8, out: &mut Vec<u8>) -> Result<u8, CodecError>;
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
    fn name(&self) -> &'static str;
}

impl<E: Serialize + Send + 'static> Erased for E {
    fn encode(&self, codec: u8, out: &mut Vec<u8>) -> Result<u8, CodecError> {
        codec::encode_or_named(codec, self, out)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }

    fn name(&self) -> &'static str {
        type_name::<E>()
    }
}

impl AppError {
    pub(crate) fn typed<E: Serialize + Send + 'static>(error: E) -> Self {
        Self(Repr::Typed(Box::new(error)))
    }

    pub(crate) fn encoded(codec: u8, body: Bytes) -> Self {
        Self(Repr::Encoded { codec, body, meeting: None, otherwise: None })
    }

    /// The same; what it comes to where it is not to be read.
    pub(crate) fn or(mut self, status: Option<Status>) -> Self {
        if let Repr::Encoded { otherwise, .. } = &mut self.0 {
            *otherwise = status;
        }
        self
    }

    /// What it comes to where it is not to be read: its caller knows of no error.
    fn otherwise(self) -> Status {
        let unexpected = || {
            undecodable(
                "the server answered with an error of its own where this client knows of none; the two builds differ"
                    .to_owned(),
            )
        };
        match self.0 {
            Repr::Encoded { otherwise, meeting, .. } => {
                let status = otherwise.unwrap_or_else(unexpected);
                match meeting {
                    Some(meeting) => meeting.at(status),
                    None => status,
                }
            }
            Repr::Typed(_) => unexpected(),
        }
    }

    /// The same; what cannot be read of it is told with the two sides that met.
    pub(crate) fn met(mut self, met: Meeting) -> Self {
        if let Repr::Encoded { meeting, .. } = &mut self.0 {
            *meeting = Some(met);
        }
        self
    }

    /// The bytes for the wire and the codec that they are in.
    pub(crate) fn encode(&self, codec: u8, out: &mut Vec<u8>) -> Result<u8, CodecError> {
        match &self.0 {
            Repr::Encoded { codec, body, .. } => {
                out.extend_from_slice(body);
                Ok(*codec)
            }
            Repr::Typed(error) => error.encode(codec, out),
        }
    }

    /// The error as the type that the method names.
    fn into_typed<E: DeserializeOwned + Send + 'static>(self) -> Result<E, Status> {
        match self.0 {
            Repr::Encoded { codec, body, meeting, otherwise } => codec::decode(codec, &body)
                .map_err(|error| match (otherwise, meeting) {
                    (Some(status), Some(meeting)) => meeting.at(status),
                    (Some(status), None) => status,
                    (None, Some(meeting)) => meeting.undecodable::<E>("error", codec, &error),
                    (None, None) => {
                        undecodable(format!("the error is not a `{}`: {error}", type_name::<E>()))
                    }
                }),
            Repr::Typed(error) => {
                let name = error.name();
                error.into_any().downcast().map(|error| *error).map_err(|_| {
                    Status::new(
                        Code::Internal,
                        format!(
                            "a stream failed with `{name}` where its method names `{}` as the error",
                            type_name::<E>()
                        ),
                    )
                })
            }
        }
    }
}

impl fmt::Debug for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Encoded { codec, body, .. } => {
                write!(f, "AppError(codec {codec}, {} bytes)", body.len())
            }
            Repr::Typed(error) => write!(f, "AppError({})", error.name()),
        }
    }
}

/// What may stand in the `Err` of a service's method.
///
/// Implemented for [`Status`], [`CallError<E>`](CallError) and every serde type that is `Send + 'static`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a service's method",
    label = "not an error that can cross the wire",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or return `Result<_, sinew::Status>`"
)]
pub trait MethodError: Sized + Send + 'static {
    /// What the generated client's method returns as its error.
    type Caller: From<Status> + Send + 'static;

    /// Handler's side: forget the type.
    fn into_failure(self) -> Failure;

    /// Caller's side: find it again.
    fn caller(failure: Failure) -> Self::Caller;

    /// What crosses the wire, if anything but a status does.
    #[doc(hidden)]
    fn facts() -> Option<Facts>;

    /// The same as data.
    #[doc(hidden)]
    fn described(collector: &mut Collector) -> Option<Type>;

    /// One in this codec as JSON.
    #[cfg(feature = "foreign")]
    #[doc(hidden)]
    fn json(codec: u8, body: &Bytes) -> Result<Vec<u8>, String>;
}

#[diagnostic::do_not_recommend]
impl<E: Serialize + DeserializeOwned + Send + 'static> MethodError for E {
    type Caller = CallError<E>;

    fn into_failure(self) -> Failure {
        Failure::App(AppError::typed(self))
    }

    fn caller(failure: Failure) -> CallError<E> {
        match failure {
            Failure::App(error) => {
                error.into_typed().map_or_else(CallError::Status, CallError::App)
            }
            Failure::Status(status) => CallError::Status(status),
        }
    }

    fn facts() -> Option<Facts> {
        Some(Facts::of::<E>())
    }

    fn described(collector: &mut Collector) -> Option<Type> {
        Some(schema::describe::<E>(collector))
    }

    #[cfg(feature = "foreign")]
    fn json(codec: u8, body: &Bytes) -> Result<Vec<u8>, String> {
        codec::json_of::<E>(codec, body)
    }
}

impl MethodError for Status {
    type Caller = Self;

    fn into_failure(self) -> Failure {
        Failure::Status(self)
    }

    fn caller(failure: Failure) -> Self {
        match failure {
            Failure::App(error) => error.otherwise(),
            Failure::Status(status) => status,
        }
    }

    fn facts() -> Option<Facts> {
        None
    }

    fn described(_: &mut Collector) -> Option<Type> {
        None
    }

    #[cfg(feature = "foreign")]
    fn json(_: u8, _: &Bytes) -> Result<Vec<u8>, String> {
        Err("the method has no error of its own".to_owned())
    }
}

impl<E: Serialize + DeserializeOwned + Send + 'static> MethodError for CallError<E> {
    type Caller = Self;

    fn into_failure(self) -> Failure {
        match self {
            Self::App(error) => Failure::App(AppError::typed(error)),
            Self::Status(status) => Failure::Status(status),
        }
    }

    fn caller(failure: Failure) -> Self {
        <E as MethodError>::caller(failure)
    }

    fn facts() -> Option<Facts> {
        Some(Facts::of::<E>())
    }

    fn described(collector: &mut Collector) -> Option<Type> {
        Some(schema::describe::<E>(collector))
    }

    #[cfg(feature = "foreign")]
    fn json(codec: u8, body: &Bytes) -> Result<Vec<u8>, String> {
        codec::json_of::<E>(codec, body)
    }
}

/// Takes a `Result` apart by its type, so that an alias of it works as a return type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is called `Result` and has arguments but is not `core::result::Result`",
    note = "write `Result<T, E>` or an alias of it, or rename the type"
)]
pub trait ResultType {
    /// The value.
    type Ok;
    /// The error.
    type Err;
}

impl<T, E> ResultType for Result<T, E> {
    type Ok = T;
    type Err = E;
}
