//! How the session of a user moves to the shard where its client comes back, in a cluster.
//!
//! ```text
//!   shard of the login          home of the user          shard of the session
//!            | Resume                  |                           |
//!            |---------------------------------------------------->|
//!            |                         | Ask                       |
//!            |                         |<--------------------------|
//!            |                         | Revoke                    |
//!            |                         |-------------------------->|
//!            |                         |  Rooms, Fence             |
//!            |<----------------------------------------------------| and Switch to its rooms
//!            |                         |  Frames, Post, Session    |
//!            |<----------------------------------------------------|
//!            | Release                 |                           |
//!            |------------------------>|                           |
//!            |                   Grant |                           |
//!            |<------------------------|                           |
//!            | Taken                   |                           |
//!            |---------------------------------------------------->|
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

#[cfg(feature = "serde")]
use super::ownership::key;
use super::ownership::{Candidate, LeftBehind, Tenure};
use crate::server::keys::SessionNumber;
use crate::wire::ResumeKey;
use crate::{MessageId, Payload, RoomId, ServerParams, UserId};

/// A login asks to resume a session of another shard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResumeAsked {
    /// The user.
    pub uid: UserId,
    /// The session.
    pub session: SessionNumber,
    /// The login.
    pub candidate: Candidate,
}

/// A part of a session that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionPart {
    /// The number that the session will have.
    pub next: SessionNumber,
    /// The content.
    pub content: SessionContent,
}

/// The content of a part of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SessionContent {
    /// All its rooms, before they know its next number. Their memberships wait if the rest of the
    /// session never comes.
    Rooms(Vec<RoomId>),
    /// Frames that its client has not acknowledged, in their order.
    Frames(Vec<MovedFrames>),
    /// A message for the app server that waits.
    Post(Box<MovedPost>),
    /// Everything else.
    Session(Box<MovedSession>),
    /// Behind everything else: the credentials of its login were revoked meanwhile.
    Revoked,
}

/// Consecutive frames of a window.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MovedFrames {
    /// The frames.
    pub bytes: Bytes,
    /// Their number.
    pub frames: u32,
    /// The send that has its result when they are acknowledged.
    pub origin: Option<(SessionNumber, MessageId)>,
}

/// A message for the app server that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MovedPost {
    /// The client's id of the message.
    pub id: MessageId,
    /// Where it is posted.
    pub params: MovedParams,
    /// The message.
    pub payload: Payload,
}

/// The params of a message for the app server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum MovedParams {
    /// Those with this ticket, which are not decided.
    Asked(u64),
    /// These.
    Known(ServerParams),
}

/// A session.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MovedSession {
    /// Its user.
    pub uid: UserId,
    /// Its number in its former shard.
    pub session: SessionNumber,
    /// The grant of its user to that shard.
    pub tenure: Tenure,
    /// The key that the client has shown.
    #[cfg_attr(feature = "serde", serde(with = "key"))]
    pub key: ResumeKey,
    /// When the credentials of its login were issued.
    pub issued_at: u32,
    /// Its claim.
    pub claim: u64,
    /// Sequenced frames that were received from the client.
    pub received: u64,
    /// Frames that the client has acknowledged.
    pub acked: u64,
    /// Frames that the client was sent and lacks.
    pub frames_resent: u32,
    /// Rooms of which it is a member.
    pub rooms: Vec<RoomId>,
    /// Joins whose answers wait for the names of the members: the room, the ticket, and the bytes
    /// of the names.
    pub welcomes: Vec<(RoomId, u64, u64)>,
    /// Rooms in which memberships wait, and used rates.
    pub left: LeftBehind,
    /// The params of its messages for the app server.
    pub params: Option<ServerParams>,
    /// Params that are not decided, with their tickets.
    pub undecided: Vec<(u64, ServerParams)>,
}

impl ResumeAsked {
    /// The bytes of its names and boxes.
    pub(super) fn more_bytes(&self) -> usize {
        size_of::<Self>() + self.uid.as_str().len() + self.candidate.more_bytes()
    }
}

impl SessionPart {
    /// The bytes of its frames, names and lists.
    pub(super) fn more_bytes(&self) -> usize {
        let rooms = |rooms: &[RoomId]| {
            size_of_val(rooms) + rooms.iter().map(|room| room.as_str().len()).sum::<usize>()
        };
        let content = match &self.content {
            SessionContent::Rooms(list) => rooms(list),
            SessionContent::Frames(frames) => {
                size_of_val(frames.as_slice())
                    + frames.iter().map(|frames| frames.bytes.len()).sum::<usize>()
            }
            SessionContent::Post(post) => {
                let params = match &post.params {
                    MovedParams::Asked(_) => 0,
                    MovedParams::Known(params) => params.len(),
                };
                size_of::<MovedPost>() + params + post.payload.len()
            }
            SessionContent::Session(session) => {
                let welcomes = session.welcomes.iter();
                let params = session.undecided.iter().map(|(_, params)| params);
                size_of::<MovedSession>()
                    + rooms(&session.rooms)
                    + welcomes.map(|(room, ..)| 40 + room.as_str().len()).sum::<usize>()
                    + session.left.bytes()
                    + params.chain(&session.params).map(ServerParams::len).sum::<usize>()
            }
            SessionContent::Revoked => 0,
        };
        size_of::<Self>() + content
    }
}

/// Shows no payload.
impl fmt::Debug for MovedFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MovedFrames")
            .field("bytes_len", &self.bytes.len())
            .field("frames", &self.frames)
            .field("origin", &self.origin)
            .finish()
    }
}

/// Shows no key and no params.
impl fmt::Debug for MovedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MovedSession")
            .field("uid", &self.uid)
            .field("session", &self.session)
            .field("tenure", &self.tenure)
            .field("received", &self.received)
            .field("acked", &self.acked)
            .field("rooms", &self.rooms)
            .finish_non_exhaustive()
    }
}
