//! WebSocket, RFC 6455, as §12 restricts it: binary messages are chunks of the stream.
//!
//! The handshake and the heads of frames use tungstenite. Its messages are not used, because each
//! link would have to buffer them until they are complete. Here payloads pass through as they
//! arrive.

mod frames;
mod headers;
mod request;
mod upgrade;

use std::fmt;
use std::sync::Arc;

use crate::address::Address;
use crate::error::{LayerError, UpgradeError, UpgradeRefusal};
use crate::http::{Head, answer};
use crate::layer::Layer;
pub use frames::MESSAGE_BYTES_MAX;
use frames::{Frames, Role};
pub use headers::SUBPROTOCOL;
use request::Request;
pub use upgrade::Origins;
use upgrade::PROXY_PROTOCOL;

/// Bytes of empty lines before a request, which some clients send (RFC 9112, 2.2). The header of
/// the PROXY protocol, version 2, also begins with two of them, followed by a zero.
const EMPTY_LINES_BYTES_MAX: usize = 4;

pub(crate) struct WebSocket {
    phase: Phase,
    frames: Frames,
}

enum Phase {
    /// Server: the request is incomplete.
    Requested {
        /// Bytes of the empty lines before it.
        empty_bytes: usize,
        head: Head,
        path: Arc<str>,
        origins: Origins,
    },
    /// Client: nothing was sent.
    Begin {
        address: Address,
    },
    /// Client: the answer is incomplete.
    Asked {
        head: Head,
        request: Box<Request>,
    },
    Open,
}

impl WebSocket {
    pub(crate) fn client(address: &Address) -> Self {
        let phase = Phase::Begin { address: address.clone() };
        Self { phase, frames: Frames::new(Role::Client) }
    }

    pub(crate) fn server(path: &Arc<str>, origins: &Origins) -> Self {
        let (path, origins) = (Arc::clone(path), origins.clone());
        let phase = Phase::Requested { empty_bytes: 0, head: Head::default(), path, origins };
        Self { phase, frames: Frames::new(Role::Server) }
    }

    /// Continues the handshake as far as the bytes allow. Returns the number of bytes taken.
    fn shake_hands(&mut self, input: &[u8], down: &mut Vec<u8>) -> Result<usize, LayerError> {
        if let Phase::Begin { address } = &self.phase {
            let request = Request::new(address, down)?;
            self.phase = Phase::Asked { head: Head::default(), request: Box::new(request) };
        }
        let taken = match &mut self.phase {
            Phase::Requested { empty_bytes, head, path, origins } => {
                let mut skipped = 0;
                if head.bytes().is_empty() {
                    skipped = skip_empty_lines(empty_bytes, input);
                    let Some(first) = input.get(skipped) else { return Ok(skipped) };
                    if *first == 0 && *empty_bytes == EMPTY_LINES_BYTES_MAX {
                        down.extend(answer("400 Bad Request", "", PROXY_PROTOCOL));
                        return Err(LayerError::SpeaksProxyProtocol);
                    }
                    // A peer with another protocol might never end its head.
                    if !first.is_ascii_uppercase() || *empty_bytes % 2 != 0 {
                        let text = "Only requests of HTTP/1.1 for a WebSocket are answered here.";
                        down.extend(answer("405 Method Not Allowed", "Allow: GET\r\n", text));
                        return Err(UpgradeRefusal::NotHttp.into());
                    }
                }
                let (taken, is_complete) = head.take(&input[skipped..]).inspect_err(|_| {
                    let text = "The head of the request is too long.";
                    down.extend(answer("431 Request Header Fields Too Large", "", text));
                })?;
                if !is_complete {
                    return Ok(skipped + taken);
                }
                upgrade::answer_request(head.bytes(), path, origins, down)?;
                skipped + taken
            }
            Phase::Asked { head, request } => {
                let mut taken = 0;
                loop {
                    let (bytes, is_complete) = head.take(&input[taken..])?;
                    taken += bytes;
                    if !head.may_be_answer() {
                        return Err(UpgradeError::NotHttp.into());
                    }
                    if !is_complete {
                        return Ok(taken);
                    }
                    if !head.is_interim() {
                        break;
                    }
                    *head = Head::default();
                }
                request.check_answer(head)?;
                taken
            }
            Phase::Begin { .. } | Phase::Open => return Ok(0),
        };
        self.phase = Phase::Open;
        Ok(taken)
    }
}

/// Returns how many bytes of `input` continue the empty lines. `count` bytes of them came before.
fn skip_empty_lines(count: &mut usize, input: &[u8]) -> usize {
    let before = *count;
    let expected = b"\r\n".iter().cycle().skip(before % 2);
    let most = EMPTY_LINES_BYTES_MAX - before;
    let skipped = input.iter().zip(expected).take(most).take_while(|(is, wanted)| is == wanted);
    *count += skipped.count();
    *count - before
}

impl Layer for WebSocket {
    fn receive(
        &mut self,
        input: &mut [u8],
        up: &mut Vec<u8>,
        down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        let taken = self.shake_hands(input, down)?;
        if self.is_open() { self.frames.receive(&mut input[taken..], up, down) } else { Ok(()) }
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) -> Result<(), LayerError> {
        self.frames.send(data, down)
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    fn is_ended(&self) -> bool {
        self.frames.is_ended()
    }

    fn close(&mut self, down: &mut Vec<u8>) {
        if self.is_open() {
            // Without a close frame, the end of the TCP stream has the same meaning.
            let _ = self.frames.close(down);
        }
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_open() { "WebSocket(open)" } else { "WebSocket(handshake)" })
    }
}
