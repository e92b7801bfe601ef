//! What fuzzing reaches and no user can: bytes of a stranger, read as items. No promise of stability is made for it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use sinew::foreign::http::Content;

use crate::answer::items::Decoder;

/// The items of a body in these pieces, of this `Content-Type`; `None` where it is refused.
pub fn items<'a>(
    kind: &str,
    is_text: bool,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Option<Vec<Bytes>> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).ok()?);
    let content = if is_text { Content::Text } else { Content::Json };
    let (mut decoder, mut items) = (Decoder::new(&headers, content), Vec::new());
    for piece in pieces {
        decoder.take(Bytes::copy_from_slice(piece)).ok()?;
        items.extend(std::iter::from_fn(|| decoder.next()));
    }
    decoder.finish().ok()?;
    items.extend(std::iter::from_fn(|| decoder.next()));
    Some(items)
}

/// What the way in says of services, as a document of OpenAPI.
pub fn openapi(services: &[sinew::descriptor::Service], title: &str) -> serde_json::Value {
    crate::ingress::openapi::document(services, title)
}
