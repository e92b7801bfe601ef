//! What an answer is worth to whoever called: the value, the method's own error, or a status.

use serde::de::DeserializeOwned;
use sinew_core::{codes::Code, wire::answer::AnswerOutcome};

use crate::{
    call::{
        failure::{AppError, Failure},
        streaming::Streaming,
        types::{Meeting, Types},
    },
    codec,
    error::Status,
    transport::{Answer, StreamAnswer},
};

/// The one answer of a call, decoded.
pub(crate) fn typed<T: DeserializeOwned + 'static>(
    types: &'static Types,
    answer: Result<Box<Answer>, Failure>,
) -> Result<T, Failure> {
    let Answer { head, body, by, otherwise, .. } = *answer?;
    let meeting = Meeting { types, by };
    match head.outcome {
        AnswerOutcome::Ok => codec::decode(head.codec, &body).map_err(|error| {
            Failure::Status(meeting.undecodable::<T>("answer", head.codec, &error))
        }),
        AnswerOutcome::App => {
            Err(Failure::App(AppError::encoded(head.codec, body).or(otherwise).met(meeting)))
        }
        AnswerOutcome::Status(status) => {
            Err(Failure::Status(Status::from_wire(status, head.directive)))
        }
    }
}

/// The one answer of a call whose input streams.
pub(crate) fn typed_single<T: DeserializeOwned + 'static>(
    types: &'static Types,
    answer: StreamAnswer,
) -> Result<T, Failure> {
    match answer {
        StreamAnswer::Single(answer) => typed(types, Ok(answer)),
        StreamAnswer::Items { .. } => Err(Failure::Status(Status::new(
            Code::Internal,
            "a stream came where the method answers with one value; the two builds differ",
        ))),
    }
}

/// The stream that a call came to.
pub(crate) fn typed_stream<T, E>(
    types: &'static Types,
    answer: StreamAnswer,
) -> Result<Streaming<T, E>, Failure>
where
    T: DeserializeOwned + Send + 'static,
{
    match answer {
        StreamAnswer::Items { codec, items, by, .. } => {
            Ok(Streaming::remote(codec, items, Meeting { types, by }))
        }
        StreamAnswer::Single(answer) => match answer.head.outcome {
            AnswerOutcome::App => {
                let error = AppError::encoded(answer.head.codec, answer.body).or(answer.otherwise);
                Err(Failure::App(error.met(Meeting { types, by: answer.by })))
            }
            AnswerOutcome::Status(status) => {
                Err(Failure::Status(Status::from_wire(status, answer.head.directive)))
            }
            AnswerOutcome::Ok => Err(Failure::Status(Status::new(
                Code::Internal,
                "one value came where the method answers with a stream; the two builds differ",
            ))),
        },
    }
}
