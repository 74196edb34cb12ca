//! Broadcasts of sessions to their rooms. Section 6.5 of the protocol.

use alloc::vec::Vec;

use bytes::Bytes;

use super::allowance::Paced;
use super::fences::BehindFence;
use super::io::{Detail, Entry, Rate};
use super::keys::{Origin, Outcome, SessionNumber};
use super::placement::ShardId;
use super::room::Room;
use super::shard::Server;
use super::shared::Shared;
use crate::payload::PayloadRef;
use crate::planted::{Bug, planted};
use crate::wire;
use crate::{AppId, BroadcastCode, MessageId, RoomId, UserId};

impl Server {
    /// §6.5.
    pub(super) fn broadcast(
        &mut self,
        number: SessionNumber,
        id: MessageId,
        room: RoomId,
        payload: PayloadRef<'_>,
    ) {
        if let Some(code) = self.accept_broadcast(number, id, &room, payload) {
            self.broadcast_decided(number, id, room, code);
        }
    }

    fn broadcast_decided(
        &mut self,
        number: SessionNumber,
        id: MessageId,
        room: RoomId,
        code: BroadcastCode,
    ) {
        if code != BroadcastCode::Ok {
            let detail = || Detail::NotBroadcast { room: room.clone(), id, code };
            self.shared.detail_of(number, detail);
        }
        self.shared.add_outcome(number, Outcome::Broadcast(room, code, id));
    }

    /// The result; `None` when the room's shard decides it.
    fn accept_broadcast(
        &mut self,
        number: SessionNumber,
        id: MessageId,
        room_id: &RoomId,
        payload: PayloadRef<'_>,
    ) -> Option<BroadcastCode> {
        let shared = &mut self.shared;
        let now = shared.now();
        let Some(session) = shared.sessions.get_mut(number) else {
            return Some(BroadcastCode::Unknown);
        };
        if !session.allowance(&shared.config, now).take(Paced::Broadcast, now) {
            shared.notice_over_rate(number, Rate::Broadcasts);
            return Some(BroadcastCode::OverRate);
        }
        if !session.rooms.is_in(room_id) {
            return Some(BroadcastCode::NotInRoom);
        }
        let frame = wire::room_delivery(session.uid(), room_id, payload);
        if let Some(shard) = shared.homes.other_of_room(session.app_id(), room_id) {
            return self.broadcast_elsewhere(shard, Origin { session: number, id }, room_id, frame);
        }
        let room = match planted(Bug::RoomOfAnyApp) {
            true => self.rooms.find_in_any_app(room_id),
            false => self.rooms.find_mut(session.app_id(), room_id),
        };
        let Some(room) = room else { return Some(BroadcastCode::NotInRoom) };
        let is_beyond = is_beyond(shared, room);
        let code = broadcast_in(shared, room, number, frame);
        match code {
            BroadcastCode::Ok if is_beyond => {
                if let Some(session) = shared.session_mut(number) {
                    session.rooms.broadcast_asked(room_id);
                }
                self.fences.add_to_burst(BehindFence::Broadcast(number, room_id.clone(), id));
                return None;
            }
            BroadcastCode::OverRate => shared.notice_over_rate(number, Rate::RoomBroadcasts),
            _ => {}
        }
        Some(code)
    }

    /// Sends the broadcast to the room's shard. It may be refused at once.
    // Kept out of the path of a node with one shard.
    #[inline(never)]
    fn broadcast_elsewhere(
        &mut self,
        shard: ShardId,
        origin: Origin,
        room_id: &RoomId,
        frame: Bytes,
    ) -> Option<BroadcastCode> {
        if self.shared.outbox.is_congested(shard) {
            return Some(BroadcastCode::OverRate);
        }
        let Origin { session: number, id } = origin;
        let session = self.shared.session_mut(number)?;
        session.rooms.broadcast_asked(room_id);
        let (app_id, uid) = session.user();
        let entry = Entry::Broadcast { room: room_id.clone(), session: number, uid, id, frame };
        self.shared.send_in_app(shard, &app_id, entry);
        None
    }

    /// A broadcast from another shard to a room of this one.
    pub(super) fn broadcast_for_peer(
        &mut self,
        app_id: &AppId,
        room_id: RoomId,
        origin: Origin,
        uid: &UserId,
        frame: Bytes,
    ) {
        let Origin { session, id } = origin;
        let room = self.rooms.find_mut(app_id, &room_id);
        let is_member = |room: &&mut Room| {
            room.session_of(uid) == Some(session) || planted(Bug::BroadcasterTrusted)
        };
        let (is_beyond, code) = match room.filter(is_member) {
            Some(room) => (
                is_beyond(&self.shared, room),
                broadcast_in(&mut self.shared, room, session, frame),
            ),
            None => (false, BroadcastCode::NotInRoom),
        };
        match code {
            BroadcastCode::Ok if is_beyond => {
                self.fences.add_to_burst(BehindFence::Broadcast(session, room_id, id));
            }
            BroadcastCode::Ok => self.broadcast_accepted(session, room_id, id),
            code => {
                let entry = Entry::NotBroadcast { session, room: room_id, id, code };
                self.shared.answer_session(session, entry);
            }
        }
    }

    /// A broadcast has reached the nodes of all members.
    pub(super) fn broadcast_accepted(
        &mut self,
        session: SessionNumber,
        room: RoomId,
        id: MessageId,
    ) {
        self.broadcast_answered(session, &room);
        self.shared.add_outcome(session, Outcome::Broadcast(room, BroadcastCode::Ok, id));
    }

    /// The room's shard sent results for sessions of this shard.
    pub(super) fn outcomes_came(&mut self, outcomes: Vec<(SessionNumber, Outcome)>) {
        for (session, outcome) in outcomes {
            if let Outcome::Broadcast(room, ..) = &outcome {
                self.broadcast_answered(session, room);
            }
            self.shared.add_outcome(session, outcome);
        }
    }

    fn broadcast_answered(&mut self, number: SessionNumber, room: &RoomId) {
        if let Some(session) = self.shared.session_mut(number) {
            session.rooms.broadcast_answered(room);
        }
    }

    /// The room's shard refused a broadcast of a session of this shard.
    pub(super) fn broadcast_refused(
        &mut self,
        number: SessionNumber,
        id: MessageId,
        room: RoomId,
        code: BroadcastCode,
    ) {
        self.broadcast_answered(number, &room);
        if code == BroadcastCode::OverRate {
            self.shared.notice_over_rate(number, Rate::RoomBroadcasts);
        }
        self.broadcast_decided(number, id, room, code);
    }
}

/// Whether a broadcast goes to members at other nodes. If this node crashes, they must have it, or
/// the sender no result.
#[inline]
fn is_beyond(shared: &Shared, room: &mut Room) -> bool {
    shared.homes.are_in_cluster() && room.is_beyond(shared.config.placement.own().node())
}

/// Sends a member's broadcast to a room of this shard.
fn broadcast_in(
    shared: &mut Shared,
    room: &mut Room,
    from: SessionNumber,
    frame: Bytes,
) -> BroadcastCode {
    let now = shared.now();
    if !shared.has_space_for(room.sessions()) {
        return BroadcastCode::OverRate;
    }
    if !room.take_broadcast(now) {
        return BroadcastCode::OverRate;
    }
    let (sessions, audience) = (&mut shared.sessions, room.audience());
    shared.outbox.broadcast(sessions, now, Some(from), frame, audience, room.sessions());
    BroadcastCode::Ok
}
