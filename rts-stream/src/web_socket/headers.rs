//! Headers of the handshake: lists, and headers that may occur once.

use tungstenite::http::header::{AsHeaderName, HeaderMap, HeaderValue};

/// The subprotocol that both sides name in the handshake (§12.5).
pub const SUBPROTOCOL: &str = "rts.v1";

/// The elements of a list, over all lines of the header, trimmed, without empty elements: RFC 9110,
/// 5.6.1.
fn elements(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter();
    let elements = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Whether the list has any element.
pub(super) fn lists_any(headers: &HeaderMap, name: impl AsHeaderName) -> bool {
    elements(headers, name).next().is_some()
}

/// Whether this token is in the list, ignoring case.
pub(super) fn lists(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether this element is in the list, with the same case.
pub(super) fn lists_exactly(headers: &HeaderMap, name: impl AsHeaderName, wanted: &str) -> bool {
    elements(headers, name).any(|element| element == wanted.as_bytes())
}

/// The value of a header that occurs exactly once.
pub(super) fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    values.next().filter(|_| values.next().is_none())
}

/// The number of lines with this name.
pub(super) fn lines(headers: &HeaderMap, name: impl AsHeaderName) -> usize {
    headers.get_all(name).into_iter().count()
}
