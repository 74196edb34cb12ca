//! One session: the state that a login creates and that outlives links.

use alloc::boxed::Box;

use super::allowance::Allowance;
use super::config::Config;
use super::deadlines::Deadline;
use super::io::MovedSession;
use super::keys::SessionNumber;
use super::outbox::Flow;
use super::session_moves::{Arriving, Leaving, Moves};
use super::session_rooms::SessionRooms;
use crate::wire::{Accepted, Login, ResumeKey};
use crate::{AppId, Instant, LinkId, RoomId, UserId};

/// The order of fields keeps together what every delivery and every acknowledgement reads.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Session {
    link: Option<LinkId>,
    /// The frames to and from the client. Only the outbox can use it.
    pub(super) flow: Flow,
    last_heard: Instant,
    keys: Keys,
    issued_at: u32,
    app_id: AppId,
    uid: UserId,
    /// Created by the first action that counts. Until then all rates are full.
    allowance: Option<Box<Allowance>>,
    pub(super) rooms: SessionRooms,
    claim: u64,
    engine: Engine,
    moves: Option<Box<Moves>>,
    /// When the grace period is checked next; at or before its end.
    grace: Deadline,
}

/// The verdict's values for the session that begins.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) login: Login,
    pub(super) key: ResumeKey,
    pub(super) claim: u64,
    /// When the credentials were issued ([`Verdict::Accept`](super::Verdict::Accept)).
    pub(super) issued_at: u32,
    /// The rates as the user's last session left them.
    pub(super) allowance: Option<Box<Allowance>>,
}

/// Shows that the caller is the part that stores the links, [`Links`](super::links::Links). Only
/// that part has such a type, so a link and its session always agree.
pub(super) trait SetsLinks {}

/// The remains of a session that ended, for the parts that have entries of it.
#[derive(Debug)]
pub(super) struct Remains {
    pub(super) app_id: AppId,
    pub(super) uid: UserId,
    pub(super) flow: Flow,
    pub(super) rooms: SessionRooms,
    pub(super) allowance: Option<Box<Allowance>>,
    pub(super) last_heard: Instant,
    pub(super) moves: Option<Box<Moves>>,
}

impl Session {
    pub(super) fn new(begin: Begin, grace: Deadline, now: Instant) -> Self {
        let Begin { login, key, claim, issued_at, allowance } = begin;
        let engine = Engine::of(&login);
        Self {
            link: None,
            flow: Flow::new(now),
            last_heard: now,
            keys: Keys::new(key),
            issued_at,
            app_id: login.app_id,
            uid: login.uid,
            allowance,
            rooms: SessionRooms::default(),
            claim,
            engine,
            moves: None,
            grace,
        }
    }

    pub(super) fn app_id(&self) -> &AppId {
        &self.app_id
    }

    pub(super) fn uid(&self) -> &UserId {
        &self.uid
    }

    /// Copies of the app and the user.
    pub(super) fn user(&self) -> (AppId, UserId) {
        (self.app_id.clone(), self.uid.clone())
    }

    pub(super) fn claim(&self) -> u64 {
        self.claim
    }

    pub(super) fn issued_at(&self) -> u32 {
        self.issued_at
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        self.link
    }

    /// Sets the link that carries the session, and returns the former one.
    pub(super) fn set_link(&mut self, _: impl SetsLinks, link: Option<LinkId>) -> Option<LinkId> {
        core::mem::replace(&mut self.link, link)
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    pub(super) fn last_heard(&self) -> Instant {
        self.last_heard
    }

    pub(super) fn grace_at(&self) -> Instant {
        self.grace.at()
    }

    /// The grace deadline has passed; it is replaced by a later one.
    pub(super) fn renew_grace(&mut self, grace: Deadline) {
        self.grace = grace;
    }

    /// Whether it has done anything that has a rate.
    pub(super) fn has_acted(&self) -> bool {
        self.allowance.is_some()
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The client has shown that it read the answer to its login (§2.4).
    pub(super) fn confirm_key(&mut self) {
        self.keys.confirm();
    }

    /// The session was resumed by this login.
    pub(super) fn resumed_by(&mut self, login: &Login, shown: ResumeKey, key: ResumeKey) {
        self.keys.renew(shown, key);
        self.engine = Engine::of(login);
    }

    /// §3.8: whether the session belongs to a later login of the same engine.
    pub(super) fn overtakes(&self, engine: u64, attempt: u64) -> bool {
        Engine { number: engine, attempt }.is_overtaken_by(self.engine)
    }

    pub(super) fn allowance(&mut self, config: &Config, now: Instant) -> &mut Allowance {
        self.allowance.get_or_insert_with(|| Box::new(Allowance::full(config, now)))
    }

    /// The answer to the session's login.
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
            received: self.flow.received(),
            claim: self.claim,
            sends_per_second: config.sends_per_second,
            broadcasts_per_second: config.broadcasts_per_second,
            server_sends_per_second: config.server_sends_per_second,
        }
    }

    #[inline]
    pub(super) fn into_remains(self) -> (Remains, Deadline) {
        let Self { app_id, uid, flow, grace, rooms, allowance, last_heard, moves, .. } = self;
        (Remains { app_id, uid, flow, rooms, allowance, last_heard, moves }, grace)
    }
}

/// A session on its way to another shard, or from one.
impl Session {
    pub(super) fn set_moves(&mut self, moves: Moves) {
        self.moves = Some(Box::new(moves));
    }

    /// How far it is on its way to another shard.
    pub(super) fn leaving(&mut self) -> Option<&mut Leaving> {
        match self.moves.as_deref_mut()? {
            Moves::Away(leaving) => Some(leaving),
            Moves::Here(_) => None,
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.moves.as_deref(), Some(Moves::Away(_)))
    }

    /// Its number in a room: that in the next shard, if the room was told.
    pub(super) fn number_in(&self, number: SessionNumber, room: &RoomId) -> SessionNumber {
        self.moves.as_deref().map_or(number, |moves| moves.number_in(number, room))
    }

    /// How far it is on its way to this shard.
    pub(super) fn arriving(&mut self) -> Option<&mut Arriving> {
        match self.moves.as_deref_mut()? {
            Moves::Here(arriving) => Some(arriving),
            Moves::Away(_) => None,
        }
    }

    #[inline]
    pub(super) fn is_arriving(&self) -> bool {
        matches!(self.moves.as_deref(), Some(Moves::Here(_)))
    }

    /// The session is here: it goes on from this content. Returns what has come for it before, and
    /// how it came.
    pub(super) fn install(
        &mut self,
        content: &MovedSession,
        flow: Flow,
        allowance: Option<Box<Allowance>>,
    ) -> Flow {
        self.keys.former = Some(content.key);
        (self.issued_at, self.claim) = (content.issued_at, content.claim);
        self.allowance = allowance;
        core::mem::replace(&mut self.flow, flow)
    }

    /// It does not arrive any more: it is here, or ends.
    pub(super) fn take_arriving(&mut self) -> Option<Arriving> {
        match *self.moves.take()? {
            Moves::Here(arriving) => Some(arriving),
            moves @ Moves::Away(_) => {
                self.moves = Some(Box::new(moves));
                None
            }
        }
    }
}

/// The secrets that resume a session. The answer with a new key may be lost, so the former key is
/// valid until the client has shown that it read the answer (§3.3).
#[derive(Clone, Debug)]
pub(super) struct Keys {
    former: Option<ResumeKey>,
    newest: ResumeKey,
}

impl Keys {
    pub(super) fn new(key: ResumeKey) -> Self {
        Self { newest: key, former: None }
    }

    /// Always compares with both keys.
    pub(super) fn accept(&self, shown: &ResumeKey) -> bool {
        let is_newest = self.newest == *shown;
        let is_former = self.former.as_ref().is_some_and(|former| former == shown);
        is_newest | is_former
    }

    /// The client showed this key and is sent a new one.
    fn renew(&mut self, shown: ResumeKey, key: ResumeKey) {
        self.former = Some(shown);
        self.newest = key;
    }

    /// The client has read the newest key.
    fn confirm(&mut self) {
        self.former = None;
    }
}

/// The engine of a session's link, and the number of its attempt (§3.8).
#[derive(Clone, Copy, Debug)]
struct Engine {
    number: u64,
    attempt: u64,
}

impl Engine {
    fn of(login: &Login) -> Self {
        Self { number: login.engine, attempt: login.attempt }
    }

    /// Whether `self` is an earlier attempt than `present`.
    fn is_overtaken_by(self, present: Self) -> bool {
        self.number != 0 && self.number == present.number && self.attempt < present.attempt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn former_key_is_valid_until_the_newest_was_read() {
        let [first, second, third] = [1, 2, 3].map(|byte| ResumeKey([byte; 16]));
        let mut keys = Keys::new(first);
        assert!(keys.accept(&first) && !keys.accept(&second));
        keys.renew(first, second);
        assert!(keys.accept(&first) && keys.accept(&second));
        keys.renew(second, third);
        assert!(!keys.accept(&first) && keys.accept(&second) && keys.accept(&third));
        keys.confirm();
        assert!(!keys.accept(&second) && keys.accept(&third));
    }

    #[test]
    fn only_a_later_attempt_of_the_same_engine_overtakes() {
        let engine = |number, attempt| Engine { number, attempt };
        assert!(engine(7, 1).is_overtaken_by(engine(7, 2)));
        assert!(!engine(7, 2).is_overtaken_by(engine(7, 2)));
        assert!(!engine(7, 3).is_overtaken_by(engine(7, 2)));
        assert!(!engine(7, 1).is_overtaken_by(engine(8, 2)));
        // An engine without a number.
        assert!(!engine(0, 1).is_overtaken_by(engine(0, 2)));
    }
}
