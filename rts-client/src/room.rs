//! [`Room`]: a room that the engine has joined.

use rts_driver::client as contract;
use rts_driver::client::{BroadcastCode, JoinEnd, Payload};

use crate::error::{JoinError, refused};
use crate::sending::Sending;

/// A room that the engine has joined. Cheap to clone.
///
/// A `Room` keeps its engine alive. Dropping it does not leave the room: call
/// [`leave`](Self::leave).
#[derive(Clone, Debug)]
pub struct Room {
    room: contract::Room,
}

impl Room {
    /// Joins the room of this handle.
    pub(crate) async fn join(room: contract::Room) -> Result<Self, JoinError> {
        let joining = room.join().map_err(|error| match error {
            contract::JoinError::AlreadyJoined => JoinError::AlreadyJoined,
            _ => JoinError::EngineClosed,
        })?;
        let mut unanswered = Unanswered(Some(room));
        let end = joining.await;
        let room = unanswered.0.take().expect("it is taken once, here");
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
        Sending::new(match payload.into() {
            Payload::Text(text) => self.room.send_message(text),
            Payload::Binary(bytes) => self.room.send_binary_message(bytes),
        })
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

/// A room that is left if the future of its join is dropped.
struct Unanswered(Option<contract::Room>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(room) = self.0.take() {
            room.leave();
        }
    }
}
