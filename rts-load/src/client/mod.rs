//! The client side of each protocol, one in each file: just enough to put load on a server.

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

/// The room of all members and the speaker.
pub(crate) const ROOM: &str = "room";

/// A payload begins with its planned moment of sending and its id, eight bytes each, little-endian.
pub(crate) const PAYLOAD_HEAD_BYTES: usize = 16;

/// The role of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Connects, and receives messages.
    Receiver,
    /// Sends to the receiver with this number.
    Sender { to: u32 },
    /// Receives the broadcasts of the room.
    Member,
    /// Broadcasts in the room.
    Speaker,
}

impl Role {
    /// The channel that the client with this number sends to or receives from.
    pub(crate) fn channel(self, number: u32) -> String {
        match self {
            Self::Receiver => user(number),
            Self::Sender { to } => user(to),
            Self::Member | Self::Speaker => ROOM.to_owned(),
        }
    }
}

/// An event of a client.
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

    /// Takes received bytes, and returns the number that was used. The rest comes again with more
    /// bytes behind it.
    ///
    /// # Errors
    ///
    /// The reason why the client cannot continue with this server.
    fn hear(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        hear: &mut impl FnMut(Heard),
    ) -> Result<usize, String>;

    /// Makes a sender send to the receiver with this number from now on.
    fn aim(&mut self, to: u32);

    /// Sends to the target of the role. Ids count from 1.
    fn send(&mut self, id: u64, payload: &[u8], out: &mut Vec<u8>);

    /// Whether sends have results in this protocol.
    fn has_results(&self) -> bool;

    /// Called at the end of a turn, before its bytes are written.
    fn end_burst(&mut self, _out: &mut Vec<u8>) {}

    /// Whether `end_burst` has bytes to add to an otherwise empty turn.
    fn owes(&self) -> bool {
        false
    }

    /// Called a few times a second, for frames such as heartbeats.
    fn sweep(&mut self, _out: &mut Vec<u8>) {}

    /// Makes the next link log in anew, instead of resuming.
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
