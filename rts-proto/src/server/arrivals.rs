//! Arriving links: accepting a link, cutting its stream into frames, and handling frames before the
//! login.

use alloc::boxed::Box;

use bytes::Bytes;

use super::io::{Opened, Output};
use super::keys::SessionNumber;
use super::links::Expects;
use super::placement::ShardId;
use super::shard::Server;
use crate::limits::{BUSY_RETRY_AFTER_MAX, FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN};
use crate::planted::{Bug, planted};
use crate::wire::{self, Frame, Login, Piece, ResumeKey, VERSION};
use crate::{CloseCode, LinkId, ProtocolError};

impl Server {
    pub(super) fn link_accepted(&mut self, id: LinkId, key: ResumeKey) {
        if !self.links.begin(&mut self.shared, id, key) {
            return;
        }
        if let Some(retry_after_max) = self.retry_after_max {
            self.turn_away(id, CloseCode::Shutdown, retry_after_max);
        } else if self.has_too_many_before_login() {
            self.turn_away(id, CloseCode::Busy, BUSY_RETRY_AFTER_MAX);
        }
    }

    // Called from a second place, for links that were handed over, and yet the hottest path.
    #[inline(always)]
    pub(super) fn link_received(&mut self, id: LinkId, bytes: &Bytes) {
        if bytes.is_empty() {
            return;
        }
        let Some((mut cutter, mut carried)) = self.links.take_cutter(id) else { return };
        let shared = &mut self.shared;
        let now = shared.now();
        if let Some(session) = carried.and_then(|number| shared.sessions.get_mut(number)) {
            session.heard(now);
            session.flow.count_bytes(bytes.len());
        }
        let mut rest = &bytes[..];
        loop {
            let frame_bytes_max = match carried {
                Some(_) => FRAME_BYTES_MAX,
                None => FRAME_BYTES_MAX_BEFORE_LOGIN,
            };
            let handled = match cutter.next(&mut rest, frame_bytes_max) {
                Ok(Some(Piece::Here(frame))) => self.frame_received(id, carried, frame, bytes),
                Ok(Some(Piece::Joined(frame))) => self.frame_received(id, carried, &frame, &frame),
                Ok(None) => break,
                Err(error) => Err(error),
            };
            if let Err(error) = handled {
                self.misbehaved(id, error);
            }
            // A frame may end the link. Later frames of the link are then discarded.
            match carried {
                Some(number) if self.is_carried(number, id) => {}
                Some(_) => return,
                None if self.links.contains(id) => carried = self.links.session_of(id),
                None => return,
            }
            if let Some(to) = self.links.take_move() {
                return self.hand_over(id, *to, rest);
            }
        }
        if !cutter.is_empty() {
            self.links.put_cutter(id, cutter);
        }
    }

    /// Gives the link to the shard of its user. `rest` came behind the login.
    #[cold]
    fn hand_over(&mut self, id: LinkId, (shard, login): (ShardId, Login), rest: &[u8]) {
        let Some((key, login_deadline)) = self.links.hand_over(&mut self.shared, id) else {
            return;
        };
        let login = Frame::Login(login).encode();
        let rest = if planted(Bug::BytesBehindLoginLost) { &[][..] } else { rest };
        let bytes = [&login[..], rest].concat().into();
        let opened = Box::new(Opened { key, login_deadline, bytes });
        self.shared.outbox.put(Output::HandOver(id, shard, opened));
    }

    /// A link of another shard, whose login belongs to this one.
    #[cold]
    pub(super) fn link_handed_over(&mut self, id: LinkId, opened: &Opened) {
        if !self.links.begin_handed_over(&mut self.shared, id, opened) {
            return;
        }
        match self.retry_after_max {
            Some(retry_after_max) => self.turn_away(id, CloseCode::Shutdown, retry_after_max),
            None => self.link_received(id, &opened.bytes),
        }
    }

    /// Whether the session exists and this link carries it.
    fn is_carried(&self, number: SessionNumber, id: LinkId) -> bool {
        self.shared.session(number).is_some_and(|session| session.link() == Some(id))
            || planted(Bug::ZombieHeard) && self.links.contains(id)
    }

    /// Handles a frame without its length. `memory` can keep the frame alive.
    fn frame_received(
        &mut self,
        id: LinkId,
        carried: Option<SessionNumber>,
        frame: &[u8],
        memory: &Bytes,
    ) -> Result<(), ProtocolError> {
        match (carried, wire::read(frame)) {
            (Some(number), Some(frame)) => self.hot_frame_received(number, frame),
            (carried, _) => match (carried, Frame::decode(memory.slice_ref(frame))?) {
                (Some(number), Some(frame)) => self.session_frame_received(id, number, frame),
                (None, Some(frame)) => self.opening_frame_received(id, frame),
                (Some(number), None) if planted(Bug::UnknownKindCounted) => {
                    self.count_frame(number, true)
                }
                (_, None) => Ok(()),
            },
        }
    }

    fn opening_frame_received(&mut self, id: LinkId, frame: Frame) -> Result<(), ProtocolError> {
        let Some(expects) = self.links.expects(id) else { return Ok(()) };
        match (expects, frame) {
            (Expects::Hello, Frame::Hello { version: VERSION, .. }) => {
                self.links.greeted(id);
                self.transmit(id, Frame::Hello { version: VERSION, features: 0 });
                Ok(())
            }
            (Expects::Hello, Frame::Hello { version, .. }) => {
                Err(ProtocolError::UnsupportedVersion { version })
            }
            (Expects::Login, Frame::Login(login)) => {
                let placement = self.shared.config.placement;
                match placement.other_of_user(&login.app_id, login.uid.as_str()) {
                    None => self.login_asked(id, login),
                    Some(shard) => self.links.begin_move(shard, login),
                }
                Ok(())
            }
            (Expects::Hello | Expects::Login | Expects::Nothing, frame) => {
                Err(ProtocolError::UnexpectedFrame { kind: frame.kind() })
            }
        }
    }
}
