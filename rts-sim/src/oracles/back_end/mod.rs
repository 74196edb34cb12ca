//! Commands of back ends: their answers are true, their messages arrive once and in order, and
//! removed users are out (I14 to I17, I27).

mod answers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::limits::BAN_MIN;
use rts_proto::server::Report;
use rts_proto::{Instant, LeaveReason, LoginCode, LogoutReason, Payload, RoomKey, RoomState};
use rts_testkit::EngineIndex;

use super::{Oracle, Violation, ensure, own_serial};
use crate::engine::Login;
use crate::model::Model;
use crate::names::{BACK_END, number_in, uid};
use crate::payload;
use crate::plan::{Banned, Command};
use crate::swarm::APPS_REPORTED;
use crate::trace::{Answer, Call, Entry, Line, Phase};

/// A message to a user.
#[derive(Debug)]
struct Message {
    app: usize,
    to: String,
    bytes: usize,
    is_binary: bool,
    is_received: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ban {
    app: usize,
    whom: Banned,
    until: Instant,
}

/// A membership that is to end by this moment.
#[derive(Debug)]
struct Leaving {
    app: usize,
    room: String,
    uid: String,
    by: Instant,
}

#[derive(Debug, Default)]
pub(super) struct BackEnd {
    messages: BTreeMap<u64, Message>,
    /// The messages that a user's session must still receive, unless the session ends.
    expected: BTreeMap<(usize, String), BTreeSet<u64>>,
    /// The newest message that each login of each engine received.
    newest: BTreeMap<(EngineIndex, u64), u64>,
    /// Every ban of the run. A ban ends early when it is lifted or when its server ends.
    bans: Vec<Ban>,
    /// Every command that removes users.
    removals: Vec<(Instant, usize, Command)>,
    /// The last call of `joinRoom` of each room handle.
    joins: BTreeMap<(EngineIndex, RoomKey), Instant>,
    /// The number of removals by the last command that are not reported yet.
    kicks_due: usize,
    /// Memberships of users who were put out, which end when entries reach the shards of the rooms.
    leaving: Vec<Leaving>,
}

impl Oracle for BackEnd {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Commanded { app, serial, command, answer } => {
                answers::is_true(model, *app, *command, answer)?;
                self.commanded(model, line.at, *app, *serial, *command, answer)
            }
            Entry::Reported { app, report } => self.reported(model, line.at, *app, report),
            Entry::Event { who, event } => self.event(model, line.at, *who, event),
            Entry::Call { who, call, returned } => {
                match call {
                    Call::JoinRoom { key } if *returned == 0 => {
                        self.joins.insert((*who, *key), line.at);
                    }
                    Call::Logout | Call::Destroy => self.session_ends(model, *who),
                    _ => {}
                }
                Ok(())
            }
            // A new session: messages that the previous one had not received are lost.
            Entry::Judged { app, uid, code: LoginCode::Ok, .. } => {
                self.expected.remove(&(*app, uid.clone()));
                Ok(())
            }
            Entry::Restarted => {
                self.expected.clear();
                self.leaving.clear();
                for ban in &mut self.bans {
                    ban.until = ban.until.min(line.at);
                }
                Ok(())
            }
            Entry::Gauges { .. } => {
                let late = self.leaving.iter().find(|leaving| leaving.by < line.at);
                ensure(late.is_none(), || format!("I27: was put out and is still in: {late:?}"))?;
                ensure(self.kicks_due == 0, || {
                    format!("I27: {} more are out than was reported", self.kicks_due)
                })
            }
            Entry::Phase(Phase::Asked) => {
                let missed = self.expected.iter().find(|(_, serials)| !serials.is_empty());
                ensure(missed.is_none(), || format!("I14: never received: {missed:?}"))
            }
            _ => Ok(()),
        }
    }
}

impl BackEnd {
    fn commanded(
        &mut self,
        model: &Model,
        now: Instant,
        app: usize,
        serial: u64,
        command: Command,
        answer: &Answer,
    ) -> Result<(), Violation> {
        ensure(self.kicks_due == 0, || {
            format!("I27: {} more are out than was reported", self.kicks_due)
        })?;
        match (command, answer) {
            (Command::Unicast { to, bytes, is_binary }, Answer::Queued(1)) => {
                // The session may belong to an engine that is gone without a logout.
                let is_there = model.live(app).any(|(_, live)| live == uid(to));
                if is_there && bytes >= payload::MARKED_BYTES_MIN {
                    self.expected.entry((app, uid(to))).or_default().insert(serial);
                }
                let message = Message { app, to: uid(to), bytes, is_binary, is_received: false };
                self.messages.insert(serial, message);
            }
            (_, Answer::Ended(count)) => {
                self.removals.push((now, app, command));
                let kicks = match command {
                    Command::Disconnect { user }
                    | Command::Ban { whom: Banned::Login(user), seconds: 1.. } => {
                        let (uid, by) = (uid(user), now + model.under_way_max);
                        let rooms = rooms_of(model, app, &uid);
                        let leaving = |room| Leaving { app, room, uid: uid.clone(), by };
                        self.leaving.extend(rooms.into_iter().map(leaving));
                        0
                    }
                    _ => *count,
                };
                self.kicks_due = if app < APPS_REPORTED { kicks } else { 0 };
                if !model.has_mailboxes {
                    self.kicks_due += self.leaving.drain(..).count();
                }
            }
            _ => {}
        }
        if let (Command::Ban { whom, seconds }, Answer::Ended(_)) = (command, answer) {
            for ban in self.bans.iter_mut().filter(|ban| (ban.app, ban.whom) == (app, whom)) {
                ban.until = ban.until.min(now);
            }
            if seconds > 0 {
                let shortest = match whom {
                    Banned::Login(_) => Duration::ZERO,
                    _ => BAN_MIN,
                };
                let until = now + Duration::from_secs(seconds).max(shortest);
                self.bans.push(Ban { app, whom, until });
            }
        }
        Ok(())
    }

    fn reported(
        &mut self,
        model: &Model,
        now: Instant,
        app: usize,
        report: &Report,
    ) -> Result<(), Violation> {
        match report {
            Report::MemberLeft { room, uid, reason } => {
                let was_leaving = self.take_leaving(app, room.as_str(), uid.as_str());
                if *reason != LeaveReason::Kicked {
                    return Ok(());
                }
                let place = number_in(room.as_str()).zip(number_in(uid.as_str()));
                let is_meant = self.removals.last().is_some_and(|(at, of, command)| {
                    (*at, *of) == (now, app)
                        && place.is_some_and(|(room, user)| command.removes(room, user))
                });
                // The last command removes it, also if an earlier one is under way to the room.
                if is_meant && self.kicks_due > 0 {
                    self.kicks_due -= 1;
                    return Ok(());
                }
                let has_crossed = model.has_mailboxes && self.has_crossed(model, now, app, place);
                ensure(was_leaving || has_crossed, || {
                    format!("I27: {uid} was kicked out of {room}, and nobody wanted that")
                })
            }
            Report::UserOffline { uid, reason: LeaveReason::Kicked } => {
                let is_meant = self.removals.last().is_some_and(|(at, of, command)| {
                    let user = number_in(uid.as_str());
                    (*at, *of) == (now, app) && user.is_some_and(|user| command.puts_out(user))
                });
                ensure(is_meant, || format!("I27: {uid} was put out, and nobody wanted that"))
            }
            Report::UserOnline { uid } => {
                let ban = self.bans.iter().find(|ban| {
                    let is_it = |user| ban.whom == Banned::Login(user);
                    ban.app == app && number_in(uid.as_str()).is_some_and(is_it) && ban.until > now
                });
                ensure(ban.is_none(), || {
                    format!("I27: at {now} {uid} logged in in spite of {ban:?}")
                })
            }
            Report::MemberJoined { room, uid, .. } => {
                let place = number_in(room.as_str()).zip(number_in(uid.as_str()));
                let has_crossed = model.has_mailboxes && self.has_crossed(model, now, app, place);
                let ban = self.bans.iter().find(|ban| {
                    let covers = place.is_some_and(|(room, user)| ban.whom.covers(room, user));
                    let is_late = has_crossed && matches!(ban.whom, Banned::Login(_));
                    ban.app == app && covers && ban.until > now && !is_late
                });
                ensure(ban.is_none(), || {
                    format!("I27: at {now} {uid} joined {room} in spite of {ban:?}")
                })
            }
            _ => Ok(()),
        }
    }

    /// A membership has ended. Returns whether it was to end, because its user was put out.
    fn take_leaving(&mut self, app: usize, room: &str, uid: &str) -> bool {
        let before = self.leaving.len();
        // Two commands may have put the user out while the first one was under way to the room.
        self.leaving
            .retain(|leaving| (leaving.app, &*leaving.room, &*leaving.uid) != (app, room, uid));
        self.leaving.len() < before
    }

    /// Whether the user was put out while its join was under way to the room's shard.
    fn has_crossed(
        &self,
        model: &Model,
        now: Instant,
        app: usize,
        place: Option<(usize, usize)>,
    ) -> bool {
        let under_way_max = model.under_way_max;
        let Some((_, user)) = place else { return false };
        let recent = self.removals.iter().rev();
        recent
            .take_while(|(at, ..)| now.since(*at) <= under_way_max)
            .any(|(_, of, command)| *of == app && command.puts_out(user))
    }

    fn event(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
        event: &Event,
    ) -> Result<(), Violation> {
        let engine = &model.engines[who];
        match event {
            Event::MessageReceived { from, payload } if from.as_str() == BACK_END => {
                self.received(model, who, payload)
            }
            Event::Logout(LogoutReason::PutOut) => {
                self.session_ends(model, who);
                let user = engine.login.live().and_then(number_in);
                let is_meant = self.removals.iter().any(|(_, of, command)| {
                    *of == engine.app && user.is_some_and(|user| command.puts_out(user))
                });
                ensure(is_meant, || format!("I27: #{who} was put out, and nobody wanted that"))
            }
            Event::Logout(_) | Event::LoginResult { .. } => {
                self.session_ends(model, who);
                Ok(())
            }
            Event::Room { key, room, event: RoomEvent::StateChanged { state, .. } } => {
                let own = engine.login.live().and_then(number_in);
                let Some((room, user)) = number_in(room.as_str()).zip(own) else { return Ok(()) };
                let since = self.joins.get(&(who, *key)).copied().unwrap_or_default();
                self.is_out(engine.app, room, user, since, *state).map_err(|why| {
                    format!("I27: at {now} #{who} got {state:?} of room {room}: {why}")
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether this user was removed from this room, or banned from it, since it called `joinRoom`.
    fn is_out(
        &self,
        app: usize,
        room: usize,
        user: usize,
        since: Instant,
        state: RoomState,
    ) -> Result<(), Violation> {
        let removes = |is_kind: fn(&Command) -> bool| {
            self.removals.iter().rev().take_while(|(at, ..)| *at >= since).any(
                |(_, of, command)| *of == app && is_kind(command) && command.removes(room, user),
            )
        };
        let is_banned = |is_kind: fn(&Banned) -> bool| {
            self.bans.iter().any(|ban| {
                let covers = ban.whom.covers(room, user);
                ban.app == app && covers && is_kind(&ban.whom) && ban.until >= since
            })
        };
        let holds = match state {
            RoomState::Kicked => removes(|command| !matches!(command, Command::Dismiss { .. })),
            RoomState::Dismissed => removes(|command| matches!(command, Command::Dismiss { .. })),
            RoomState::RoomBanned => is_banned(|whom| matches!(whom, Banned::Room(_))),
            RoomState::UserBanned => is_banned(|whom| !matches!(whom, Banned::Room(_))),
            _ => true,
        };
        ensure(holds, || format!("nobody wanted that since {since}"))
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
        let newest = self.newest.entry((who, engine.epoch)).or_default();
        ensure(*newest < serial, || {
            format!("I17: #{who} received {serial} of its back end after {newest}")
        })?;
        *newest = serial;
        Ok(())
    }

    fn session_ends(&mut self, model: &Model, who: EngineIndex) {
        let engine = &model.engines[who];
        if let Login::LoggedIn(uid) | Login::LoggingIn(uid) | Login::Rejected(uid) = &engine.login {
            self.expected.remove(&(engine.app, uid.clone()));
        }
    }
}

/// The rooms that the user is in, by the back end's reports.
fn rooms_of(model: &Model, app: usize, uid: &str) -> Vec<String> {
    let rooms = model.reported.get(&app).into_iter().flat_map(|known| &known.rooms);
    let joined = rooms.filter(|(_, members)| members.contains(uid));
    joined.map(|(room, _)| room.clone()).collect()
}
