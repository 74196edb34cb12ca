//! Records of a client's calls and events, while they happen.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rts_client::contract::{EventHandler, LoginCode, RoomEvent};
use rts_client::observe::{Input, Instant, Observe, Output};
use rts_client::{JoinType, LogoutReason, MessageId, Payload, RoomId, SendCode, UserId};
use tokio::sync::Notify;

use super::history::{Entry, Message, Record, Room, User, What};
use super::phase::Phase;

/// The moments of all records, in one order.
#[derive(Debug, Default)]
pub(crate) struct Moments(AtomicU64);

impl Moments {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// The moments at which an engine's link came up or went down. An engine reports no short breaks to
/// its application, so this observes its core. The observer runs under the engine's lock, and takes
/// no lock but this one.
#[derive(Clone, Default)]
pub(crate) struct Links {
    moments: Arc<Moments>,
    seen: Arc<Mutex<Vec<u64>>>,
}

impl Links {
    pub(crate) fn new(moments: Arc<Moments>) -> Self {
        Self { moments, seen: Arc::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self) {
        let mut seen = self.lock();
        seen.push(self.moments.next());
    }
}

impl Observe for Links {
    fn input(&mut self, _now: Instant, input: &Input) {
        if matches!(input, Input::Connected(_) | Input::Disconnected(_)) {
            self.push();
        }
    }

    fn output(&mut self, output: &Output) {
        if matches!(output, Output::Connect(_) | Output::Disconnect(_)) {
            self.push();
        }
    }
}

/// The records of one client, and what follows from them.
pub(crate) struct Log {
    moments: Arc<Moments>,
    entries: Mutex<Entries>,
    changed: Notify,
}

#[derive(Default)]
pub(crate) struct Entries {
    pub(crate) records: Vec<Record>,
    phases: BTreeMap<Room, Phase>,
    last_number: u32,
    sends: u64,
    results: u64,
    /// The results of messages to users, by id.
    codes: HashMap<u32, u32>,
    is_logged_out: bool,
}

impl Log {
    pub(crate) fn new(moments: Arc<Moments>) -> Self {
        Self { moments, entries: Mutex::default(), changed: Notify::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call and records it. An event that the call causes waits until the call is recorded.
    /// The moment is before the call, so that all effects are after it.
    pub(crate) fn call(&self, call: impl FnOnce(&mut Entries) -> What) {
        let mut entries = self.lock();
        let at = self.moments.next();
        let what = call(&mut entries);
        entries.push(Record { at, what });
    }

    fn event(&self, what: What) {
        let mut entries = self.lock();
        let at = self.moments.next();
        entries.push(Record { at, what });
        drop(entries);
        if what.membership_of().is_some() || matches!(what, What::Result { .. }) {
            self.changed.notify_waiters();
        }
    }

    /// Waits until joins and leaves of a room have their answers. Returns whether the client is in
    /// the room, or `None` if there is no answer in time.
    pub(crate) async fn answered(&self, room: Room, patience: Duration) -> Option<bool> {
        let answered = async {
            loop {
                let changed = self.changed.notified();
                let phase = self.lock().phases.get(&room).copied().unwrap_or_default();
                if !phase.is_waiting() {
                    return phase == Phase::In;
                }
                changed.await;
            }
        };
        tokio::time::timeout(patience, answered).await.ok()
    }

    /// Waits this long until one of these messages to users has result 0.
    pub(crate) async fn one_arrives(&self, ids: &[u32], patience: Duration) -> bool {
        let arrives = async {
            loop {
                let changed = self.changed.notified();
                if self.lock().has_arrived(ids) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(patience, arrives).await.is_ok()
    }
}

impl Entries {
    fn push(&mut self, record: Record) {
        match record.what {
            What::Sent { id: Some(_), .. } => self.sends += 1,
            What::Result { room, id, code } => {
                self.results += 1;
                if room.is_none() {
                    self.codes.insert(id, code);
                }
            }
            What::LoggedOut(_) => {
                self.is_logged_out = true;
                self.phases.clear();
            }
            _ => {}
        }
        if let Some(room) = record.what.membership_of() {
            let phase = self.phases.entry(room).or_default();
            // The laws report an event that cannot happen.
            *phase = phase.after(record.what).unwrap_or(*phase);
        }
        self.records.push(record);
    }

    /// The number of the next message.
    pub(crate) fn next_number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    pub(crate) fn has_all_results(&self) -> bool {
        self.results >= self.sends
    }

    /// Whether one of these messages to users has result 0.
    fn has_arrived(&self, ids: &[u32]) -> bool {
        ids.iter().any(|id| self.codes.get(id) == Some(&0))
    }

    pub(crate) fn is_logged_out(&self) -> bool {
        self.is_logged_out
    }
}

/// The handler of an engine's events.
pub(crate) struct Recorder(pub(crate) Arc<Log>);

impl EventHandler for Recorder {
    fn on_login_result(&mut self, _uid: &UserId, code: LoginCode, _elapsed: Duration) {
        self.0.event(What::LoginResult(code.code()));
    }

    fn on_logout(&mut self, reason: LogoutReason) {
        self.0.event(What::LoggedOut(reason.code()));
    }

    fn on_message_received(&mut self, from: &UserId, payload: &Payload) {
        self.0.event(received(None, from, payload));
    }

    fn on_message_send_result(&mut self, id: MessageId, code: SendCode) {
        self.0.event(What::Result { room: None, id: short(id), code: code.code() });
    }

    fn on_room_event(&mut self, room: &RoomId, event: &RoomEvent) {
        let room = Room::read(room.as_str());
        self.0.event(match event {
            RoomEvent::Joined { how, .. } => What::Joined(room, entry(*how)),
            RoomEvent::StateChanged { state, .. } => What::State(room, state.code()),
            RoomEvent::Left => What::Left(room),
            RoomEvent::MessageReceived { from, payload }
            | RoomEvent::UserMessageReceived { from, payload } => {
                received(Some(room), from, payload)
            }
            RoomEvent::MessageSendResult { id, code } => {
                What::Result { room: Some(room), id: short(*id), code: code.code() }
            }
            RoomEvent::UserJoined(uid) => What::UserJoined(room, User::read(uid.as_str())),
            RoomEvent::UserLeft { uid, .. } => What::UserLeft(room, User::read(uid.as_str())),
        });
    }
}

fn entry(how: JoinType) -> Entry {
    match how {
        JoinType::First => Entry::First,
        JoinType::Resumed => Entry::Resumed,
        JoinType::Anew => Entry::Anew,
    }
}

fn received(room: Option<Room>, from: &UserId, payload: &Payload) -> What {
    let message = payload.as_text().and_then(Message::read);
    What::Received { room, from: User::read(from.as_str()), message }
}

/// No run has more than this type can count.
fn short(id: MessageId) -> u32 {
    u32::try_from(id.0).unwrap_or(u32::MAX)
}
