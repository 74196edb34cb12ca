//! Checks the first bytes of a link for frames or TLS, so that a peer with another protocol gets an
//! answer that explains it.

use bytes::Bytes;

/// The first bytes of other protocols. No first frame begins like this: the tag of a Hello or a
/// Close follows its length.
const HTTP_REQUESTS: [&[u8]; 9] =
    [b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"CONN", b"OPTI", b"PATC", b"PRI "];
const HTTP_ANSWER: &[u8] = b"HTTP";
/// The headers of the PROXY protocol, in its versions 1 and 2.
const PROXY_PROTOCOL: [&[u8]; 2] = [b"PROX", b"\r\n\r\n"];
/// The beginnings of a handshake of any version, and of an alert.
const TLS: [&[u8]; 2] = [&[0x16, 3], &[0x15, 3]];

/// Keeps the first bytes until the protocol is clear.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sniffer {
    bytes: [u8; 4],
    held: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Too few bytes to decide.
    TooLittle,
    Http {
        is_request: bool,
    },
    Tls,
    /// The header that a load balancer may prepend.
    ProxyProtocol,
    /// No other protocol was recognised, so the bytes may be frames.
    Frames,
}

impl Sniffer {
    /// Adds bytes to the check. After any result but [`Found::TooLittle`] it must not be called
    /// again.
    pub(crate) fn look_at(&mut self, input: &[u8]) -> Found {
        let before = usize::from(self.held);
        let mut bytes = self.bytes;
        let added = input.len().min(bytes.len() - before);
        bytes[before..before + added].copy_from_slice(&input[..added]);
        let seen = &bytes[..before + added];
        let found = judge(seen);
        if found == Found::TooLittle {
            self.held = u8::try_from(seen.len()).unwrap_or(0);
            self.bytes = bytes;
        }
        found
    }

    /// The bytes that were held back, followed by `input`.
    pub(crate) fn held_and(&self, input: &[u8]) -> Bytes {
        match &self.bytes[..usize::from(self.held)] {
            [] => Bytes::copy_from_slice(input),
            held => [held, input].concat().into(),
        }
    }
}

fn judge(seen: &[u8]) -> Found {
    let is = |pattern: &[u8]| seen.starts_with(pattern);
    if HTTP_REQUESTS.into_iter().any(is) {
        return Found::Http { is_request: true };
    }
    if is(HTTP_ANSWER) {
        return Found::Http { is_request: false };
    }
    if TLS.into_iter().any(is) {
        return Found::Tls;
    }
    if PROXY_PROTOCOL.into_iter().any(is) {
        return Found::ProxyProtocol;
    }
    let may_become = |pattern: &[u8]| pattern.starts_with(seen);
    let mut known = HTTP_REQUESTS.into_iter().chain(TLS).chain(PROXY_PROTOCOL).chain([HTTP_ANSWER]);
    if known.any(may_become) { Found::TooLittle } else { Found::Frames }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: [(&[u8], Found); 10] = [
        (b"GET / HTTP/1.1\r\n", Found::Http { is_request: true }),
        (b"PRI * HTTP/2.0\r\n", Found::Http { is_request: true }),
        (b"HTTP/1.1 400 Bad Request\r\n", Found::Http { is_request: false }),
        (&[0x16, 3, 1, 0, 200, 1], Found::Tls),
        (&[0x15, 3, 3, 0, 2, 2, 70], Found::Tls),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Found::ProxyProtocol),
        (b"\r\n\r\n\0\r\nQUIT\n", Found::ProxyProtocol),
        (b"\r\nGET / HTTP/1.1\r\n", Found::Frames),
        (&[0x04, 0x0A, 0x02, 0x08, 0x01], Found::Frames),
        (b"GETTING", Found::Frames),
    ];

    #[test]
    fn finds_the_same_however_the_bytes_are_cut() {
        for (bytes, found) in CASES {
            for size in 1..=bytes.len() {
                let mut sniffer = Sniffer::default();
                let mut chunks = bytes.chunks(size);
                let (last, result) = loop {
                    let chunk = chunks.next().expect("it finds something before the end");
                    match sniffer.look_at(chunk) {
                        Found::TooLittle => {}
                        result => break (chunk, result),
                    }
                };
                assert_eq!(result, found, "{bytes:?} in chunks of {size}");
                let held = sniffer.held_and(last);
                assert!(bytes.starts_with(&held) && !held.is_empty());
            }
        }
    }
}
