//! Messages to users and status queries: asking, and every way to be answered.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use bytes::Bytes;

use super::backlog::{Departure, Lane};
use super::connection::Link;
use super::login::Login;
use super::pending::{Asker, Question};
use super::session::Tag;
use super::{Client, Event, RoomEvent, SendError};
use crate::limits::{OPEN_QUERIES_MAX, PAYLOAD_BYTES_MAX};
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{
    BroadcastCode, Instant, MessageConfig, MessageId, OnlineStatus, Payload, Reply, SendCode,
    ServerParamsCode, UserId,
};

impl Client {
    /// `sendMessage` and `sendBinaryMessage`: exactly one [`Event::MessageSendResult`] follows.
    ///
    /// Unlike the calls that return an error, an accepted send that cannot work still uses up an id
    /// and gets its result: 105 not logged in, 101 while logging in, 103 over 65,536 bytes, 3 for
    /// an id that no user can have, 5 when too many sends have no result, 2 for an unreliable
    /// message while the link is down.
    pub fn send_message(
        &mut self,
        now: Instant,
        uid: &str,
        payload: Payload,
        config: MessageConfig,
    ) -> Result<MessageId, SendError> {
        let now = self.advance(now);
        if self.destroyed {
            return Err(SendError::NoEngine);
        }
        if uid.is_empty() {
            return Err(SendError::EmptyReceiver);
        }
        let id = self.next_message_id()?;
        if let Err(code) = self.try_send(now, id, uid, payload, config) {
            self.last_message.0 += u64::from(planted(Bug::IdSkipped));
            self.emit(Event::MessageSendResult { id, code });
        }
        Ok(id)
    }

    /// Messages to users and to the app's server have one sequence of ids.
    pub(super) fn next_message_id(&mut self) -> Result<MessageId, SendError> {
        self.last_message = self.last_message.next().ok_or(SendError::NoMoreIds)?;
        Ok(self.last_message)
    }

    fn try_send(
        &mut self,
        now: Instant,
        id: MessageId,
        uid: &str,
        payload: Payload,
        config: MessageConfig,
    ) -> Result<(), SendCode> {
        self.check_sendable(&payload)?;
        if UserId::new(uid).is_err() {
            return Err(SendCode::ReceiverNotFound);
        }
        if !config.is_reliable() && !matches!(self.link, Link::Online(_)) {
            return Err(SendCode::Broken);
        }
        let lane = Lane::of(uid);
        let asker = Asker::Send(Departure { lane, frame_bytes: 0 });
        self.open_send(now, Question::Send(id), asker, &payload).ok_or(SendCode::OverRate)?;
        let to = Bytes::copy_from_slice(uid.as_bytes());
        let frame = Frame::Send { id, to, payload, config };
        if config.is_reliable() {
            self.submit(now, frame, Tag::Send { id, lane });
        } else {
            self.transmit(now, frame);
        }
        Ok(())
    }

    /// Nothing when the engine takes no more sends before one of them has its result.
    pub(super) fn open_send(
        &mut self,
        now: Instant,
        question: Question,
        asker: Asker,
        payload: &Payload,
    ) -> Option<()> {
        if !self.pending.has_room(payload.len()) {
            return None;
        }
        let deadline = now + self.parameters.send_timeout;
        self.pending.open(question, asker, deadline, payload.len());
        Some(())
    }

    /// What holds for every message.
    pub(super) fn check_sendable(&self, payload: &Payload) -> Result<(), SendCode> {
        match self.login {
            Login::LoggedIn { .. }
                if payload.len()
                    > PAYLOAD_BYTES_MAX - usize::from(planted(Bug::PayloadLimitOffByOne)) =>
            {
                Err(SendCode::TooLong)
            }
            Login::LoggedIn { .. } => Ok(()),
            Login::LoggingIn(_) => Err(SendCode::NotInitialised),
            Login::Idle | Login::TokenRejected { .. } => Err(SendCode::NotLoggedIn),
        }
    }

    /// `getPeerOnlineStatus`: exactly one [`Event::PeerOnlineStatus`] follows, with status 2 when
    /// not logged in or when no answer comes in time, and 0 for an id that no user can have.
    pub fn get_peer_online_status(&mut self, now: Instant, uid: &str) {
        let now = self.advance(now);
        if self.destroyed {
            return;
        }
        let logged_in = matches!(self.login, Login::LoggedIn { .. });
        let status = match UserId::new(uid) {
            _ if !logged_in => Some(OnlineStatus::Unreachable),
            Err(_) => Some(OnlineStatus::Offline),
            Ok(_) if self.pending.status_count() >= OPEN_QUERIES_MAX => {
                Some(OnlineStatus::Unreachable)
            }
            Ok(_) => None,
        };
        if let Some(status) = status {
            return self.emit(Event::PeerOnlineStatus { uid: uid.to_string(), status });
        }
        let query = self.next_wire_number();
        let frame = Frame::StatusQuery { query, uid: Bytes::copy_from_slice(uid.as_bytes()) };
        let asker = Asker::Status { uid: uid.to_string() };
        let deadline = now + self.parameters.send_timeout;
        self.pending.open(Question::Status(query), asker, deadline, 0);
        self.submit(now, frame, Tag::Status(query));
    }

    /// Queues a message or a query of a live login behind those before it, and sends what may be
    /// sent.
    pub(super) fn submit(&mut self, now: Instant, frame: Frame, tag: Tag) {
        if let Login::LoggedIn { session, .. } = &mut self.login {
            session.backlog.push(frame.encode(), tag);
        }
        self.release(now);
    }

    /// §4.12: a new session knows nothing of the queries of the old one.
    pub(super) fn ask_statuses_again(&mut self, now: Instant) {
        let open: Vec<(u64, Bytes)> = self
            .pending
            .statuses()
            .map(|(query, uid)| (query, Bytes::copy_from_slice(uid.as_bytes())))
            .collect();
        if let Login::LoggedIn { session, .. } = &mut self.login {
            for (query, uid) in open {
                session
                    .backlog
                    .push(Frame::StatusQuery { query, uid }.encode(), Tag::Status(query));
            }
        }
        self.release(now);
    }

    pub(super) fn status_answered(&mut self, query: u64, status: OnlineStatus) {
        if let Some(Asker::Status { uid }) = self.pending.close(Question::Status(query)) {
            self.emit(Event::PeerOnlineStatus { uid, status });
        }
    }

    pub(super) fn answer_broadcast(&mut self, wire_id: u64, code: BroadcastCode) {
        if let Some(Asker::Broadcast { room, id }) =
            self.pending.close(Question::Broadcast(wire_id))
        {
            self.emit_room(room, RoomEvent::MessageSendResult { id, code });
        }
    }

    /// Deadlines of questions: what never left is taken back, so that it never will.
    pub(super) fn answers_overdue(&mut self, now: Instant) {
        while let Some(question) = self.pending.due(now) {
            if self.take_back(question) {
                self.answer_not_sent(question);
            } else {
                self.answer_unknown(question);
            }
        }
        self.release(now);
    }

    /// Whether the question's frame was still waiting to be transmitted, and now is no more.
    pub(super) fn take_back(&mut self, question: Question) -> bool {
        let Login::LoggedIn { session, .. } = &mut self.login else { return false };
        let is_wanted = |tag: &Tag| match (question, tag) {
            (Question::Send(wanted), Tag::Send { id, .. }) => wanted == *id,
            (Question::Broadcast(wanted), Tag::Broadcast { wire_id, .. }) => wanted == *wire_id,
            (Question::Status(wanted), Tag::Status(query)) => wanted == *query,
            (Question::ServerParams(wanted), Tag::ServerParams(ticket)) => wanted == *ticket,
            (Question::ServerSend(wanted), Tag::ServerSend(id)) => wanted == *id,
            _ => false,
        };
        session.backlog.take_back(is_wanted).is_some()
            || session.channel.take_back(is_wanted).is_some()
    }

    /// It may have arrived or not.
    pub(super) fn answer_unknown(&mut self, question: Question) {
        match question {
            Question::Send(id) => self.answer_send(id, SendCode::Timeout),
            Question::Broadcast(wire_id) => self.answer_broadcast(wire_id, BroadcastCode::Timeout),
            Question::Status(query) => self.status_answered(query, OnlineStatus::Unreachable),
            Question::ServerParams(ticket) => {
                self.answer_server_params(ticket, ServerParamsCode::Timeout);
            }
            Question::ServerSend(id) => {
                self.answer_server_send(id, SendCode::Timeout, Reply::default());
            }
        }
    }

    /// It certainly did not leave.
    pub(super) fn answer_not_sent(&mut self, question: Question) {
        match question {
            Question::Send(id) => self.answer_send(id, SendCode::Broken),
            Question::Broadcast(wire_id) => self.answer_broadcast(wire_id, BroadcastCode::Broken),
            Question::Status(query) => self.status_answered(query, OnlineStatus::Unreachable),
            Question::ServerParams(ticket) => self.server_params_not_sent(ticket),
            Question::ServerSend(id) => {
                self.answer_server_send(id, SendCode::Broken, Reply::default());
            }
        }
    }
}
