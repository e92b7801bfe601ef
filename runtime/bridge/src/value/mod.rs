//! Values of services whose types are not at hand: JSON, and what crosses sinew's own wire, by what a descriptor says.
//!
//! ```text
//!   JSON   --data-->  Data    what serde writes as the original types do
//!   Tree   --json-->  JSON    for people: numbers of 128 bits and bytes as texts
//!   Tree   -Written-> JSON    as serde_json writes the original types
//! ```

mod data;
mod given;
mod tree;
mod written;

pub use self::{
    data::{Arguments, Data, data},
    given::Given,
    tree::Tree,
    written::Written,
};
