//! Whether the head of a request says in two ways where its body ends.
//!
//! hyper goes by `Transfer-Encoding` and takes a `Content-Length` beside it away, so those who
//! answer cannot see that it was there. A proxy in front may go by the other one, and carry on with
//! somebody else's request where this one has not ended (RFC 9112, 6.1 and 6.3). So the heads are
//! looked at on their way to hyper, with the parser that it has itself.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// hyper's own bound; it refuses a head with more.
const HEADERS_MAX: usize = 100;
/// So many tell what came instead of HTTP.
const BEGINNING_BYTES: usize = 6;

/// With what a connection begins that is not HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    Tls,
    ProxyHeader,
}

impl Foreign {
    fn of(beginning: &[u8]) -> Option<Self> {
        match beginning {
            // A record of a handshake.
            [0x16, 0x03, ..] => Some(Self::Tls),
            [b'P', b'R', b'O', b'X', b'Y', b' ', ..] | [b'\r', b'\n', b'\r', b'\n', 0, ..] => {
                Some(Self::ProxyHeader)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "TLS came",
            Self::ProxyHeader => "a header of the PROXY protocol came first",
        })
    }
}

/// What was seen of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Of the heads that nobody has answered yet, in their order: whether one has a body that is
    /// sent in pieces, and says nothing else of its end.
    only_chunked: VecDeque<bool>,
    foreign: Option<Foreign>,
}

impl Heads {
    /// Of the next request: whether it is certain that only `Transfer-Encoding` says where its body
    /// ends.
    pub(super) fn next_is_only_chunked(&self) -> bool {
        self.seen().only_chunked.pop_front().unwrap_or(false)
    }

    /// What the connection began with, if that looks like something else than HTTP.
    pub(super) fn foreign(&self) -> Option<Foreign> {
        self.seen().foreign
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows what a connection reads, from head to head.
#[derive(Debug)]
pub(super) struct Framing {
    at: At,
    /// The first bytes of the connection, until there are enough to know them.
    beginning: Option<Vec<u8>>,
    heads: Heads,
    head_bytes_max: usize,
}

#[derive(Debug)]
enum At {
    /// With what there is of it.
    Head(Vec<u8>),
    /// Of which so much is to come.
    Body(u64),
    /// The next head does not come, or cannot be told from what is before it.
    End,
}

impl Framing {
    pub(super) fn new(heads: Heads, head_bytes_max: usize) -> Self {
        let (at, beginning) = (At::Head(Vec::new()), Some(Vec::new()));
        Self { at, beginning, heads, head_bytes_max }
    }

    /// The next bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        self.begin(bytes);
        while !bytes.is_empty() {
            bytes = match &mut self.at {
                At::End => return,
                At::Body(rest) => {
                    let rest_here = usize::try_from(*rest).unwrap_or(usize::MAX).min(bytes.len());
                    *rest -= rest_here as u64;
                    if *rest == 0 {
                        self.at = At::Head(Vec::new());
                    }
                    &bytes[rest_here..]
                }
                At::Head(head) => {
                    let before = head.len();
                    head.extend_from_slice(bytes);
                    match parse(head, before) {
                        Parsed::Partial if head.len() <= self.head_bytes_max => return,
                        Parsed::Partial | Parsed::Bad => {
                            self.at = At::End;
                            return;
                        }
                        Parsed::Head { end, .. } if end > self.head_bytes_max => {
                            self.at = At::End;
                            return;
                        }
                        Parsed::Head { end, body } => {
                            self.heads.seen().only_chunked.push_back(body == Body::Chunked);
                            self.at = match body {
                                Body::Bytes(0) => At::Head(Vec::new()),
                                Body::Bytes(count) => At::Body(count),
                                // Nothing comes behind it: whoever answers it closes the
                                // connection.
                                Body::Chunked | Body::Both => At::End,
                            };
                            &bytes[end - before..]
                        }
                    }
                }
            };
        }
    }
}

impl Framing {
    fn begin(&mut self, bytes: &[u8]) {
        let Some(beginning) = &mut self.beginning else { return };
        let missing = BEGINNING_BYTES - beginning.len();
        beginning.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        self.heads.seen().foreign = Foreign::of(beginning);
        if beginning.len() == BEGINNING_BYTES {
            self.beginning = None;
        }
    }
}

enum Parsed {
    Partial,
    Bad,
    /// Its length with the blank line.
    Head {
        end: usize,
        body: Body,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Bytes(u64),
    Chunked,
    Both,
}

/// `seen` bytes were looked at before, and had no end.
fn parse(head: &[u8], seen: usize) -> Parsed {
    // A head that comes byte by byte is not parsed for each of them.
    let new = &head[seen.saturating_sub(3)..];
    let is_blank_line = |at: usize| {
        let behind = &new[at + 1..];
        new[at] == b'\n' && (behind.starts_with(b"\n") || behind.starts_with(b"\r\n"))
    };
    if !(0..new.len()).any(is_blank_line) {
        return Parsed::Partial;
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let end = match request.parse(head) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Bad,
    };
    let value = |name: &str| {
        let header = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.map(|header| header.value)
    };
    let body = match (value("transfer-encoding"), value("content-length")) {
        (Some(_), Some(_)) => Body::Both,
        (Some(_), None) => Body::Chunked,
        (None, None) => Body::Bytes(0),
        (None, Some(length)) => {
            let length = str::from_utf8(length).ok().and_then(|length| length.parse().ok());
            match length {
                Some(length) => Body::Bytes(length),
                None => return Parsed::Bad,
            }
        }
    };
    Parsed::Head { end, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKED: &str = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    const BOTH: &str =
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ncontent-LENGTH: 5\r\n\r\n0\r\n\r\n";
    const BOTH_TURNED: &str =
        "POST / HTTP/1.1\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n";
    const NO_BODY: &str = "\r\nGET / HTTP/1.1\r\n\r\n";

    /// What is seen of these bytes, however they are cut.
    fn seen(text: &str) -> Vec<bool> {
        let in_pieces_of = |count: usize| {
            let heads = Heads::default();
            let mut framing = Framing::new(heads.clone(), 1_000);
            text.as_bytes().chunks(count).for_each(|piece| framing.read(piece));
            heads.seen().only_chunked.iter().copied().collect::<Vec<_>>()
        };
        let at_once = in_pieces_of(text.len());
        for count in 1..text.len().min(100) {
            assert_eq!(in_pieces_of(count), at_once, "in pieces of {count}: {text}");
        }
        at_once
    }

    #[test]
    fn only_a_body_whose_end_is_said_once_is_certain() {
        assert_eq!(seen(CHUNKED), [true]);
        for ambiguous in [BOTH, BOTH_TURNED] {
            assert_eq!(seen(ambiguous), [false]);
        }
        assert_eq!(seen(PLAIN), [false], "which is not sent in pieces");
    }

    #[test]
    fn what_came_instead_of_http_is_known_by_its_beginning_however_it_is_cut() {
        let client_hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
        let proxy_v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c";
        for (bytes, expected) in [
            (&client_hello[..], Some(Foreign::Tls)),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n", Some(Foreign::ProxyHeader)),
            (proxy_v2, Some(Foreign::ProxyHeader)),
            (b"PROXYING / HTTP/1.1\r\n\r\n", None),
            (NO_BODY.as_bytes(), None),
            (PLAIN.as_bytes(), None),
        ] {
            for count in 1..=bytes.len() {
                let heads = Heads::default();
                let mut framing = Framing::new(heads.clone(), 1_000);
                bytes.chunks(count).for_each(|piece| framing.read(piece));
                assert_eq!(heads.foreign(), expected, "in pieces of {count}: {bytes:?}");
            }
        }
    }

    #[test]
    fn each_head_is_found_behind_the_one_before() {
        assert_eq!(seen(&[PLAIN, NO_BODY, PLAIN, CHUNKED].concat()), [false, false, false, true]);
        assert_eq!(seen(&[NO_BODY, PLAIN, BOTH].concat()), [false; 3]);
        // What looks like a head in a body is none.
        let hidden = PLAIN.replace("5", &CHUNKED.len().to_string()).replace("hello", CHUNKED);
        assert_eq!(seen(&hidden), [false]);
    }

    #[test]
    fn nothing_is_certain_behind_what_cannot_be_followed() {
        assert_eq!(seen(&[CHUNKED, CHUNKED].concat()), [true]);
        let head = |len: usize| {
            let rest = len - CHUNKED.len() - "a: \r\n".len();
            CHUNKED.replace("\r\n\r\n0", &format!("\r\na: {}\r\n\r\n0", "x".repeat(rest)))
        };
        assert_eq!(seen(&head(1_000 + "0\r\n\r\n".len())), [true]);
        assert!(seen(&head(1_001 + "0\r\n\r\n".len())).is_empty());
        assert!(seen("no request\r\n\r\n").is_empty());
        assert!(seen(&PLAIN.replace(": 5", ": five")).is_empty());
    }
}
