//! The service that is attacked, and that the attacked client calls: one method of each shape.

use bytes::Bytes;
use sinew::{Status, Streaming};

use crate::probe::{Counting, Tally};

/// Its name on the wire.
pub(super) const SUBJECT: &str = "fuzz.Subject";

/// One method of each shape. None of them panics: a panic is a finding.
#[sinew::service(name = "fuzz.Subject")]
pub(super) trait Subject {
    /// Gives `text` back.
    async fn echo(&self, text: String) -> String;
    /// Never ends by itself.
    async fn hold(&self);
    /// Fails in its own way.
    async fn object(&self, why: String) -> Result<(), String>;
    /// So many bytes.
    async fn make(&self, len: u32) -> Bytes;
    /// Bytes untouched.
    #[rpc(raw)]
    async fn mirror(&self, blob: Bytes) -> Bytes;
    /// The numbers below.
    async fn count(&self, to: u16) -> Streaming<u16>;
    /// Their sum.
    async fn sum(&self, numbers: Streaming<u64>) -> Result<u64, Status>;
    /// Each of them, twice as large.
    async fn double(&self, numbers: Streaming<u64>) -> Streaming<u64>;
}

/// The methods, as a script chooses them.
pub(super) const METHODS: &[&str] =
    &["echo", "hold", "object", "make", "mirror", "count", "sum", "double", "none of them"];

/// The implementation. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted(Counting);

impl Counted {
    pub(super) fn tally(&self) -> Tally {
        self.0.tally()
    }
}

impl Subject for Counted {
    async fn echo(&self, text: String) -> String {
        self.0.begin().end();
        text
    }

    async fn hold(&self) {
        let _turn = self.0.begin();
        std::future::pending().await
    }

    async fn object(&self, why: String) -> Result<(), String> {
        self.0.begin().end();
        Err(why)
    }

    async fn make(&self, len: u32) -> Bytes {
        self.0.begin().end();
        vec![7; len as usize % (1 << 21)].into()
    }

    async fn mirror(&self, blob: Bytes) -> Bytes {
        self.0.begin().end();
        blob
    }

    async fn count(&self, to: u16) -> Streaming<u16> {
        self.0.begin().end();
        Streaming::iter(0..to)
    }

    async fn sum(&self, mut numbers: Streaming<u64>) -> Result<u64, Status> {
        let turn = self.0.begin();
        let mut sum = 0_u64;
        while let Some(number) = numbers.next().await {
            sum = sum.wrapping_add(number?);
        }
        turn.end();
        Ok(sum)
    }

    async fn double(&self, mut numbers: Streaming<u64>) -> Streaming<u64> {
        let turn = self.0.begin();
        let (writer, doubled) = Streaming::channel();
        sinew::spawn(async move {
            while let Some(Ok(number)) = numbers.next().await {
                if writer.send(number.wrapping_mul(2)).await.is_err() {
                    return;
                }
            }
            let _ = writer.finish().await;
            turn.end();
        });
        doubled
    }
}
