//! A `Close` before the login was answered. It may be the only reason that a client gets for a
//! refused connection.

use alloc::string::String;

use crate::{CloseCode, LinkId};

/// Characters of the server's reason that are kept.
const REASON_CHARS_MAX: usize = 200;

/// The content of a `Close` before the login was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlyClose {
    /// The link that it ended.
    pub link: LinkId,
    /// The code (`docs/protocol.md` section 9). A number outside its table counts as `BadFrame`.
    pub code: CloseCode,
    /// The number of the frame.
    pub number: u32,
    /// The reason in the server's words: at most 200 characters, without control characters, which
    /// could move a terminal's cursor.
    pub reason: String,
}

impl EarlyClose {
    pub(super) fn new(link: LinkId, number: u32, reason: &[u8]) -> Self {
        // Looks only at as many bytes as are needed: no character of UTF-8 is longer than 4 bytes.
        let reason = &reason[..reason.len().min(4 * REASON_CHARS_MAX)];
        let reason = String::from_utf8_lossy(reason);
        let shown = reason.chars().filter(|char| !char.is_control()).take(REASON_CHARS_MAX);
        let code = CloseCode::from_code(number);
        Self { link, code, number, reason: shown.collect() }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn reason_has_200_characters_and_no_control_characters() {
        let kept = |reason: &str| EarlyClose::new(LinkId(1), 14, reason.as_bytes()).reason;
        let longest = "\u{e9}".repeat(REASON_CHARS_MAX);
        assert_eq!(kept(&longest), longest);
        assert_eq!(kept(&(longest.clone() + "x")), longest);
        assert_eq!(kept("come\u{1b}[2J\r\nback"), "come[2Jback");
        assert_eq!(EarlyClose::new(LinkId(1), 14, b"\xff").reason, "\u{fffd}".to_string());
    }
}
