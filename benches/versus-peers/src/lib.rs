//! What the comparisons of this workspace share: the certificate, the tonic service, a look at the machine.

pub mod echo;
pub mod machine;
pub mod tls;

/// Whatever went wrong, in words: a benchmark has nobody to recover for.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
