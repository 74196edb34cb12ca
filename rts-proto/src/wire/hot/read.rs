//! Reads the most frequent frames of clients in place.

use bytes::Bytes;

use super::{key, kind};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::payload::PayloadRef;
use crate::wire::Frame;
use crate::{MessageConfig, MessageId, RoomId};

/// One of these frames, in the received bytes.
#[derive(Debug)]
pub(crate) enum HotFrame<'a> {
    /// [`Frame::Ack`].
    Ack { received: u64 },
    /// [`Frame::Send`].
    Send { id: MessageId, to: &'a [u8], payload: PayloadRef<'a>, config: MessageConfig },
    /// [`Frame::Broadcast`].
    Broadcast { id: MessageId, room: RoomId, payload: PayloadRef<'a> },
}

impl HotFrame<'_> {
    /// Like [`Frame::is_sequenced`].
    pub(crate) fn is_sequenced(&self) -> bool {
        match self {
            Self::Ack { .. } => false,
            Self::Send { config, .. } => config.is_reliable(),
            Self::Broadcast { .. } => true,
        }
    }

    /// A frame that shares ownership of `memory`, in which this one lies.
    pub(super) fn kept_in(self, memory: &Bytes) -> Frame {
        match self {
            Self::Ack { received } => Frame::Ack { received },
            Self::Send { id, to, payload, config } => Frame::Send {
                id,
                to: memory.slice_ref(to),
                payload: payload.kept_in(memory),
                config,
            },
            Self::Broadcast { id, room, payload } => {
                Frame::Broadcast { id, room, payload: payload.kept_in(memory) }
            }
        }
    }
}

/// The frame in these bytes, which have no length prefix. `None` if it is another kind, or is not
/// encoded like prost encodes it.
pub(crate) fn read(bytes: &[u8]) -> Option<HotFrame<'_>> {
    let (kind, rest) = bytes.split_first()?;
    let mut reader = Reader { rest };
    if !matches!(*kind, kind::ACK | kind::SEND | kind::BROADCAST)
        || reader.number()? != reader.rest.len() as u64
    {
        return None;
    }
    let number = reader.number_field(key::NUMBER_1)?;
    if *kind == kind::ACK {
        return reader.rest.is_empty().then_some(HotFrame::Ack { received: number });
    }
    let to = reader.bytes_field(key::BYTES_2)?;
    let payload = reader.payload()?;
    let config = reader.number_field(key::CONFIG)?;
    if !reader.rest.is_empty() {
        return None;
    }
    let id = MessageId(number);
    if *kind == kind::SEND {
        let config = MessageConfig::try_from(u32::try_from(config).ok()?).ok()?;
        return Some(HotFrame::Send { id, to, payload, config });
    }
    let room = RoomId::from_bytes(to).ok()?;
    (config == 0).then_some(HotFrame::Broadcast { id, room, payload })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A varint in its shortest form.
    fn number(&mut self) -> Option<u64> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        if *first < 0x80 {
            return Some((*first).into());
        }
        let mut value = u64::from(*first & 0x7F);
        // Nine bytes at most: longer numbers are rare, and left to prost.
        for shift in (7..63).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(*byte & 0x7F) << shift;
            if *byte < 0x80 {
                return (*byte != 0).then_some(value);
            }
        }
        None
    }

    fn is_next(&mut self, key: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == key => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// 0 if the field is absent. A field that is present is not 0.
    fn number_field(&mut self, key: u8) -> Option<u64> {
        if !self.is_next(key) {
            return Some(0);
        }
        self.number().filter(|number| *number != 0)
    }

    fn bytes_field(&mut self, key: u8) -> Option<&'a [u8]> {
        if !self.is_next(key) {
            return None;
        }
        let len = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }

    fn payload(&mut self) -> Option<PayloadRef<'a>> {
        let key = *self.rest.first()?;
        let bytes = match key {
            key::TEXT | key::BINARY => self.bytes_field(key)?,
            _ => return None,
        };
        if bytes.len() > PAYLOAD_BYTES_MAX {
            return None;
        }
        if key == key::TEXT {
            return core::str::from_utf8(bytes).ok().map(PayloadRef::Text);
        }
        Some(PayloadRef::Binary(bytes))
    }
}
