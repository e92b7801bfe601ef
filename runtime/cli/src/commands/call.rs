//! `sinew call`: a method by its name, with JSON.

use std::{sync::Arc, time::Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use sinew::{
    Bytes, CallError, CallOptions, Status, Streaming,
    descriptor::{Method, Service, Type},
    dynamic::{DynamicAnswer, DynamicClient, DynamicMethod},
};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    args::Call,
    data::{Arguments, Data, data},
    output::{self, Failure},
    source,
    tree::Tree,
};

pub(crate) async fn run(args: Call, json: bool) -> Result<(), Failure> {
    let Some((service, method)) = args.method.rsplit_once('/') else {
        return Err(Failure::usage(format!("`{}` is not SERVICE/METHOD", args.method)));
    };
    let client = source::client(service, args.at.as_deref()).await?;
    let described = source::describe(&client).await?;
    let service = described
        .service(service)
        .ok_or_else(|| Failure::cannot(format!("the server has no service `{service}`")))?;
    let Some(method) = service.methods.iter().find(|known| known.name == method) else {
        let names: Vec<_> = service.methods.iter().map(|method| &*method.name).collect();
        return Err(Failure::cannot(format!(
            "`{}` has no method `{method}`; it has {}",
            service.name,
            names.join(", ")
        )));
    };
    let asked = Asked {
        client: client.with(options(&args)?),
        method: DynamicMethod::new(service, method),
        described: method,
        service,
        explain: args.explain,
    };
    let given = given(args.arguments.as_deref())?;
    match (args.repeat, method.streams != Default::default()) {
        (Some(_), true) => Err(Failure::usage("a method that streams is not repeated")),
        (Some(times), false) => asked.repeat(&given, times, json).await,
        (None, true) => asked.stream(&given).await,
        (None, false) if method.raw => asked.raw(&given).await,
        (None, false) => {
            let answer = asked.once(asked.arguments(&given)?).await?;
            output::line(&pretty(&answer))
        }
    }
}

fn options(args: &Call) -> Result<CallOptions, Failure> {
    let mut options = CallOptions::new();
    if let Some(timeout) = args.timeout {
        options = options.timeout(timeout);
    }
    for (key, value) in &args.metadata {
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

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

struct Asked<'d> {
    client: DynamicClient,
    method: DynamicMethod,
    described: &'d Method,
    service: &'d Service,
    explain: bool,
}

impl Asked<'_> {
    /// The arguments as they go out.
    fn arguments(&self, given: &Value) -> Result<Arguments, Failure> {
        let Some(object) = given.as_object() else {
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

    async fn once(&self, arguments: Arguments) -> Result<Value, Failure> {
        let answer: Result<Tree, CallError<Tree>> = self.client.call(&self.method, arguments).await;
        answer.map(|answer| self.output(&answer)).map_err(|error| self.failed(error))
    }

    /// Bytes go as they are: a text, or standard input where none is given.
    async fn raw(&self, given: &Value) -> Result<(), Failure> {
        let name = self.described.arguments.first().map(|argument| &argument.name);
        let value = name.and_then(|name| given.get(name)).unwrap_or(given);
        let bytes = match data(value, &Type::Bytes, &[], "the argument") {
            Ok(Data::Bytes(bytes)) => Bytes::from(bytes),
            Ok(_) => Bytes::new(),
            Err(why) => return Err(Failure::usage(why)),
        };
        let answer: Result<Bytes, CallError<Tree>> = self.client.call(&self.method, (bytes,)).await;
        let answer = answer.map_err(|error| self.failed(error))?;
        let wrote = std::io::Write::write_all(&mut std::io::stdout(), &answer);
        wrote.map_err(|why| Failure::cannot(format!("standard output: {why}")))
    }

    async fn stream(&self, given: &Value) -> Result<(), Failure> {
        let arguments = self.arguments(given)?;
        let input = self.described.input.as_ref().map(|input| self.input(&input.item));
        let (input, problem) =
            input.map_or((None, None), |(input, problem)| (Some(input), Some(problem)));
        let answer: Result<DynamicAnswer<Tree, Tree>, CallError<Tree>> =
            self.client.stream(&self.method, arguments, input).await;
        let outcome = match answer {
            Ok(DynamicAnswer::Value(value)) => Ok(Some(value)),
            Ok(DynamicAnswer::Stream(items)) => self.print(items).await.map(|()| None),
            Err(error) => Err(self.failed(error)),
        };
        // What could not be sent says more than what became of the rest.
        if let Some(why) = problem.and_then(|mut problem| problem.try_recv().ok()) {
            return Err(Failure::usage(why));
        }
        match outcome? {
            Some(value) => output::line(&pretty(&self.output(&value))),
            None => Ok(()),
        }
    }

    /// Items, a line each.
    async fn print(&self, mut items: Streaming<Tree, Tree>) -> Result<(), Failure> {
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| self.failed(error))?;
            output::line(&self.output(&item).to_string())?;
        }
        Ok(())
    }

    /// Lines of standard input as items. What is wrong with one ends the stream, and is told.
    fn input(&self, item: &Type) -> (Streaming<Data>, tokio::sync::oneshot::Receiver<String>) {
        let (writer, items) = Streaming::channel();
        let (tell, told) = tokio::sync::oneshot::channel();
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

    /// So many calls in turn, and how long they took.
    async fn repeat(&self, given: &Value, times: u64, json: bool) -> Result<(), Failure> {
        let arguments = self.arguments(given)?;
        let mut took = Histogram::<u64>::new(3).map_err(|why| Failure::cannot(why.to_string()))?;
        let (mut failed, began) = (0_u64, Instant::now());
        let mut last = None;
        for _ in 0..times {
            let started = Instant::now();
            let answer: Result<Tree, CallError<Tree>> =
                self.client.call(&self.method, arguments.clone()).await;
            took.saturating_record(
                u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            );
            if let Err(error) = answer {
                failed += 1;
                last = Some(error);
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        let at = |quantile| took.value_at_quantile(quantile);
        if json {
            output::line(
                &json!({
                    "calls": times, "failed": failed, "seconds": seconds,
                    "p50_us": at(0.5), "p99_us": at(0.99), "max_us": took.max(),
                })
                .to_string(),
            )?;
        } else {
            output::line(&format!("{times} calls in {seconds:.2} s, {failed} failed"))?;
            output::line(&format!(
                "p50 {} us   p99 {} us   max {} us",
                at(0.5),
                at(0.99),
                took.max()
            ))?;
        }
        last.map_or(Ok(()), |error| Err(self.failed(error)))
    }

    fn output(&self, answer: &Tree) -> Value {
        answer.json(&self.described.output, &self.service.types)
    }

    /// A call that failed: the method's own error as JSON, or what the mesh has to say.
    fn failed(&self, error: CallError<Tree>) -> Failure {
        match error {
            CallError::App(error) => {
                let ty = self.described.error.clone().unwrap_or(Type::Unit);
                let error = error.json(&ty, &self.service.types);
                Failure::no(format!("the method answered with its error: {error}"))
            }
            CallError::Status(status) => {
                if self.explain {
                    output::note(&format!("{status:?}"));
                }
                Failure::no(status.to_string())
            }
        }
    }
}
