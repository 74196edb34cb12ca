//! Detects request heads that give the end of their body in two ways.
//!
//! hyper uses `Transfer-Encoding` and removes a `Content-Length` beside it, so the answering code
//! cannot detect that both were present. A proxy in front may use the other header, and take the
//! rest of the body for another client's request (RFC 9112, 6.1 and 6.3). This module therefore
//! parses the heads before hyper gets them, with hyper's own parser.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// hyper's own bound: it refuses a head with more headers.
const HEADERS_MAX: usize = 100;
/// Bytes that are needed to detect another protocol.
const BEGINNING_BYTES: usize = 6;

/// Another protocol that a connection began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    Tls,
    ProxyHeader,
}

impl Foreign {
    fn of(beginning: &[u8]) -> Option<Self> {
        match beginning {
            // A record of a TLS handshake.
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

/// What is known about the requests of a connection. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// For each head that is not answered yet, in order: whether its body is chunked, and no other
    /// header gives its end.
    only_chunked: VecDeque<bool>,
    foreign: Option<Foreign>,
}

impl Heads {
    /// Whether `Transfer-Encoding` alone gives the end of the next request's body.
    pub(super) fn next_is_only_chunked(&self) -> bool {
        self.seen().only_chunked.pop_front().unwrap_or(false)
    }

    /// The other protocol that the connection began with, if the first bytes match one.
    pub(super) fn foreign(&self) -> Option<Foreign> {
        self.seen().foreign
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the bytes of a connection, from head to head.
#[derive(Debug)]
pub(super) struct Framing {
    at: At,
    /// The first bytes of the connection, until they suffice to detect a protocol.
    beginning: Option<Vec<u8>>,
    heads: Heads,
    head_bytes_max: usize,
}

#[derive(Debug)]
enum At {
    /// In a head, with its bytes so far.
    Head(Vec<u8>),
    /// In a body, with the number of bytes left.
    Body(u64),
    /// No further head: none can come, or its position is unknown.
    End,
}

impl Framing {
    pub(super) fn new(heads: Heads, head_bytes_max: usize) -> Self {
        let (at, beginning) = (At::Head(Vec::new()), Some(Vec::new()));
        Self { at, beginning, heads, head_bytes_max }
    }

    /// Takes the next bytes of the connection.
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
                                // No head can follow: the connection closes after the answer.
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
    /// The length of the head, with the blank line.
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

/// Parses a head. Its first `seen` bytes were searched before, and had no end.
fn parse(head: &[u8], seen: usize) -> Parsed {
    // A head that arrives byte by byte is not parsed once for each byte.
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

    /// The results for these bytes, which do not depend on how the bytes are cut.
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
    fn chunked_alone_is_certain() {
        assert_eq!(seen(CHUNKED), [true]);
        for ambiguous in [BOTH, BOTH_TURNED] {
            assert_eq!(seen(ambiguous), [false]);
        }
        assert_eq!(seen(PLAIN), [false], "it is not chunked");
    }

    #[test]
    fn other_protocol_is_detected_however_it_is_cut() {
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
    fn finds_each_head_behind_the_previous_body() {
        assert_eq!(seen(&[PLAIN, NO_BODY, PLAIN, CHUNKED].concat()), [false, false, false, true]);
        assert_eq!(seen(&[NO_BODY, PLAIN, BOTH].concat()), [false; 3]);
        // Bytes of a body that look like a head are not one.
        let hidden = PLAIN.replace("5", &CHUNKED.len().to_string()).replace("hello", CHUNKED);
        assert_eq!(seen(&hidden), [false]);
    }

    #[test]
    fn nothing_is_certain_after_unknown_end() {
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
