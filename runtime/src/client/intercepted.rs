//! A call inside of interceptors: what they see of it, and how it goes on.

use std::{pin::pin, sync::Arc};

use sinew_core::codes::{Code, Disposition, Origin, Reason};

use super::{Endpoint, call::Call, stack::before};
use crate::{
    call::streaming::EncodeItems,
    codec::Encode,
    error::Status,
    interceptor::{Chain, Encoded, Outcome, Request, Response},
    transport::BoxFuture,
};

impl Call {
    /// 4: the interceptors around the whole call; what is inside of them owns the call.
    pub(super) async fn intercepted<F>(
        self,
        arguments: Box<dyn Encode>,
        last: F,
    ) -> Result<Response, Status>
    where
        F: FnOnce(Self, Encoded) -> BoxFuture<'static, Response> + Send + 'static,
    {
        let encoded = Encoded::new(self.head.codec, arguments).map_err(|error| {
            Status::not_sent(Code::InvalidArgument, Reason::Malformed, error.to_string())
        })?;
        let chain = self.interceptors().clone();
        let request = self.request(&encoded, None);
        let (deadline, method) = (self.deadline, self.method);
        let run = chain.run(request, move |request| {
            let mut call = self;
            call.head.metadata = request.metadata;
            last(call, encoded)
        });
        let Some(deadline) = deadline else { return Ok(run.await) };
        before(deadline, pin!(run), |_| true).await.ok_or_else(|| {
            let status = Status::runtime(
                Code::DeadlineExceeded,
                Reason::Expired,
                Disposition::Unknown,
                Origin::Local,
                "the deadline passed inside of an interceptor",
            );
            status.at(method.path(), None, 0)
        })
    }

    pub(super) fn into_answer(mut self, mut arguments: Encoded) -> BoxFuture<'static, Response> {
        Box::pin(async move {
            match self.run_unary(&mut arguments).await {
                Ok(answer) => Response(Outcome::Answer(answer)),
                Err(status) => Response::status(status),
            }
        })
    }

    pub(super) fn into_stream(
        mut self,
        mut arguments: Encoded,
        input: Option<Box<dyn EncodeItems>>,
    ) -> BoxFuture<'static, Response> {
        Box::pin(async move {
            match self.run_streaming(&mut arguments, input).await {
                Ok(answer) => Response(Outcome::Stream(answer)),
                Err(status) => Response::status(status),
            }
        })
    }

    /// The call as an interceptor sees it.
    pub(super) fn request(&self, encoded: &Encoded, endpoint: Option<&Endpoint>) -> Request {
        Request {
            method: self.method,
            metadata: self.head.metadata.clone(),
            deadline: self.deadline,
            peer: None,
            endpoint: endpoint.map(|endpoint| Arc::clone(endpoint.name())),
            entry: endpoint.map(Endpoint::entry),
            attempt: self.head.attempt,
            shadow: self.head.shadow,
            codec: self.head.codec,
            body: encoded.body().clone(),
        }
    }

    pub(super) fn interceptors(&self) -> &Chain {
        &self.channel.core.interceptors.per_call
    }

    pub(super) fn has_attempt_interceptors(&self) -> bool {
        !self.channel.core.interceptors.per_attempt.is_empty()
    }

    pub(super) fn attempt_interceptors(&self) -> Chain {
        self.channel.core.interceptors.per_attempt.clone()
    }
}
