//! Links: from accepting one to closing it.

use core::time::Duration;

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::ToString as _;

use bytes::Bytes;

use super::login::Pass;
use super::session::{End, SessionNumber};
use super::timers::Due;
use super::{Notice, Output, Server};
use crate::limits::{BUSY_RETRY_AFTER_MAX, FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN};
use crate::planted::{Bug, planted};
use crate::wire::{self, Cutter, Frame, Login, Piece, ResumeKey, VERSION};
use crate::{AppId, CloseCode, Instant, LinkId, LoginId, ProtocolError, UserId};

/// One link. Nearly all of them carry a session and keep nothing but that.
#[derive(Debug)]
pub(super) enum Link {
    /// Nobody has logged in on it.
    Opening(Box<Opening>),
    Attached {
        session: SessionNumber,
        cutter: Cutter,
    },
}

#[derive(Debug)]
pub(super) struct Opening {
    pub(super) phase: Phase,
    cutter: Cutter,
    /// For the session that this link will carry.
    pub(super) key: ResumeKey,
    login_deadline: Instant,
}

/// ```text
///            Hello             Login               verdict: accept
/// Greeting ---------> Waiting ---------> Checking -----------------> attached
///                        |                       |                      ^
///                        +----- resume ----------|----------------------+
///                                                +--> Queued -----------+
/// ```
#[derive(Debug)]
pub(super) enum Phase {
    Greeting,
    Waiting,
    Checking {
        login: LoginId,
        asked: Box<Login>,
    },
    /// Waits for its turn among the logins of its user (§3.9).
    Queued {
        asked: Box<Login>,
        pass: Pass,
    },
}

impl Link {
    fn session(&self) -> Option<SessionNumber> {
        match self {
            Self::Opening(_) => None,
            Self::Attached { session, .. } => Some(*session),
        }
    }

    fn cutter(&mut self) -> &mut Cutter {
        match self {
            Self::Opening(opening) => &mut opening.cutter,
            Self::Attached { cutter, .. } => cutter,
        }
    }
}

impl Server {
    pub(super) fn link_accepted(&mut self, now: Instant, id: LinkId, key: ResumeKey) {
        if self.links.contains_key(&id) {
            return;
        }
        let login_deadline = now + self.config.login_deadline;
        let (phase, cutter) = (Phase::Greeting, Cutter::default());
        let opening = Opening { phase, cutter, key, login_deadline };
        self.links.insert(id, Link::Opening(Box::new(opening)));
        self.links_before_login += 1;
        self.due.insert((login_deadline, Due::LoginDeadline(id)));
        if let Some(retry_after_max) = self.retry_after_max {
            self.turn_away(id, CloseCode::Shutdown, retry_after_max);
        } else if self.links_before_login > self.config.links_before_login_max {
            self.turn_away(id, CloseCode::Busy, BUSY_RETRY_AFTER_MAX);
        }
    }

    /// What was found good of a login that waits for its turn.
    pub(super) fn queued_pass(&self, id: LinkId) -> Option<Pass> {
        match self.links.get(&id)? {
            Link::Opening(opening) => match opening.phase {
                Phase::Queued { pass, .. } => Some(pass),
                Phase::Greeting | Phase::Waiting | Phase::Checking { .. } => None,
            },
            Link::Attached { .. } => None,
        }
    }

    pub(super) fn opening(&mut self, id: LinkId) -> Option<&mut Opening> {
        match self.links.get_mut(&id)? {
            Link::Opening(opening) => Some(opening),
            Link::Attached { .. } => None,
        }
    }

    pub(super) fn link_received(&mut self, now: Instant, id: LinkId, bytes: &Bytes) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if bytes.is_empty() {
            return;
        }
        let mut cutter = core::mem::take(link.cutter());
        let mut carried = link.session();
        if let Some(session) = carried.and_then(|number| self.sessions.get_mut(number)) {
            session.last_heard = now;
            session.channel.count_bytes(bytes.len());
        }
        let mut rest = &bytes[..];
        loop {
            let frame_bytes_max = match carried {
                Some(_) => FRAME_BYTES_MAX,
                None => FRAME_BYTES_MAX_BEFORE_LOGIN,
            };
            let handled = match cutter.next(&mut rest, frame_bytes_max) {
                Ok(Some(Piece::Here(frame))) => self.frame_received(now, id, carried, frame, bytes),
                Ok(Some(Piece::Joined(frame))) => {
                    self.frame_received(now, id, carried, &frame, &frame)
                }
                Ok(None) => break,
                Err(error) => Err(error),
            };
            if let Err(error) = handled {
                self.misbehaved(now, id, error);
            }
            // A frame may end the link: what follows it is for nobody.
            match carried {
                Some(number) if self.is_carried(number, id) => {}
                Some(_) => return,
                None => match self.links.get(&id) {
                    Some(link) => carried = link.session(),
                    None => return,
                },
            }
        }
        if !cutter.is_empty()
            && let Some(link) = self.links.get_mut(&id)
        {
            *link.cutter() = cutter;
        }
    }

    /// Whether somebody has logged in over this link.
    #[must_use]
    pub fn is_attached(&self, id: LinkId) -> bool {
        matches!(self.links.get(&id), Some(Link::Attached { .. }))
    }

    /// Whether the session is there and the link is its.
    fn is_carried(&self, number: SessionNumber, id: LinkId) -> bool {
        self.sessions.get(number).is_some_and(|session| session.link == Some(id))
            || planted(Bug::ZombieHeard) && self.links.contains_key(&id)
    }

    /// A frame without its length, in memory from which it may be kept.
    fn frame_received(
        &mut self,
        now: Instant,
        id: LinkId,
        carried: Option<SessionNumber>,
        frame: &[u8],
        memory: &Bytes,
    ) -> Result<(), ProtocolError> {
        match (carried, wire::read(frame)) {
            (Some(number), Some(frame)) => self.hot_frame_received(now, number, frame),
            (carried, _) => {
                self.settle_broadcasts();
                match (carried, Frame::decode(memory.slice_ref(frame))?) {
                    (Some(number), Some(frame)) => {
                        self.session_frame_received(now, id, number, frame)
                    }
                    (None, Some(frame)) => self.opening_frame_received(now, id, frame),
                    (Some(number), None) if planted(Bug::UnknownKindCounted) => {
                        self.count_frame(now, number, true)
                    }
                    (_, None) => Ok(()),
                }
            }
        }
    }

    fn opening_frame_received(
        &mut self,
        now: Instant,
        id: LinkId,
        frame: Frame,
    ) -> Result<(), ProtocolError> {
        let Some(opening) = self.opening(id) else { return Ok(()) };
        match (&opening.phase, frame) {
            (Phase::Greeting, Frame::Hello { version: VERSION, .. }) => {
                opening.phase = Phase::Waiting;
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
            (
                Phase::Greeting | Phase::Waiting | Phase::Checking { .. } | Phase::Queued { .. },
                frame,
            ) => Err(ProtocolError::UnexpectedFrame { kind: frame.kind() }),
        }
    }

    pub(super) fn link_disconnected(&mut self, id: LinkId) {
        self.forget_link(id);
    }

    /// The link carries this session from now on.
    pub(super) fn attach(&mut self, id: LinkId, number: SessionNumber) {
        let Some(opening) = self.opening(id) else { return };
        let login_deadline = opening.login_deadline;
        let cutter = core::mem::take(&mut opening.cutter);
        self.links.insert(id, Link::Attached { session: number, cutter });
        self.links_before_login -= 1;
        self.due.remove(&(login_deadline, Due::LoginDeadline(id)));
        if let Some(session) = self.sessions.get_mut(number) {
            session.link = Some(id);
        }
    }

    /// The peer broke a rule: it is told which, and what it did is not resumed.
    pub(super) fn misbehaved(&mut self, now: Instant, id: LinkId, error: ProtocolError) {
        self.settle_broadcasts();
        let code = CloseCode::from(&error);
        let session = self.links.get(&id).and_then(Link::session);
        self.close(id, code, &error.to_string());
        if let Some(number) = session
            && code.ends_session()
        {
            self.end_session(now, number, End::Dropped);
        }
    }

    pub(super) fn close(&mut self, id: LinkId, code: CloseCode, reason: &str) {
        self.close_with(id, None, code, reason, Duration::ZERO);
    }

    /// Closes the link instead of answering this login.
    pub(super) fn close_login(&mut self, id: LinkId, login: &Login, code: CloseCode, reason: &str) {
        self.close_with(id, Some(login), code, reason, Duration::ZERO);
    }

    /// Closes the link with a wish of when to come back, from zero to `retry_after_max`.
    pub(super) fn turn_away(&mut self, id: LinkId, code: CloseCode, retry_after_max: Duration) {
        let retry_after = self.random.up_to(retry_after_max);
        self.close_with(id, None, code, "come back later", retry_after);
    }

    /// The same for a login of a user that has too many of them.
    pub(super) fn turn_away_login(&mut self, id: LinkId, login: &Login) {
        let retry_after = self.random.up_to(BUSY_RETRY_AFTER_MAX);
        self.close_with(id, Some(login), CloseCode::Busy, "too many logins of a user", retry_after);
    }

    fn close_with(
        &mut self,
        id: LinkId,
        login: Option<&Login>,
        code: CloseCode,
        reason: &str,
        retry_after: Duration,
    ) {
        if code != CloseCode::Shutdown {
            self.notice(|server| {
                let asked = login.map(|login| (login.app_id.clone(), login.uid.clone()));
                let user = asked.or_else(|| server.user_of(id));
                Notice::Closed { link: id, user, code, reason: reason.to_owned() }
            });
        }
        let retry_after_ms = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
        let reason = Bytes::copy_from_slice(reason.as_bytes());
        self.transmit(id, Frame::Close { code: code.code(), reason, retry_after_ms });
        self.disconnect(id, Some(code));
    }

    /// Whose link it is, or says that it is.
    fn user_of(&self, id: LinkId) -> Option<(AppId, UserId)> {
        match self.links.get(&id)? {
            Link::Opening(opening) => match &opening.phase {
                Phase::Greeting | Phase::Waiting => None,
                Phase::Checking { asked, .. } | Phase::Queued { asked, .. } => {
                    Some((asked.app_id.clone(), asked.uid.clone()))
                }
            },
            Link::Attached { session, .. } => {
                let session = self.sessions.get(*session)?;
                Some((session.app_id.clone(), session.uid.clone()))
            }
        }
    }

    pub(super) fn disconnect(&mut self, id: LinkId, code: Option<CloseCode>) {
        self.forget_link(id);
        self.outputs.push_back(Output::Disconnect(id, code));
    }

    /// Sends a frame that is not sequenced, behind those that wait for the end of the burst.
    pub(super) fn transmit(&mut self, id: LinkId, frame: Frame) {
        if let Some(session) = self.links.get(&id).and_then(Link::session) {
            self.transmit_window(session);
        }
        self.outputs.push_back(Output::Transmit(id, frame.encode()));
    }

    /// More waits to be written on the link than one that is read lets wait, or no longer.
    pub(super) fn link_congested(&mut self, id: LinkId, is_congested: bool) {
        if is_congested && self.links.contains_key(&id) && !planted(Bug::CongestionIgnored) {
            self.congested.insert(id);
        } else {
            self.congested.remove(&id);
        }
    }

    fn forget_link(&mut self, id: LinkId) {
        self.congested.remove(&id);
        match self.links.remove(&id) {
            Some(Link::Attached { session, .. }) => {
                if let Some(session) = self.sessions.get_mut(session)
                    && session.link == Some(id)
                {
                    session.link = None;
                }
            }
            Some(Link::Opening(opening)) => {
                self.links_before_login -= 1;
                self.due.remove(&(opening.login_deadline, Due::LoginDeadline(id)));
                match opening.phase {
                    Phase::Greeting | Phase::Waiting => {}
                    Phase::Checking { login, .. } => drop(self.logins.remove(&login)),
                    Phase::Queued { asked, .. } => self.leave_queue(&asked, id),
                }
            }
            None => {}
        }
    }
}
