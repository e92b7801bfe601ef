//! What a status of HTTP is as a code, and a code as a status of HTTP: one table, read both ways.

use http::StatusCode;
use sinew::Code;

/// Each code, the status that it is sent as, and the others that mean it.
const TABLE: [(Code, u16, &[u16]); 16] = [
    (Code::InvalidArgument, 400, &[]),
    (Code::Unauthenticated, 401, &[]),
    (Code::PermissionDenied, 403, &[]),
    (Code::NotFound, 404, &[410]),
    (Code::Aborted, 409, &[]),
    (Code::AlreadyExists, 409, &[]),
    (Code::FailedPrecondition, 412, &[]),
    (Code::OutOfRange, 413, &[414, 431]),
    (Code::ResourceExhausted, 429, &[]),
    (Code::Cancelled, 499, &[]),
    (Code::Internal, 500, &[]),
    (Code::Unknown, 500, &[]),
    (Code::DataLoss, 500, &[]),
    (Code::Unimplemented, 501, &[405]),
    (Code::Unavailable, 503, &[425, 502]),
    (Code::DeadlineExceeded, 504, &[408]),
];

/// The header that tells apart what shares a status.
pub(crate) const CODE: &str = "x-sinew-code";
/// The header that says whether the call was processed: `no`, `yes` or `maybe`.
pub(crate) const PROCESSED: &str = "x-sinew-processed";

/// What a code is sent as.
pub(crate) fn http_of(code: Code) -> StatusCode {
    let row = TABLE.iter().find(|(known, ..)| *known == code);
    let status = row.and_then(|(_, status, _)| StatusCode::from_u16(*status).ok());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What a status means that is no success.
pub(crate) fn code_of(status: u16) -> Code {
    let row = TABLE.iter().find(|(_, sent, others)| *sent == status || others.contains(&status));
    match (row, status) {
        (Some((code, ..)), _) => *code,
        (None, 300..=399) => Code::FailedPrecondition,
        (None, 400..=498) => Code::InvalidArgument,
        (None, 500..=599) => Code::Internal,
        (None, _) => Code::Unknown,
    }
}

/// The code of this name.
pub(crate) fn code_named(name: &str) -> Option<Code> {
    TABLE.iter().map(|(code, ..)| *code).find(|code| code.to_string() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_and_comes_back() {
        for number in 1..=16 {
            let code = Code::from_u8(number).unwrap();
            let status = http_of(code);
            let shared = matches!(code, Code::AlreadyExists | Code::Unknown | Code::DataLoss);
            assert_eq!(code_of(status.as_u16()) == code, !shared, "{code} is {status}");
            assert_eq!(code_named(&code.to_string()), Some(code));
        }
        assert_eq!(code_named("Ok"), None);
    }
}
