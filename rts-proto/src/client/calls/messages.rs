//! Messages to users and to the app server, status queries, and server params.

use alloc::string::ToString as _;

use bytes::Bytes;

use crate::client::call::Call;
use crate::client::engine::Client;
use crate::client::error::SendError;
use crate::client::questions::{Lane, Outcome, Question};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{
    Instant, MessageConfig, MessageId, OnlineStatus, Payload, Reply, SendCode, ServerParams,
    ServerParamsCode, UserId,
};

impl Client {
    /// `sendMessage` and `sendBinaryMessage`: exactly one
    /// [`MessageSendResult`](crate::client::Event::MessageSendResult) follows.
    ///
    /// Other calls return an error. An accepted send that cannot work uses up an id, and its result
    /// is one of these:
    ///
    /// - 105 when not logged in, 101 while logging in,
    /// - 103 over 65,536 bytes, 3 for an id that no user can have,
    /// - 5 when too many sends have no result,
    /// - 2 for an unreliable message while the link is down.
    pub fn send_message(
        &mut self,
        now: Instant,
        uid: &str,
        payload: Payload,
        config: MessageConfig,
    ) -> Result<MessageId, SendError> {
        self.begin(now, &Call::SendMessage { uid, payload: &payload, config })
            .act(|client| client.accept_send(uid, payload, config))
    }

    fn accept_send(
        &mut self,
        uid: &str,
        payload: Payload,
        config: MessageConfig,
    ) -> Result<MessageId, SendError> {
        if self.is_destroyed {
            return Err(SendError::NoEngine);
        }
        if uid.is_empty() {
            return Err(SendError::EmptyReceiver);
        }
        let id = self.questions.next_message_id()?;
        if let Err(code) = self.try_send(id, uid, payload, config) {
            if planted(Bug::IdSkipped) {
                let _ = self.questions.next_message_id();
            }
            self.refuse(Outcome::Send(id, code));
        }
        Ok(id)
    }

    fn try_send(
        &mut self,
        id: MessageId,
        uid: &str,
        payload: Payload,
        config: MessageConfig,
    ) -> Result<(), SendCode> {
        self.check_sendable(&payload)?;
        UserId::check(uid).map_err(|_| SendCode::ReceiverNotFound)?;
        if !config.is_reliable() && !self.is_online() {
            return Err(SendCode::Broken);
        }
        let lane = Lane::of(uid);
        let asked = self.questions.ask_send(id, lane, payload.len(), &self.shared);
        asked.ok_or(SendCode::OverRate)?;
        let to = Bytes::copy_from_slice(uid.as_bytes());
        let frame = Frame::Send { id, to, payload, config };
        if config.is_reliable() {
            self.submit(frame, Question::Send(id));
        } else {
            self.connection.transmit(frame, &mut self.shared);
        }
        Ok(())
    }

    /// `getPeerOnlineStatus`: exactly one
    /// [`PeerOnlineStatus`](crate::client::Event::PeerOnlineStatus) follows. Its status is 2 when
    /// not logged in or without an answer in time, and 0 for an id that no user can have.
    pub fn get_peer_online_status(&mut self, now: Instant, uid: &str) {
        self.begin(now, &Call::GetPeerOnlineStatus { uid }).act(|client| client.query(uid));
    }

    fn query(&mut self, uid: &str) {
        if self.is_destroyed {
            return;
        }
        if let Err(status) = self.try_query(uid) {
            self.refuse(Outcome::Status(uid.to_string(), status));
        }
    }

    fn try_query(&mut self, uid: &str) -> Result<(), OnlineStatus> {
        if !self.is_logged_in() {
            return Err(OnlineStatus::Unreachable);
        }
        UserId::check(uid).map_err(|_| OnlineStatus::Offline)?;
        let query = self.questions.ask_status(uid, &self.shared);
        let query = query.ok_or(OnlineStatus::Unreachable)?;
        let frame = Frame::StatusQuery { query, uid: Bytes::copy_from_slice(uid.as_bytes()) };
        self.submit(frame, Question::Status(query));
        Ok(())
    }

    /// `setServerParams`: exactly one
    /// [`ServerParamsSetResult`](crate::client::Event::ServerParamsSetResult) follows. Messages
    /// that are sent after this call are posted to `url` if the operator allows it. After a
    /// refusal, earlier params stay in force.
    pub fn set_server_params(&mut self, now: Instant, signature: &str, url: &str) {
        let call = Call::SetServerParams { signature, url };
        self.begin(now, &call).act(|client| client.ask_for_server_params(signature, url));
    }

    fn ask_for_server_params(&mut self, signature: &str, url: &str) {
        if self.is_destroyed {
            return;
        }
        if let Err(code) = self.try_set_server_params(signature, url) {
            self.refuse(Outcome::ServerParams(code));
        }
    }

    fn try_set_server_params(
        &mut self,
        signature: &str,
        url: &str,
    ) -> Result<(), ServerParamsCode> {
        if !self.is_logged_in() {
            return Err(ServerParamsCode::NotLoggedIn);
        }
        let params = ServerParams::new(signature.as_bytes(), url.as_bytes())
            .ok_or(ServerParamsCode::Unknown)?;
        if !self.server_params.has_room() {
            return Err(ServerParamsCode::OverRate);
        }
        let ticket = self.questions.ask_server_params(&self.shared);
        let frame = self.server_params.ask(ticket, params);
        self.submit(frame, Question::ServerParams(ticket));
        Ok(())
    }

    /// `sendServerMessage` and `sendServerBinaryMessage`: exactly one
    /// [`ServerMessageSendResult`](crate::client::Event::ServerMessageSendResult) follows. Ids are
    /// from the same sequence as those of [`send_message`](Self::send_message).
    ///
    /// A message that cannot work uses up an id, and its result is one of these:
    ///
    /// - 105 when not logged in, 101 while logging in,
    /// - 103 over 65,536 bytes, 106 without server params,
    /// - 5 when too many sends have no result.
    pub fn send_server_message(
        &mut self,
        now: Instant,
        payload: Payload,
    ) -> Result<MessageId, SendError> {
        self.begin(now, &Call::SendServerMessage { payload: &payload })
            .act(|client| client.accept_send_to_server(payload))
    }

    fn accept_send_to_server(&mut self, payload: Payload) -> Result<MessageId, SendError> {
        if self.is_destroyed {
            return Err(SendError::NoEngine);
        }
        let id = self.questions.next_message_id()?;
        if let Err(code) = self.try_send_to_server(id, payload) {
            self.refuse(Outcome::ServerSend(id, code, Reply::default()));
        }
        Ok(id)
    }

    fn try_send_to_server(&mut self, id: MessageId, payload: Payload) -> Result<(), SendCode> {
        self.check_sendable(&payload)?;
        if !self.server_params.may_be_in_force() {
            return Err(SendCode::NoServerParams);
        }
        let asked = self.questions.ask_server_send(id, payload.len(), &self.shared);
        asked.ok_or(SendCode::OverRate)?;
        self.submit(Frame::ServerSend { id, payload }, Question::ServerSend(id));
        Ok(())
    }

    /// The checks of every message.
    fn check_sendable(&self, payload: &Payload) -> Result<(), SendCode> {
        if self.connection.is_logging_in() {
            return Err(SendCode::NotInitialised);
        }
        if !self.is_logged_in() {
            return Err(SendCode::NotLoggedIn);
        }
        match payload.len() > PAYLOAD_BYTES_MAX - usize::from(planted(Bug::PayloadLimitOffByOne)) {
            true => Err(SendCode::TooLong),
            false => Ok(()),
        }
    }
}
