//! Text from outside, made safe for one line of a log.

use std::fmt::{self, Write as _};

/// Characters of a name or a value. No id is longer.
const VALUE_CHARS_MAX: usize = 128;
/// Characters of a sentence that may contain such values.
const SENTENCE_CHARS_MAX: usize = 512;

/// Text from outside that is safe in a log. It is on one line, has no control characters or
/// invisible characters, and has a bounded length. `…` marks a text that was cut.
///
/// ```
/// # use rts_driver::server::Sanitized;
/// assert_eq!(Sanitized::value("a\u{1b}[2J\nb").to_string(), r"a\u{1b}[2J\nb");
/// ```
///
/// `Debug` puts the text in quotes, and escapes quotes in it. Use it for a field whose value may
/// contain blanks.
///
/// ```
/// # use rts_driver::server::Sanitized;
/// assert_eq!(format!("{:?}", Sanitized::value("a \"b\"\n")), r#""a \"b\"\n""#);
/// ```
#[derive(Clone, Copy)]
pub struct Sanitized<'a> {
    text: &'a str,
    chars_max: usize,
}

impl<'a> Sanitized<'a> {
    /// A name or a value, cut at 128 characters.
    #[must_use]
    pub fn value(text: &'a str) -> Self {
        Self { text, chars_max: VALUE_CHARS_MAX }
    }

    /// A sentence that may contain values from outside, cut at 512 characters.
    #[must_use]
    pub fn sentence(text: &'a str) -> Self {
        Self { text, chars_max: SENTENCE_CHARS_MAX }
    }
}

impl fmt::Display for Sanitized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.text.chars();
        for char in chars.by_ref().take(self.chars_max) {
            match char {
                // These are visible as they are.
                '"' | '\'' | '\\' => f.write_char(char)?,
                char => write!(f, "{}", char.escape_debug())?,
            }
        }
        match chars.next() {
            Some(_) => f.write_char('…'),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Sanitized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.text.chars();
        f.write_char('"')?;
        for char in chars.by_ref().take(self.chars_max) {
            match char {
                '\'' => f.write_char(char)?,
                char => write!(f, "{}", char.escape_debug())?,
            }
        }
        f.write_str(if chars.next().is_some() { "…" } else { "" })?;
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_control_and_invisible_characters() {
        for (text, shown) in [
            ("alice@home-1.x", "alice@home-1.x"),
            ("Zoë \"quoted\" 'so' \\ 你好", "Zoë \"quoted\" 'so' \\ 你好"),
            ("a\r\nb\tc", r"a\r\nb\tc"),
            ("\u{1b}[31m\u{7}\u{0}\u{7f}\u{9b}", r"\u{1b}[31m\u{7}\0\u{7f}\u{9b}"),
            ("\u{202e}\u{2028}\u{200b}\u{feff}", r"\u{202e}\u{2028}\u{200b}\u{feff}"),
        ] {
            assert_eq!(Sanitized::value(text).to_string(), shown);
            assert_eq!(Sanitized::sentence(text).to_string(), shown);
        }
    }

    #[test]
    fn debug_escapes_quotes_in_the_text() {
        for (text, shown) in [
            ("it's over", r#""it's over""#),
            (r#"a" user=root why="b\"#, r#""a\" user=root why=\"b\\""#),
            ("a\r\n\u{1b}", r#""a\r\n\u{1b}""#),
        ] {
            assert_eq!(format!("{:?}", Sanitized::value(text)), shown);
            assert_eq!(format!("{:?}", Sanitized::sentence(text)), shown);
        }
        let (whole, longer) = ("é".repeat(128), "é".repeat(129));
        assert_eq!(format!("{:?}", Sanitized::value(&whole)), format!("\"{whole}\""));
        assert_eq!(format!("{:?}", Sanitized::value(&longer)), format!("\"{whole}…\""));
    }

    #[test]
    fn marks_text_that_is_cut() {
        type Show = fn(&str) -> String;
        let show: [(Show, usize); 2] = [
            (|text| Sanitized::value(text).to_string(), 128),
            (|text| Sanitized::sentence(text).to_string(), 512),
        ];
        for (shown, max) in show {
            let (whole, longer) = ("é".repeat(max), "é".repeat(max + 1));
            assert_eq!(shown(&whole), whole);
            assert_eq!(shown(&longer), format!("{whole}…"));
        }
    }
}
