//! All that lies between one TCP stream and its frames.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;

use bytes::{Buf as _, Bytes};

use crate::error::LayerError;
use crate::http;
use crate::layer::{self, Layer};
use crate::sniff::{Found, Sniffer};

/// Bytes wrapped in one go: the most that is held in wrapped form when the other side is slow.
const WRAP_BYTES: usize = 32 * 1_024;
/// Answers to the other side's pings and handshakes that may wait to be written, with what was
/// wrapped.
const WIRE_BYTES_MAX: usize = 128 * 1_024;
/// What a client may send until TLS is set up and the WebSocket open.
#[cfg(any(feature = "__tls", feature = "websocket"))]
pub(crate) const CLIENT_HANDSHAKE_BYTES_MAX: usize = 16 * 1_024;
/// What a server may send until then: it has certificates to show.
pub(crate) const SERVER_HANDSHAKE_BYTES_MAX: usize = 128 * 1_024;

/// The frame with which a link ends that began with a header of the PROXY protocol (§12.3):
/// `Close`, `BadFrame`, and the reason for the client behind the load balancer. Layers know no
/// frames but this one.
pub const CLOSE_TO_PROXIED: &[u8] =
    b"\x37\x8a\x02\x34\x08\x01\x12\x30a PROXY header came first, and is not understood";

/// The layers of one link: none for plain TCP; else a proxy's handshake, TLS, WebSocket, as needed.
/// It owns no socket: the owner of the socket moves the bytes.
///
/// ```text
/// until end, or the socket's:
///     fill, slices -> write to the socket -> wrote     while there is something to write
///     read from the socket -> receive                  the frames' bytes come out
/// ```
///
/// For plain TCP this is a value of a few bytes, and nothing is copied on the way out.
pub struct Layers(Kind);

enum Kind {
    /// Bytes are what they are.
    Plain,
    /// The same, but the first ones are looked at.
    Sniffing(Sniffer),
    Stack(Box<Stack>),
}

struct Stack {
    /// The lowest first.
    layers: Vec<Box<dyn Layer>>,
    /// On its way to the socket.
    wire: Vec<u8>,
    /// Bytes of it that are written.
    written: usize,
    /// Received before all layers were open.
    handshake_bytes: usize,
    handshake_bytes_max: usize,
    /// After this, it can only say what is left to say.
    error: Option<LayerError>,
    /// The goodbye is in `wire`.
    is_closed: bool,
}

/// How the other side's bytes ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// It said that it sends no more.
    Closed,
    /// It broke a rule, or a handshake failed.
    Failed(LayerError),
}

impl Layers {
    /// Plain TCP, whose first bytes are looked at.
    pub(crate) fn plain() -> Self {
        Self(Kind::Sniffing(Sniffer::default()))
    }

    /// Layers, the lowest first. They begin at once: a client has something to write.
    pub(crate) fn stack(layers: Vec<Box<dyn Layer>>, handshake_bytes_max: usize) -> Self {
        let mut stack = Stack::new(layers, handshake_bytes_max);
        let begun = layer::receive(&mut stack.layers, &mut [], &mut Vec::new(), &mut stack.wire);
        stack.error = begun.err();
        Self(Kind::Stack(Box::new(stack)))
    }

    /// Layers that can only say this.
    pub(crate) fn failed(error: LayerError, last_words: Vec<u8>) -> Self {
        let stack = Stack { wire: last_words, error: Some(error), ..Stack::new(Vec::new(), 0) };
        Self(Kind::Stack(Box::new(stack)))
    }

    /// Whether all handshakes are done. Before that, nothing that is to be sent goes out.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match &self.0 {
            Kind::Plain | Kind::Sniffing(_) => true,
            Kind::Stack(stack) => stack.is_open() && stack.error.is_none(),
        }
    }

    /// Whether there are any: plain TCP has none, or only a look at the first bytes.
    #[must_use]
    pub fn are_layers(&self) -> bool {
        matches!(self.0, Kind::Stack(_))
    }

    /// Whether the other side's bytes are over, and how. What is left to say about it can still be
    /// written: an alert, a close frame, an HTTP answer. The end of the TCP stream itself is not
    /// seen here.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        match &self.0 {
            Kind::Plain | Kind::Sniffing(_) => None,
            Kind::Stack(stack) => stack.end(),
        }
    }

    /// Takes bytes that were read from the socket, and gives the frames' bytes that were in them,
    /// which may be none. How the stream was cut means nothing. `wire` is used as working space.
    /// Afterwards [`end`](Self::end) may have changed, and there may be something to write.
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
                    // A side that began with TLS sees by these bytes that they are not.
                    *self = Self::failed(LayerError::SpeaksTls, http::not_here());
                    Bytes::new()
                }
            },
            Kind::Stack(stack) => stack.receive(wire),
        }
    }

    /// Wraps some of the frames' bytes of `batch`, if nothing else is left to write. Returns how
    /// many it took from there: they count as written.
    pub fn fill(&mut self, batch: &mut VecDeque<Bytes>) -> usize {
        match &mut self.0 {
            Kind::Plain | Kind::Sniffing(_) => 0,
            Kind::Stack(stack) => stack.fill(batch),
        }
    }

    /// What is to be written to the socket now; returns the number of slices, and none when there
    /// is nothing to write.
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

    /// This number of bytes of the slices was written to the socket. Returns how many of the
    /// frames' bytes left `batch`.
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

    /// Says goodbye, behind all that was taken by [`fill`](Self::fill): there is something to write
    /// again.
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
            // Who cannot say goodbye any more just goes.
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
