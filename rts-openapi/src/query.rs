//! The query of a request's URL.

use std::fmt::Write as _;

/// Names and values, in their order in the URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Parses the part behind the `?`. It never fails: invalid UTF-8 becomes replacement
    /// characters, and a `%` without two digits is kept.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let parts = text.split('&').filter(|part| !part.is_empty());
        let pairs = parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        });
        Self { pairs: pairs.collect() }
    }

    /// Creates a query from names and values.
    pub fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { pairs: pairs.into_iter().collect() }
    }

    /// The first value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// All names and values, in their order in the URL.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The canonical form, which is signed. It is sorted by name, and values of one name keep their
    /// order. Everything except `A-Z a-z 0-9 - _ . ~` is escaped. The form is also valid in a URL.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut pairs: Vec<_> = self.pairs.iter().collect();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self::encoded(pairs)
    }

    /// Like [`canonical`](Self::canonical), with the values of one name sorted as well.
    pub(crate) fn canonical_with_sorted_values(&self) -> String {
        let mut pairs: Vec<_> = self.pairs.iter().collect();
        pairs.sort();
        Self::encoded(pairs)
    }

    fn encoded(pairs: Vec<&(String, String)>) -> String {
        let mut out = String::new();
        for (name, value) in pairs {
            if !out.is_empty() {
                out.push('&');
            }
            encode(name, &mut out);
            out.push('=');
            encode(value, &mut out);
        }
        out
    }
}

/// The canonical form of a path: everything except slashes is escaped as in queries.
pub(crate) fn canonical_path(path: &str) -> String {
    let mut out = String::new();
    for (number, segment) in path.split('/').enumerate() {
        if number > 0 {
            out.push('/');
        }
        encode(&decode_segment(segment), &mut out);
    }
    out
}

/// Decodes a segment of a path, in which a plus is not a space.
pub(crate) fn decode_segment(text: &str) -> String {
    unescape(text, false)
}

fn decode(text: &str) -> String {
    unescape(text, true)
}

fn unescape(text: &str, plus_is_blank: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'+' if plus_is_blank => out.push(b' '),
            b'%' => match bytes.get(at..at + 2).and_then(hex) {
                Some(escaped) => {
                    out.push(escaped);
                    at += 2;
                }
                None => out.push(b'%'),
            },
            _ => out.push(*byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*high)? << 4 | digit(*low)?)
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into());
            }
            _ => write!(out, "%{byte:02X}").expect("a String grows"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Query, canonical_path, decode_segment};

    #[test]
    fn decodes_escapes_and_keeps_malformed_ones() {
        let query = Query::parse("a=1&b=x+y%20z%2B&&c&%64=%zz%4&a=2&e=%ff");
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.get("b"), Some("x y z+"));
        assert_eq!(query.get("c"), Some(""));
        assert_eq!(query.get("d"), Some("%zz%4"));
        assert_eq!(query.get("e"), Some("\u{FFFD}"));
        assert_eq!(query.get("f"), None);
    }

    #[test]
    fn path_is_escaped_exactly_once() {
        for path in ["/v1/a@b/c+d", "/v1/a%40b/c%2bd", "/v1/a%40b/c%2Bd"] {
            assert_eq!(canonical_path(path), "/v1/a%40b/c%2Bd");
        }
        assert_eq!(canonical_path("/"), "/");
        assert_eq!(canonical_path("/v1//x/"), "/v1//x/");
        assert_eq!(decode_segment("a+b%2Fc%zz"), "a+b/c%zz");
    }

    #[test]
    fn canonical_form_is_sorted_and_escaped() {
        let query = Query::parse("b=x+y&a=2&a=1&c=~-_./");
        assert_eq!(query.canonical(), "a=2&a=1&b=x%20y&c=~-_.%2F");
        assert_eq!(Query::parse(&query.canonical()).canonical(), query.canonical());
    }
}
