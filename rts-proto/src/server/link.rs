//! Links: from accepting one to closing it.

use core::time::Duration;

use alloc::boxed::Box;
use alloc::string::ToString as _;

use bytes::Bytes;

use super::session::{End, SessionNumber};
use super::timers::Due;
use super::{Output, Server};
use crate::limits::{FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN};
use crate::wire::{self, Decoder, Frame, ResumeKey, VERSION};
use crate::{CloseCode, Instant, LinkId, LoginId, ProtocolError};

/// One link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) phase: Phase,
    decoder: Decoder,
    /// For the session that this link will carry.
    pub(super) key: ResumeKey,
    login_deadline: Instant,
}

/// ```text
///            Hello             Login               verdict: accept
/// Greeting ---------> Waiting ---------> Checking -----------------> Attached
///                        |                                              ^
///                        +----------------- resume ---------------------+
/// ```
#[derive(Debug)]
pub(super) enum Phase {
    Greeting,
    Waiting,
    Checking { login: LoginId, asked: Box<wire::Login> },
    Attached(SessionNumber),
}

impl Server {
    pub(super) fn link_accepted(&mut self, now: Instant, id: LinkId, key: ResumeKey) {
        if self.links.contains_key(&id) {
            return;
        }
        let login_deadline = now + self.config.login_deadline;
        let link = Link { phase: Phase::Greeting, decoder: Decoder::new(), key, login_deadline };
        self.links.insert(id, Box::new(link));
        self.links_before_login += 1;
        self.due.insert((login_deadline, Due::LoginDeadline(id)));
        if let Some(retry_after_max) = self.retry_after_max {
            self.turn_away(id, CloseCode::Shutdown, retry_after_max);
        } else if self.links_before_login > self.config.links_before_login_max {
            self.turn_away(id, CloseCode::Busy, Duration::from_secs(1));
        }
    }

    pub(super) fn link_received(&mut self, now: Instant, id: LinkId, bytes: Bytes) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if bytes.is_empty() {
            return;
        }
        let bytes_len = bytes.len();
        link.decoder.push(bytes);
        if let Phase::Attached(number) = link.phase
            && let Some(session) = self.sessions.get_mut(&number)
        {
            session.last_heard = now;
            session.channel.count_bytes(bytes_len);
        }
        // A frame may end the link: what follows it is for nobody.
        while let Some(link) = self.links.get_mut(&id) {
            let frame_bytes_max = match link.phase {
                Phase::Attached(_) => FRAME_BYTES_MAX,
                Phase::Greeting | Phase::Waiting | Phase::Checking { .. } => {
                    FRAME_BYTES_MAX_BEFORE_LOGIN
                }
            };
            let handled = match link.decoder.next(frame_bytes_max) {
                Ok(Some(frame)) => self.frame_received(now, id, frame),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            if let Err(error) = handled {
                self.misbehaved(now, id, error);
            }
        }
    }

    fn frame_received(
        &mut self,
        now: Instant,
        id: LinkId,
        frame: Frame,
    ) -> Result<(), ProtocolError> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        match (&link.phase, frame) {
            (Phase::Greeting, Frame::Hello { version: VERSION, .. }) => {
                link.phase = Phase::Waiting;
                self.transmit(id, Frame::Hello { version: VERSION, features: 0 });
                Ok(())
            }
            (Phase::Greeting, Frame::Hello { version, .. }) => {
                Err(ProtocolError::UnsupportedVersion { version })
            }
            (Phase::Waiting, Frame::Login(login)) => {
                self.login_asked(now, id, login);
                Ok(())
            }
            (Phase::Attached(number), frame) => {
                let number = *number;
                self.session_frame_received(now, id, number, frame)
            }
            (Phase::Greeting | Phase::Waiting | Phase::Checking { .. }, frame) => {
                Err(ProtocolError::UnexpectedFrame { kind: frame.kind() })
            }
        }
    }

    pub(super) fn link_disconnected(&mut self, id: LinkId) {
        self.forget_link(id);
    }

    /// The link carries this session from now on.
    pub(super) fn attach(&mut self, id: LinkId, number: SessionNumber) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.phase = Phase::Attached(number);
        self.links_before_login -= 1;
        self.due.remove(&(link.login_deadline, Due::LoginDeadline(id)));
        if let Some(session) = self.sessions.get_mut(&number) {
            session.link = Some(id);
        }
    }

    /// The peer broke a rule: it is told which, and what it did is not resumed.
    pub(super) fn misbehaved(&mut self, now: Instant, id: LinkId, error: ProtocolError) {
        let code = CloseCode::from(&error);
        let session = match self.links.get(&id).map(|link| &link.phase) {
            Some(Phase::Attached(number)) => Some(*number),
            _ => None,
        };
        self.close(id, code, &error.to_string());
        if let Some(number) = session
            && code.ends_session()
        {
            self.end_session(now, number, End::Dropped);
        }
    }

    pub(super) fn close(&mut self, id: LinkId, code: CloseCode, reason: &str) {
        self.close_with(id, code, reason, Duration::ZERO);
    }

    /// Closes the link with a wish of when to come back, from zero to `retry_after_max`.
    pub(super) fn turn_away(&mut self, id: LinkId, code: CloseCode, retry_after_max: Duration) {
        let retry_after = self.random.up_to(retry_after_max);
        self.close_with(id, code, "come back later", retry_after);
    }

    fn close_with(&mut self, id: LinkId, code: CloseCode, reason: &str, retry_after: Duration) {
        let retry_after_ms = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
        let reason = Bytes::copy_from_slice(reason.as_bytes());
        self.transmit(id, Frame::Close { code: code.code(), reason, retry_after_ms });
        self.disconnect(id, Some(code));
    }

    pub(super) fn disconnect(&mut self, id: LinkId, code: Option<CloseCode>) {
        self.forget_link(id);
        self.outputs.push_back(Output::Disconnect(id, code));
    }

    /// Sends a frame that is not sequenced.
    pub(super) fn transmit(&mut self, id: LinkId, frame: Frame) {
        self.outputs.push_back(Output::Transmit(id, frame.encode()));
    }

    fn forget_link(&mut self, id: LinkId) {
        let Some(link) = self.links.remove(&id) else { return };
        if let Phase::Attached(number) = link.phase {
            if let Some(session) = self.sessions.get_mut(&number)
                && session.link == Some(id)
            {
                session.link = None;
            }
            return;
        }
        self.links_before_login -= 1;
        self.due.remove(&(link.login_deadline, Due::LoginDeadline(id)));
        if let Phase::Checking { login, .. } = link.phase {
            self.logins.remove(&login);
        }
    }
}
