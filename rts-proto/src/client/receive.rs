//! What the server says.

use core::time::Duration;

use alloc::string::ToString as _;

use bytes::Bytes;

use super::connection::Link;
use super::login::Login;
use super::{Client, EarlyClose, Event, WarningCode};
use crate::limits::{FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN, RETRY_AFTER_MAX};
use crate::planted::{Bug, planted};
use crate::wire::{Frame, VERSION};
use crate::{CloseCode, Disconnect, Instant, LinkId, Payload, ProtocolError};

impl Client {
    pub(super) fn link_received(&mut self, now: Instant, link: LinkId, bytes: Bytes) {
        if self.link.id() != Some(link) || bytes.is_empty() {
            return;
        }
        match &mut self.link {
            Link::Greeting(greeting) => greeting.decoder.push(bytes),
            Link::Online(online) => {
                online.probe_until = None;
                if let Login::LoggedIn { session, .. } = &mut self.login {
                    session.channel.count_bytes(bytes.len());
                }
                online.decoder.push(bytes);
                self.timeline.hear(now);
            }
            Link::None | Link::Waiting { .. } | Link::Connecting { .. } => return,
        }
        // A frame may end the link: what follows it is for nobody.
        while self.link.id() == Some(link) {
            let next = match &mut self.link {
                Link::Greeting(greeting) => greeting.decoder.next(FRAME_BYTES_MAX_BEFORE_LOGIN),
                Link::Online(online) => online.decoder.next(FRAME_BYTES_MAX),
                Link::None | Link::Waiting { .. } | Link::Connecting { .. } => return,
            };
            let handled = match next {
                Ok(Some(frame)) => self.frame_received(now, frame),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            if let Err(error) = handled {
                self.server_misbehaved(now, error);
            }
        }
    }

    fn server_misbehaved(&mut self, now: Instant, error: ProtocolError) {
        let message = error.to_string();
        self.emit(Event::Warning { code: WarningCode::ProtocolError, message });
        self.link_lost(now, Disconnect::PeerMisbehaved(error));
    }

    fn frame_received(&mut self, now: Instant, frame: Frame) -> Result<(), ProtocolError> {
        match &mut self.link {
            Link::Greeting(greeting) => match frame {
                Frame::Hello { version: VERSION, .. } if !greeting.hello_heard => {
                    greeting.hello_heard = true;
                    Ok(())
                }
                Frame::Hello { version, .. } if !greeting.hello_heard => {
                    Err(ProtocolError::UnsupportedVersion { version })
                }
                Frame::LoginAnswer(answer) if greeting.hello_heard => {
                    self.login_answered(now, answer);
                    Ok(())
                }
                Frame::Close { code, reason, retry_after_ms } => {
                    self.early_close = Some(EarlyClose::new(greeting.id, code, &reason));
                    self.closed_by_server(now, code, retry_after_ms);
                    Ok(())
                }
                other => Err(ProtocolError::UnexpectedFrame { kind: other.kind() }),
            },
            Link::Online(_) => self.session_frame_received(now, frame),
            Link::None | Link::Waiting { .. } | Link::Connecting { .. } => Ok(()),
        }
    }

    fn session_frame_received(&mut self, now: Instant, frame: Frame) -> Result<(), ProtocolError> {
        let Login::LoggedIn { session, .. } = &mut self.login else { return Ok(()) };
        if frame.is_sequenced() {
            session.count_received(now, matches!(frame, Frame::Delivery { .. }));
        }
        match frame {
            Frame::Ack { received } => {
                let mut is_new = false;
                session.channel.acknowledge(received, |_| is_new = true)?;
                if let Link::Online(online) = &mut self.link
                    && is_new
                {
                    online.ack_received(now, session.channel.awaits_ack());
                }
                self.release(now);
            }
            Frame::Pong => {
                if let Link::Online(online) = &mut self.link {
                    online.pong_received();
                }
            }
            Frame::Delivery { from, payload: Payload::Text(text), .. }
                if planted(Bug::TextBecomesBytes) =>
            {
                self.emit(Event::MessageReceived {
                    from,
                    payload: Payload::Binary(text.into_bytes()),
                });
            }
            Frame::Delivery { from, payload, .. } => {
                self.emit(Event::MessageReceived { from, payload });
            }
            Frame::SendResults { code, ids } => {
                for id in ids {
                    self.answer_send(id, code);
                }
                self.release(now);
            }
            Frame::RoomDelivery { from, room, payload } => {
                self.room_message_received(&room, from, payload);
            }
            // The ids are numbers of this engine, so the room need not be looked at.
            Frame::BroadcastResults { code, ids, .. } => {
                for id in ids {
                    self.answer_broadcast(id.0, code);
                }
            }
            Frame::JoinAnswer { ticket, state, members } => {
                self.join_answered(now, ticket, state, members);
            }
            Frame::LeaveAnswer { ticket } => self.leave_answered(now, ticket),
            Frame::MemberJoined { room, uid } => self.member_joined(&room, uid),
            Frame::MemberLeft { room, uid, reason } => self.member_left(&room, uid, reason),
            Frame::RoomNotice { room, state } => self.room_noticed(&room, state),
            Frame::RoomUnicast { from, room, payload } => {
                self.user_message_received(&room, from, payload);
            }
            Frame::StatusAnswer { query, status } => self.status_answered(query, status),
            Frame::ServerParamsAnswer { ticket, code } => self.server_params_answered(ticket, code),
            Frame::ServerSendResult { id, code, reply } => self.answer_server_send(id, code, reply),
            Frame::Close { code, retry_after_ms, .. } => {
                self.closed_by_server(now, code, retry_after_ms);
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

    fn closed_by_server(&mut self, now: Instant, code: u32, retry_after_ms: u32) {
        let code = CloseCode::from_code(code);
        // A server may ask for a while, and not for weeks.
        let retry_after = Duration::from_millis(retry_after_ms.into()).min(RETRY_AFTER_MAX);
        self.link_lost(now, Disconnect::ByPeer { code, retry_after });
    }
}
