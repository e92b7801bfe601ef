//! An error type of one's own that has the name of ours.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Status;

#[sinew::service]
pub trait Inventory {
    async fn stock(&self) -> Result<u64, Status>;
}

fn main() {}
