//! What back ends ask of the nodes of a cluster. An answer comes later than its question, and is
//! true of some moment in between (I14 to I17, I27, I47, §3.10, §3.11).

mod answers;
mod removals;

use std::collections::{BTreeMap, BTreeSet};

use rts_proto::client::Event;
use rts_proto::{Instant, LoginCode, Payload};
use rts_testkit::EngineIndex;

use super::{Oracle, Violation, ensure, own_serial};
use crate::engine::Login;
use crate::model::Model;
use crate::names::{BACK_END, uid};
use crate::payload;
use crate::peer_entry::PeerEntry;
use crate::plan::Command;
use crate::trace::{Answer, Call, Entry, Line, Phase};
use answers::Between;
use removals::Removals;

/// A user of an app.
type User = (usize, String);

/// A request without an answer.
#[derive(Debug)]
struct Open {
    at: Instant,
    app: usize,
    command: Command,
    between: Between,
    /// Whether the session of the receiver has not ended since.
    is_undisturbed: bool,
}

/// A message to a user.
#[derive(Debug)]
struct Message {
    app: usize,
    to: String,
    bytes: usize,
    is_binary: bool,
    asked: Instant,
    answered: Option<Instant>,
    is_received: bool,
}

#[derive(Debug, Default)]
pub(super) struct Requests {
    open: BTreeMap<u64, Open>,
    messages: BTreeMap<u64, Message>,
    /// The messages that a user's session must still receive, unless the session ends.
    expected: BTreeMap<User, BTreeSet<u64>>,
    /// By login of an engine, when the latest of its received messages was asked for.
    newest: BTreeMap<(EngineIndex, u64), Instant>,
    removals: Removals,
}

impl Oracle for Requests {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        self.removals.see(model, line)?;
        match &line.entry {
            Entry::Requested { app, serial, command, .. } => {
                self.requested(model, line.at, *app, *serial, *command);
            }
            Entry::Commanded { serial, answer, .. } => {
                let Some(open) = self.open.remove(serial) else {
                    return Err(format!("I13: {serial} was answered, and is not open"));
                };
                if *answer == Answer::Unanswered {
                    ensure(model.was_disturbed_since(open.at), || {
                        format!("I13: with nothing wrong, nobody answered {open:?}")
                    })?;
                } else {
                    open.between.holds(model, open.command, answer).map_err(|why| {
                        format!("{why}: app {} got {answer:?} for {open:?}", open.app)
                    })?;
                }
                self.answered(model, line.at, *serial, &open, answer);
            }
            Entry::Reported { app, report } => {
                let of_app = self.open.values_mut().filter(|open| open.app == *app);
                of_app.for_each(|open| open.between.reported(open.command, report));
            }
            Entry::EntriesArrived { entries, .. } => {
                entries.iter().for_each(|entry| self.user_moves(entry));
            }
            Entry::NodesRemoved(removed) => {
                for open in self.open.values_mut() {
                    open.between.lost(open.app, open.command, removed);
                }
            }
            Entry::Event { who, event } => return self.event(model, *who, event),
            Entry::Call { who, call: Call::Logout | Call::Destroy, .. } => {
                self.session_ends(model, *who);
            }
            // A new session: messages that the one before had not received are lost.
            Entry::Judged { app, uid, code: LoginCode::Ok, .. } => {
                self.session_of_ends(&(*app, uid.clone()));
            }
            Entry::Restarted => self.expected.clear(),
            Entry::Phase(Phase::Asked) => {
                let missed = self.expected.iter().find(|(_, serials)| !serials.is_empty());
                ensure(missed.is_none(), || format!("I14: never received: {missed:?}"))?;
                let open = self.open.values().next();
                ensure(open.is_none(), || format!("I13: never answered: {open:?}"))?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Requests {
    fn requested(
        &mut self,
        model: &Model,
        now: Instant,
        app: usize,
        serial: u64,
        command: Command,
    ) {
        let between = Between::new(model, app, command);
        let open = Open { at: now, app, command, between, is_undisturbed: true };
        self.open.insert(serial, open);
        if let Command::Unicast { to, bytes, is_binary } = command {
            let (to, is_received) = (uid(to), false);
            let (asked, answered) = (now, None);
            let message = Message { app, to, bytes, is_binary, asked, answered, is_received };
            self.messages.insert(serial, message);
        }
    }

    fn answered(&mut self, model: &Model, now: Instant, serial: u64, open: &Open, answer: &Answer) {
        let Some(message) = self.messages.get_mut(&serial) else { return };
        // Without an answer, it may still be on its way.
        message.answered = (*answer != Answer::Unanswered).then_some(now);
        let is_there = model.live(message.app).any(|(_, live)| live == message.to);
        let is_queued = *answer == Answer::Queued(1) && !message.is_received;
        let is_marked = message.bytes >= payload::MARKED_BYTES_MIN;
        if is_queued && is_marked && is_there && open.is_undisturbed {
            let user = (message.app, message.to.clone());
            self.expected.entry(user).or_default().insert(serial);
        }
    }

    fn event(&mut self, model: &Model, who: EngineIndex, event: &Event) -> Result<(), Violation> {
        match event {
            Event::MessageReceived { from, payload } if from.as_str() == BACK_END => {
                self.received(model, who, payload)
            }
            Event::Logout(_) | Event::LoginResult { .. } => {
                self.session_ends(model, who);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn received(
        &mut self,
        model: &Model,
        who: EngineIndex,
        payload: &Payload,
    ) -> Result<(), Violation> {
        let engine = &model.engines[who];
        let app = engine.app;
        let Some(serial) = own_serial(model, who, payload)? else { return Ok(()) };
        let Some(message) = self.messages.get_mut(&serial) else {
            return Err(format!("I15: #{who} received {serial}, which no back end sent to a user"));
        };
        let is_the_same = message.app == app
            && engine.login.live() == Some(&message.to)
            && *payload == payload::make(app, serial, message.bytes, message.is_binary);
        ensure(is_the_same, || format!("I15: #{who} received not as sent: {message:?}"))?;
        ensure(!message.is_received, || format!("I17: #{who} received {serial} twice"))?;
        message.is_received = true;
        if let Some(expected) = self.expected.get_mut(&(app, message.to.clone())) {
            expected.remove(&serial);
        }
        // Those that were asked for one after the answer to the other have an order.
        let newest = self.newest.entry((who, engine.epoch)).or_default();
        let is_late = message.answered.is_some_and(|answered| answered < *newest);
        ensure(!is_late, || {
            format!("I17: #{who} received {serial} of its back end after one asked for at {newest}")
        })?;
        *newest = message.asked.max(*newest);
        Ok(())
    }

    /// While a user moves, it has no session for a moment. If the next login is gone as well, the
    /// report of that comes later.
    fn user_moves(&mut self, entry: &PeerEntry) {
        if let PeerEntry::UserGranted { app, uid, .. } | PeerEntry::UserReleased { app, uid, .. } =
            entry
        {
            let of_app = self.open.values_mut().filter(|open| open.app == *app);
            of_app.for_each(|open| open.between.may_be_offline(uid));
        }
    }

    fn session_ends(&mut self, model: &Model, who: EngineIndex) {
        let engine = &model.engines[who];
        if let Login::LoggedIn(uid) | Login::LoggingIn(uid) | Login::Rejected(uid) = &engine.login {
            self.session_of_ends(&(engine.app, uid.clone()));
        }
    }

    fn session_of_ends(&mut self, user: &User) {
        self.expected.remove(user);
        for open in self.open.values_mut() {
            let is_to_it = |to: usize| (open.app, uid(to)) == *user;
            if matches!(open.command, Command::Unicast { to, .. } if is_to_it(to)) {
                open.is_undisturbed = false;
            }
        }
    }
}
