//! What generated code uses, and nobody else: no promise of stability is made for it.

use std::{future::Future, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    call::{context::Context, failure::Failure, streaming::Streaming, types::Parts},
    client::{answer, stack},
    codec, mesh,
    schema::{self, Collector, Described},
    server,
};
pub use crate::{
    call::{
        failure::{MethodError, ResultType},
        http,
        method::{Method, Shape},
        types::{Facts, Types, TypesCell},
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

/// Fails to compile where two methods of one trait have the same name on the wire.
///
/// The macro cannot tell: of methods under conditions (`#[cfg]`), not all are there. The compiler stops what it computes for
/// too long, which comparing each of a thousand names with each other is: so their hashes are compared, sorted.
pub const fn assert_distinct_methods<const N: usize>(methods: &[&Method; N]) {
    let mut hashes = [0; N];
    let mut at = 0;
    while at < N {
        hashes[at] = hash(methods[at].name().as_bytes());
        at += 1;
    }
    let hashes = sorted(hashes);
    let mut at = 1;
    while at < N {
        assert!(
            hashes[at - 1] != hashes[at],
            "two methods of this trait have the same name on the wire; give one another `name`"
        );
        at += 1;
    }
}

/// FNV-1a: a multiplication for each byte is all that a compiler has time for.
const fn hash(text: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < text.len() {
        hash = (hash ^ text[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// Heapsort, which needs neither recursion nor memory of its own.
const fn sorted<const N: usize>(mut all: [u64; N]) -> [u64; N] {
    let (mut start, mut end) = (N / 2, N);
    while end > 1 {
        if start > 0 {
            // Still making a heap.
            start -= 1;
        } else {
            end -= 1;
            (all[0], all[end]) = (all[end], all[0]);
        }
        let mut root = start;
        while 2 * root + 1 < end {
            let mut child = 2 * root + 1;
            if child + 1 < end && all[child] < all[child + 1] {
                child += 1;
            }
            if all[root] >= all[child] {
                break;
            }
            (all[root], all[child]) = (all[child], all[root]);
            root = child;
        }
    }
    all
}

/// One method as types: generated code makes an empty type for each method and implements this for it.
///
/// That all of its types can be sent is checked here and nowhere else, so that a type which cannot is one error, at the
/// place where the user wrote it.
pub trait Signature: 'static {
    /// The tuple of the arguments, without the stream.
    type Arguments: Sent;
    /// The items of the input stream; `()` without one.
    type Input: Sent;
    /// The value, or the items of the output stream.
    type Value: Sent;
    /// The error as the handler returns it.
    type Error: MethodError<Caller = Self::Caller>;
    /// The error as the client returns it.
    type Caller: Send + 'static;

    /// What the attributes say.
    const METHOD: &'static Method;

    /// Where what is learnt of the types is kept.
    fn cell() -> &'static TypesCell;

    /// What the endpoint of a call is found by; `None` for a method without a key.
    fn key(_arguments: &Self::Arguments) -> Option<u64> {
        None
    }
}

/// What can cross the wire.
pub trait Sent: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Sent for T {}

/// The hash of a key. `None` where it cannot be written: that call fails for the same reason, wherever it goes.
pub fn key<T: Serialize>(value: &T) -> Option<u64> {
    codec::key(value)
}

/// What the types of a method allow on the wire, learnt when it is asked for first.
pub fn types<S: Signature>() -> &'static Types {
    #[cfg(feature = "foreign")]
    return S::cell().get_or_learn(|| learn::<S>().with_neutral(neutral::<S>));
    #[cfg(not(feature = "foreign"))]
    S::cell().get_or_learn(learn::<S>)
}

/// An answer as JSON, for whoever compares answers.
#[cfg(feature = "foreign")]
fn neutral<S: Signature>(
    codec: u8,
    body: &bytes::Bytes,
    is_error: bool,
) -> Result<Vec<u8>, String> {
    if is_error {
        return S::Error::json(codec, body);
    }
    codec::json_of::<S::Value>(codec, body)
}

fn learn<S: Signature>() -> Types {
    let method = S::METHOD;
    if method.is_raw() {
        return Types::raw(method);
    }
    if method.trusts_layout() {
        return Types::vouched(method, described::<S>);
    }
    Types::of(
        method,
        &Parts {
            arguments: Facts::of_arguments::<S::Arguments>(method),
            input: method.shape().has_input().then(Facts::of::<S::Input>),
            value: Facts::of::<S::Value>(),
            error: S::Error::facts(),
        },
        described::<S>,
    )
}

/// The types of a method as data.
fn described<S: Signature>(collector: &mut Collector) -> Described {
    Described {
        arguments: schema::describe_arguments::<S::Arguments>(
            collector,
            S::METHOD.argument_names(),
        ),
        input: S::METHOD.shape().has_input().then(|| schema::describe::<S::Input>(collector)),
        output: schema::describe::<S::Value>(collector),
        error: S::Error::described(collector),
    }
}

/// Calls a unary method. The context is taken when the method is called, so that the future may run anywhere.
pub fn unary<S: Signature>(
    channel: &Channel,
    arguments: S::Arguments,
) -> impl Future<Output = Result<S::Value, S::Caller>> + Send + 'static + use<S> {
    let (key, context) = (S::key(&arguments), Context::current());
    stack::unary::<_, S::Value, S::Error>(channel.clone(), types::<S>(), arguments, key, context)
}

/// Calls a method that answers with a stream.
pub fn server_streaming<S: Signature>(
    channel: &Channel,
    arguments: S::Arguments,
) -> impl Future<Output = Result<Streaming<S::Value, S::Error>, S::Caller>> + Send + 'static + use<S>
{
    let (key, context) = (S::key(&arguments), Context::current());
    let call = stack::streaming(channel.clone(), types::<S>(), (arguments, None), key, context);
    async move {
        let answer = call.await.map_err(Failure::Status);
        answer
            .and_then(|answer| answer::typed_stream(types::<S>(), answer))
            .map_err(S::Error::caller)
    }
}

/// Calls a method that takes a stream.
pub fn client_streaming<S: Signature>(
    channel: &Channel,
    arguments: S::Arguments,
    input: Streaming<S::Input>,
) -> impl Future<Output = Result<S::Value, S::Caller>> + Send + 'static + use<S> {
    let input = Some(Box::new(input) as Box<_>);
    let (key, context) = (S::key(&arguments), Context::current());
    let call = stack::streaming(channel.clone(), types::<S>(), (arguments, input), key, context);
    async move {
        let answer = call.await.map_err(Failure::Status);
        answer
            .and_then(|answer| answer::typed_single(types::<S>(), answer))
            .map_err(S::Error::caller)
    }
}

/// Calls a method of which both sides stream.
pub fn bidirectional<S: Signature>(
    channel: &Channel,
    arguments: S::Arguments,
    input: Streaming<S::Input>,
) -> impl Future<Output = Result<Streaming<S::Value, S::Error>, S::Caller>> + Send + 'static + use<S>
{
    let input = Some(Box::new(input) as Box<_>);
    let (key, context) = (S::key(&arguments), Context::current());
    let call = stack::streaming(channel.clone(), types::<S>(), (arguments, input), key, context);
    async move {
        let answer = call.await.map_err(Failure::Status);
        answer
            .and_then(|answer| answer::typed_stream(types::<S>(), answer))
            .map_err(S::Error::caller)
    }
}

/// How a call of a method runs on an implementation `I`: generated code implements this for what it implements
/// [`Signature`] for. `Input` is `()` or the stream, `Output` what the method gives, one value or a stream.
pub trait Handles<I, Input, Output>: Signature {
    /// The method's own future.
    fn handle(
        service: &I,
        arguments: Self::Arguments,
        input: Input,
    ) -> impl Future<Output = Result<Output, Self::Error>> + Send;
}

/// The answer of a method that says nothing of failure.
pub async fn infallible<T, E>(answer: impl Future<Output = T>) -> Result<T, E> {
    Ok(answer.await)
}

/// A handler of a unary method.
pub fn unary_handler<I, S>(service: &Arc<I>) -> Handler
where
    I: Send + Sync + 'static,
    S: Signature + Handles<I, (), <S as Signature>::Value>,
{
    let service = Arc::clone(service);
    server::unary_handler(types::<S>(), move |arguments| async move {
        S::handle(&service, arguments, ()).await
    })
}

/// A handler of a method that answers with a stream.
pub fn server_streaming_handler<I, S>(service: &Arc<I>) -> Handler
where
    I: Send + Sync + 'static,
    S: Signature + Handles<I, (), Streaming<<S as Signature>::Value>>,
{
    let service = Arc::clone(service);
    server::server_streaming_handler(types::<S>(), move |arguments| async move {
        S::handle(&service, arguments, ()).await
    })
}

/// A handler of a method that takes a stream.
pub fn client_streaming_handler<I, S>(service: &Arc<I>) -> Handler
where
    I: Send + Sync + 'static,
    S: Signature + Handles<I, Streaming<<S as Signature>::Input>, <S as Signature>::Value>,
{
    let service = Arc::clone(service);
    server::client_streaming_handler(types::<S>(), move |arguments, input| async move {
        S::handle(&service, arguments, input).await
    })
}

/// A handler of a method of which both sides stream.
pub fn bidirectional_handler<I, S>(service: &Arc<I>) -> Handler
where
    I: Send + Sync + 'static,
    S: Signature
        + Handles<I, Streaming<<S as Signature>::Input>, Streaming<<S as Signature>::Value>>,
{
    let service = Arc::clone(service);
    server::bidirectional_handler(types::<S>(), move |arguments, input| async move {
        S::handle(&service, arguments, input).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_published_one() {
        assert_eq!(
            [hash(b""), hash(b"a"), hash(b"foobar")],
            [0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8]
        );
    }

    #[test]
    fn hashes_are_sorted_whatever_their_order() {
        let mut seed = 7_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed >> 60
        };
        for _ in 0..100 {
            let all: [u64; 33] = std::array::from_fn(|_| next());
            let mut expected = all;
            expected.sort_unstable();
            assert_eq!(sorted(all), expected);
        }
        assert_eq!((sorted([]), sorted([1]), sorted([2, 1])), ([], [1], [1, 2]));
    }

    #[test]
    fn thousands_of_hashes_are_sorted_before_the_compiler_gives_up() {
        const MANY: usize = 4096;
        static IDS: [u64; MANY] = {
            let (mut ids, mut at) = ([0; MANY], 0);
            while at < MANY {
                ids[at] = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                at += 1;
            }
            sorted(ids)
        };
        assert!(IDS.is_sorted());
    }
}
