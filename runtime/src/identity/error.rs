//! Why an identity cannot be had, or a peer is not let in.
//!
//! # Why
//! TLS failures are read by people who did not set TLS up. Every message names the file, variable
//! or id at fault and ends with what to do. The texts about peers travel to the other side as well
//! (as the reason of the close), so they speak of neither "us" nor "you", and hold no path of this
//! machine and no secret.

use std::{net::SocketAddr, path::PathBuf};

use sinew_core::spiffe::{SpiffeError, SpiffeId, TrustDomain};

/// Why an identity cannot be had, or why a peer was refused. Variants are grouped by who has to
/// act.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    // -- who starts this process: variables and files --
    /// Some of the three variables are set and others are not.
    #[error(
        "{set} set but {missing} not: set all of `SINEW_CERT`, `SINEW_KEY` and `SINEW_BUNDLE`, \
         or none of them for the development certificate authority"
    )]
    PartlySet {
        /// The variables that are set.
        set: String,
        /// The variables that are not.
        missing: String,
    },
    /// A file cannot be read.
    #[error("the {what} {place} cannot be read: {why}")]
    Unreadable {
        /// "certificate", "private key" or "bundle".
        what: &'static str,
        /// The path, and the variable that named it.
        place: String,
        /// The system's words.
        why: String,
    },
    /// A file was read but holds nothing that can be used.
    #[error("the {what} {place} cannot be used: {why}")]
    Unusable {
        /// "certificate", "private key" or "bundle".
        what: &'static str,
        /// The path, and the variable that named it.
        place: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The private key is not the one of the certificate.
    #[error(
        "the private key {key} does not belong to the certificate {certificate}: give the two \
         that were issued together"
    )]
    KeyMismatch {
        /// Where the certificate came from.
        certificate: String,
        /// Where the key came from.
        key: String,
    },
    /// The directory of the development certificate authority cannot be used.
    #[error("the development certificate authority in `{}` cannot be used: {why}", path.display())]
    Development {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The development certificate authority was asked to leave this machine.
    #[error(
        "`{address}` is not a loopback address, and the development certificate authority serves \
         this machine only: set `SINEW_CERT`, `SINEW_KEY` and `SINEW_BUNDLE`, or stay on \
         127.0.0.1"
    )]
    NotLoopback {
        /// The address that was to be bound or called.
        address: SocketAddr,
    },

    // -- who issues certificates: the peer's is not one that may be let in --
    /// The peer's certificate leads to no authority of the bundle.
    #[error(
        "the certificate of {peer} was issued by `{issuer}`, which is not trusted here (trusted: \
         {trusted}): {advice}"
    )]
    UnknownAuthority {
        /// The id that the certificate claims.
        peer: String,
        /// The name of the issuer that the certificate claims.
        issuer: String,
        /// The names of the trusted authorities.
        trusted: String,
        /// What to do.
        advice: &'static str,
    },
    /// The peer's certificate, or one above it, is over.
    #[error(
        "the certificate of {peer} expired at {at}, more than the 20 s ago that clocks may \
         differ: renew it, or set the clocks"
    )]
    Expired {
        /// The id that the certificate claims.
        peer: String,
        /// When it ended, in UTC.
        at: String,
    },
    /// The peer's certificate, or one above it, has not begun.
    #[error(
        "the certificate of {peer} is valid from {at} only, more than the 20 s ahead that clocks \
         may differ: set the clocks of both machines"
    )]
    NotYetValid {
        /// The id that the certificate claims.
        peer: String,
        /// When it begins, in UTC.
        at: String,
    },
    /// The peer's certificate is for something else.
    #[error(
        "the certificate of {peer} is not for {needed}: issue it with that extended key usage, \
         or with none"
    )]
    WrongPurpose {
        /// The id that the certificate claims.
        peer: String,
        /// The use that is missing.
        needed: &'static str,
    },
    /// The peer's certificate breaks a rule for identities.
    #[error("the certificate of {peer} is refused: {why}")]
    BadPeer {
        /// The id that the certificate claims.
        peer: String,
        /// The rule, and what to do.
        why: String,
    },

    // -- who decides who may talk to whom --
    /// A client of another trust domain.
    #[error(
        "client `{peer}` is not of the trust domain `{own}`, the only one let in here: give it a \
         certificate of `spiffe://{own}/`, issued by that domain"
    )]
    ForeignTrustDomain {
        /// The client.
        peer: SpiffeId,
        /// The only trust domain that is let in.
        own: TrustDomain,
    },
    /// The server proved to be another than the one that may answer.
    #[error(
        "expected {expected} but the server is `{found}`: correct the address, or if it may \
         answer, name `{found}` in the client's builder or policy"
    )]
    WrongIdentity {
        /// The ids that may answer.
        expected: String,
        /// The id that the server proved.
        found: SpiffeId,
    },
    /// A client was asked for without saying which server may answer.
    #[error("no identity was named that may answer: name at least one")]
    NobodyExpected,

    // -- who writes the service --
    /// A service has a name that no identity can have.
    #[error("service `{service}` can have no identity: {why}")]
    ServiceName {
        /// The name.
        service: String,
        /// What a name must be.
        why: SpiffeError,
    },

    // -- us --
    /// The TLS library refused the settings that we gave it.
    #[error("the TLS settings were refused: {why}")]
    Tls {
        /// The library's words.
        why: String,
    },
}
