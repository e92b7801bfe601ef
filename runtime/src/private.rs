//! What generated code uses, and nobody else: no promise of stability is made for it.

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};

pub use crate::server::{
    bidirectional_handler, client_streaming_handler, server_streaming_handler, unary_handler,
};
use crate::{
    call::{context::Context, failure::Failure, streaming::Streaming},
    client::{answer, stack},
    mesh,
};
pub use crate::{
    call::{
        failure::{MethodError, ResultType},
        method::{Method, Shape},
    },
    client::Channel,
    server::{Handler, Service},
};

impl Channel {
    /// A channel to an implementation in this process, through the same pipeline and codec.
    pub fn local(service: Service) -> Self {
        mesh::local(service).unwrap_or_else(|failure| {
            // Two methods of one wire name do not get past the macro; an empty service is served like any other.
            unreachable!("a generated service can be served: {failure:?}")
        })
    }
}

/// Fails to compile where two methods of one trait have the same id.
pub const fn assert_distinct_methods(methods: &[&Method]) {
    let mut one = 0;
    while one < methods.len() {
        let mut other = one + 1;
        while other < methods.len() {
            assert!(
                methods[one].id().0 != methods[other].id().0,
                "two methods of this trait have the same id on the wire; give one another `name`"
            );
            other += 1;
        }
        one += 1;
    }
}

/// Calls a unary method. The context is taken when the method is called, so that the future may run anywhere.
pub fn unary<A, T, E>(
    channel: &Channel,
    method: &'static Method,
    arguments: A,
) -> impl Future<Output = Result<T, E::Caller>> + Send + 'static + use<A, T, E>
where
    A: Serialize + Send + 'static,
    T: DeserializeOwned + Send + 'static,
    E: MethodError,
{
    stack::unary::<A, T, E>(channel.clone(), method, arguments, Context::current())
}

/// Calls a method that answers with a stream.
pub fn server_streaming<A, T, E>(
    channel: &Channel,
    method: &'static Method,
    arguments: A,
) -> impl Future<Output = Result<Streaming<T, E>, E::Caller>> + Send + 'static + use<A, T, E>
where
    A: Serialize + Send + 'static,
    T: DeserializeOwned + Send + 'static,
    E: MethodError,
{
    let call = stack::streaming(channel.clone(), method, arguments, None, Context::current());
    async move {
        let answer = call.await.map_err(Failure::Status);
        answer.and_then(answer::typed_stream).map_err(E::caller)
    }
}

/// Calls a method that takes a stream.
pub fn client_streaming<A, I, T, E>(
    channel: &Channel,
    method: &'static Method,
    arguments: A,
    input: Streaming<I>,
) -> impl Future<Output = Result<T, E::Caller>> + Send + 'static + use<A, I, T, E>
where
    A: Serialize + Send + 'static,
    I: Serialize + Send + 'static,
    T: DeserializeOwned + Send + 'static,
    E: MethodError,
{
    let input = Some(Box::new(input) as Box<_>);
    let call = stack::streaming(channel.clone(), method, arguments, input, Context::current());
    async move {
        let answer = call.await.map_err(Failure::Status);
        answer.and_then(answer::typed_single).map_err(E::caller)
    }
}

/// Calls a method of which both sides stream.
pub fn bidirectional<A, I, T, E>(
    channel: &Channel,
    method: &'static Method,
    arguments: A,
    input: Streaming<I>,
) -> impl Future<Output = Result<Streaming<T, E>, E::Caller>> + Send + 'static + use<A, I, T, E>
where
    A: Serialize + Send + 'static,
    I: Serialize + Send + 'static,
    T: DeserializeOwned + Send + 'static,
    E: MethodError,
{
    let input = Some(Box::new(input) as Box<_>);
    let call = stack::streaming(channel.clone(), method, arguments, input, Context::current());
    async move {
        let answer = call.await.map_err(Failure::Status);
        answer.and_then(answer::typed_stream).map_err(E::caller)
    }
}

#[cfg(test)]
mod sizes {
    #[test]
    fn print_sizes() {
        use crate::{call::method::*, transport::*, client::call::Call};
        static M: Method = Method::new("A", "b", "A/b", Shape::Unary);
        println!("Answer {} AnswerHead {} RequestHead {} Received {} Pending {} Call {} Record {} Status {}",
            size_of::<Answer>(), size_of::<sinew_core::wire::AnswerHead>(), size_of::<sinew_core::wire::RequestHead>(), size_of::<Received>(), size_of::<Pending>(), size_of::<Call>(), size_of::<crate::call::record::Record>(), size_of::<crate::Status>());
        let ch = crate::client::Channel::new(crate::client::ClientCore::new("A", vec![], Default::default()));
        let f = super::unary::<(u32,), u32, crate::Status>(&ch, &M, (1,));
        println!("future {}", size_of_val(&f));
        println!("Context inner {}", size_of::<crate::call::context::Inner>());
    }
}
