//! Messages of a session to users, to rooms and to the app server. Sections 5, 6.5 and 11.5 of the
//! protocol.

use bytes::Bytes;

use super::allowance::Paced;
use super::io::{Detail, Forbidden, Rate, named};
use super::keys::{Origin, Outcome, SessionNumber};
use super::session::Session;
use super::shard::Server;
use crate::limits::UNRELIABLE_MARK_BYTES;
use crate::payload::PayloadRef;
use crate::planted::{Bug, planted};
use crate::wire::{self, Frame};
use crate::{BroadcastCode, MessageConfig, MessageId, Payload, Reply, RoomId, SendCode, UserId};

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
        let to = core::str::from_utf8(to).unwrap_or("");
        let Some(receiver) = self.users.receiver(sender.app_id(), to) else {
            return Some(self.why_no_receiver(to));
        };
        let bytes = wire::delivery(sender.uid(), payload, config);
        if !config.is_reliable() {
            return Some(self.deliver_now_or_never(receiver, bytes));
        }
        let origin = Some(Origin { session: number, id });
        match shared.outbox.push(&mut shared.sessions, now, receiver, bytes, origin) {
            true if planted(Bug::ResultBeforeAck) => Some(SendCode::Ok),
            true => None,
            false => Some(SendCode::Broken),
        }
    }

    fn why_no_receiver(&self, to: &str) -> SendCode {
        match UserId::new(to) {
            Ok(uid) if !self.shared.config.reserved_uids.contains(&uid) => {
                SendCode::ReceiverNotLoggedIn
            }
            Ok(_) | Err(_) => SendCode::ReceiverNotFound,
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
        let code = self.accept_broadcast(number, &room, payload);
        if code != BroadcastCode::Ok {
            let detail = || Detail::NotBroadcast { room: room.clone(), id, code };
            self.shared.detail_of(number, detail);
        }
        self.shared.add_outcome(number, Outcome::Broadcast(room, code, id));
    }

    fn accept_broadcast(
        &mut self,
        number: SessionNumber,
        id: &RoomId,
        payload: PayloadRef<'_>,
    ) -> BroadcastCode {
        let shared = &mut self.shared;
        let now = shared.now();
        let Some(session) = shared.sessions.get_mut(number) else { return BroadcastCode::Unknown };
        if !session.allowance(&shared.config, now).take(Paced::Broadcast, now) {
            shared.notice_over_rate(number, Rate::Broadcasts);
            return BroadcastCode::OverRate;
        }
        if !session.is_in(id) {
            return BroadcastCode::NotInRoom;
        }
        let room = match planted(Bug::RoomOfAnyApp) {
            true => self.rooms.find_in_any_app(id),
            false => self.rooms.find_mut(session.app_id(), id),
        };
        let Some(room) = room else { return BroadcastCode::NotInRoom };
        if !room.take_broadcast(now) {
            shared.notice_over_rate(number, Rate::RoomBroadcasts);
            return BroadcastCode::OverRate;
        }
        let frame = wire::room_delivery(session.uid(), id, payload);
        let (sessions, audience) = (&mut shared.sessions, room.audience());
        shared.outbox.broadcast(sessions, now, number, frame, audience, room.sessions());
        BroadcastCode::Ok
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
