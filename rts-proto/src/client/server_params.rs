//! Messages for the app's server, and where they go. Section 11 of the protocol.

use alloc::collections::BTreeMap;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use bytes::Bytes;

use super::login::Login;
use super::pending::{Asker, Question};
use super::session::Tag;
use super::{Client, Event, SendError, WarningCode};
use crate::limits::OPEN_SERVER_PARAMS_MAX;
use crate::planted::{Bug, planted};
use crate::wire::{Frame, SetServerParams};
use crate::{Instant, MessageId, Payload, Reply, SendCode, ServerParams, ServerParamsCode};

/// The params of one login. They last through relogins: a new session is told them again.
#[derive(Debug, Default)]
pub(super) struct Params {
    in_force: Option<ServerParams>,
    /// By their tickets: what the server may still put in force.
    asked: BTreeMap<u64, ServerParams>,
    /// The ticket under which the present session was told those in force.
    told_again: Option<u64>,
}

impl Params {
    /// Whether the server may have a use for a message.
    fn may_be_in_force(&self) -> bool {
        self.in_force.is_some() || !self.asked.is_empty()
    }
}

impl Client {
    /// `setServerParams`: exactly one [`Event::ServerParamsSetResult`] follows. Messages that are
    /// sent after this call are posted to `url` if it is allowed. A refusal leaves earlier params
    /// in force.
    pub fn set_server_params(&mut self, now: Instant, signature: &str, url: &str) {
        let now = self.advance(now);
        if self.destroyed {
            return;
        }
        if let Err(code) = self.try_set_server_params(now, signature, url) {
            self.emit(Event::ServerParamsSetResult(code));
        }
    }

    fn try_set_server_params(
        &mut self,
        now: Instant,
        signature: &str,
        url: &str,
    ) -> Result<(), ServerParamsCode> {
        if !matches!(self.login, Login::LoggedIn { .. }) {
            return Err(ServerParamsCode::NotLoggedIn);
        }
        let params = ServerParams::new(signature.as_bytes(), url.as_bytes())
            .ok_or(ServerParamsCode::Unknown)?;
        if self.params.asked.len() >= OPEN_SERVER_PARAMS_MAX {
            return Err(ServerParamsCode::OverRate);
        }
        let ticket = self.next_wire_number();
        let deadline = now + self.parameters.send_timeout;
        self.pending.open(Question::ServerParams(ticket), Asker::ServerParams, deadline, 0);
        self.submit(now, set_frame(ticket, &params), Tag::ServerParams(ticket));
        self.params.asked.insert(ticket, params);
        Ok(())
    }

    /// `sendServerMessage` and `sendServerBinaryMessage`: exactly one
    /// [`Event::ServerMessageSendResult`] follows. Ids are from the same sequence as those of
    /// [`send_message`](Self::send_message).
    ///
    /// A message that cannot work still uses up an id and gets its result: 105 not logged in, 101
    /// while logging in, 103 over 65,536 bytes, 106 without server params, 5 when too many sends
    /// have no result.
    pub fn send_server_message(
        &mut self,
        now: Instant,
        payload: Payload,
    ) -> Result<MessageId, SendError> {
        let now = self.advance(now);
        if self.destroyed {
            return Err(SendError::NoEngine);
        }
        let id = self.next_message_id()?;
        if let Err(code) = self.try_send_to_server(now, id, payload) {
            let reply = Reply::default();
            self.emit(Event::ServerMessageSendResult { id, code, reply });
        }
        Ok(id)
    }

    fn try_send_to_server(
        &mut self,
        now: Instant,
        id: MessageId,
        payload: Payload,
    ) -> Result<(), SendCode> {
        self.check_sendable(&payload)?;
        // What was asked for and is not decided is decided before this message is.
        if !self.params.may_be_in_force() {
            return Err(SendCode::NoServerParams);
        }
        self.open_send(now, Question::ServerSend(id), Asker::ServerSend, &payload)
            .ok_or(SendCode::OverRate)?;
        self.submit(now, Frame::ServerSend { id, payload }, Tag::ServerSend(id));
        Ok(())
    }

    /// After the call was answered with a time-out, this still says what is in force.
    pub(super) fn server_params_answered(&mut self, ticket: u64, code: ServerParamsCode) {
        let params = self.params.asked.remove(&ticket);
        if code == ServerParamsCode::Ok && params.is_some() {
            self.params.in_force = params;
        }
        if self.pending.close(Question::ServerParams(ticket)).is_some() {
            self.emit(Event::ServerParamsSetResult(code));
        } else if code != ServerParamsCode::Ok && self.params.told_again == Some(ticket) {
            self.params.in_force = None;
            let message = "the server no longer takes the server params: set them anew".to_string();
            self.emit(Event::Warning { code: WarningCode::ServerParamsLost, message });
        }
    }

    /// §11.2: a new session has no params. What the old one may not have decided is asked again,
    /// except what certainly did not leave: that is among the frames that still go out.
    pub(super) fn set_server_params_again(&mut self, unsent: &mut Vec<(Bytes, Tag)>) {
        let Params { in_force, asked, told_again } = &mut self.params;
        asked.retain(|ticket, _| self.pending.is_open(Question::ServerParams(*ticket)));
        unsent.retain(
            |(_, tag)| !matches!(tag, Tag::ServerParams(ticket) if *told_again == Some(*ticket)),
        );
        let waits = |wanted: u64| {
            unsent.iter().any(|(_, tag)| matches!(tag, Tag::ServerParams(t) if *t == wanted))
        };
        let undecided = asked.iter().filter(|(ticket, _)| !waits(**ticket));
        let mut frames: Vec<_> =
            undecided.map(|(ticket, params)| (*ticket, set_frame(*ticket, params))).collect();
        if let Some(params) = in_force
            && !planted(Bug::ParamsNotToldAgain)
        {
            self.last_wire_number += 1;
            *told_again = Some(self.last_wire_number);
            frames.insert(0, (self.last_wire_number, set_frame(self.last_wire_number, params)));
        }
        if let Login::LoggedIn { session, .. } = &mut self.login {
            for (ticket, frame) in frames {
                session.channel.push(frame.encode(), Tag::ServerParams(ticket));
            }
        }
    }

    /// The login is over.
    pub(super) fn forget_server_params(&mut self) {
        if planted(Bug::ParamsOutliveLogin) {
            return;
        }
        self.params = Params::default();
    }

    /// Nothing of them is on its way any more.
    pub(super) fn forget_asked_params(&mut self) {
        self.params.asked.clear();
    }

    pub(super) fn server_params_not_sent(&mut self, ticket: u64) {
        self.params.asked.remove(&ticket);
        self.answer_server_params(ticket, ServerParamsCode::Broken);
    }

    pub(super) fn answer_server_params(&mut self, ticket: u64, code: ServerParamsCode) {
        if self.pending.close(Question::ServerParams(ticket)).is_some() {
            self.emit(Event::ServerParamsSetResult(code));
        }
    }

    pub(super) fn answer_server_send(&mut self, id: MessageId, code: SendCode, reply: Reply) {
        if self.pending.close(Question::ServerSend(id)).is_some() {
            self.emit(Event::ServerMessageSendResult { id, code, reply });
        }
    }
}

fn set_frame(ticket: u64, params: &ServerParams) -> Frame {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let (signature, url) = (bytes(params.signature()), bytes(params.url()));
    Frame::SetServerParams(SetServerParams { ticket, signature, url })
}
