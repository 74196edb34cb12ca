//! The part of HTTP that layers need: heads of requests and answers.

use crate::error::LayerError;

/// The longest head of a request or an answer, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 8 * 1_024;

/// The first bytes of every answer.
#[cfg(feature = "websocket")]
const ANSWER_BEGIN: &[u8] = b"HTTP/";

/// Collects a head, up to its empty line.
#[derive(Debug, Default)]
pub(crate) struct Head {
    bytes: Vec<u8>,
}

impl Head {
    /// Takes the bytes that belong to the head. Returns their number, and whether the head is
    /// complete.
    pub(crate) fn take(&mut self, input: &[u8]) -> Result<(usize, bool), LayerError> {
        for (index, byte) in input.iter().enumerate() {
            if self.bytes.len() == HEAD_BYTES_MAX {
                return Err(LayerError::HandshakeTooLong { max: HEAD_BYTES_MAX });
            }
            self.bytes.push(*byte);
            if self.bytes.ends_with(b"\r\n\r\n") {
                return Ok((index + 1, true));
            }
        }
        Ok((input.len(), false))
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The head with each field on one line. A client must accept fields that continue on the next
    /// line (RFC 9112, 5.2).
    #[cfg(feature = "websocket")]
    pub(crate) fn unfolded(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for at in 2..bytes.len() {
            if bytes[at - 2..at] == *b"\r\n" && matches!(bytes[at], b' ' | b'\t') {
                bytes[at - 2..at].fill(b' ');
            }
        }
        bytes
    }

    /// Whether this is, or may become, an answer of HTTP.
    #[cfg(feature = "websocket")]
    pub(crate) fn may_be_answer(&self) -> bool {
        let begin = self.bytes.trim_ascii_start();
        let length = begin.len().min(ANSWER_BEGIN.len());
        begin[..length] == ANSWER_BEGIN[..length]
    }

    /// Whether this is an interim answer, which another one follows: RFC 9110, 15.2.
    #[cfg(feature = "websocket")]
    pub(crate) fn is_interim(&self) -> bool {
        self.status().is_some_and(|status| matches!(status, 100 | 102..=199))
    }

    /// The status of an answer, such as 200. `None` if this is not an answer of HTTP/1.
    pub(crate) fn status(&self) -> Option<u16> {
        let line = self.bytes.trim_ascii_start().split(|byte| *byte == b'\r').next()?;
        // The words after the status may be in any encoding.
        let line = String::from_utf8_lossy(line);
        let line = line.strip_prefix("HTTP/1.")?;
        let status = line.split(' ').nth(1)?;
        let is_number = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| status.parse().ok())?
    }
}

/// An answer with a text for people. The connection is closed after it.
pub(crate) fn answer(status: &str, headers: &str, text: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{text}\n",
        text.len() + 1
    )
    .into_bytes()
}

/// The answer to HTTP on a port for another protocol.
pub(crate) fn not_here() -> Vec<u8> {
    let text = "This port speaks RTS, not HTTP. Clients connect to it with an address that begins with \
                rts:// or rtss://, or, where the server offers WebSocket, on another port with ws:// or wss://.";
    answer("400 Bad Request", "", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        let mut head = Head::default();
        assert!(head.take(text.as_bytes()).expect("short").1, "{text}");
        head
    }

    #[test]
    fn a_head_ends_at_its_empty_line_however_it_is_cut() {
        let text = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbehind";
        for size in 1..=text.len() {
            let mut head = Head::default();
            let mut taken = 0;
            for chunk in text.chunks(size) {
                let (bytes, is_complete) = head.take(chunk).expect("short");
                taken += bytes;
                if is_complete {
                    break;
                }
            }
            assert_eq!(&text[taken..], b"behind");
            assert_eq!(head.status(), Some(200));
        }
    }

    #[test]
    fn heads_have_an_exact_bound() {
        let filler = vec![b'a'; HEAD_BYTES_MAX - 4];
        assert_eq!(
            Head::default().take(&[&filler[..], b"\r\n\r\n"].concat()),
            Ok((HEAD_BYTES_MAX, true))
        );
        let error = Head::default().take(&[&filler[..], b"a\r\n\r\n"].concat());
        assert_eq!(error, Err(LayerError::HandshakeTooLong { max: HEAD_BYTES_MAX }));
    }

    #[test]
    fn only_an_answer_has_a_status() {
        for (text, status) in [
            ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Some(407)),
            ("HTTP/1.0 200\r\n\r\n", Some(200)),
            ("HTTP/2 200\r\n\r\n", None),
            ("HTTP/1.1 2000 OK\r\n\r\n", None),
            ("HTTP/1.1 +20 OK\r\n\r\n", None),
            ("SSH-2.0\r\n\r\n", None),
        ] {
            assert_eq!(head(text).status(), status, "{text}");
        }
        let mut latin_1 = Head::default();
        latin_1.take(b"HTTP/1.1 101 \xdcbergang\r\n\r\n").expect("short");
        assert_eq!(latin_1.status(), Some(101));
    }
}
