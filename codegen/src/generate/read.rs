//! Descriptors out of JSON: whoever wrote it, a mistake is told with its place.

use sinew_descriptor::Descriptor;
pub use sinew_descriptor::Unreadable;

/// Reads a descriptor.
///
/// # Errors
/// It is no JSON, no descriptor, or one that makes no sense: each with a line and a column, or with the element's path.
pub fn read(json: &str) -> Result<Descriptor, Unreadable> {
    Descriptor::from_json(json)
}
