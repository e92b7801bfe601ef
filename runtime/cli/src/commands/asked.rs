//! A call that was asked for on the command line, whatever is to be made of what it comes to.

use std::sync::Arc;

use serde_json::{Value, json};
use sinew::{
    Bytes, CallError, CallOptions, Status, Streaming,
    descriptor::{Descriptor, Method, Service, Type},
    dynamic::{DynamicAnswer, DynamicClient, DynamicMethod},
};
use sinew_bridge::value::{Arguments, Data, Tree, data};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::oneshot,
};

use crate::{args::Request, output::Failure, source};

/// Where a call goes, and what its server says of its services.
pub(super) struct Found {
    client: DynamicClient,
    described: Descriptor,
    service: String,
    method: String,
}

impl Found {
    /// Finds a server of the service and asks it what it is.
    pub(super) async fn new(request: &Request) -> Result<Self, Failure> {
        let Some((service, method)) = request.method.rsplit_once('/') else {
            return Err(Failure::usage(format!("`{}` is not SERVICE/METHOD", request.method)));
        };
        let client = source::client(service, request.at.as_deref()).await?;
        let described = source::describe(&client).await?;
        Ok(Self { client, described, service: service.to_owned(), method: method.to_owned() })
    }

    /// The call, as `more` has it.
    pub(super) fn asked(
        &self,
        request: &Request,
        more: impl FnOnce(CallOptions) -> CallOptions,
    ) -> Result<Asked<'_>, Failure> {
        let Self { client, described, service, method } = self;
        let service = described
            .service(service)
            .ok_or_else(|| Failure::cannot(format!("the server has no service `{service}`")))?;
        let Some(method) = service.methods.iter().find(|known| known.name == *method) else {
            let names: Vec<_> = service.methods.iter().map(|method| &*method.name).collect();
            return Err(Failure::cannot(format!(
                "`{}` has no method `{method}`; it has {}",
                service.name,
                names.join(", ")
            )));
        };
        let given = given(request.arguments.as_deref())?;
        Ok(Asked {
            client: client.with(more(options(request)?)),
            method: DynamicMethod::new(service, method),
            described: method,
            service,
            given,
        })
    }
}

/// What a call came to.
pub(super) enum Came {
    Value(Value),
    Bytes(Bytes),
    /// Items went to whoever took them.
    Items,
}

/// Why it came to nothing.
pub(super) enum Missed {
    /// The method's own error.
    App(Value),
    Status(Status),
    /// It could not be made.
    Failure(Failure),
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Missed> for Failure {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::App(error) => Self::no(format!("the method answered with its error: {error}")),
            Missed::Status(status) => Self::no(status.to_string()),
            Missed::Failure(failure) => failure,
        }
    }
}

fn options(request: &Request) -> Result<CallOptions, Failure> {
    let mut options = CallOptions::new();
    if let Some(timeout) = request.timeout {
        options = options.timeout(timeout);
    }
    for (key, value) in &request.metadata {
        options = options
            .metadata(key.as_str(), value.clone())
            .map_err(|why| Failure::usage(format!("the metadata `{key}`: {why}")))?;
    }
    Ok(options)
}

fn given(text: Option<&str>) -> Result<Value, Failure> {
    let Some(text) = text else { return Ok(json!({})) };
    serde_json::from_str(text)
        .map_err(|why| Failure::usage(format!("the arguments are no JSON: {why}")))
}

pub(super) struct Asked<'d> {
    client: DynamicClient,
    method: DynamicMethod,
    described: &'d Method,
    service: &'d Service,
    given: Value,
}

impl Asked<'_> {
    pub(super) fn streams(&self) -> bool {
        self.described.streams != Default::default()
    }

    /// Makes the call. Items of a stream go to `take`, one by one.
    pub(super) async fn make(
        &self,
        take: impl FnMut(Value) -> Result<(), Failure>,
    ) -> Result<Came, Missed> {
        if self.streams() {
            return self.stream(take).await;
        }
        if self.described.raw {
            return self.raw().await;
        }
        self.once(self.arguments()?).await.map(Came::Value)
    }

    /// The arguments as they go out.
    pub(super) fn arguments(&self) -> Result<Arguments, Failure> {
        let Some(object) = self.given.as_object() else {
            return Err(Failure::usage("the arguments are a JSON object with their names"));
        };
        let known = &self.described.arguments;
        if let Some(name) = object.keys().find(|name| !known.iter().any(|one| one.name == **name)) {
            let names: Vec<_> = known.iter().map(|one| format!("`{}`", one.name)).collect();
            return Err(Failure::usage(format!(
                "there is no argument `{name}`; there is {}",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            )));
        }
        let all = known.iter().map(|argument| match object.get(&argument.name) {
            Some(value) => data(value, &argument.ty, &self.service.types, &argument.name),
            None if argument.optional => Ok(Data::Unit),
            None => Err(format!("the argument `{}` is missing", argument.name)),
        });
        all.collect::<Result<_, _>>().map(Arguments).map_err(Failure::usage)
    }

    /// A call of one value for another.
    pub(super) async fn once(&self, arguments: Arguments) -> Result<Value, Missed> {
        let answer: Result<Tree, CallError<Tree>> = self.client.call(&self.method, arguments).await;
        answer.map(|answer| self.output(&answer)).map_err(|error| self.missed(error))
    }

    /// Bytes go as they are: a text, or a list of numbers.
    async fn raw(&self) -> Result<Came, Missed> {
        let name = self.described.arguments.first().map(|argument| &argument.name);
        let value = name.and_then(|name| self.given.get(name)).unwrap_or(&self.given);
        let bytes = match data(value, &Type::Bytes, &[], "the argument") {
            Ok(Data::Bytes(bytes)) => Bytes::from(bytes),
            Ok(_) => Bytes::new(),
            Err(why) => return Err(Failure::usage(why).into()),
        };
        let answer: Result<Bytes, CallError<Tree>> = self.client.call(&self.method, (bytes,)).await;
        answer.map(Came::Bytes).map_err(|error| self.missed(error))
    }

    async fn stream(&self, take: impl FnMut(Value) -> Result<(), Failure>) -> Result<Came, Missed> {
        let arguments = self.arguments()?;
        let input = self.described.input.as_ref().map(|input| self.input(&input.item));
        let (input, problem) =
            input.map_or((None, None), |(input, problem)| (Some(input), Some(problem)));
        let answer: Result<DynamicAnswer<Tree, Tree>, CallError<Tree>> =
            self.client.stream(&self.method, arguments, input).await;
        let came = match answer {
            Ok(DynamicAnswer::Value(value)) => Ok(Came::Value(self.output(&value))),
            Ok(DynamicAnswer::Stream(items)) => self.hand_on(items, take).await,
            Err(error) => Err(self.missed(error)),
        };
        // What could not be sent says more than what became of the rest.
        match problem.and_then(|mut problem| problem.try_recv().ok()) {
            Some(why) => Err(Failure::usage(why).into()),
            None => came,
        }
    }

    async fn hand_on(
        &self,
        mut items: Streaming<Tree, Tree>,
        mut take: impl FnMut(Value) -> Result<(), Failure>,
    ) -> Result<Came, Missed> {
        while let Some(item) = items.next().await {
            take(self.output(&item.map_err(|error| self.missed(error))?))?;
        }
        Ok(Came::Items)
    }

    /// Lines of standard input as items. What is wrong with one ends the stream, and is told.
    fn input(&self, item: &Type) -> (Streaming<Data>, oneshot::Receiver<String>) {
        let (writer, items) = Streaming::channel();
        let (tell, told) = oneshot::channel();
        let (item, types) = (item.clone(), Arc::new(self.service.types.clone()));
        tokio::spawn(async move {
            let mut lines = BufReader::new(tokio::io::stdin()).lines();
            let mut number = 0_u64;
            loop {
                number += 1;
                let line = match lines.next_line().await {
                    Ok(Some(line)) if line.trim().is_empty() => continue,
                    Ok(Some(line)) => line,
                    Ok(None) => break,
                    Err(why) => {
                        let _ = tell.send(format!("standard input: {why}"));
                        let status =
                            Status::new(sinew::Code::Cancelled, "the input cannot be read");
                        let _ = writer.fail(status).await;
                        return;
                    }
                };
                let at = format!("line {number}");
                let value = serde_json::from_str::<Value>(&line)
                    .map_err(|why| format!("{at} is no JSON: {why}"))
                    .and_then(|value| data(&value, &item, &types, &at));
                match value {
                    Ok(value) => {
                        if writer.send(value).await.is_err() {
                            return;
                        }
                    }
                    Err(why) => {
                        let _ = tell.send(why);
                        let status = Status::new(sinew::Code::Cancelled, "an item is wrong");
                        let _ = writer.fail(status).await;
                        return;
                    }
                }
            }
            let _ = writer.finish().await;
        });
        (items, told)
    }

    fn output(&self, answer: &Tree) -> Value {
        answer.json(&self.described.output, &self.service.types)
    }

    /// A call that failed: the method's own error as JSON, or what the mesh has to say.
    fn missed(&self, error: CallError<Tree>) -> Missed {
        match error {
            CallError::App(error) => {
                let ty = self.described.error.clone().unwrap_or(Type::Unit);
                Missed::App(error.json(&ty, &self.service.types))
            }
            CallError::Status(status) => Missed::Status(status),
        }
    }
}
