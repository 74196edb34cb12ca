//! Sessions: what a login makes, and what outlives links.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use super::params::ToAppServer;
use super::tally::Allowance;
use super::timers::Due;
use super::{Config, Notice, Report, Server};
use crate::limits::{SERVER_WINDOW_FRAMES_MAX, WINDOW_BYTES_MAX};
use crate::link::Channel;
use crate::planted::{Bug, planted};
use crate::rate::{SmallBucket, TokenBucket};
use crate::slab;
use crate::wire::{Accepted, Frame, Login, ResumeKey};
use crate::{
    AppId, BroadcastCode, CloseCode, Instant, LeaveReason, LinkId, MessageId, RoomId, SendCode,
    UserId,
};

/// Finds a session in its shard. Its number is what clients call the session.
pub(super) type SessionNumber = slab::Key;

/// In this order, so that what every delivery and every acknowledgement needs lies together.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: Option<LinkId>,
    /// A frame's tag is who waits for its acknowledgement.
    pub(super) channel: Channel<Option<Origin>>,
    pub(super) last_heard: Instant,
    /// From the first frame for the app's server on: most sessions have none.
    pub(super) to_app_server: Option<Box<ToAppServer>>,
    /// Pings that may be answered.
    pub(super) pongs: SmallBucket,
    /// Whether the session is on the list of those to flush.
    pub(super) is_dirty: bool,
    /// Whether the session is among those that are looked at for a late acknowledgement.
    pub(super) has_late_ack: bool,
    /// It did not get something that it must, and gets nothing more: it is among those to be ended.
    has_lost: bool,
    pub(super) keys: Keys,
    /// When what its login showed was made ([`Verdict::Accept`](super::Verdict::Accept)).
    pub(super) issued_at: u32,
    /// Results that go out with the next flush.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) app_id: AppId,
    pub(super) uid: UserId,
    /// From the first thing on that counts: until then nothing is missing from it. It outlives the
    /// session.
    allowance: Option<Box<Allowance>>,
    pub(super) rooms: BTreeSet<RoomId>,
    pub(super) claim: u64,
    pub(super) engine: Engine,
    /// When the session is looked at next; at or before the end of its grace.
    pub(super) grace_at: Instant,
}

/// The secrets that resume a session. The answer that brings a new one may be lost, so the one
/// before it is good until the client has shown that it has read the answer (§3.3).
#[derive(Clone, Debug)]
pub(super) struct Keys {
    former: Option<ResumeKey>,
    newest: ResumeKey,
}

impl Keys {
    fn new(key: ResumeKey) -> Self {
        Self { newest: key, former: None }
    }

    /// Compares with both, always.
    pub(super) fn accept(&self, shown: &ResumeKey) -> bool {
        let is_newest = self.newest == *shown;
        let is_former = self.former.as_ref().is_some_and(|former| former == shown);
        is_newest | is_former
    }

    /// The client showed this key and is told a new one.
    pub(super) fn renew(&mut self, shown: ResumeKey, key: ResumeKey) {
        self.former = Some(shown);
        self.newest = key;
    }

    /// The client has read the newest key.
    pub(super) fn confirm(&mut self) {
        self.former = None;
    }
}

/// Which engine a session's link is of, and which of its attempts (§3.8).
#[derive(Clone, Copy, Debug)]
pub(super) struct Engine {
    pub(super) number: u64,
    pub(super) attempt: u64,
}

impl Engine {
    pub(super) fn of(login: &Login) -> Self {
        Self { number: login.engine, attempt: login.attempt }
    }

    /// Whether `self` is from before `present`.
    pub(super) fn is_overtaken_by(self, present: Self) -> bool {
        self.number != 0 && self.number == present.number && self.attempt < present.attempt
    }
}

/// The send that a delivery came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) session: SessionNumber,
    pub(super) id: MessageId,
}

/// A result on its way to its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Send(SendCode, MessageId),
    Broadcast(RoomId, BroadcastCode, MessageId),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client said so.
    Logout,
    /// Silent for too long, or broke a rule, or did not take what it was sent.
    Dropped,
    /// A newer session of the same user takes its place; memberships wait for it (§6.9).
    Superseded,
    /// The app's back end wants the user out (§3.10).
    PutOut,
}

impl Session {
    pub(super) fn new(
        config: &Config,
        login: &Login,
        key: ResumeKey,
        claim: u64,
        issued_at: u32,
        now: Instant,
        allowance: Option<Box<Allowance>>,
    ) -> Self {
        Self {
            link: None,
            channel: Channel::new(),
            last_heard: now,
            to_app_server: None,
            pongs: SmallBucket::new(now),
            is_dirty: false,
            has_late_ack: false,
            has_lost: false,
            keys: Keys::new(key),
            issued_at,
            outcomes: Vec::new(),
            app_id: login.app_id.clone(),
            uid: login.uid.clone(),
            allowance,
            rooms: BTreeSet::new(),
            claim,
            engine: Engine::of(login),
            grace_at: now + config.session_grace,
        }
    }

    pub(super) fn allowance(&mut self, now: Instant, config: &Config) -> &mut Allowance {
        self.allowance.get_or_insert_with(|| Box::new(Allowance::full(config, now)))
    }

    pub(super) fn accepted(
        &self,
        number: SessionNumber,
        resumed: bool,
        config: &Config,
    ) -> Accepted {
        Accepted {
            session: number.number(),
            key: self.keys.newest,
            resumed,
            received: self.channel.received(),
            claim: self.claim,
            sends_per_second: config.sends_per_second,
            broadcasts_per_second: config.broadcasts_per_second,
            server_sends_per_second: config.server_sends_per_second,
        }
    }

    /// Puts a sequenced frame into the window; false when it has no room. Who calls this marks the
    /// session as dirty, so that the frame goes out with all others of the burst.
    pub(super) fn push(&mut self, bytes: Bytes, origin: Option<Origin>) -> bool {
        self.push_run(bytes, 1, origin)
    }

    /// The same for some frames that lie one behind the other.
    pub(super) fn push_run(&mut self, bytes: Bytes, frames: u32, origin: Option<Origin>) -> bool {
        let len = bytes.len();
        // What comes after a gap would be taken for what comes next.
        let has_room = !self.has_lost
            && self.channel.has_room(frames, len, SERVER_WINDOW_FRAMES_MAX, WINDOW_BYTES_MAX);
        if has_room {
            self.channel.push_run(bytes, frames, origin);
        }
        has_room
    }
}

/// Sessions that did not get what they must, to be ended when the input is handled: we may be in
/// the middle of a fan-out.
#[derive(Debug, Default)]
pub(super) struct Overrun {
    numbers: Vec<SessionNumber>,
}

impl Overrun {
    pub(super) fn add(&mut self, number: SessionNumber, session: &mut Session) {
        if !core::mem::replace(&mut session.has_lost, true) {
            self.numbers.push(number);
        }
    }
}

impl Server {
    /// Sends what a session must get. One that has no room for it has lost something, and is over.
    pub(super) fn push_or_end(&mut self, number: SessionNumber, bytes: Bytes) {
        debug_assert!(self.fan_out.is_empty(), "they come first");
        let Some(session) = self.sessions.get_mut(number) else { return };
        if session.push(bytes, None) {
            self.dirty.add(self.now, number, session);
        } else {
            self.overrun.add(number, session);
        }
    }

    pub(super) fn push_frame(&mut self, number: SessionNumber, frame: Frame) {
        self.push_or_end(number, frame.encode());
    }

    /// §6.8: ends the sessions that did not take what they must.
    pub(super) fn end_overrun(&mut self, now: Instant) {
        if !self.overrun.numbers.is_empty() {
            self.settle_broadcasts();
        }
        while let Some(number) = self.overrun.numbers.pop() {
            let Some(session) = self.sessions.get(number) else { continue };
            if let Some(link) = session.link {
                self.close(link, CloseCode::SlowConsumer, "did not read what it was sent");
            }
            self.end_session(now, number, End::Dropped);
        }
    }

    /// The session is over. Its link, if it has one, is the caller's to close.
    pub(super) fn end_session(&mut self, now: Instant, number: SessionNumber, end: End) {
        debug_assert!(self.fan_out.is_empty(), "it may be a member");
        let Some(session) = self.sessions.remove(number) else { return };
        self.due.remove(&(session.grace_at, Due::SessionGrace(number)));
        // §5.4: nobody will acknowledge these any more.
        for (_, origin, _) in session.channel.into_unacked() {
            if let Some(origin) = origin {
                self.add_outcome(now, origin.session, Outcome::Send(SendCode::Timeout, origin.id));
            }
        }
        // A user has one session: the next one is entered when this one is gone.
        if let Some(app) = self.apps.get_mut(&session.app_id) {
            app.users.remove(&session.uid);
        }
        if let Some(target) = session.to_app_server.and_then(|state| state.target) {
            self.targets.remove(&target);
        }
        self.take_welcomes(number);
        self.forget_waiting_posts(&session.app_id, number);
        self.keep_allowance(now, &session.app_id, &session.uid, session.allowance);
        let orphaned_until = session.last_heard + self.config.session_grace;
        for room in &session.rooms {
            let (app_id, uid) = (&session.app_id, &session.uid);
            match end {
                End::Logout => self.remove_member(app_id, room, uid, LeaveReason::Left),
                End::Dropped if planted(Bug::DroppedStaysInRooms) => {}
                End::Dropped => self.remove_member(app_id, room, uid, LeaveReason::Dropped),
                End::Superseded => self.orphan_member(app_id, room, uid, orphaned_until),
                End::PutOut => self.remove_member(app_id, room, uid, LeaveReason::Kicked),
            }
        }
        let reason = match end {
            End::Logout => Some(LeaveReason::Left),
            End::Dropped if planted(Bug::DropReportedAsLogout) => Some(LeaveReason::Left),
            End::Dropped => Some(LeaveReason::Dropped),
            End::Superseded => None,
            End::PutOut => Some(LeaveReason::Kicked),
        };
        if let Some(reason) = reason {
            let (app_id, uid) = (&session.app_id, &session.uid);
            self.report(app_id, || Report::UserOffline { uid: uid.clone(), reason });
            self.notice(|_| {
                let (app_id, uid) = (app_id.clone(), uid.clone());
                Notice::SessionEnded { app_id, uid, reason }
            });
        }
        self.forget_empty_app(&session.app_id);
    }

    /// A result for a session that may be gone by now.
    pub(super) fn add_outcome(&mut self, now: Instant, number: SessionNumber, outcome: Outcome) {
        if let Some(session) = self.sessions.get_mut(number) {
            session.outcomes.push(outcome);
            self.dirty.add(now, number, session);
        }
    }

    /// Forgets an app of which nothing is left, or nothing but what its back end used of its rate:
    /// then as soon as that is there again.
    pub(super) fn forget_empty_app(&mut self, app_id: &AppId) {
        let Some(app) = self.apps.get_mut(app_id).filter(|app| app.is_empty()) else { return };
        let full_at = app.backend_sends.as_ref().map_or(self.now, TokenBucket::full_at);
        if full_at <= self.now {
            self.apps.remove(app_id);
        } else if app.forget_at.is_none() {
            app.forget_at = Some(full_at);
            self.due.insert((full_at, Due::EmptyApp(Box::new(app_id.clone()))));
        }
    }
}
