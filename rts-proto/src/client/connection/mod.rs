//! The connection of an engine to its server: the link, the login that it serves, and the session.

mod backlog;
mod dialer;
mod early_close;
mod link;
mod liveness;
mod login;
mod pace;
mod progress;
mod sending;
mod session;
mod tag;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timeline;

use core::time::Duration;

use bytes::Bytes;

pub use early_close::EarlyClose;
pub(super) use login::{Ended, Entered, Entry};
pub use progress::{LastLogin, LostLink, NextAttempt, SessionStart};
pub(super) use session::Session;
pub(super) use tag::Tag;

use super::event::Event;
use super::parameters::Timing;
use super::shared::Shared;
use super::timer::{Deadline, Timer, earliest};
#[cfg(test)]
use crate::kept::Kept;
use crate::random::Random;
use crate::wire::{Accepted, Frame, VERSION};
use crate::{AppId, ConnectionState, Disconnect, Instant, LinkId, ProtocolError, UserId};
use dialer::Dialer;
use link::{Greeting, Link};
use login::Login;
use timeline::Timeline;

/// The parts do not use each other, except that a session is passed the link to send over.
pub(super) struct Connection {
    app_id: AppId,
    /// Distinguishes this engine from others in its logins (§3.8).
    engine: u64,
    login: Option<Login>,
    link: Link,
    dialer: Dialer,
    timeline: Timeline,
    sessions_begun: u64,
    lost_link: Option<LostLink>,
    last_login: Option<LastLogin>,
    early_close: Option<EarlyClose>,
}

impl Connection {
    pub(super) fn new(app_id: AppId, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let engine = random.next_u64().max(1);
        Self {
            app_id,
            engine,
            login: None,
            link: Link::None,
            dialer: Dialer::new(random),
            timeline: Timeline::new(Instant::ORIGIN),
            sessions_begun: 0,
            lost_link: None,
            last_login: None,
            early_close: None,
        }
    }

    // State.

    pub(super) fn app_id(&self) -> &AppId {
        &self.app_id
    }

    pub(super) fn link_id(&self) -> Option<LinkId> {
        self.link.id()
    }

    pub(super) fn is_online(&self) -> bool {
        self.link.is_online()
    }

    pub(super) fn is_logged_in(&self) -> bool {
        self.session().is_some()
    }

    pub(super) fn is_logging_in(&self) -> bool {
        self.login.as_ref().is_some_and(|login| login.logging_in_since().is_some())
    }

    /// The user who is logged in or logging in.
    pub(super) fn user(&self) -> Option<&UserId> {
        self.login.as_ref().map(Login::uid)
    }

    /// The newest token of the login.
    pub(super) fn token(&self) -> Option<&Bytes> {
        self.login.as_ref().map(Login::token)
    }

    /// The user whose token was refused, until a better token comes.
    pub(super) fn rejected_user(&self) -> Option<&UserId> {
        self.login.as_ref().filter(|login| login.is_rejected()).map(Login::uid)
    }

    pub(super) fn sessions_begun(&self) -> u64 {
        self.sessions_begun
    }

    pub(super) fn lost_link(&self) -> Option<LostLink> {
        self.lost_link
    }

    pub(super) fn last_login(&self) -> Option<LastLogin> {
        self.last_login
    }

    pub(super) fn next_attempt(&self) -> Option<NextAttempt> {
        let (at, asked_for) = self.link.waits_until()?;
        Some(NextAttempt { at, attempts: self.dialer.attempts(), asked_for })
    }

    pub(super) fn early_close(&self) -> Option<&EarlyClose> {
        self.early_close.as_ref()
    }

    pub(super) fn stored_bytes(&self) -> usize {
        self.session().map_or(0, Session::stored_bytes) + self.link.buffered_bytes()
    }

    pub(super) fn next_timer(&self, shared: &Shared) -> Option<Deadline> {
        let parameters = shared.parameters();
        let of_session = self.session().filter(|_| self.is_online()).and_then(Session::next_timer);
        let is_wanted = self.login.as_ref().is_some_and(|login| !login.is_rejected());
        let silence = self.timeline.next_mark(parameters).filter(|_| is_wanted);
        let silence = silence.map(|mark| (mark, Timer::Silence));
        earliest([self.link.next_timer(parameters), of_session, silence])
    }

    fn session(&self) -> Option<&Session> {
        self.login.as_ref()?.session()
    }

    fn session_mut(&mut self) -> Option<&mut Session> {
        self.login.as_mut()?.session_mut()
    }

    // The link.

    pub(super) fn connect(&mut self, shared: &mut Shared) {
        self.link = self.dialer.connect(shared);
    }

    pub(super) fn connect_later(&mut self, at_least: Duration, shared: &mut Shared) {
        self.link = self.dialer.connect_later(at_least, shared);
    }

    /// The link is up: sends Hello and Login.
    pub(super) fn connected(&mut self, link: LinkId, shared: &mut Shared) {
        if !matches!(self.link, Link::Connecting { id, .. } if id == link) {
            return;
        }
        let Some(login) = &self.login else { return };
        let login = login.frame(&self.app_id, self.engine, link);
        self.link = Link::Greeting(Greeting::new(link, login.token.clone(), shared.now()));
        let hello = Frame::Hello { version: VERSION, features: 0 };
        shared.transmit(link, hello.encode());
        shared.transmit(link, Frame::Login(login).encode());
    }

    /// The link went down. True when it was the present one.
    pub(super) fn disconnected(&mut self, link: LinkId) -> bool {
        let is_this_one = self.link.id() == Some(link);
        if is_this_one {
            self.link = Link::None;
        }
        is_this_one
    }

    /// Closes the link, if there is one, and forgets it.
    pub(super) fn drop_link(&mut self, shared: &mut Shared) {
        if let Some(id) = self.link.id() {
            shared.disconnect(id);
        }
        self.link = Link::None;
    }

    /// Closes the link, and records why it ended.
    pub(super) fn lose_link(&mut self, why: Disconnect, timer: Option<Timer>, shared: &mut Shared) {
        self.drop_link(shared);
        self.lost_link = Some(LostLink { link: self.dialer.newest(), why, timer });
    }

    /// The network changed: checks an open link, or opens one without waiting.
    pub(super) fn network_changed(&mut self, shared: &mut Shared) {
        self.dialer.reset();
        match &mut self.link {
            Link::None => {}
            Link::Online(online) => {
                online.liveness_mut().probe(shared.now() + shared.parameters().get(Timing::Probe));
                online.send_heartbeat(shared);
            }
            Link::Waiting { .. } | Link::Connecting { .. } | Link::Greeting(_) => {
                self.drop_link(shared);
                self.connect_later(Duration::ZERO, shared);
            }
        }
    }

    // The login.

    /// Begins a login.
    pub(super) fn log_in(&mut self, uid: UserId, token: Bytes, shared: &mut Shared) {
        self.login = Some(Login::new(uid, token, shared.now()));
        self.start_login(shared);
    }

    /// A fresh token. Used at once if the last one was refused, else on the next link.
    pub(super) fn refresh_token(&mut self, token: Bytes, shared: &mut Shared) {
        let Some(login) = &mut self.login else { return };
        if login.is_rejected() {
            login.retry(token, shared.now());
            self.start_login(shared);
        } else {
            login.keep_token(token);
        }
    }

    fn start_login(&mut self, shared: &mut Shared) {
        self.timeline = Timeline::new(shared.now());
        self.dialer.reset();
        shared.emit(Event::ConnectionStateChanged(ConnectionState::Connecting));
        self.connect(shared);
    }

    /// The state of the link before the login is answered; `None` afterwards.
    pub(super) fn greeting_mut(&mut self) -> Option<&mut Greeting> {
        match &mut self.link {
            Link::Greeting(greeting) => Some(greeting),
            Link::None | Link::Waiting { .. } | Link::Connecting { .. } | Link::Online(_) => None,
        }
    }

    /// Records a `Close` that comes before the login is answered.
    pub(super) fn closed_early(&mut self, code: u32, reason: &[u8]) {
        self.early_close = self.link.id().map(|link| EarlyClose::new(link, code, reason));
    }

    /// The server accepted the login. Reports the connection state, if the application does not
    /// know it.
    pub(super) fn accepted(
        &mut self,
        accepted: &Accepted,
        shared: &mut Shared,
    ) -> Result<Option<Entered>, ProtocolError> {
        let now = shared.now();
        if !self.link.go_online(now) {
            return Ok(None);
        }
        let Some(login) = &mut self.login else { return Ok(None) };
        let Some(entry) = login.accepted(accepted, now)? else { return Ok(None) };
        let start = entry.start();
        self.sessions_begun += u64::from(!matches!(start, SessionStart::Resumed { .. }));
        self.last_login = Some(LastLogin { link: self.dialer.newest(), start });
        self.dialer.succeeded(now);
        let (lost_at, was_reported) = (self.timeline.heard(), self.timeline.break_was_reported());
        if let Some(state) = self.timeline.back(now) {
            shared.emit(Event::ConnectionStateChanged(state));
        }
        Ok(Some(Entered { entry, lost_at, was_reported }))
    }

    /// Whether a token newer than the one in the Login frame has come.
    pub(super) fn has_newer_token(&self) -> bool {
        match (&self.login, &self.link) {
            (Some(login), Link::Greeting(greeting)) => login.token() != greeting.token(),
            _ => false,
        }
    }

    /// The token was refused: no link is opened until a better one comes.
    pub(super) fn reject_token(&mut self, shared: &mut Shared) -> Option<Ended> {
        self.drop_link(shared);
        let heard_at = self.timeline.heard();
        self.login.as_mut().map(|login| login.reject_token(heard_at))
    }

    /// Ends a login that is live or in progress. A login that waits for a better token stays.
    pub(super) fn end_login(&mut self) -> Option<Ended> {
        let login = self.login.take_if(|login| !login.is_rejected())?;
        Some(login.end(self.timeline.heard()))
    }

    /// Forgets every login, also one that waits for a token.
    pub(super) fn forget_login(&mut self) {
        self.login = None;
    }

    /// Reports that silence reached a mark of the timeline.
    pub(super) fn report_silence(&mut self, shared: &mut Shared) {
        let state = self.timeline.pass_mark();
        shared.emit(Event::ConnectionStateChanged(state));
    }

    // Received.

    /// Takes bytes of the link. [`next_frame`](Self::next_frame) returns their frames.
    pub(super) fn receive(&mut self, link: LinkId, bytes: Bytes, now: Instant) {
        if self.link.id() != Some(link) || bytes.is_empty() {
            return;
        }
        match &mut self.link {
            Link::Greeting(greeting) => greeting.push(bytes),
            Link::Online(online) => {
                if let Some(session) = self.login.as_mut().and_then(Login::session_mut) {
                    session.count_bytes(bytes.len());
                }
                online.push(bytes);
                self.timeline.hear(now);
            }
            Link::None | Link::Waiting { .. } | Link::Connecting { .. } => {}
        }
    }

    /// The next whole frame of this link; `None` when it is no longer the present link.
    pub(super) fn next_frame(&mut self, link: LinkId) -> Result<Option<Frame>, ProtocolError> {
        self.link.next_frame(link)
    }

    /// Counts a frame of the session, if it is sequenced.
    pub(super) fn count(&mut self, frame: &Frame, now: Instant) {
        if frame.is_sequenced()
            && let Some(session) = self.session_mut()
        {
            session.count_received(now, matches!(frame, Frame::Delivery { .. }));
        }
    }

    /// The server acknowledges this number of frames.
    pub(super) fn acknowledged(
        &mut self,
        received: u64,
        now: Instant,
    ) -> Result<(), ProtocolError> {
        let Some(session) = self.login.as_mut().and_then(Login::session_mut) else { return Ok(()) };
        if session.acknowledged(received)?
            && let Some(online) = self.link.online_mut()
        {
            online.liveness_mut().ack_received(now, session.awaits_ack());
        }
        Ok(())
    }

    pub(super) fn pong_received(&mut self) {
        if let Some(online) = self.link.online_mut() {
            online.liveness_mut().pong_received();
        }
    }

    /// The server refuses to resume the session.
    pub(super) fn give_up_resuming(&mut self) {
        if let Some(session) = self.session_mut() {
            session.give_up_resuming();
        }
    }

    /// Entries held, so that tests can check for leaks. A session is stored with its login.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        alloc::vec![
            ("logins", usize::from(self.login.is_some())),
            ("links", usize::from(!matches!(self.link, Link::None))),
            ("bytes for the link", self.stored_bytes()),
        ]
    }
}
