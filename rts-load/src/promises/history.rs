//! What happened at every client, as plain data.

use std::ops::Range;

/// A user, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct User(pub(crate) u32);

/// A room, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Room(pub(crate) u32);

/// The receiver of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum To {
    User(User),
    Room(Room),
}

/// The name that each payload carries: the client that sent it, and its number among all messages
/// and broadcasts of this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Message {
    pub(crate) client: u32,
    pub(crate) number: u32,
}

/// A call of a client, or an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    LoginCalled,
    LoginResult(i32),
    LoggedOut(i32),
    /// A message or a broadcast was sent. Without an id, the call was refused.
    Sent {
        to: To,
        number: u32,
        id: Option<u32>,
    },
    /// The result of a message, or of a broadcast in this room.
    Result {
        room: Option<Room>,
        id: u32,
        code: u32,
    },
    /// A message, or a broadcast in this room. Without a name, its payload is not one of ours.
    Received {
        room: Option<Room>,
        from: User,
        message: Option<Message>,
    },
    /// With whether the call was accepted.
    JoinCalled(Room, bool),
    LeaveCalled(Room),
    Joined(Room, Entry),
    /// Any other state of the membership.
    State(Room, i32),
    Left(Room),
    UserJoined(Room, User),
    UserLeft(Room, User),
}

/// How a client has entered a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// After its call.
    First,
    /// After a break, without a gap.
    Resumed,
    /// After a break. Broadcasts of the meantime may be missing.
    Anew,
}

/// A record, with the moment at which it was written. Moments are in one order for all clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) at: u64,
    pub(crate) what: What,
}

/// One client, which logs in once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    pub(crate) user: User,
    /// In the order of their moments.
    pub(crate) records: &'a [Record],
    /// The moments at which its link came up or went down, in order.
    pub(crate) links: &'a [u64],
}

/// A whole run.
#[derive(Clone, Debug)]
pub(crate) struct History<'a> {
    pub(crate) clients: Vec<Client<'a>>,
    /// From before a server ended until all clients were back on the next one.
    pub(crate) outages: &'a [Range<u64>],
    /// From before a part of a cluster failed until all nodes and clients were back.
    pub(crate) faults: &'a [Range<u64>],
}

/// What a result means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiving client has the message; every member has or gets the broadcast.
    Success,
    /// It may arrive or not.
    Unknown,
    /// It never arrives.
    NotDelivered,
}

impl History<'_> {
    /// Whether a part of a cluster failed between these moments.
    pub(crate) fn has_fault(&self, from: u64, to: u64) -> bool {
        self.faults.iter().any(|fault| fault.start < to && fault.end > from)
    }
}

impl Outcome {
    pub(crate) fn of(to: To, code: u32) -> Self {
        match (to, code) {
            (To::User(_), 0) | (To::Room(_), 200) => Self::Success,
            (_, 1 | 1000) => Self::Unknown,
            _ => Self::NotDelivered,
        }
    }
}

impl To {
    pub(crate) fn room(self) -> Option<Room> {
        match self {
            Self::User(_) => None,
            Self::Room(room) => Some(room),
        }
    }
}
