//! Messages of a session to users, to rooms and to the app server. Sections 5, 6.5 and 11.5 of the
//! protocol.

use alloc::vec::Vec;

use bytes::Bytes;

use super::allowance::Paced;
use super::fences::BehindFence;
use super::io::{Delivery, Detail, Entry, Forbidden, Rate, named};
use super::keys::{Origin, Outcome, SessionNumber};
use super::placement::ShardId;
use super::room::Room;
use super::session::Session;
use super::shard::Server;
use super::shared::Shared;
use super::unreliable::Unreliable;
use crate::limits::UNRELIABLE_MARK_BYTES;
use crate::payload::PayloadRef;
use crate::planted::{Bug, planted};
use crate::wire::{self, Frame};
use crate::{
    AppId, BroadcastCode, MessageConfig, MessageId, Payload, Reply, RoomId, SendCode, UserId,
};

impl Server {
    /// §5.3.
    pub(super) fn send(
        &mut self,
        number: SessionNumber,
        id: MessageId,
        to: &[u8],
        payload: PayloadRef<'_>,
        config: MessageConfig,
    ) {
        if let Some(code) = self.deliver(number, id, to, payload, config) {
            if code != SendCode::Ok {
                let detail = || Detail::NotDelivered { to: named(to), id, config, code };
                self.shared.detail_of(number, detail);
            }
            self.shared.add_outcome(number, Outcome::Send(code, id));
        }
    }

    /// The result; `None` when the receiver's acknowledgement decides it.
    fn deliver(
        &mut self,
        number: SessionNumber,
        id: MessageId,
        to: &[u8],
        payload: PayloadRef<'_>,
        config: MessageConfig,
    ) -> Option<SendCode> {
        let shared = &mut self.shared;
        let now = shared.now();
        let sender = shared.sessions.get_mut(number)?;
        if !sender.allowance(&shared.config, now).take(Paced::Send, now) {
            shared.notice_over_rate(number, Rate::Sends);
            return Some(SendCode::OverRate);
        }
        if self.bans.forbid_sending(now, sender.app_id(), sender.uid()) {
            shared.notice_banned(number, Forbidden::Send);
            return Some(SendCode::Unknown);
        }
        let (origin, to) = (Origin { session: number, id }, core::str::from_utf8(to).unwrap_or(""));
        let elsewhere = match planted(Bug::HomeOfAnyApp) {
            true => shared.homes.other_of_name(to),
            false => shared.homes.other_of_user(sender.app_id(), to),
        };
        if let Some(shard) = elsewhere {
            return self.deliver_elsewhere(shard, origin, to, payload, config);
        }
        let Some(receiver) = self.users.receiver(sender.app_id(), to) else {
            if !shared.homes.are_in_cluster() {
                return Some(self.why_no_receiver(to));
            }
            let frame = wire::delivery(sender.uid(), payload, config);
            let app_id = sender.app_id().clone();
            return self.deliver_to_owner(&app_id, origin, to, config, &frame);
        };
        let frame = wire::delivery(sender.uid(), payload, config);
        self.deliver_to(receiver, origin, frame, config)
    }

    /// Sends the message to the receiver's shard. It may be refused at once.
    // Kept out of the path of a node with one shard.
    #[inline(never)]
    fn deliver_elsewhere(
        &mut self,
        shard: ShardId,
        origin: Origin,
        to: &str,
        payload: PayloadRef<'_>,
        config: MessageConfig,
    ) -> Option<SendCode> {
        if UserId::check(to).is_err() {
            return Some(SendCode::ReceiverNotFound);
        }
        let shared = &mut self.shared;
        if shared.outbox.is_congested(shard) {
            return Some(SendCode::Broken);
        }
        let now = shared.now();
        let outbox = shared.outbox.settled(&mut shared.sessions, now);
        let sender = shared.sessions.get(origin.session)?;
        if shard == shared.config.placement.own() {
            let (app_id, frame) =
                (sender.app_id().clone(), wire::delivery(sender.uid(), payload, config));
            return shared.hold_message(shard, &app_id, origin, to, config, &frame);
        }
        let frame = wire::Delivery::new(sender.uid(), payload, config);
        outbox.deliveries_in(shard, sender.app_id()).push_new(origin, config, to, frame);
        None
    }

    /// A message from another shard to a user whose home this one is.
    pub(super) fn deliver_for_peer(
        &mut self,
        app_id: &AppId,
        delivery: Delivery<'_>,
        unreliable: &mut Unreliable,
    ) {
        let Delivery { session, id, config, to, frame } = delivery;
        if self.shared.homes.are_in_cluster() && self.users.receiver(app_id, to).is_none() {
            let origin = Origin { session, id };
            if let Some(code) = self.deliver_to_owner(app_id, origin, to, config, frame) {
                self.delivery_decided(origin, to, config, code);
            }
            return;
        }
        self.deliver_here(app_id, delivery, unreliable);
    }

    /// A message from another shard to a user of this one.
    #[inline]
    pub(super) fn deliver_here(
        &mut self,
        app_id: &AppId,
        delivery: Delivery<'_>,
        unreliable: &mut Unreliable,
    ) {
        let Delivery { session, id, config, to, frame } = delivery;
        let origin = Origin { session, id };
        let code = match self.users.receiver(app_id, to) {
            Some(receiver) if !config.is_reliable() && !unreliable.takes(receiver, frame.len()) => {
                Some(SendCode::Broken)
            }
            Some(receiver) => {
                self.deliver_to(receiver, origin, Bytes::copy_from_slice(frame), config)
            }
            None => Some(self.why_no_receiver(to)),
        };
        if let Some(code) = code {
            self.delivery_decided(origin, to, config, code);
        }
    }

    /// The result of a message from any shard is known.
    pub(super) fn delivery_decided(
        &mut self,
        origin: Origin,
        to: &str,
        config: MessageConfig,
        code: SendCode,
    ) {
        let Origin { session, id } = origin;
        if code == SendCode::Ok {
            return self.shared.add_outcome(session, Outcome::Send(code, id));
        }
        let Ok(to) = UserId::new(to) else { return };
        match self.shared.sessions.other_shard_of(session) {
            Some(shard) => {
                let entry = Entry::NotDelivered { session, id, to, config, code };
                self.shared.send_to_shard(shard, entry);
            }
            None => self.not_delivered(origin, &to, config, code),
        }
    }

    /// The result; `None` when the receiver's acknowledgement decides it.
    fn deliver_to(
        &mut self,
        receiver: SessionNumber,
        origin: Origin,
        frame: Bytes,
        config: MessageConfig,
    ) -> Option<SendCode> {
        if !config.is_reliable() {
            return Some(self.deliver_now_or_never(receiver, frame));
        }
        let shared = &mut self.shared;
        let now = shared.now();
        let sessions = &mut shared.sessions;
        match shared.outbox.push(sessions, now, receiver, frame, Some(origin)) {
            true if planted(Bug::ResultBeforeAck) => Some(SendCode::Ok),
            true => None,
            false => Some(SendCode::Broken),
        }
    }

    /// Sends a message that is not sequenced.
    fn deliver_now_or_never(&mut self, receiver: SessionNumber, bytes: Bytes) -> SendCode {
        let shared = &mut self.shared;
        let Some(unacked_bytes) = shared.unacked_bytes(receiver) else { return SendCode::Broken };
        match shared.session(receiver).and_then(Session::link) {
            Some(link)
                if unacked_bytes <= UNRELIABLE_MARK_BYTES && !self.links.is_congested(link) =>
            {
                let (now, sessions) = (shared.now(), &mut shared.sessions);
                shared.outbox.transmit(sessions, now, link, Some(receiver), bytes);
                SendCode::Ok
            }
            Some(_) | None => SendCode::Broken,
        }
    }

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

    /// The receiver's shard did not deliver a message of a session of this shard.
    pub(super) fn not_delivered(
        &mut self,
        origin: Origin,
        to: &UserId,
        config: MessageConfig,
        code: SendCode,
    ) {
        let Origin { session, id } = origin;
        let to = || named(to.as_str().as_bytes());
        self.shared.detail_of(session, || Detail::NotDelivered { to: to(), id, config, code });
        self.shared.add_outcome(session, Outcome::Send(code, id));
    }

    /// §11.5.
    pub(super) fn server_send(&mut self, number: SessionNumber, id: MessageId, payload: &Payload) {
        if let Some(code) = self.accept_server_send(number, id, payload) {
            self.shared.detail_of(number, || Detail::NotPosted { id, code });
            let reply = Reply::default();
            self.shared.push_frame(number, Frame::ServerSendResult { id, code, reply });
        }
    }

    /// The result; `None` when it comes later.
    fn accept_server_send(
        &mut self,
        number: SessionNumber,
        id: MessageId,
        payload: &Payload,
    ) -> Option<SendCode> {
        let now = self.shared.now();
        if !self.shared.allowance(number)?.take(Paced::ServerSend, now) {
            self.shared.notice_over_rate(number, Rate::ServerSends);
            return Some(SendCode::OverRate);
        }
        let Some(params) = self.targets.params(number) else {
            return Some(SendCode::NoServerParams);
        };
        match self.posts.add(&mut self.shared, number, params, id, payload) {
            true => None,
            false => Some(SendCode::OverRate),
        }
    }
}

/// Whether a broadcast goes to members at other nodes. If this node crashes, they must have it, or
/// the sender no result.
#[inline]
fn is_beyond(shared: &Shared, room: &mut Room) -> bool {
    shared.homes.are_in_cluster()
        && room.is_beyond(shared.config.placement.own().node())
        && !planted(Bug::ResultBeforeFence)
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
