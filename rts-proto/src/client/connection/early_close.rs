//! A `Close` before the login was answered: the only word that a client may ever hear of why it
//! does not get in.

use alloc::string::String;

use crate::{CloseCode, LinkId};

/// The number of characters that are kept of the server's reason.
const REASON_CHARS_MAX: usize = 200;

/// What a `Close` said before the login was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlyClose {
    /// The link that it ended.
    pub link: LinkId,
    /// Why (`docs/protocol.md` section 9): a number that is not in its table counts as `BadFrame`.
    pub code: CloseCode,
    /// The number that came.
    pub number: u32,
    /// The same in the server's words: at most 200 characters, none of which moves a terminal's
    /// cursor.
    pub reason: String,
}

impl EarlyClose {
    pub(super) fn new(link: LinkId, number: u32, reason: &[u8]) -> Self {
        // Longer than any character of UTF-8, so that no more than needed is looked at.
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
    fn a_reason_is_cut_at_200_characters_and_cannot_move_the_cursor() {
        let kept = |reason: &str| EarlyClose::new(LinkId(1), 14, reason.as_bytes()).reason;
        let longest = "\u{e9}".repeat(REASON_CHARS_MAX);
        assert_eq!(kept(&longest), longest);
        assert_eq!(kept(&(longest.clone() + "x")), longest);
        assert_eq!(kept("come\u{1b}[2J\r\nback"), "come[2Jback");
        assert_eq!(EarlyClose::new(LinkId(1), 14, b"\xff").reason, "\u{fffd}".to_string());
    }
}
