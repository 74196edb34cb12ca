//! [`Room`]: a room that the engine has joined.

use rts_driver::client as contract;
use rts_driver::client::{BroadcastCode, JoinEnd, Payload, Pending};

use crate::error::{JoinError, Reason, SendError, refused};
use crate::sending::Sending;

/// A room that the engine has joined. Cheap to clone.
///
/// A `Room` keeps its engine alive. Dropping it does not leave the room: call
/// [`leave`](Self::leave). [`Engine::room`](crate::Engine::room) returns it again.
///
/// Two rooms are equal if they are the same room of the same engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    room: contract::Room,
}

impl Room {
    /// The room of this handle, which the engine is in or joins.
    pub(crate) fn new(room: contract::Room) -> Self {
        Self { room }
    }

    /// Joins the room of this handle.
    pub(crate) async fn join(room: contract::Room) -> Result<Self, JoinError> {
        let joining = room.join().map_err(|error| match error {
            contract::JoinError::AlreadyJoined => JoinError::AlreadyJoined,
            _ => JoinError::EngineClosed,
        })?;
        let mut join = Join { room: &room, joining, is_answered: false };
        let end = (&mut join.joining).await;
        join.is_answered = true;
        drop(join);
        match end {
            JoinEnd::Joined(_) => Ok(Self { room }),
            JoinEnd::Refused(state) => Err(refused(state)),
            JoinEnd::Cancelled => Err(JoinError::Cancelled),
        }
    }

    /// The room's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.room.id()
    }

    /// Sends text or bytes to every other member. The message is sent when this returns. Await the
    /// result: `Ok` means that the server queued the message for each member.
    pub fn send(&self, payload: impl Into<Payload>) -> Sending<BroadcastCode> {
        let sent = match payload.into() {
            Payload::Text(text) => self.room.send_message(text),
            Payload::Binary(bytes) => self.room.send_binary_message(bytes),
        };
        Sending::new(sent.map_err(|error| match error {
            contract::BroadcastError::NoRoom if self.room.engine().is_destroyed() => {
                SendError::NotDelivered(Reason::EngineClosed)
            }
            error => error.into(),
        }))
    }

    /// Leaves the room, and waits until the engine is out. It also ends when the room is joined
    /// again. Without a link it ends at once, and the server is notified later. The leave begins
    /// with the first poll, and continues if this future is dropped.
    pub async fn leave(&self) {
        self.room.leave().await;
    }

    /// This room with the calls, callbacks and numbers of the contract.
    #[must_use]
    pub fn contract(&self) -> &contract::Room {
        &self.room
    }
}

/// A join that leaves the room if its future is dropped before it has returned the answer.
struct Join<'a> {
    room: &'a contract::Room,
    joining: Pending<JoinEnd>,
    is_answered: bool,
}

impl Drop for Join<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.room.take_back(&self.joining);
        }
    }
}
