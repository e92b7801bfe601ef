//! A legacy service as one of ours: a server whose methods pass calls on over HTTP.
//!
//! # Why
//! The fleet sees an ordinary service: found by its name, called by the generated client, with every mechanism of the mesh on
//! the way to the gateway. Behind it each call goes out through the bridge, with those of the way from there.
//!
//! # Invariants
//! 1. A call's deadline, trace and metadata go on; what the legacy service says of what it did, its caller hears.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use serde_json::Value;
use sinew::{
    AnswerMetadata, Bytes, CallError, Code, Metadata, Status, Streaming,
    descriptor::{HttpContent, Method, Service, Type},
    dynamic::{DynamicAnswer, DynamicClient, DynamicService},
};

use crate::{
    described::Described,
    ingress::{IngressError, route},
    value::{Arguments, Data, Given, Tree, Written, data},
};

/// This service, whose calls go on through this client: its endpoints speak HTTP.
///
/// # Errors
/// A method says of HTTP what cannot be: its path, query, headers or body name an argument that it has not.
pub fn legacy(service: &Service, client: &DynamicClient) -> Result<DynamicService, IngressError> {
    for method in &service.methods {
        route::check(service, method)?;
    }
    let described = Arc::new(service.clone());
    let mut serves = DynamicService::new(&service.name);
    for at in 0..service.methods.len() {
        let on = Described::new(client.clone(), Arc::clone(&described), at);
        let (method, on) = (on.dynamic, Arc::new(On(on)));
        if on.described().raw {
            serves =
                serves.unary(&method, move |given: (Bytes,)| async move { on.raw(given).await });
            continue;
        }
        serves = match (on.described().streams.input(), on.described().streams.output()) {
            (false, false) => serves
                .unary(&method, move |given: Given| async move { on.value(given, None).await }),
            (false, true) => serves.server_streaming(&method, move |given: Given| async move {
                on.stream(given, None).await
            }),
            (true, false) => serves
                .client_streaming(&method, move |given: Given, input| async move {
                    on.value(given, Some(input)).await
                }),
            (true, true) => serves.bidirectional(&method, move |given: Given, input| async move {
                on.stream(given, Some(input)).await
            }),
        };
    }
    Ok(serves)
}

/// A method, and the way on.
struct On(Described);

type Failed = CallError<Data>;

impl On {
    fn described(&self) -> &Method {
        self.0.method()
    }

    /// Whether values, or items, are bytes as they are.
    fn is_bytes(&self) -> bool {
        let http = self.described().http.as_ref();
        self.described().raw || http.is_some_and(|http| http.content == HttpContent::Bytes)
    }

    fn data(&self, tree: &Tree, ty: &Type, name: &str) -> Result<Data, Status> {
        let wrong = |why: String| Status::new(Code::InvalidArgument, why);
        if let Tree::Bytes(bytes) = tree
            && *ty == Type::Bytes
        {
            return Ok(Data::Bytes(bytes.clone()));
        }
        let written = Written { tree, ty, types: &self.0.service.types };
        let value = serde_json::to_value(written).map_err(|why| wrong(why.to_string()))?;
        data(&value, ty, &self.0.service.types, name).map_err(wrong)
    }

    /// A value of JSON as the type that the caller knows.
    fn back(&self, value: &Value, ty: &Type) -> Result<Data, Status> {
        data(value, ty, &self.0.service.types, "the answer").map_err(|why| {
            Status::new(
                Code::Internal,
                format!("`{}` of the legacy service: {why}", self.described().name),
            )
        })
    }

    fn arguments(&self, given: &Given) -> Result<Arguments, Status> {
        let described = &self.described().arguments;
        let all = described.iter().zip(&given.0);
        let all = all.map(|(argument, tree)| self.data(tree, &argument.ty, &argument.name));
        all.collect::<Result<_, _>>().map(Arguments)
    }

    /// The client of one call, with what its caller says beside the arguments.
    fn client(&self, told: &AnswerMetadata) -> Result<DynamicClient, Status> {
        match sinew::Context::current() {
            Some(context) => self.0.client(told, context.deadline().is_some(), context.metadata()),
            None => self.0.client(told, true, &Metadata::new()),
        }
    }

    fn failed(&self, error: CallError<Value>) -> Failed {
        match error {
            CallError::Status(status) => CallError::Status(status),
            CallError::App(error) => {
                let ty = self.described().error.as_ref().unwrap_or(&Type::Unit);
                self.back(&error, ty).map_or_else(CallError::Status, CallError::App)
            }
        }
    }

    fn input(self: &Arc<Self>, input: Streaming<Tree>) -> Streaming<Data> {
        Streaming::from_results(Input { on: Arc::clone(self), input })
    }

    /// Bytes for bytes: nobody looks at them.
    async fn raw(self: Arc<Self>, given: (Bytes,)) -> Result<Bytes, Failed> {
        let told = AnswerMetadata::new();
        let came = self.client(&told)?.call::<_, Bytes, Value>(&self.0.dynamic, given).await;
        pass_on(&told);
        came.map_err(|error| self.failed(error))
    }

    async fn value(
        self: Arc<Self>,
        given: Given,
        input: Option<Streaming<Tree>>,
    ) -> Result<Data, Failed> {
        let told = AnswerMetadata::new();
        let client = self.client(&told)?;
        let arguments = self.arguments(&given)?;
        let came = if let Some(input) = input {
            let input = Some(self.input(input));
            let came = client.stream::<_, _, Value, Value>(&self.0.dynamic, arguments, input).await;
            match came.map_err(|error| self.failed(error))? {
                DynamicAnswer::Value(value) => self.back(&value, &self.described().output)?,
                DynamicAnswer::Stream(_) => {
                    return Err(
                        Status::new(Code::Internal, "a stream came in place of a value").into()
                    );
                }
            }
        } else if self.is_bytes() {
            let came = client.call::<_, Bytes, Value>(&self.0.dynamic, arguments).await;
            Data::Bytes(came.map_err(|error| self.failed(error))?.into())
        } else {
            let came = client.call::<_, Value, Value>(&self.0.dynamic, arguments).await;
            let value = came.map_err(|error| self.failed(error))?;
            self.back(&value, &self.described().output)?
        };
        pass_on(&told);
        Ok(came)
    }

    async fn stream(
        self: Arc<Self>,
        given: Given,
        input: Option<Streaming<Tree>>,
    ) -> Result<Streaming<Data>, Failed> {
        let told = AnswerMetadata::new();
        let client = self.client(&told)?;
        let arguments = self.arguments(&given)?;
        let input = input.map(|input| self.input(input));
        let wrong =
            || CallError::Status(Status::new(Code::Internal, "a value came in place of a stream"));
        let items = if self.is_bytes() {
            let came = client.stream::<_, _, Bytes, Value>(&self.0.dynamic, arguments, input).await;
            match came.map_err(|error| self.failed(error))? {
                DynamicAnswer::Stream(items) => Streaming::from_results(Pieces(items)),
                DynamicAnswer::Value(_) => return Err(wrong()),
            }
        } else {
            let came = client.stream::<_, _, Value, Value>(&self.0.dynamic, arguments, input).await;
            match came.map_err(|error| self.failed(error))? {
                DynamicAnswer::Stream(items) => Streaming::from_results(Items { on: self, items }),
                DynamicAnswer::Value(_) => return Err(wrong()),
            }
        };
        pass_on(&told);
        Ok(items)
    }
}

/// What the legacy service said beside its answer, its caller hears too.
fn pass_on(told: &AnswerMetadata) {
    let Some(context) = sinew::Context::current() else { return };
    for (key, value) in told.get().iter() {
        if key.starts_with("x-") {
            // What does not fit is not what a caller can rely on.
            let _ = context.set_answer_metadata(key, value);
        }
    }
}

/// Items on their way to the legacy service.
struct Input {
    on: Arc<On>,
    input: Streaming<Tree>,
}

impl Stream for Input {
    type Item = Result<Data, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let item = ready!(Pin::new(&mut this.input).poll_next(cx));
        let ty = this.on.described().input.as_ref().map_or(&Type::Unit, |input| &input.item);
        Poll::Ready(item.map(|item| this.on.data(&item?, ty, "an item")))
    }
}

/// Items of its answer.
struct Items {
    on: Arc<On>,
    items: Streaming<Value, Value>,
}

impl Stream for Items {
    type Item = Result<Data, Failed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let item = ready!(Pin::new(&mut this.items).poll_next(cx));
        let on = &this.on;
        Poll::Ready(item.map(|item| match item {
            Ok(value) => on.back(&value, &on.described().output).map_err(CallError::Status),
            Err(error) => Err(on.failed(error)),
        }))
    }
}

/// The same, where they are bytes.
struct Pieces(Streaming<Bytes, Value>);

impl Stream for Pieces {
    type Item = Result<Data, Failed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(Pin::new(&mut self.0).poll_next(cx));
        Poll::Ready(item.map(|item| match item {
            Ok(bytes) => Ok(Data::Bytes(bytes.into())),
            Err(CallError::Status(status)) => Err(CallError::Status(status)),
            Err(CallError::App(_)) => Err(CallError::Status(Status::new(
                Code::Unknown,
                "the stream ended with an error of its own",
            ))),
        }))
    }
}
