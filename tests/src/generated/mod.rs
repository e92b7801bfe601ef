//! Clients that are generated from what services say of themselves, compiled without any crate of theirs, and called.
//!
//! ```text
//!   trips      servers of sinew, by reflection      documents  where OpenAPI documents come from
//!   strangers  HTTP services, by their documents    coverage   what of the documents becomes methods
//!   driver     the program that makes the calls     samples    values for arguments
//!   crates     where generated code is compiled     airline    servers whose types are in another program
//!                                                   examples   the services of the numbered examples
//! ```

mod airline;
mod coverage;
mod crates;
mod documents;
mod driver;
mod examples;
mod samples;
mod strangers;
mod trips;

use std::collections::BTreeMap;

/// What became of all of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Methods that were generated, compiled and called: of servers of sinew, and of HTTP services.
    pub round_trips: usize,
    /// Those of HTTP services among them.
    pub over_http: usize,
    /// One line for each that failed, and for each document that could not be generated.
    pub failed: Vec<String>,
    /// Methods of which an argument cannot be seen, so that nobody can make one up.
    pub opaque: usize,
    /// OpenAPI documents that became traits.
    pub documents: usize,
    /// Their operations.
    pub operations: usize,
    /// The share of operations that became methods.
    pub coverage: f64,
    /// How many did not, by the reason.
    pub refused: BTreeMap<String, usize>,
    /// Methods of documents that the compiler checked.
    pub checked: usize,
}

impl Report {
    /// Whether as many operations as must became methods.
    pub fn covers_enough(&self) -> bool {
        self.coverage >= coverage::LEAST
    }
}

/// Makes the round trips and generates the documents; the compiler checks five of these, or all.
///
/// # Errors
/// What was generated does not compile, its program does not run, or something that it needs is not installed.
///
/// # Cancel safety
/// Dropping the future ends the servers; a build that goes on is ended with it.
pub async fn run(checks_all: bool) -> Result<Report, String> {
    let trips = trips::run().await?;
    let documents = documents::Documents::find().await?;
    let strangers = strangers::run(&documents.kinto.text, &documents.httpbin.text).await?;
    let covered = coverage::run(&documents, checks_all).await?;
    let failed = [trips.failed, strangers.failed, covered.failed.clone()].concat();
    Ok(Report {
        round_trips: trips.calls + strangers.calls,
        over_http: strangers.calls,
        failed,
        opaque: trips.opaque,
        documents: covered.documents,
        operations: covered.operations,
        coverage: covered.coverage(),
        refused: covered.refused,
        checked: covered.checked,
    })
}
