//! Frames of a session: counting, and dispatch to their handlers.

use super::ending::End;
use super::keys::SessionNumber;
use super::shard::Server;
use crate::wire::{Frame, HotFrame};
use crate::{LinkId, ProtocolError};

impl Server {
    /// Counts a frame. Every frame of a session is counted before it is handled.
    pub(super) fn count_frame(
        &mut self,
        number: SessionNumber,
        is_sequenced: bool,
    ) -> Result<(), ProtocolError> {
        let shared = &mut self.shared;
        let now = shared.now();
        let Some(session) = shared.sessions.get_mut(number) else { return Ok(()) };
        // §2.4: the client sends no frame before it has read the answer to its login.
        session.confirm_key();
        if is_sequenced {
            shared.outbox.count_frame(now, number, &mut session.flow)?;
        }
        Ok(())
    }

    /// Handles frames of the hot path in place.
    pub(super) fn hot_frame_received(
        &mut self,
        number: SessionNumber,
        frame: HotFrame<'_>,
    ) -> Result<(), ProtocolError> {
        self.count_frame(number, frame.is_sequenced())?;
        match frame {
            HotFrame::Ack { received } => self.acknowledged(number, received)?,
            HotFrame::Send { id, to, payload, config } => {
                self.send(number, id, to, payload, config);
            }
            HotFrame::Broadcast { id, room, payload } => {
                self.broadcast(number, id, room, payload);
            }
        }
        Ok(())
    }

    /// Handles every frame, also hot ones in an unusual encoding.
    pub(super) fn session_frame_received(
        &mut self,
        link: LinkId,
        number: SessionNumber,
        frame: Frame,
    ) -> Result<(), ProtocolError> {
        self.count_frame(number, frame.is_sequenced())?;
        match frame {
            Frame::Ack { received } => self.acknowledged(number, received)?,
            Frame::Ping => self.pinged(number),
            Frame::Send { id, to, payload, config } => {
                self.send(number, id, &to, payload.borrowed(), config);
            }
            Frame::Broadcast { id, room, payload } => {
                self.broadcast(number, id, room, payload.borrowed());
            }
            // These have their answers at once, and the acknowledgement travels with them.
            Frame::Join { room, ticket, business_id } => {
                self.shared.make_ready(number);
                self.join(number, room, ticket, business_id);
            }
            Frame::Leave { room, ticket } => {
                self.shared.make_ready(number);
                self.leave(number, &room, ticket);
            }
            Frame::StatusQuery { query, uid } => {
                self.shared.make_ready(number);
                self.query_status(number, query, &uid);
            }
            Frame::SetServerParams(set) => self.targets.ask(&mut self.shared, number, &set),
            Frame::ServerSend { id, payload } => self.server_send(number, id, &payload),
            Frame::Logout => {
                self.disconnect(link, None);
                self.end_session(number, End::Logout);
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

    /// §5.4: an acknowledgement of the receiver is a result for its sender.
    fn acknowledged(&mut self, number: SessionNumber, received: u64) -> Result<(), ProtocolError> {
        let shared = &mut self.shared;
        let now = shared.now();
        shared.outbox.acknowledge(&mut shared.sessions, now, number, received)?;
        self.window_emptied(number);
        Ok(())
    }

    fn pinged(&mut self, number: SessionNumber) {
        let shared = &mut self.shared;
        let now = shared.now();
        shared.outbox.answer_ping(&mut shared.sessions, now, number);
    }
}
