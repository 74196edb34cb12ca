//! One file for each protocol: just enough of it to put load on a server.

mod floor;
mod mqtt;
mod nats;
mod redis;
mod relay;
mod rts;
mod varint;
mod websocket;

pub(crate) use floor::Floor;
pub(crate) use mqtt::Mqtt;
pub(crate) use nats::Nats;
pub(crate) use redis::Redis;
pub(crate) use relay::Relay;
pub(crate) use rts::Rts;

pub(crate) use floor::{DESTINATION_ALL, HEAD_BYTES as FLOOR_HEAD_BYTES, frame as floor_frame};

use crate::target::Target;

/// Where all members and the speaker meet.
pub(crate) const ROOM: &str = "room";

/// A payload begins with the moment at which it was to be sent and its id, eight bytes each,
/// little-endian.
pub(crate) const PAYLOAD_HEAD_BYTES: usize = 16;

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Is there, and gets what is sent to it.
    Receiver,
    /// Sends to the receiver with this number.
    Sender { to: u32 },
    /// Gets what is said in the room.
    Member,
    /// Speaks in the room.
    Speaker,
}

impl Role {
    /// Where the client with this number sends to, or what it hears.
    pub(crate) fn channel(self, number: u32) -> String {
        match self {
            Self::Receiver => user(number),
            Self::Sender { to } => user(to),
            Self::Member | Self::Speaker => ROOM.to_owned(),
        }
    }
}

/// What a client heard.
#[derive(Debug)]
pub(crate) enum Heard {
    Ready,
    Delivered { due_ns: u64 },
    Result { id: u64, code: u32 },
}

/// One user of a protocol, without its socket.
pub(crate) trait Client: Sized {
    /// User number `number`.
    fn new(target: &Target, number: u32, role: Role) -> Self;

    /// The first bytes on a new link.
    fn open(&mut self, out: &mut Vec<u8>);

    /// Takes what arrived, and returns how much of it has been used; the rest comes again with more
    /// behind it.
    ///
    /// # Errors
    ///
    /// Why there is nothing more to say to this server.
    fn hear(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<usize, String>;

    /// Sends to whom its role says. Ids count from 1.
    fn send(&mut self, id: u64, payload: &[u8], out: &mut Vec<u8>);

    /// Whether sends have results in this protocol.
    fn has_results(&self) -> bool;

    /// Everything of a turn was said, and is about to be written.
    fn end_burst(&mut self, _out: &mut Vec<u8>) {}

    /// Whether `end_burst` has something to add though nothing was said.
    fn owes(&self) -> bool {
        false
    }

    /// Called a few times a second: what the protocol wants said in silence.
    fn sweep(&mut self, _out: &mut Vec<u8>) {}

    /// The next link does not go on with what was, but logs in anew.
    fn forget(&mut self) {}
}

/// The name of user number `number`.
pub(crate) fn user(number: u32) -> String {
    format!("user-{number}")
}

/// The first eight bytes of a payload.
pub(crate) fn due_ns(payload: &[u8]) -> u64 {
    payload.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The id in a payload.
pub(crate) fn message_id(payload: &[u8]) -> u64 {
    let bytes = payload.get(8..PAYLOAD_HEAD_BYTES).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
