//! [`Layers`]: all protocols between one TCP stream and its frames.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;

use bytes::{Buf as _, Bytes};

use crate::error::LayerError;
use crate::http;
use crate::layer::{self, Layer};
use crate::sniff::{Found, Sniffer};

/// Bytes wrapped at once, which is the most that is held in wrapped form for a slow peer.
const WRAP_BYTES: usize = 32 * 1_024;
/// The bound on bytes for the socket: answers to the peer's pings and handshakes, and wrapped
/// bytes.
const WIRE_BYTES_MAX: usize = 128 * 1_024;
/// Bytes that a client may send before TLS is set up and the WebSocket is open.
#[cfg(any(feature = "__tls", feature = "websocket"))]
pub(crate) const CLIENT_HANDSHAKE_BYTES_MAX: usize = 16 * 1_024;
/// Bytes that a server may send before that, including its certificates.
pub(crate) const SERVER_HANDSHAKE_BYTES_MAX: usize = 128 * 1_024;

/// The last frame of a link that began with a header of the PROXY protocol (§12.3): `Close`,
/// `BadFrame`, and the reason for the client behind the load balancer. Layers know no other frame.
pub const CLOSE_TO_PROXIED: &[u8] =
    b"\x37\x8a\x02\x34\x08\x01\x12\x30a PROXY header came first, and is not understood";

/// The layers of one link: none for plain TCP; else a proxy's handshake, TLS and WebSocket, as
/// needed. They own no socket: the owner of the socket moves the bytes.
///
/// ```text
/// until end, or the socket's:
///     fill, slices -> write to the socket -> wrote     while there is something to write
///     read from the socket -> receive                  the frames' bytes come out
/// ```
///
/// For plain TCP this is a value of a few bytes, and sent bytes are not copied.
pub struct Layers(Kind);

enum Kind {
    /// Bytes pass unchanged.
    Plain,
    /// Bytes pass unchanged, after a check of the first ones.
    Sniffing(Sniffer),
    Stack(Box<Stack>),
}

struct Stack {
    /// The lowest first.
    layers: Vec<Box<dyn Layer>>,
    /// Bytes for the socket.
    wire: Vec<u8>,
    /// Bytes of `wire` that are written.
    written: usize,
    /// Bytes received before all layers were open.
    handshake_bytes: usize,
    handshake_bytes_max: usize,
    /// After an error, the stack only writes its remaining bytes.
    error: Option<LayerError>,
    /// Whether the ends of the protocols are in `wire`.
    is_closed: bool,
}

/// How the peer's bytes ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The peer announced that it sends no more.
    Closed,
    /// The peer violated a protocol, or a handshake failed.
    Failed(LayerError),
}

impl Layers {
    /// Plain TCP, with a check of the first bytes.
    pub(crate) fn plain() -> Self {
        Self(Kind::Sniffing(Sniffer::default()))
    }

    /// A stack of layers, the lowest first. They begin at once: a client has bytes to write.
    pub(crate) fn stack(layers: Vec<Box<dyn Layer>>, handshake_bytes_max: usize) -> Self {
        let mut stack = Stack::new(layers, handshake_bytes_max);
        let begun = layer::receive(&mut stack.layers, &mut [], &mut Vec::new(), &mut stack.wire);
        stack.error = begun.err();
        Self(Kind::Stack(Box::new(stack)))
    }

    /// Failed layers, which only write these bytes.
    pub(crate) fn failed(error: LayerError, last_words: Vec<u8>) -> Self {
        let stack = Stack { wire: last_words, error: Some(error), ..Stack::new(Vec::new(), 0) };
        Self(Kind::Stack(Box::new(stack)))
    }

    /// Whether all handshakes are done. Before that, no bytes of frames are sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match &self.0 {
            Kind::Plain | Kind::Sniffing(_) => true,
            Kind::Stack(stack) => stack.is_open() && stack.error.is_none(),
        }
    }

    /// Whether the link has layers. Plain TCP has none, or only a check of the first bytes.
    #[must_use]
    pub fn are_layers(&self) -> bool {
        matches!(self.0, Kind::Stack(_))
    }

    /// The end of the peer's bytes, once they have ended. An answer may be left to write: an alert,
    /// a close frame, an HTTP answer. This does not cover the end of the TCP stream itself.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        match &self.0 {
            Kind::Plain | Kind::Sniffing(_) => None,
            Kind::Stack(stack) => stack.end(),
        }
    }

    /// Takes bytes that were read from the socket, and returns the bytes of frames in them, which
    /// may be none. The result does not depend on how the stream was cut. `wire` is used as working
    /// space. Afterwards [`end`](Self::end) may have changed, and there may be bytes to write.
    pub fn receive(&mut self, wire: &mut [u8]) -> Bytes {
        match &mut self.0 {
            Kind::Plain => Bytes::copy_from_slice(wire),
            Kind::Sniffing(sniffer) => match sniffer.look_at(wire) {
                Found::TooLittle => Bytes::new(),
                Found::Frames => {
                    let bytes = sniffer.held_and(wire);
                    self.0 = Kind::Plain;
                    bytes
                }
                Found::Http { is_request } => {
                    let answer = if is_request { http::not_here() } else { Vec::new() };
                    *self = Self::failed(LayerError::SpeaksHttp, answer);
                    Bytes::new()
                }
                Found::ProxyProtocol => {
                    *self = Self::failed(LayerError::SpeaksProxyProtocol, CLOSE_TO_PROXIED.into());
                    Bytes::new()
                }
                Found::Tls => {
                    // A peer that began with TLS recognises from these bytes that they are not TLS.
                    *self = Self::failed(LayerError::SpeaksTls, http::not_here());
                    Bytes::new()
                }
            },
            Kind::Stack(stack) => stack.receive(wire),
        }
    }

    /// Wraps some of the frames' bytes of `batch`, if no other bytes are left to write. Returns how
    /// many bytes it took from there; these count as written.
    pub fn fill(&mut self, batch: &mut VecDeque<Bytes>) -> usize {
        match &mut self.0 {
            Kind::Plain | Kind::Sniffing(_) => 0,
            Kind::Stack(stack) => stack.fill(batch),
        }
    }

    /// Fills in the slices to be written to the socket now. Returns their number, which is 0 if
    /// there is nothing to write.
    #[must_use]
    pub fn slices<'a>(&'a self, batch: &'a VecDeque<Bytes>, slices: &mut [IoSlice<'a>]) -> usize {
        match &self.0 {
            Kind::Plain | Kind::Sniffing(_) => {
                let filled = slices.iter_mut().zip(batch);
                filled.map(|(slice, chunk)| *slice = IoSlice::new(chunk)).count()
            }
            Kind::Stack(stack) => match (slices.first_mut(), &stack.wire[stack.written..]) {
                (None, _) | (_, []) => 0,
                (Some(slice), unwritten) => {
                    *slice = IoSlice::new(unwritten);
                    1
                }
            },
        }
    }

    /// Notes that this number of bytes of the slices was written to the socket. Returns how many of
    /// the frames' bytes left `batch`.
    pub fn wrote(&mut self, bytes: usize, batch: &mut VecDeque<Bytes>) -> usize {
        match &mut self.0 {
            Kind::Plain | Kind::Sniffing(_) => {
                advance(batch, bytes);
                bytes
            }
            Kind::Stack(stack) => {
                stack.written += bytes;
                if stack.written >= stack.wire.len() {
                    // An idle link holds no buffer.
                    stack.wire = Vec::new();
                    stack.written = 0;
                }
                0
            }
        }
    }

    /// Ends the protocols of the layers, after all bytes that [`fill`](Self::fill) took. There may
    /// be bytes to write again.
    pub fn close(&mut self) {
        if let Kind::Stack(stack) = &mut self.0 {
            stack.close();
        }
    }
}

impl Stack {
    fn new(layers: Vec<Box<dyn Layer>>, handshake_bytes_max: usize) -> Self {
        Self {
            layers,
            wire: Vec::new(),
            written: 0,
            handshake_bytes: 0,
            handshake_bytes_max,
            error: None,
            is_closed: false,
        }
    }

    fn is_open(&self) -> bool {
        self.layers.iter().all(|layer| layer.is_open())
    }

    fn end(&self) -> Option<End> {
        match &self.error {
            Some(error) => Some(End::Failed(error.clone())),
            None => self.layers.iter().any(|layer| layer.is_ended()).then_some(End::Closed),
        }
    }

    fn receive(&mut self, wire: &mut [u8]) -> Bytes {
        let mut plain = Vec::new();
        if self.error.is_none() {
            self.error = self.receive_all(wire, &mut plain).err();
        }
        plain.into()
    }

    fn receive_all(&mut self, mut wire: &mut [u8], plain: &mut Vec<u8>) -> Result<(), LayerError> {
        while !self.is_open() && !wire.is_empty() {
            let allowed = self.handshake_bytes_max - self.handshake_bytes;
            if allowed == 0 {
                return Err(LayerError::HandshakeTooLong { max: self.handshake_bytes_max });
            }
            let (now, later) = wire.split_at_mut(allowed.min(wire.len()));
            self.handshake_bytes += now.len();
            layer::receive(&mut self.layers, now, plain, &mut self.wire)?;
            wire = later;
        }
        if !wire.is_empty() {
            layer::receive(&mut self.layers, wire, plain, &mut self.wire)?;
        }
        if self.wire.len() - self.written > WIRE_BYTES_MAX {
            return Err(LayerError::DoesNotRead);
        }
        Ok(())
    }

    fn fill(&mut self, batch: &mut VecDeque<Bytes>) -> usize {
        if !self.wire.is_empty()
            || batch.is_empty()
            || self.error.is_some()
            || self.is_closed
            || !self.is_open()
        {
            return 0;
        }
        let mut data = Vec::new();
        while let Some(chunk) = batch.front_mut()
            && data.len() < WRAP_BYTES
        {
            let taken = chunk.split_to(chunk.len().min(WRAP_BYTES - data.len()));
            data.extend_from_slice(&taken);
            if chunk.is_empty() {
                batch.pop_front();
            }
        }
        self.error = layer::send(&mut self.layers, &data, &mut self.wire).err();
        data.len()
    }

    fn close(&mut self) {
        if self.error.is_none() && !self.is_closed {
            // An error here has no effect: the stream ends in any case.
            let _ = layer::close(&mut self.layers, &mut self.wire);
        }
        self.is_closed = true;
    }
}

/// Drops bytes from the front.
fn advance(batch: &mut VecDeque<Bytes>, mut bytes: usize) {
    while let Some(first) = batch.front_mut() {
        if bytes < first.len() {
            first.advance(bytes);
            return;
        }
        bytes -= first.len();
        batch.pop_front();
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Plain | Kind::Sniffing(_) => f.write_str("Layers(plain)"),
            Kind::Stack(stack) => f.debug_list().entries(&stack.layers).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advances_over_whole_and_broken_chunks() {
        let chunks = || VecDeque::from([Bytes::from_static(b"abc"), Bytes::from_static(b"de")]);
        for (written, left) in [(0, "abcde"), (2, "cde"), (3, "de"), (4, "e"), (5, "")] {
            let mut batch = chunks();
            advance(&mut batch, written);
            assert_eq!(batch.make_contiguous().concat(), left.as_bytes(), "after {written}");
        }
    }
}
