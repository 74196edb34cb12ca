//! Broadcasts: what is said in rooms.

use super::login::Login;
use super::pending::{Asker, Question};
use super::session::Tag;
use super::{BroadcastError, Client, RoomEvent};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::wire::Frame;
use crate::{BroadcastCode, Instant, MessageId, Payload, RoomKey};

impl Client {
    /// `sendRoomMessage` and `sendRoomBinaryMessage`: exactly one [`RoomEvent::MessageSendResult`]
    /// follows, unless the handle is destroyed, which answers it first. A broadcast that cannot work
    /// still uses up an id and gets its result: 100 when not in the room, 103 over 65,536 bytes, 5
    /// when too much is unacknowledged.
    pub fn send_room_message(
        &mut self,
        now: Instant,
        key: RoomKey,
        payload: Payload,
    ) -> Result<MessageId, BroadcastError> {
        let now = self.advance(now);
        let id = self.rooms.next_message(key).ok_or(BroadcastError::NoRoom)??;
        if let Err(code) = self.try_broadcast(now, key, id, payload) {
            self.emit_room(key, RoomEvent::MessageSendResult { id, code });
        }
        Ok(id)
    }

    fn try_broadcast(
        &mut self,
        now: Instant,
        key: RoomKey,
        id: MessageId,
        payload: Payload,
    ) -> Result<(), BroadcastCode> {
        let room = self.rooms.spoken_in(key).ok_or(BroadcastCode::NotInRoom)?;
        if !matches!(self.login, Login::LoggedIn { .. }) {
            return Err(BroadcastCode::NotInRoom);
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(BroadcastCode::TooLong);
        }
        let wire_id = self.next_wire_number();
        let frame = Frame::Broadcast { id: MessageId(wire_id), room, payload };
        if !self.submit(now, frame, Tag::Broadcast { wire_id, room: key }) {
            return Err(BroadcastCode::OverRate);
        }
        let deadline = now + self.parameters.send_timeout;
        self.pending.open(
            Question::Broadcast(wire_id),
            Asker::Broadcast { room: key, id },
            deadline,
        );
        Ok(())
    }

    /// Broadcasts that have not left when their room is left never will.
    pub(super) fn settle_unsent_broadcasts(&mut self, key: RoomKey) {
        for question in self.pending.of_room(key) {
            if self.take_back(question) {
                self.answer_not_sent(question);
            }
        }
    }
}
