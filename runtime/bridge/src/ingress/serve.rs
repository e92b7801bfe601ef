//! The whole way of a request, in order.
//!
//! ```text
//!   0  connection   how it is framed: `guard.rs`; its certificate: `tls.rs`; how many there are: `listen.rs`
//!   1  meant        whether whoever sends it means to, and this server; 403
//!   2  route        which method the path and the verb mean; 404, 405
//!   3  caller       who calls; 401
//!   4  beside       deadline, trace, metadata
//!   5  arguments    from the path, the query, the headers, the body; 400, 413, 415
//!   6  call         the server's own way, from its deadline on: may he call this, is there a place, handler
//!   7  answer       the value, the method's own error, a stream, or problem details
//! ```

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request};
use sinew::{
    Code, Mesh, Metrics, Reason, SpiffeId,
    foreign::{self, Caller, Door, Items},
};

use super::{
    activity::Activity,
    answer::{Body, answered},
    arguments::{self, Arguments},
    beside,
    body::{self, Bodies, BoxError, Input},
    callee::Asked,
    callers::Callers,
    page,
    refusal::Refusal,
    route::{self, Route},
    table::{Found, Table},
};

/// What all connections of an ingress share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) table: Table,
    pub(super) callers: Callers,
    /// The server of this process, where that is what is called.
    pub(super) door: Option<Door>,
    /// What `/openapi.json` says; none where pages are off.
    pub(super) document: Option<Bytes>,
    /// What `/metrics` says.
    pub(super) metrics: Option<Metrics>,
    /// Only who names this machine means it: there is nothing else that keeps strangers' pages out.
    pub(super) checks_host: bool,
    /// How much of bodies is held at once.
    pub(super) bodies: Bodies,
    /// Whose policy says who may call what, where nothing of this process is called.
    pub(super) mesh: Option<Mesh>,
}

/// Who is at the other end.
#[derive(Debug, Default)]
pub(super) struct Connected {
    pub(super) address: Option<SocketAddr>,
    pub(super) certified: Option<SpiffeId>,
    /// Whoever called last: mostly it is the same one.
    last: Mutex<Option<Caller>>,
    /// What of its requests is not over.
    pub(super) activity: Activity,
}

impl Connected {
    pub(super) fn new(address: Option<SocketAddr>, certified: Option<SpiffeId>) -> Self {
        Self { address, certified, ..Self::default() }
    }

    fn caller(&self, door: &Door, who: SpiffeId) -> Caller {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last.as_ref().filter(|known| *known.identity() == who) {
            return known.clone();
        }
        let caller = door.caller(who, self.address);
        *last = Some(caller.clone());
        caller
    }
}

impl Shared {
    /// Answers a request.
    pub(super) async fn serve<B>(
        &self,
        connected: &Connected,
        request: Request<B>,
    ) -> Response<Body>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        let open = connected.activity.open();
        self.answer(connected, &head, body).await.map(|body| body.held(open))
    }

    async fn answer<B>(
        &self,
        connected: &Connected,
        head: &request::Parts,
        body: B,
    ) -> Response<Body>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        // 1
        if let Err(refusal) = self.is_meant(head) {
            return refusal.into_response();
        }
        let path = head.uri.path();
        // 2
        let (route, in_path) = match self.table.find(&head.method, path) {
            Found::Route(route, in_path) => (route, in_path),
            Found::Verbs(verbs) => return other_verb(&head.method, &verbs),
            Found::Nothing => return self.page(&head.method, path),
        };
        let called = self.call(connected, (route, &in_path), head, body).await;
        called.unwrap_or_else(Refusal::into_response)
    }

    async fn call<B>(
        &self,
        connected: &Connected,
        (route, in_path): (&Arc<Route>, &[std::borrow::Cow<'_, str>]),
        head: &request::Parts,
        body: B,
    ) -> Result<Response<Body>, Refusal>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        // 3
        let who = self.callers.who(&head.headers, connected.certified.as_ref())?;
        self.may_call(&who, route.name())?;
        let caller = self.door.as_ref().map(|door| connected.caller(door, who));
        // 4
        let trusts = self.callers.trusts;
        let deadline = beside::deadline(&head.headers, route.timeout, trusts)?;
        let metadata = beside::metadata(&head.headers, &route.headers)?;
        if head.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(Refusal::unsupported(
                "the body is packed (`content-encoding`): send it as it is",
            ));
        }
        // 5
        let mut arguments = Arguments::of_head(route, in_path, head)?;
        let mut held = None;
        let input = match &route.body {
            route::Body::None => None,
            route::Body::Chunks => Some(Box::pin(Input::pieces(body)) as Items),
            route::Body::Items(places) => {
                arguments::is_lines(&head.headers)?;
                let mut input: Items = Box::pin(Input::lines(body));
                if !places.is_empty() {
                    let first = body::first(&mut input, deadline).await?;
                    arguments.object(places, &first, "the first line")?;
                }
                Some(input)
            }
            _ => {
                let (body, its) = body::whole(body, deadline, &self.bodies).await?;
                held = Some(its);
                arguments.of_body(&head.headers, body)?;
                None
            }
        };
        // 6
        let asked = Asked {
            caller,
            arguments: arguments.whole()?,
            input,
            takes_bytes: route.body == route::Body::Chunks,
            gives_bytes: route.gives_bytes(),
            deadline,
            trace: beside::trace(&head.headers),
            metadata,
        };
        let came = route.callee.call(asked).await;
        drop(held);
        // 7
        Ok(answered(route, &head.headers, came, trusts))
    }

    /// Whether whoever sends it means to, and this server: a page of a stranger's can have a browser send a request, and a
    /// name of his can lead to this machine.
    fn is_meant(&self, head: &request::Parts) -> Result<(), Refusal> {
        let is_safe = matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let site = head.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        if !is_safe && matches!(site, Some(b"cross-site" | b"same-site")) {
            return Err(Refusal::forbidden("a page of another origin had a browser send this"));
        }
        if self.checks_host && !names_this_machine(head) {
            return Err(Refusal::forbidden(
                "this listener is for this machine: its `host` is `localhost`, or an address",
            ));
        }
        Ok(())
    }

    /// Whether the policy says so, where nobody behind looks at who calls.
    fn may_call(&self, who: &SpiffeId, method: &str) -> Result<(), Refusal> {
        if self.mesh.as_ref().is_none_or(|mesh| mesh.allows(who, method)) {
            return Ok(());
        }
        let why = format!("`{who}` may not call `{method}`: no `[[allow]]` of the policy says so");
        let status = foreign::rejected(Code::PermissionDenied, Reason::NotAllowed, why);
        Err(Refusal::of_request_status(status))
    }

    /// What stands beside the services: their description, and the page to try them.
    fn page(&self, verb: &Method, path: &str) -> Response<Body> {
        if *verb == Method::OPTIONS && path == "*" {
            // Somebody wants to know whether anybody is here (RFC 9110, 9.3.7).
            return empty(StatusCode::NO_CONTENT);
        }
        let document = self.document.as_ref();
        let (kind, content) = match (path, document) {
            ("/metrics", _) if self.metrics.is_some() => {
                let text = self.metrics.as_ref().map(Metrics::to_string).unwrap_or_default();
                (Metrics::CONTENT_TYPE, text.into())
            }
            ("/openapi.json", Some(document)) => ("application/json", document.clone()),
            (path, Some(_)) => match page::find(path) {
                Some(found) => found,
                None => return Refusal::not_found(path).into_response(),
            },
            (path, None) => return Refusal::not_found(path).into_response(),
        };
        if !matches!(*verb, Method::GET | Method::HEAD) {
            return other_verb(verb, &[&Method::GET]);
        }
        let mut response = Response::new(Body::whole(content));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
        response
    }
}

/// Whether a request is for `localhost` or an address. A name of a stranger's that leads here is neither.
fn names_this_machine(head: &request::Parts) -> bool {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = head.uri.host().or(host) else { return true };
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok()
}

fn other_verb(verb: &Method, known: &[&Method]) -> Response<Body> {
    let mut allowed: Vec<&str> = known.iter().map(|verb| verb.as_str()).collect();
    if allowed.contains(&"GET") && !allowed.contains(&"HEAD") {
        allowed.push("HEAD");
    }
    allowed.push("OPTIONS");
    let allowed = allowed.join(", ");
    if *verb != Method::OPTIONS {
        return Refusal::other_verb(&allowed).into_response();
    }
    let mut response = empty(StatusCode::NO_CONTENT);
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// The ingress as a `tower` service: made by [`Ingress::service`](super::Ingress::service). Cheap to clone.
#[derive(Debug, Clone)]
pub struct IngressService {
    shared: Arc<Shared>,
    /// There is one for all that come through a `tower` service: it knows nothing of connections.
    connected: Arc<Connected>,
}

impl IngressService {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, connected: Arc::default() }
    }
}

impl<B> tower_service::Service<Request<B>> for IngressService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    /// It is always ready: what is too much is refused as the server refuses it, once the request is read.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { shared, connected } = self.clone();
        Box::pin(async move { Ok(shared.serve(&connected, request).await) })
    }
}
