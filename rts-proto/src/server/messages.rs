//! Messages of a session to users and to the app server. Sections 5 and 11.5 of the protocol.

use bytes::Bytes;

use super::allowance::Paced;
use super::io::{Delivery, Detail, Entry, Forbidden, Rate, named};
use super::keys::{Origin, Outcome, SessionNumber};
use super::placement::ShardId;
use super::session::Session;
use super::shard::Server;
use super::unreliable::Unreliable;
use crate::limits::UNRELIABLE_MARK_BYTES;
use crate::payload::PayloadRef;
use crate::planted::{Bug, planted};
use crate::wire::{self, Frame};
use crate::{AppId, MessageConfig, MessageId, Payload, Reply, SendCode, UserId};

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
