//! [`Room`]: the contract's calls on a room.

use std::sync::Arc;

use bytes::Bytes;
use rts_proto::client::{BroadcastError, JoinError, Membership};
use rts_proto::{BroadcastCode, Payload, RoomKey, Text};

use crate::answers::JoinEnd;
use crate::handle::Handle;
use crate::handler::RoomEventHandler;
use crate::sent::{Pending, Sent};

/// One room handle. Clones are cheap. Every call returns at once.
///
/// A handle keeps its engine alive. Dropping its last clone neither leaves the room nor frees its
/// id. Use [`leave`](Self::leave) and [`destroy`](Self::destroy) for that.
#[derive(Clone, Debug)]
pub struct Room {
    handle: Arc<Handle>,
    key: RoomKey,
    id: Arc<str>,
}

impl Room {
    pub(crate) fn new(handle: Arc<Handle>, key: RoomKey, id: &str) -> Self {
        Self { handle, key, id: id.into() }
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// The room's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the engine is in this room.
    #[must_use]
    pub fn membership(&self) -> Membership {
        self.handle.lock().client().membership(self.key).unwrap_or(Membership::Out)
    }

    /// The key of this handle, which its events carry.
    #[must_use]
    pub fn key(&self) -> RoomKey {
        self.key
    }

    /// `joinRoom`. [`RoomEvent::Joined`](rts_proto::client::RoomEvent::Joined) follows, or
    /// [`RoomEvent::StateChanged`](rts_proto::client::RoomEvent::StateChanged) with the reason. The
    /// returned future completes with it too. It completes with [`JoinEnd::Cancelled`] if the room
    /// is left or destroyed first, or the login ends first.
    ///
    /// # Errors
    ///
    /// Already joined or joining; room destroyed.
    pub fn join(&self) -> Result<Pending<JoinEnd>, JoinError> {
        self.handle.call(|state, now| state.join_room(now, self.key))
    }

    /// Takes a join back: leaves the room if this was the last join of this handle. A room that was
    /// left and joined again in the meantime is not left.
    pub fn take_back(&self, join: &Pending<JoinEnd>) {
        self.handle.call(|state, now| state.take_back_join(now, self.key, join));
    }

    /// `leaveRoom`. [`RoomEvent::Left`](rts_proto::client::RoomEvent::Left) follows when the engine
    /// has left the room, and the returned future completes. If the room is not joined, nothing
    /// happens.
    pub fn leave(&self) -> Pending<()> {
        self.handle.call(|state, now| state.leave_room(now, self.key))
    }

    /// `destroy`: leaves the room and frees its id. Once this returns, no event of the room comes
    /// from [`Events`](crate::Events) or starts a handler, not even an event that waited. A call of
    /// the handler in progress runs to its end. The [`Sent`] of an open broadcast completes.
    pub fn destroy(&self) {
        self.handle.call(|state, now| state.destroy_room(now, self.key));
    }

    /// `sendRoomMessage`. The result comes as an event, and completes the returned future.
    ///
    /// # Errors
    ///
    /// Room destroyed. An accepted send that cannot succeed gets an id and its one result.
    pub fn send_message(
        &self,
        text: impl Into<Text>,
    ) -> Result<Sent<BroadcastCode>, BroadcastError> {
        self.send(Payload::text(text))
    }

    /// `sendRoomBinaryMessage`: like [`send_message`](Self::send_message).
    pub fn send_binary_message(
        &self,
        bytes: impl Into<Bytes>,
    ) -> Result<Sent<BroadcastCode>, BroadcastError> {
        self.send(Payload::binary(bytes))
    }

    fn send(&self, payload: Payload) -> Result<Sent<BroadcastCode>, BroadcastError> {
        self.handle.call(|state, now| state.send_room_message(now, self.key, payload))
    }

    /// Sets the handler of this room's events, which takes precedence over the engine's handler. It
    /// replaces an earlier one. On a destroyed room nothing happens.
    /// [`Engine::set_event_handler`](crate::Engine::set_event_handler) describes the calls.
    pub fn set_event_handler(&self, handler: impl RoomEventHandler + 'static) {
        self.handle.with(|state| state.set_room_handler(self.key, handler));
    }
}

/// The same handle of the same engine.
impl PartialEq for Room {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && Arc::ptr_eq(&self.handle, &other.handle)
    }
}

impl Eq for Room {}
