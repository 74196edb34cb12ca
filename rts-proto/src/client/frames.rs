//! The server's frames.

use core::time::Duration;

use alloc::string::{String, ToString as _};

use bytes::Bytes;

use super::engine::Client;
use super::event::{Event, RoomEvent, WarningCode};
use super::questions::Answer;
use crate::limits::RETRY_AFTER_MAX;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{
    CloseCode, Disconnect, LinkId, Payload, ProtocolError, RoomId, RoomState, ServerParamsCode,
};

impl Client {
    pub(super) fn link_received(&mut self, link: LinkId, bytes: Bytes) {
        self.connection.receive(link, bytes, self.shared.now());
        // A frame may end the link. Later frames of the link are then discarded.
        loop {
            let handled = match self.connection.next_frame(link) {
                Ok(Some(frame)) => self.frame_received(frame),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            if let Err(error) = handled {
                self.server_misbehaved(error);
            }
        }
    }

    fn server_misbehaved(&mut self, error: ProtocolError) {
        let message = error.to_string();
        self.shared.emit(Event::Warning { code: WarningCode::ProtocolError, message });
        self.link_lost(Disconnect::PeerMisbehaved(error));
    }

    fn frame_received(&mut self, frame: Frame) -> Result<(), ProtocolError> {
        let Some(greeting) = self.connection.greeting_mut() else {
            return self.session_frame_received(frame);
        };
        greeting.check(&frame)?;
        match frame {
            Frame::LoginAnswer(answer) => self.login_answered(answer),
            Frame::Close { code, reason, retry_after_ms } => {
                self.connection.closed_early(code, &reason);
                self.closed_by_server(code, retry_after_ms);
            }
            _ => {}
        }
        Ok(())
    }

    fn session_frame_received(&mut self, frame: Frame) -> Result<(), ProtocolError> {
        self.connection.count(&frame, self.shared.now());
        match frame {
            Frame::Ack { received } => {
                self.connection.acknowledged(received, self.shared.now())?;
                self.release();
            }
            Frame::Pong => self.connection.pong_received(),
            Frame::Delivery { from, payload: Payload::Text(text), .. }
                if planted(Bug::TextBecomesBytes) =>
            {
                let payload = Payload::Binary(text.into_bytes());
                self.shared.emit(Event::MessageReceived { from, payload });
            }
            Frame::Delivery { from, payload, .. } => {
                self.shared.emit(Event::MessageReceived { from, payload });
            }
            Frame::SendResults { code, ids } => {
                for id in ids {
                    self.answer(Answer::Send(id, code));
                }
                self.release();
            }
            Frame::RoomDelivery { from, room, payload } => {
                self.notify_member(&room, RoomEvent::MessageReceived { from, payload });
            }
            // The ids are this engine's numbers, so the frame's room is not needed.
            Frame::BroadcastResults { code, ids, .. } => {
                for id in ids {
                    self.answer(Answer::Broadcast(id.0, code));
                }
            }
            Frame::JoinAnswer { ticket, state, members } => {
                if let Some(user) = self.connection.user() {
                    self.rooms.join_answered(ticket, state, members, user, &mut self.shared);
                }
            }
            Frame::LeaveAnswer { ticket } => {
                if let Some(key) = self.rooms.left_with(ticket) {
                    self.finish_leave(key);
                }
            }
            Frame::MemberJoined { room, uid } => {
                self.notify_member(&room, RoomEvent::UserJoined(uid));
            }
            Frame::MemberLeft { room, uid, reason } => {
                self.notify_member(&room, RoomEvent::UserLeft { uid, reason });
            }
            Frame::RoomNotice { room, state } => self.room_noticed(&room, state),
            Frame::RoomUnicast { from, room, payload } => {
                self.notify_member(&room, RoomEvent::UserMessageReceived { from, payload });
            }
            Frame::StatusAnswer { query, status } => {
                self.answer(Answer::Status(query, status));
            }
            Frame::ServerParamsAnswer { ticket, code } => self.server_params_answered(ticket, code),
            Frame::ServerSendResult { id, code, reply } => {
                self.answer(Answer::ServerSend(id, code, reply));
            }
            Frame::Close { code, retry_after_ms, .. } => {
                self.closed_by_server(code, retry_after_ms);
            }
            Frame::Hello { .. }
            | Frame::Login(_)
            | Frame::LoginAnswer(_)
            | Frame::Ping
            | Frame::Send { .. }
            | Frame::Broadcast { .. }
            | Frame::Join { .. }
            | Frame::Leave { .. }
            | Frame::StatusQuery { .. }
            | Frame::SetServerParams(_)
            | Frame::ServerSend { .. }
            | Frame::Logout => {
                return Err(ProtocolError::UnexpectedFrame { kind: frame.kind() });
            }
        }
        Ok(())
    }

    fn notify_member(&mut self, room: &RoomId, event: RoomEvent) {
        self.rooms.emit_to_member(room, event, &mut self.shared);
    }

    fn room_noticed(&mut self, room: &RoomId, state: RoomState) {
        let user = self.connection.user().cloned();
        self.rooms.noticed(room, state, user, &mut self.shared);
    }

    /// A call that was answered with a time-out still changes the params in force.
    fn server_params_answered(&mut self, ticket: u64, code: ServerParamsCode) {
        let was_open = self.answer(Answer::ServerParams(ticket, code));
        if self.server_params.answered(ticket, code, was_open) {
            let message = "the server no longer takes the server params: set them anew";
            let (code, message) = (WarningCode::ServerParamsLost, String::from(message));
            self.shared.emit(Event::Warning { code, message });
        }
    }

    fn closed_by_server(&mut self, code: u32, retry_after_ms: u32) {
        let code = CloseCode::from_code(code);
        // A server may ask for a short wait, but not for weeks.
        let retry_after = Duration::from_millis(retry_after_ms.into()).min(RETRY_AFTER_MAX);
        self.link_lost(Disconnect::ByPeer { code, retry_after });
    }
}
