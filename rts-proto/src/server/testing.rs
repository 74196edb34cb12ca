//! Ids, sessions and outputs, for the tests of parts.

use alloc::vec::Vec;

use bytes::Bytes;

use super::config::Config;
use super::io::Output;
use super::keys::SessionNumber;
use super::links::Links;
use super::outbox::{Audience, Audiences};
use super::session::Begin;
use super::shared::{MovesTime, Shared};
use crate::limits::FRAME_BYTES_MAX;
use crate::wire::{Decoder, Frame, Login, ResumeKey};
use crate::{AppId, Instant, LinkId, RoomId, UserId};

pub(super) const KEY: ResumeKey = ResumeKey([1; 16]);

pub(super) fn number(number: u64) -> SessionNumber {
    SessionNumber::from_number(number).expect("not zero")
}

pub(super) fn app_id() -> AppId {
    AppId::new("123456781234567812345678").expect("a valid id")
}

pub(super) fn other_app_id() -> AppId {
    AppId::new("876543218765432187654321").expect("a valid id")
}

pub(super) fn uid(text: &str) -> UserId {
    UserId::new(text).expect("a valid id")
}

pub(super) fn room_id(text: &str) -> RoomId {
    RoomId::new(text).expect("a valid id")
}

pub(super) fn login(user: &str) -> Login {
    Login {
        app_id: app_id(),
        uid: uid(user),
        token: Bytes::new(),
        resume: None,
        claim: 0,
        engine: 0,
        attempt: 0,
    }
}

pub(super) fn shared() -> Shared {
    Shared::new(Config::default())
}

struct InTest;

impl MovesTime for InTest {}

/// Time passes, as in a turn of the shard.
pub(super) fn pass_time(shared: &mut Shared, now: Instant) {
    shared.pass_time(InTest, now);
}

/// The last moment before this one.
pub(super) fn before(moment: Instant) -> Instant {
    Instant::from_micros(moment.as_micros() - 1)
}

/// A session of a user, without a link.
pub(super) fn begin_session(shared: &mut Shared, user: &str) -> SessionNumber {
    begin_session_of(shared, login(user))
}

pub(super) fn begin_session_of(shared: &mut Shared, login: Login) -> SessionNumber {
    let begin = Begin { login, key: KEY, claim: 1, issued_at: 0, allowance: None };
    let grace_at = shared.now() + shared.config.session_grace;
    let now = shared.now();
    shared.sessions.begin(begin, &mut shared.deadlines, now, grace_at)
}

/// A session of a user with a link, whose number is the session's.
pub(super) fn begin_linked_session(shared: &mut Shared, user: &str) -> SessionNumber {
    let number = begin_session(shared, user);
    let mut links = Links::new(1);
    assert!(links.begin(shared, link_of(number), KEY));
    links.attach(shared, link_of(number), number);
    number
}

pub(super) fn link_of(number: SessionNumber) -> LinkId {
    LinkId(number.number())
}

/// The audience after this number of changes.
pub(super) fn audience(changes: u64) -> Audience {
    let mut audiences = Audiences::default();
    (0..changes).map(|_| audiences.next()).last().unwrap_or_default()
}

/// Ends a session in its own part only. Other parts keep their entries of it.
pub(super) fn end_session(shared: &mut Shared, number: SessionNumber) {
    assert!(shared.sessions.end(number, &mut shared.deadlines).is_some());
}

pub(super) fn outputs(shared: &mut Shared) -> Vec<Output> {
    core::iter::from_fn(|| shared.outbox.poll()).collect()
}

/// Ends a burst, and returns the frames to a session.
pub(super) fn flushed_to(shared: &mut Shared, number: SessionNumber) -> Vec<Frame> {
    let now = shared.now();
    shared.outbox.flush(&mut shared.sessions, now);
    shared.outbox.end_burst(&mut shared.sessions, |_| true);
    sent_to(shared, number)
}

/// The frames to a session. Frames to others are discarded.
pub(super) fn sent_to(shared: &mut Shared, number: SessionNumber) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    for output in outputs(shared) {
        let Output::Transmit(link, bytes) = output else { continue };
        if link == link_of(number) {
            decoder.push(bytes);
            let next = || decoder.next(FRAME_BYTES_MAX).expect("well-formed");
            frames.extend(core::iter::from_fn(next));
        }
    }
    frames
}
