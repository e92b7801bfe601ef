//! What a status of HTTP means as a status of a call: one table, read in one place.
//!
//! ```text
//!   400 InvalidArgument      409 Aborted                  501 Unimplemented
//!   401 Unauthenticated      412 FailedPrecondition       502 Unavailable
//!   403 PermissionDenied     413, 414, 431 OutOfRange     503 Unavailable
//!   404, 410 NotFound        425 Unavailable, rejected    504 DeadlineExceeded
//!   405 Unimplemented        429 ResourceExhausted        other 5xx Internal
//!   408 DeadlineExceeded     499 Cancelled                other 4xx InvalidArgument
//!   3xx FailedPrecondition: a redirect is an answer, and not followed
//! ```
//! Whether the call was processed is told by few of them. A 4xx, a 500 and a 501 come from who processed the call; 425 says
//! that it was not, and so do 429 and 503 where they say when to come back (`Retry-After`). A 502, a 504 and a bare 503
//! may come from a proxy that had sent the call on: nobody knows.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use sinew::{Code, Directive, Reason, Status, foreign};
use sinew_core::limits;

use crate::codes;

/// The status of a call that was answered so. `said` is what there is of the body.
pub(super) fn status(code: StatusCode, headers: &HeaderMap, said: &str) -> Status {
    let retry_after = retry_after(headers);
    let words = words(code, headers, said);
    let status = match (code.as_u16(), retry_after) {
        _ if told(headers).is_some() => of_sinew(headers, code, words),
        (425, _) => foreign::rejected(Code::Unavailable, Reason::None, words),
        (429, Some(_)) => foreign::rejected(Code::ResourceExhausted, Reason::Overloaded, words),
        (503, Some(_)) => foreign::rejected(Code::Unavailable, Reason::Overloaded, words),
        (502 | 503, _) => foreign::unknown(Code::Unavailable, Reason::None, words),
        (408 | 504, _) => foreign::unknown(Code::DeadlineExceeded, Reason::None, words),
        (other, _) => foreign::answered(codes::code_of(other), words),
    };
    match retry_after {
        Some(wait) => status.with_directive(Directive::RetryAfter(wait)),
        None => status,
    }
}

/// The code that an ingress of sinew's says beside the status.
pub(super) fn told(headers: &HeaderMap) -> Option<Code> {
    codes::code_named(headers.get(codes::CODE)?.to_str().ok()?)
}

/// What an ingress says is as its server said it: several codes share a status, and a status says nothing of what was
/// processed.
fn of_sinew(headers: &HeaderMap, status: StatusCode, words: String) -> Status {
    let code = told(headers).unwrap_or_else(|| codes::code_of(status.as_u16()));
    match headers.get(codes::PROCESSED).map(http::HeaderValue::as_bytes) {
        Some(b"no") => foreign::rejected(code, Reason::None, words),
        Some(b"yes") => foreign::answered(code, words),
        _ => foreign::unknown(code, Reason::None, words),
    }
}

fn words(code: StatusCode, headers: &HeaderMap, said: &str) -> String {
    let mut words = format!("HTTP {code}");
    if code.is_redirection()
        && let Some(to) = headers.get(header::LOCATION).and_then(|to| to.to_str().ok())
    {
        words.push_str(" to ");
        words.push_str(&excerpt(to));
        words.push_str(
            ": redirects are not followed; name that place as the endpoint, if it is one",
        );
    }
    if !said.is_empty() {
        words.push_str(": ");
        words.push_str(said);
    }
    words
}

/// What a body says, on one line and in few words: it is a stranger's.
pub(super) fn excerpt(text: &str) -> String {
    let mut excerpt = String::new();
    let mut blank = true;
    for c in text.chars() {
        if excerpt.len() >= limits::HTTP_EXCERPT {
            excerpt.push_str("..");
            break;
        }
        if c.is_whitespace() || c.is_control() {
            if !blank {
                excerpt.push(' ');
            }
            blank = true;
        } else {
            excerpt.push(c);
            blank = false;
        }
    }
    excerpt.truncate(excerpt.trim_end().len());
    excerpt
}

/// How long the server asks to be left alone: in seconds, or until a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let told = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match told.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let then = httpdate::parse_http_date(told).ok()?;
            Some(then.duration_since(std::time::SystemTime::now()).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use sinew::{Disposition, Ran};

    use super::*;

    fn of(code: u16, headers: &[(&'static str, &str)]) -> Status {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        status(StatusCode::from_u16(code).unwrap(), &map, "said")
    }

    #[test]
    fn what_a_status_means_is_as_the_table_says() {
        for (code, meaning, disposition) in [
            (400, Code::InvalidArgument, Disposition::Processed),
            (401, Code::Unauthenticated, Disposition::Processed),
            (403, Code::PermissionDenied, Disposition::Processed),
            (404, Code::NotFound, Disposition::Processed),
            (405, Code::Unimplemented, Disposition::Processed),
            (408, Code::DeadlineExceeded, Disposition::Unknown),
            (409, Code::Aborted, Disposition::Processed),
            (412, Code::FailedPrecondition, Disposition::Processed),
            (413, Code::OutOfRange, Disposition::Processed),
            (418, Code::InvalidArgument, Disposition::Processed),
            (425, Code::Unavailable, Disposition::Rejected),
            (429, Code::ResourceExhausted, Disposition::Processed),
            (499, Code::Cancelled, Disposition::Processed),
            (500, Code::Internal, Disposition::Processed),
            (501, Code::Unimplemented, Disposition::Processed),
            (502, Code::Unavailable, Disposition::Unknown),
            (503, Code::Unavailable, Disposition::Unknown),
            (504, Code::DeadlineExceeded, Disposition::Unknown),
            (302, Code::FailedPrecondition, Disposition::Processed),
            (599, Code::Internal, Disposition::Processed),
        ] {
            let status = of(code, &[]);
            assert_eq!((status.code(), status.disposition()), (meaning, disposition), "{code}");
            assert!(status.message().contains("said"), "{status}");
        }
    }

    #[test]
    fn who_says_when_to_come_back_has_done_nothing() {
        for (code, meaning) in [(429, Code::ResourceExhausted), (503, Code::Unavailable)] {
            let status = of(code, &[("retry-after", "7")]);
            assert_eq!((status.code(), status.ran()), (meaning, Ran::No));
            assert_eq!(status.directive(), Directive::RetryAfter(Duration::from_secs(7)));
        }
        let past = of(503, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert_eq!(past.directive(), Directive::RetryAfter(Duration::ZERO));
        assert_eq!(of(503, &[("retry-after", "soon")]).directive(), Directive::Default);
    }

    #[test]
    fn a_redirect_says_where_it_would_go() {
        let status = of(302, &[("location", "http://169.254.169.254/latest")]);
        assert!(status.message().contains("to http://169.254.169.254/latest: redirects are not"));
    }

    #[test]
    fn what_a_stranger_says_is_short_and_on_one_line() {
        assert_eq!(excerpt("  a\r\n\t b\u{1b}[31m  "), "a b [31m");
        assert!(excerpt(&"x".repeat(10_000)).len() <= limits::HTTP_EXCERPT + 2);
    }
}
