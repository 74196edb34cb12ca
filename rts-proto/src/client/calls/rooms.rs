//! Room handles and broadcasts.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use crate::client::call::Call;
use crate::client::engine::Client;
use crate::client::error::{BroadcastError, CreateRoomError, JoinError};
use crate::client::event::Event;
use crate::client::questions::{Outcome, Question};
use crate::client::rooms::JoinStep;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{BroadcastCode, Instant, MessageId, Payload, RoomId, RoomKey};

impl Client {
    /// `createRoom`: makes a handle, which only this engine knows. A refusal is also called back as
    /// [`Event::CreateRoomFailed`].
    pub fn create_room(&mut self, now: Instant, room_id: &str) -> Result<RoomKey, CreateRoomError> {
        self.begin(now, &Call::CreateRoom { room_id }).act(|client| client.make_room(room_id))
    }

    fn make_room(&mut self, room_id: &str) -> Result<RoomKey, CreateRoomError> {
        if self.is_destroyed {
            return Err(CreateRoomError::NoEngine);
        }
        let created = RoomId::new(room_id)
            .map_err(|_| CreateRoomError::BadRoom)
            .and_then(|id| self.rooms.create(id));
        if let Err(error) = created {
            self.shared.emit(Event::CreateRoomFailed { room: room_id.to_string(), error });
        }
        created
    }

    /// `joinRoom`: [`Joined`](crate::client::RoomEvent::Joined) follows, or
    /// [`StateChanged`](crate::client::RoomEvent::StateChanged) with the reason. The reason is
    /// -1001, at once, when the user is in 128 rooms or not logged in.
    pub fn join_room(&mut self, now: Instant, key: RoomKey) -> Result<(), JoinError> {
        self.begin(now, &Call::JoinRoom { key }).act(|client| client.try_join(key))
    }

    fn try_join(&mut self, key: RoomKey) -> Result<(), JoinError> {
        match self.rooms.ask_join(key, self.shared.now())? {
            JoinStep::Send(join) => self.start_join(join),
            JoinStep::AfterLeave => {}
            JoinStep::TooMany => self.join_failed(key),
        }
        Ok(())
    }

    /// `leaveRoom`: [`Left`](crate::client::RoomEvent::Left) follows when the user has left. Does
    /// nothing when not joined.
    pub fn leave_room(&mut self, now: Instant, key: RoomKey) {
        self.begin(now, &Call::LeaveRoom { key }).act(|client| client.leave(key));
    }

    fn leave(&mut self, key: RoomKey) {
        if !self.rooms.ask_leave(key) {
            return;
        }
        self.settle_unsent_broadcasts(key);
        match self.depart(key) {
            Some(ticket) if self.is_online() => self.rooms.leave_queued(key, ticket),
            // Without a link the server learns of it later, and the application need not wait.
            Some(_) | None => self.finish_leave(key),
        }
    }

    /// Answers broadcasts that have not left when their room is left. They never leave.
    fn settle_unsent_broadcasts(&mut self, key: RoomKey) {
        for question in self.questions.of_room(key) {
            if self.take_back(question) {
                self.answer_not_sent(question);
            }
        }
    }

    /// `destroy` of a room: leaves it and forgets the handle. Returns the results of its open
    /// broadcasts, because it has no callbacks any more. Events that were not polled are discarded.
    pub fn destroy_room(&mut self, now: Instant, key: RoomKey) -> Vec<(MessageId, BroadcastCode)> {
        self.begin(now, &Call::DestroyRoom { key }).act(|client| client.forget_room(key))
    }

    fn forget_room(&mut self, key: RoomKey) -> Vec<(MessageId, BroadcastCode)> {
        let results = self.close_broadcasts(key);
        if self.rooms.ask_leave(key) {
            self.depart(key);
        }
        self.rooms.remove(key);
        self.shared.forget_events_of(key);
        results
    }

    /// The results of the open broadcasts of a handle that is destroyed; they are not called back.
    /// Broadcasts that have not left never leave.
    fn close_broadcasts(&mut self, key: RoomKey) -> Vec<(MessageId, BroadcastCode)> {
        let mut results = Vec::new();
        for question in self.questions.of_room(key) {
            let answer = match self.take_back(question) {
                true => question.not_sent(),
                false => question.unknown(),
            };
            if planted(Bug::DestroyedRoomHeard) {
                self.answer_unknown(question);
            }
            results.extend(self.questions.answer_silently(answer, self.shared.now()));
        }
        results
    }

    /// `sendRoomMessage` and `sendRoomBinaryMessage`: exactly one
    /// [`MessageSendResult`](crate::client::RoomEvent::MessageSendResult) follows, unless the
    /// handle is destroyed first.
    ///
    /// A broadcast that cannot work uses up an id, and its result is one of these: 100 when not in
    /// the room, 103 over 65,536 bytes, 5 when too many sends have no result.
    pub fn send_room_message(
        &mut self,
        now: Instant,
        key: RoomKey,
        payload: Payload,
    ) -> Result<MessageId, BroadcastError> {
        self.begin(now, &Call::SendRoomMessage { key, payload: &payload })
            .act(|client| client.accept_broadcast(key, payload))
    }

    fn accept_broadcast(
        &mut self,
        key: RoomKey,
        payload: Payload,
    ) -> Result<MessageId, BroadcastError> {
        let id = self.rooms.next_message(key).ok_or(BroadcastError::NoRoom)??;
        if let Err(code) = self.try_broadcast(key, id, payload) {
            self.refuse(Outcome::Broadcast(key, id, code));
        }
        Ok(id)
    }

    fn try_broadcast(
        &mut self,
        key: RoomKey,
        id: MessageId,
        payload: Payload,
    ) -> Result<(), BroadcastCode> {
        let room = self.rooms.broadcast_room(key).ok_or(BroadcastCode::NotInRoom)?;
        if !self.is_logged_in() {
            return Err(BroadcastCode::NotInRoom);
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(BroadcastCode::TooLong);
        }
        let asked = self.questions.ask_broadcast(key, id, payload.len(), &self.shared);
        let number = asked.ok_or(BroadcastCode::OverRate)?;
        let frame = Frame::Broadcast { id: MessageId(number), room, payload };
        self.submit(frame, Question::Broadcast(number));
        Ok(())
    }
}
