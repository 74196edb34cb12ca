//! Frames of a WebSocket. Payloads pass through; heads and control frames are held until they are
//! complete.

use std::fmt;
use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::error::{LayerError, WebSocketError};

/// The longest message, in bytes; it may come in fragments (§12.7).
pub const MESSAGE_BYTES_MAX: u64 = 131_072;
/// RFC 6455, 5.5.
const CONTROL_BYTES_MAX: u64 = 125;
/// RFC 6455, 5.2: two bytes, a length of eight, a mask of four.
const HEAD_BYTES_MAX: usize = 14;
/// The close code of a regular end. The frames inside have given the reason.
const NORMAL: u16 = 1000;

/// The role of this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

pub(crate) struct Frames {
    role: Role,
    head: [u8; HEAD_BYTES_MAX],
    head_bytes: u8,
    payload: Option<Payload>,
    /// Bytes of the message in progress, if there is one.
    message_bytes: Option<u64>,
    /// The payload of a control frame.
    control: Vec<u8>,
    is_ended: bool,
    has_said_goodbye: bool,
}

/// The remaining payload of a frame whose head is complete.
struct Payload {
    kind: Kind,
    mask: Option<[u8; 4]>,
    left: u64,
}

#[derive(Clone, Copy)]
enum Kind {
    Data { is_final: bool },
    Close,
    Ping,
    Pong,
}

impl Frames {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            head: [0; HEAD_BYTES_MAX],
            head_bytes: 0,
            payload: None,
            message_bytes: None,
            control: Vec::new(),
            is_ended: false,
            has_said_goodbye: false,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Decodes frames. The answer to a violation is a close frame.
    pub(super) fn receive(
        &mut self,
        input: &mut [u8],
        up: &mut Vec<u8>,
        down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        self.take_apart(input, up, down).or_else(|error| {
            if let LayerError::WebSocket(error) = &error {
                self.say_goodbye(error.close_code(), down)?;
            }
            Err(error)
        })
    }

    fn take_apart(
        &mut self,
        mut input: &mut [u8],
        up: &mut Vec<u8>,
        down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        // Bytes after a close frame are ignored.
        while !self.is_ended {
            let Some(payload) = &mut self.payload else {
                if input.is_empty() {
                    return Ok(());
                }
                let taken = self.take_head(input)?;
                input = &mut input[taken..];
                continue;
            };
            let now = usize::try_from(payload.left).unwrap_or(usize::MAX).min(input.len());
            if now == 0 && payload.left > 0 {
                return Ok(());
            }
            let (bytes, rest) = input.split_at_mut(now);
            if let Some(mask) = &mut payload.mask {
                apply_mask(bytes, mask);
            }
            match payload.kind {
                Kind::Data { .. } => up.extend_from_slice(bytes),
                Kind::Close | Kind::Ping | Kind::Pong => self.control.extend_from_slice(bytes),
            }
            payload.left -= now as u64;
            input = rest;
            if payload.left == 0 {
                let kind = payload.kind;
                self.payload = None;
                self.finish(kind, down)?;
            }
        }
        Ok(())
    }

    /// Takes bytes of a head until it is complete, and begins its payload. Returns the number of
    /// bytes taken.
    fn take_head(&mut self, input: &[u8]) -> Result<usize, WebSocketError> {
        let before = usize::from(self.head_bytes);
        let added = input.len().min(HEAD_BYTES_MAX - before);
        self.head[before..before + added].copy_from_slice(&input[..added]);
        let mut cursor = Cursor::new(&self.head[..before + added]);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| WebSocketError::UnknownOpcode)?;
        let Some((header, length)) = parsed else {
            self.head_bytes = u8::try_from(before + added).unwrap_or(0);
            return Ok(added);
        };
        let head_bytes = usize::try_from(cursor.position()).unwrap_or(0);
        self.head_bytes = 0;
        let kind = self.check(&header, length, head_bytes)?;
        self.payload = Some(Payload { kind, mask: header.mask, left: length });
        Ok(head_bytes - before)
    }

    fn check(
        &mut self,
        header: &FrameHeader,
        length: u64,
        head_bytes: usize,
    ) -> Result<Kind, WebSocketError> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(WebSocketError::ReservedBit);
        }
        if header.mask.is_some() != (self.role == Role::Server) {
            return Err(WebSocketError::BadMask);
        }
        if length >> 63 != 0 || header.len(length) != head_bytes {
            return Err(WebSocketError::BadLength);
        }
        let control = |kind| {
            let is_whole = header.is_final && length <= CONTROL_BYTES_MAX;
            if is_whole { Ok(kind) } else { Err(WebSocketError::BadControl) }
        };
        match header.opcode {
            OpCode::Control(Control::Close) => control(Kind::Close),
            OpCode::Control(Control::Ping) => control(Kind::Ping),
            OpCode::Control(Control::Pong) => control(Kind::Pong),
            OpCode::Data(Data::Text) => Err(WebSocketError::Text),
            OpCode::Data(opcode @ (Data::Binary | Data::Continue)) => {
                if self.message_bytes.is_some() != (opcode == Data::Continue) {
                    return Err(WebSocketError::BadFragment);
                }
                let bytes = self.message_bytes.unwrap_or(0).saturating_add(length);
                if bytes > MESSAGE_BYTES_MAX {
                    return Err(WebSocketError::TooLong);
                }
                self.message_bytes = Some(bytes);
                Ok(Kind::Data { is_final: header.is_final })
            }
            OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) => {
                Err(WebSocketError::UnknownOpcode)
            }
        }
    }

    /// A frame is complete.
    fn finish(&mut self, kind: Kind, down: &mut Vec<u8>) -> Result<(), LayerError> {
        match kind {
            Kind::Data { is_final: true } => self.message_bytes = None,
            Kind::Data { is_final: false } | Kind::Pong => {}
            Kind::Ping => {
                let payload = std::mem::take(&mut self.control);
                self.write(OpCode::Control(Control::Pong), &payload, down)?;
            }
            Kind::Close => {
                let code = read_close(&self.control)?;
                self.is_ended = true;
                self.say_goodbye(code, down)?;
            }
        }
        self.control = Vec::new();
        Ok(())
    }

    /// Wraps bytes into one message.
    pub(super) fn send(&mut self, data: &[u8], down: &mut Vec<u8>) -> Result<(), LayerError> {
        self.write(OpCode::Data(Data::Binary), data, down)
    }

    pub(super) fn close(&mut self, down: &mut Vec<u8>) -> Result<(), LayerError> {
        self.say_goodbye(NORMAL, down)
    }

    fn say_goodbye(&mut self, code: u16, down: &mut Vec<u8>) -> Result<(), LayerError> {
        if std::mem::replace(&mut self.has_said_goodbye, true) {
            return Ok(());
        }
        self.write(OpCode::Control(Control::Close), &code.to_be_bytes(), down)
    }

    fn write(&self, opcode: OpCode, payload: &[u8], down: &mut Vec<u8>) -> Result<(), LayerError> {
        let mask = match self.role {
            Role::Client => {
                let mut mask = [0; 4];
                getrandom::fill(&mut mask).map_err(|_| LayerError::Random)?;
                Some(mask)
            }
            Role::Server => None,
        };
        let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
        header.format(payload.len() as u64, down).expect("a vector takes all bytes");
        let start = down.len();
        down.extend_from_slice(payload);
        if let Some(mut mask) = mask {
            apply_mask(&mut down[start..], &mut mask);
        }
        Ok(())
    }
}

/// Masks or unmasks the bytes, and rotates the mask for the bytes after them.
fn apply_mask(bytes: &mut [u8], mask: &mut [u8; 4]) {
    let (words, rest) = bytes.as_chunks_mut();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(*mask)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(*mask) {
        *byte ^= key;
    }
    mask.rotate_left(rest.len());
}

/// The code to answer with: the peer's own, or the regular one for a close frame without a code.
fn read_close(payload: &[u8]) -> Result<u16, WebSocketError> {
    match payload {
        [] => Ok(NORMAL),
        [_] => Err(WebSocketError::BadClose),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !CloseCode::from(code).is_allowed() {
                return Err(WebSocketError::BadClose);
            }
            match std::str::from_utf8(reason) {
                Ok(_) => Ok(code),
                Err(_) => Err(WebSocketError::BadCloseReason),
            }
        }
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("role", &self.role).finish_non_exhaustive()
    }
}
