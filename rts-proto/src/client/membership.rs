//! Joining and leaving rooms, also again after a lost session.

use super::connection::Tag;
use super::engine::Client;
use super::event::RoomEvent;
use super::rooms::Join;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{RoomKey, RoomState};

impl Client {
    /// Sends a Join. Without a session or without space for a join, the room gets a failure.
    pub(super) fn start_join(&mut self, join: Join) {
        let ticket = self.questions.next_number();
        let Some(room) = self.rooms.id(join.key) else { return };
        let frame = Frame::Join { room, ticket, business_id: self.rooms.business_id().cloned() };
        if !self.connection.push_join(frame.encode(), ticket) {
            self.rooms.join_not_queued(join);
            return self.join_failed(join.key);
        }
        self.rooms.join_queued(join, ticket);
        self.release();
    }

    pub(super) fn join_failed(&mut self, key: RoomKey) {
        let uid = self.connection.user().cloned();
        let event = RoomEvent::StateChanged { uid, state: RoomState::JoinFailed };
        self.rooms.emit(key, event, &mut self.shared);
    }

    /// A new session has no rooms: they are joined again.
    pub(super) fn rejoin_rooms(&mut self) {
        if planted(Bug::RoomsNotRejoined) {
            return;
        }
        for join in self.rooms.joins() {
            self.start_join(join);
        }
    }

    /// Sends a Leave and returns its ticket. `None` when no Leave is needed: the Join has not left,
    /// or there is no session.
    pub(super) fn depart(&mut self, key: RoomKey) -> Option<u64> {
        let room = self.rooms.id(key)?;
        let ticket = self.questions.next_number();
        let is_sent = !planted(Bug::LeaveForgotten) || self.connection.is_online();
        if !self.connection.is_logged_in() {
            return None;
        }
        if let Some(join) = self.rooms.join_ticket(key)
            && self.connection.take_back_join(join)
        {
            return None;
        }
        if is_sent {
            self.connection.push(Frame::Leave { room, ticket }.encode(), Tag::Leave);
        }
        self.release();
        Some(ticket)
    }

    /// The room is left. Joins it again if the application asked for it meanwhile.
    pub(super) fn finish_leave(&mut self, key: RoomKey) {
        for question in self.questions.of_room(key) {
            self.answer_unknown(question);
        }
        if let Some(join) = self.rooms.finish_leave(key, &mut self.shared) {
            self.start_join(join);
        }
    }

    /// The link is lost: rooms that were being left count as left.
    pub(super) fn finish_leaving(&mut self) {
        for key in self.rooms.leaving() {
            self.finish_leave(key);
        }
    }
}
