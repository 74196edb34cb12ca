//! Broadcasts: what is said in rooms.

use alloc::vec::Vec;

use super::login::Login;
use super::pending::{Asker, Question};
use super::session::Tag;
use super::{BroadcastError, Client, RoomEvent};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{BroadcastCode, Instant, MessageId, Payload, RoomKey};

impl Client {
    /// `sendRoomMessage` and `sendRoomBinaryMessage`: exactly one [`RoomEvent::MessageSendResult`]
    /// follows, unless the handle is destroyed first. A broadcast that cannot work
    /// still uses up an id and gets its result: 100 when not in the room, 103 over 65,536 bytes, 5
    /// when too many sends have no result.
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
        let asker = Asker::Broadcast { room: key, id };
        self.open_send(now, Question::Broadcast(wire_id), asker, &payload)
            .ok_or(BroadcastCode::OverRate)?;
        let frame = Frame::Broadcast { id: MessageId(wire_id), room, payload };
        self.submit(now, frame, Tag::Broadcast { wire_id, room: key });
        Ok(())
    }

    /// What became of the open broadcasts of a handle that is destroyed: nobody is called back with
    /// it. Those that have not left never will.
    pub(super) fn close_broadcasts(&mut self, key: RoomKey) -> Vec<(MessageId, BroadcastCode)> {
        let mut results = Vec::new();
        for question in self.pending.of_room(key) {
            let code = match self.take_back(question) {
                true => BroadcastCode::Broken,
                false => BroadcastCode::Timeout,
            };
            if planted(Bug::DestroyedRoomHeard) {
                self.answer_unknown(question);
            }
            if let Some(Asker::Broadcast { id, .. }) = self.pending.close(question) {
                results.push((id, code));
            }
        }
        results
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
