//! Whom a route calls: a server of this process, or whoever of the mesh has the service.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use serde_json::Value;
use sinew::{
    AnswerMetadata, CallError, Code, Metadata, Status, Streaming, TraceContext,
    descriptor::{Method, Service, Type},
    dynamic::{DynamicAnswer, DynamicClient},
    foreign::{
        self, Argument, Arguments, BoxFuture, Call, Caller, Door, Entrance, Inbound, Items, Payload,
    },
};

use crate::{
    described::Described,
    value::{self, Data, Tree, Written, data},
};

/// A method that can be called.
#[derive(Debug, Clone)]
pub(super) enum Callee {
    /// A handler of this process.
    Here { door: Door, entrance: Entrance },
    /// Whoever has the service.
    There(Arc<There>),
}

/// A method of a service that is known by its descriptor.
#[derive(Debug)]
pub(super) struct There(Described);

/// A call, understood.
pub(super) struct Asked {
    /// Who calls a server of this process.
    pub(super) caller: Option<Caller>,
    pub(super) arguments: Vec<Given>,
    pub(super) input: Option<Items>,
    /// Its items are bytes as they are.
    pub(super) takes_bytes: bool,
    /// The value, or the items, of the answer are bytes as they are.
    pub(super) gives_bytes: bool,
    pub(super) deadline: Option<std::time::Instant>,
    pub(super) trace: Option<TraceContext>,
    pub(super) metadata: Metadata,
}

/// An argument that was found.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// JSON.
    Json(Bytes),
    /// Bytes as they are.
    Bytes(Bytes),
}

type Called = Result<Inbound, Status>;

impl Callee {
    /// The method at this place of a service, called through this client.
    pub(super) fn there(client: DynamicClient, service: Arc<Service>, at: usize) -> Self {
        Self::There(Arc::new(There(Described::new(client, service, at))))
    }

    /// Makes the call. Dropping the future, or the items of the answer, cancels it.
    pub(super) fn call(&self, asked: Asked) -> BoxFuture<'static, Called> {
        match self {
            Self::Here { door, entrance } => match asked.caller {
                Some(caller) => {
                    let mut arguments = Arguments::new(entrance.method().argument_names());
                    for given in &asked.arguments {
                        arguments.push(match given {
                            Given::Json(json) => Argument::Json(json),
                            Given::Bytes(bytes) => Argument::Bytes(bytes),
                        });
                    }
                    door.call(Call {
                        entrance: *entrance,
                        caller,
                        arguments,
                        input: asked.input,
                        takes_bytes: asked.takes_bytes,
                        gives_bytes: asked.gives_bytes,
                        deadline: asked.deadline,
                        criticality: None,
                        trace: asked.trace,
                        metadata: asked.metadata,
                    })
                }
                None => {
                    let status = Status::new(Code::Internal, "nobody is known to call");
                    Box::pin(std::future::ready(Err(status)))
                }
            },
            Self::There(there) => {
                let there = Arc::clone(there);
                let (deadline, trace) = (asked.deadline, asked.trace);
                Box::pin(foreign::within(deadline, trace, there.call(asked)))
            }
        }
    }
}

impl There {
    fn method(&self) -> &Method {
        self.0.method()
    }

    async fn call(self: Arc<Self>, asked: Asked) -> Called {
        let told = AnswerMetadata::new();
        let client = self.0.client(&told, asked.deadline.is_some(), &asked.metadata)?;
        let method = self.method();
        let came = if method.raw {
            let bytes = match asked.arguments.into_iter().next() {
                Some(Given::Bytes(bytes) | Given::Json(bytes)) => bytes,
                None => Bytes::new(),
            };
            let answer = client.call::<_, Bytes, Tree>(&self.0.dynamic, (bytes,)).await;
            answer.map(|bytes| DynamicAnswer::Value(Tree::Bytes(bytes.into())))
        } else if self.0.dynamic.method().shape().streams() {
            let arguments = self.arguments(&asked.arguments)?;
            let takes_bytes = asked.takes_bytes;
            let input = asked.input.map(|items| self.input(items, takes_bytes));
            client.stream(&self.0.dynamic, arguments, input).await
        } else {
            let arguments = self.arguments(&asked.arguments)?;
            client.call(&self.0.dynamic, arguments).await.map(DynamicAnswer::Value)
        };
        let metadata = told.get();
        match came {
            Ok(DynamicAnswer::Value(tree)) => {
                let content = match (asked.gives_bytes || method.raw, tree) {
                    (true, Tree::Bytes(bytes)) => Payload::Bytes(bytes.into()),
                    (_, tree) => Payload::Json(self.json(&tree, &method.output)?),
                };
                Ok(Inbound::Value { content, metadata })
            }
            Ok(DynamicAnswer::Stream(items)) => {
                let bytes = asked.gives_bytes;
                let items = Box::pin(Outgoing { there: self, items, are_bytes: bytes });
                Ok(Inbound::Items { bytes, metadata, items })
            }
            Err(CallError::App(error)) => {
                let ty = method.error.as_ref().unwrap_or(&Type::Unit);
                let content = self.json(&error, ty)?;
                let words = format!("`{}` failed with its own error", method.name);
                let otherwise = Status::new(Code::Unknown, words);
                Ok(Inbound::Error { content, metadata, otherwise })
            }
            Err(CallError::Status(status)) => Err(status),
        }
    }

    fn json(&self, tree: &Tree, ty: &Type) -> Result<Bytes, Status> {
        let written = Written { tree, ty, types: &self.0.service.types };
        let written = serde_json::to_vec(&written).map(Bytes::from);
        written.map_err(|why| Status::new(Code::Internal, format!("the answer is no JSON: {why}")))
    }

    fn data(&self, json: &[u8], ty: &Type, name: &str) -> Result<Data, Status> {
        let value: Value = serde_json::from_slice(json).map_err(|why| {
            foreign::rejected(
                Code::InvalidArgument,
                sinew::Reason::Malformed,
                format!("{name}: {why}"),
            )
        })?;
        data(&value, ty, &self.0.service.types, name)
            .map_err(|why| foreign::rejected(Code::InvalidArgument, sinew::Reason::Malformed, why))
    }

    fn arguments(&self, given: &[Given]) -> Result<value::Arguments, Status> {
        let all = given.iter().zip(&self.method().arguments);
        let all = all.map(|(given, argument)| match given {
            Given::Bytes(bytes) => Ok(Data::Bytes(bytes.to_vec())),
            Given::Json(json) => self.data(json, &argument.ty, &argument.name),
        });
        all.collect::<Result<_, _>>().map(value::Arguments)
    }

    fn input(self: &Arc<Self>, items: Items, are_bytes: bool) -> Streaming<Data> {
        Streaming::from_results(Incoming { there: Arc::clone(self), items, are_bytes })
    }
}

/// Items of a request on their way to whoever has the service.
struct Incoming {
    there: Arc<There>,
    items: Items,
    are_bytes: bool,
}

impl Stream for Incoming {
    type Item = Result<Data, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.items.as_mut().poll_next(cx));
        let (there, are_bytes) = (&self.there, self.are_bytes);
        Poll::Ready(item.map(|item| {
            let item = item?;
            match &there.method().input {
                Some(_) if are_bytes => Ok(Data::Bytes(item.to_vec())),
                Some(input) => there.data(&item, &input.item, "an item"),
                None => Ok(Data::Unit),
            }
        }))
    }
}

/// Items of its answer on their way back.
struct Outgoing {
    there: Arc<There>,
    items: Streaming<Tree, Tree>,
    are_bytes: bool,
}

impl Stream for Outgoing {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let item = ready!(Pin::new(&mut this.items).poll_next(cx));
        Poll::Ready(item.map(|item| match item {
            Ok(Tree::Bytes(bytes)) if this.are_bytes => Ok(bytes.into()),
            Ok(tree) => this.there.json(&tree, &this.there.method().output),
            Err(CallError::Status(status)) => Err(status),
            Err(CallError::App(error)) => {
                let words = serde_json::to_string(&error).unwrap_or_default();
                Err(Status::new(
                    Code::Unknown,
                    format!("the stream ended with the method's error: {words}"),
                ))
            }
        }))
    }
}
