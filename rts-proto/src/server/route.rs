//! What a session asks, and where it goes. The one place that finds the session of a user.

use bytes::Bytes;

use super::session::{End, Origin, Outcome, SessionNumber};
use super::{Forbidden, Output, Rate, Server};
use crate::limits::{CLIENT_WINDOW_FRAMES_MAX, PONGS_PER_SECOND, UNRELIABLE_MARK_BYTES};
use crate::payload::PayloadRef;
use crate::planted::{Bug, planted};
use crate::wire::{self, Frame, HotFrame};
use crate::{
    AppId, Instant, LinkId, MessageConfig, MessageId, OnlineStatus, ProtocolError, Reply, SendCode,
    UserId,
};

impl Server {
    /// Every frame of a session comes through here, before anything is done about it.
    pub(super) fn count_frame(
        &mut self,
        now: Instant,
        number: SessionNumber,
        is_sequenced: bool,
    ) -> Result<(), ProtocolError> {
        let Some(session) = self.sessions.get_mut(number) else { return Ok(()) };
        // §2.4: before the answer it had nothing to say.
        session.keys.confirm();
        if is_sequenced {
            session.channel.count_received();
            if session.channel.unacknowledged() > CLIENT_WINDOW_FRAMES_MAX as u64 {
                return Err(ProtocolError::WindowExceeded);
            }
            self.owe_ack(now, number);
        }
        Ok(())
    }

    /// The frames of which there are many, where they lie.
    pub(super) fn hot_frame_received(
        &mut self,
        now: Instant,
        number: SessionNumber,
        frame: HotFrame<'_>,
    ) -> Result<(), ProtocolError> {
        self.count_frame(now, number, frame.is_sequenced())?;
        match frame {
            HotFrame::Ack { received } => self.acknowledged(now, number, received)?,
            HotFrame::Send { id, to, payload, config } => {
                self.settle_broadcasts();
                self.send(now, number, id, to, payload, config);
            }
            HotFrame::Broadcast { id, room, payload } => {
                self.broadcast(now, number, id, room, payload);
            }
        }
        Ok(())
    }

    /// Any frame, also the same ones when they do not look as most do.
    pub(super) fn session_frame_received(
        &mut self,
        now: Instant,
        link: LinkId,
        number: SessionNumber,
        frame: Frame,
    ) -> Result<(), ProtocolError> {
        self.count_frame(now, number, frame.is_sequenced())?;
        match frame {
            Frame::Ack { received } => self.acknowledged(now, number, received)?,
            Frame::Ping => self.pinged(now, number),
            Frame::Send { id, to, payload, config } => {
                self.send(now, number, id, &to, payload.borrowed(), config);
            }
            Frame::Broadcast { id, room, payload } => {
                self.broadcast(now, number, id, room, payload.borrowed());
            }
            // These have their answers at once, and the acknowledgement goes with it.
            Frame::Join { room, ticket, business_id } => {
                self.mark_dirty(now, number);
                self.join(now, number, room, ticket, business_id);
            }
            Frame::Leave { room, ticket } => {
                self.mark_dirty(now, number);
                self.leave(number, &room, ticket);
            }
            Frame::StatusQuery { query, uid } => {
                self.mark_dirty(now, number);
                self.query_status(now, number, query, &uid);
            }
            Frame::SetServerParams(set) => self.params_asked(now, number, &set),
            Frame::ServerSend { id, payload } => {
                if let Some(code) = self.server_send(now, number, id, &payload) {
                    let reply = Reply::default();
                    self.push_frame(number, Frame::ServerSendResult { id, code, reply });
                }
            }
            Frame::Logout => {
                self.disconnect(link, None);
                self.end_session(now, number, End::Logout);
            }
            Frame::Hello { .. }
            | Frame::Login(_)
            | Frame::LoginAnswer(_)
            | Frame::Pong
            | Frame::Delivery { .. }
            | Frame::SendResults { .. }
            | Frame::RoomDelivery { .. }
            | Frame::BroadcastResults { .. }
            | Frame::JoinAnswer { .. }
            | Frame::LeaveAnswer { .. }
            | Frame::MemberJoined { .. }
            | Frame::MemberLeft { .. }
            | Frame::RoomNotice { .. }
            | Frame::RoomUnicast { .. }
            | Frame::StatusAnswer { .. }
            | Frame::ServerParamsAnswer { .. }
            | Frame::ServerSendResult { .. }
            | Frame::Close { .. } => {
                return Err(ProtocolError::UnexpectedFrame { kind: frame.kind() });
            }
        }
        Ok(())
    }

    /// §5.4: what the receiver has is a result for its sender.
    fn acknowledged(
        &mut self,
        now: Instant,
        number: SessionNumber,
        received: u64,
    ) -> Result<(), ProtocolError> {
        let Some(session) = self.sessions.get_mut(number) else { return Ok(()) };
        let origins = &mut self.acknowledged;
        session.channel.acknowledge(received, |origin| origins.extend(origin))?;
        self.window_emptied(now, number);
        self.tell_acknowledged(now);
        Ok(())
    }

    /// Tells the senders of what was acknowledged.
    pub(super) fn tell_acknowledged(&mut self, now: Instant) {
        let mut origins = core::mem::take(&mut self.acknowledged);
        for origin in origins.drain(..) {
            self.add_outcome(now, origin.session, Outcome::Send(SendCode::Ok, origin.id));
        }
        // Its memory serves again.
        self.acknowledged = origins;
    }

    /// §2.5: one answer for all pings of a burst.
    fn pinged(&mut self, now: Instant, number: SessionNumber) {
        let Some(session) = self.sessions.get_mut(number) else { return };
        if self.pongs.last() != Some(&number) && session.pongs.take(now, PONGS_PER_SECOND) {
            self.pongs.push(number);
            self.dirty.add(now, number, session);
        }
    }

    /// §5.3.
    fn send(
        &mut self,
        now: Instant,
        number: SessionNumber,
        id: MessageId,
        to: &[u8],
        payload: PayloadRef<'_>,
        config: MessageConfig,
    ) {
        if let Some(code) = self.deliver(now, number, id, to, payload, config) {
            self.add_outcome(now, number, Outcome::Send(code, id));
        }
    }

    /// The result, or nothing when it is the receiver's to bring about.
    fn deliver(
        &mut self,
        now: Instant,
        number: SessionNumber,
        id: MessageId,
        to: &[u8],
        payload: PayloadRef<'_>,
        config: MessageConfig,
    ) -> Option<SendCode> {
        debug_assert!(self.fan_out.is_empty(), "they come first");
        let sender = self.sessions.get_mut(number)?;
        if !sender.allowance(now, &self.config).sends.take(now) {
            self.notice_over_rate(now, number, Rate::Sends);
            return Some(SendCode::OverRate);
        }
        let app = self.apps.get(&sender.app_id);
        if app.is_some_and(|app| app.may_not_send(now, &sender.uid)) {
            self.notice_banned(now, number, Forbidden::Send);
            return Some(SendCode::Unknown);
        }
        let to = core::str::from_utf8(to).unwrap_or("");
        let present = if planted(Bug::UserOfAnyApp) {
            self.apps.values().find_map(|app| app.users.get(to)).copied()
        } else {
            app.and_then(|app| app.users.get(to)).copied()
        };
        let Some(receiver_number) = present else {
            return Some(match UserId::new(to) {
                Ok(uid) if !self.config.reserved_uids.contains(&uid) => {
                    SendCode::ReceiverNotLoggedIn
                }
                Ok(_) | Err(_) => SendCode::ReceiverNotFound,
            });
        };
        let bytes = wire::delivery(&sender.uid, payload, config);
        let receiver = self.sessions.get_mut(receiver_number)?;
        if config.is_reliable() {
            let origin = Some(Origin { session: number, id });
            let has_room = receiver.push(bytes, origin);
            self.dirty.add(now, receiver_number, receiver);
            return match has_room {
                true if planted(Bug::ResultBeforeAck) => Some(SendCode::Ok),
                true => None,
                false => Some(SendCode::Broken),
            };
        }
        match receiver.link {
            Some(link)
                if receiver.channel.unacked_bytes() <= UNRELIABLE_MARK_BYTES
                    && !self.congested.contains(&link) =>
            {
                self.transmit_window(receiver_number);
                self.outputs.push_back(Output::Transmit(link, bytes));
                Some(SendCode::Ok)
            }
            Some(_) | None => Some(SendCode::Broken),
        }
    }

    fn query_status(&mut self, now: Instant, number: SessionNumber, query: u64, uid: &Bytes) {
        let Some(session) = self.sessions.get_mut(number) else { return };
        let status = if session.allowance(now, &self.config).statuses.take(now) {
            let app_id = session.app_id.clone();
            let uid = core::str::from_utf8(uid).unwrap_or("");
            self.status_of(now, &app_id, uid)
        } else {
            self.notice_over_rate(now, number, Rate::StatusQueries);
            OnlineStatus::Unreachable
        };
        self.push_frame(number, Frame::StatusAnswer { query, status });
    }

    /// §7.1. An id that no user can have has no session either.
    pub(super) fn status_of(&self, now: Instant, app_id: &AppId, uid: &str) -> OnlineStatus {
        let number = if planted(Bug::StatusOfAnyApp) {
            self.apps.values().find_map(|app| app.users.get(uid))
        } else {
            self.apps.get(app_id).and_then(|app| app.users.get(uid))
        };
        let Some(session) = number.and_then(|number| self.sessions.get(*number)) else {
            return OnlineStatus::Offline;
        };
        let silence = now.since(session.last_heard);
        if silence < self.config.unreachable_after {
            OnlineStatus::Online
        } else if silence < self.config.session_grace {
            OnlineStatus::Unreachable
        } else {
            OnlineStatus::Offline
        }
    }
}
