//! What the comparisons of this workspace share: certificates, the tonic services, a look at the machine.

pub mod authority;
pub mod echo;
pub mod flow;
pub mod machine;
pub mod tls;

/// Whatever went wrong, in words: a benchmark has nobody to recover for.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
