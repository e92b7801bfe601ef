//! Why a request is not answered by a method: as problem details (RFC 9457).

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::json;
use sinew::{Code, Directive, Origin, Ran, Reason, Status};

use super::answer::Body;
use crate::codes;

/// What a request is told instead of an answer.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) http: StatusCode,
    status: Status,
    /// Whether the caller may read what the status says.
    is_told: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// The request itself is wrong: nothing was done.
    fn of_request(http: StatusCode, code: Code, why: impl Into<String>) -> Self {
        let status = sinew::foreign::rejected(code, Reason::Malformed, why);
        Self { http, status, is_told: true, headers: Vec::new() }
    }

    pub(super) fn malformed(why: impl Into<String>) -> Self {
        Self::of_request(StatusCode::BAD_REQUEST, Code::InvalidArgument, why)
    }

    pub(super) fn unsupported(why: impl Into<String>) -> Self {
        Self::of_request(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, why)
    }

    pub(super) fn too_large(why: impl Into<String>) -> Self {
        Self::of_request(StatusCode::PAYLOAD_TOO_LARGE, Code::OutOfRange, why)
    }

    pub(super) fn too_slow(why: impl Into<String>) -> Self {
        Self::of_request(StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded, why)
    }

    pub(super) fn not_found(path: &str) -> Self {
        // It is a stranger's, and goes into a page of somebody's browser as text.
        let path: String = path.chars().take(200).collect();
        let why = format!("nothing is served at `{path}`; /openapi.json says what is");
        Self::of_request(StatusCode::NOT_FOUND, Code::Unimplemented, why)
    }

    pub(super) fn other_verb(allowed: &str) -> Self {
        let why = format!("this path is served for {allowed}");
        let refusal = Self::of_request(StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented, why);
        match HeaderValue::from_str(allowed) {
            Ok(allowed) => refusal.with(header::ALLOW, allowed),
            Err(_) => refusal,
        }
    }

    pub(super) fn unauthenticated(why: impl Into<String>) -> Self {
        Self::of_request(StatusCode::UNAUTHORIZED, Code::Unauthenticated, why)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(super) fn forbidden(why: impl Into<String>) -> Self {
        Self::of_request(StatusCode::FORBIDDEN, Code::PermissionDenied, why)
    }

    /// A status about the request itself.
    pub(super) fn of_request_status(status: Status) -> Self {
        Self { http: codes::http_of(status.code()), is_told: true, status, headers: Vec::new() }
    }

    /// What the call came to. `trusts` says whether its caller may know of what is behind the services.
    pub(super) fn of_status(status: Status, trusts: bool) -> Self {
        let http = match status.reason() {
            Reason::TooLarge if status.ran() == Ran::No => StatusCode::PAYLOAD_TOO_LARGE,
            _ => codes::http_of(status.code()),
        };
        Self { http, is_told: trusts || is_for_callers(&status), status, headers: Vec::new() }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// In words that its reader may have.
    pub(super) fn words(&self) -> &str {
        if self.is_told { self.status.message() } else { GENERIC }
    }

    /// The answer.
    pub(super) fn into_response(self) -> Response<Body> {
        let processed = match self.status.ran() {
            Ran::No => "no",
            Ran::Maybe => "maybe",
            Ran::Yes => "yes",
        };
        let code = self.status.code().to_string();
        let body = json!({
            "type": "about:blank",
            "title": self.http.canonical_reason().unwrap_or("Error"),
            "status": self.http.as_u16(),
            "detail": self.words(),
            "code": code,
            "reason": self.status.reason().to_string(),
            "processed": processed,
        });
        let mut response = Response::new(Body::whole(body.to_string().into()));
        *response.status_mut() = self.http;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(code) = HeaderValue::from_str(&code) {
            headers.insert(codes::CODE, code);
        }
        headers.insert(codes::PROCESSED, HeaderValue::from_static(processed));
        if let Some(seconds) = retry_after(&self.status) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        headers.extend(self.headers);
        response
    }
}

/// What callers are told where the truth is about what stands behind.
const GENERIC: &str = "the service cannot answer at present; its operators know more";

/// Whether a status is about what the caller asked for, and not about what is behind. What the runtime says of who may call what
/// and what there is names what is behind.
fn is_for_callers(status: &Status) -> bool {
    let of_handler = matches!(status.origin(), Origin::PeerHandler);
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange => true,
        Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unimplemented => of_handler,
        _ => false,
    }
}

/// When the caller may come again: told of what was not processed for want of room.
fn retry_after(status: &Status) -> Option<u64> {
    let for_want = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
    let wait = match status.directive() {
        Directive::RetryAfter(wait) | Directive::RetryElsewhere(wait) => Some(wait),
        _ => None,
    };
    match (status.ran(), wait) {
        (Ran::No, wait) if for_want => {
            Some(wait.map_or(1, |wait| (wait.as_millis().div_ceil(1000) as u64).max(1)))
        }
        (_, Some(wait)) if wait.as_secs() > 0 => Some(wait.as_secs()),
        _ => None,
    }
}
