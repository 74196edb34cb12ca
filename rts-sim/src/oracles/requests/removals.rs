//! Removed users are out, banned ones stay out, and nobody else is removed.

use std::collections::BTreeMap;
use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::limits::BAN_MIN;
use rts_proto::server::Report;
use rts_proto::{Instant, LeaveReason, LoginCode, LogoutReason, RoomKey, RoomState};
use rts_testkit::EngineIndex;

use super::super::{Violation, ensure};
use super::User;
use crate::model::Model;
use crate::names::{BACK_END, number_in};
use crate::payload;
use crate::peer_entry::PeerEntry;
use crate::plan::{Banned, Command};
use crate::swarm::APPS_REPORTED;
use crate::trace::{Answer, Call, Entry, Line, Phase};

/// A command without an answer may be carried out as late as this.
const LATE: Duration = Duration::from_secs(60);

/// A session that is asked for has moved by then, with all delays of the bus.
const MOVES: Duration = Duration::from_secs(3);

/// A command that removes users, and the time in which it does.
#[derive(Debug)]
struct Removal {
    app: usize,
    serial: u64,
    command: Command,
    from: Instant,
    /// Absent before the answer.
    until: Option<Instant>,
}

/// A ban that all nodes have.
#[derive(Debug)]
struct Ban {
    app: usize,
    whom: Banned,
    since: Instant,
    until: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Removals {
    all: Vec<Removal>,
    bans: Vec<Ban>,
    /// The last call of `joinRoom` of each room handle.
    joins: BTreeMap<(EngineIndex, RoomKey), Instant>,
    /// The latest possible time of issue of the token of a user's session.
    issued: BTreeMap<User, u32>,
    /// When a login last asked for a user. The user's session may move then, or end for that login.
    moving: BTreeMap<User, Instant>,
    /// Messages of users that are banned everywhere, and the end of these bans, by serial.
    gagged: BTreeMap<u64, (User, Instant)>,
}

impl Removals {
    pub(super) fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        let now = line.at;
        match &line.entry {
            Entry::Requested { app, serial, command, .. } => {
                self.requested(now, *app, *serial, *command);
            }
            Entry::Commanded { app, serial, command, answer } => {
                self.answered(model, now, *app, *serial, *command, answer)?;
            }
            Entry::Reported { app, report } => self.reported(model, now, *app, report)?,
            Entry::EntriesArrived { entries, .. } => {
                for entry in entries {
                    if let PeerEntry::Resume { app, uid } | PeerEntry::UserAsked { app, uid, .. } =
                        entry
                    {
                        self.moving.insert((*app, uid.clone()), now);
                    }
                }
            }
            Entry::Judged { app, uid, facts: Some(facts), code: LoginCode::Ok, .. } => {
                let issued = self.issued.entry((*app, uid.clone())).or_default();
                *issued = (*issued).max(facts.issued_at);
            }
            Entry::Call { who, call: Call::JoinRoom { key }, returned: 0 } => {
                self.joins.insert((*who, *key), now);
            }
            Entry::Call { who, call: Call::Send { serial, .. }, .. } => {
                let engine = &model.engines[*who];
                let user = engine.login.live().map(|uid| (engine.app, uid.to_owned()));
                let until = user.as_ref().and_then(|user| self.banned_until(user, now));
                self.gagged.extend(user.zip(until).map(|gagged| (*serial, gagged)));
            }
            Entry::Event { who, event } => self.event(model, now, *who, event)?,
            Entry::Restarted => {
                self.bans.clear();
                self.issued.clear();
            }
            Entry::Phase(Phase::Healing) => self.bans.clear(),
            _ => {}
        }
        Ok(())
    }

    fn requested(&mut self, now: Instant, app: usize, serial: u64, command: Command) {
        if let Command::Ban { whom, .. } = command {
            self.bans.retain(|ban| (ban.app, ban.whom) != (app, whom));
        }
        self.all.push(Removal { app, serial, command, from: now, until: None });
    }

    fn answered(
        &mut self,
        model: &Model,
        now: Instant,
        app: usize,
        serial: u64,
        command: Command,
        answer: &Answer,
    ) -> Result<(), Violation> {
        let lasts = match answer {
            Answer::Unanswered => LATE,
            _ => model.under_way_max,
        };
        let Some(removal) = self.all.iter_mut().find(|removal| removal.serial == serial) else {
            return Ok(());
        };
        removal.until = Some(now + lasts);
        let from = removal.from;
        match (command, answer) {
            (Command::Ban { whom, seconds: seconds @ 1.. }, Answer::Ended(_)) => {
                // A later one may have overtaken it in some shards.
                let is_disputed = self.all.iter().any(|other| {
                    let is_same = matches!(
                        other.command,
                        Command::Ban { whom: other, .. } if other == whom
                    );
                    let ended = other.until.is_some_and(|until| until < from);
                    other.serial != serial && other.app == app && is_same && !ended
                });
                if !is_disputed {
                    let until = from + lasting(whom, seconds);
                    self.bans.push(Ban { app, whom, since: now, until });
                }
                Ok(())
            }
            (Command::Revoke { .. }, Answer::Revoked { issued_before, .. }) => {
                self.revoked(model, now, app, command, *issued_before)
            }
            _ => Ok(()),
        }
    }

    /// Users with a token that is certainly older are out. A session that moves at that moment ends
    /// where it arrives.
    fn revoked(
        &self,
        model: &Model,
        now: Instant,
        app: usize,
        command: Command,
        issued_before: u32,
    ) -> Result<(), Violation> {
        let known = model.reported.get(&app).filter(|_| app < APPS_REPORTED);
        let online = known.into_iter().flat_map(|known| &known.online);
        let still_there = online.filter(|whose| {
            let is_meant = number_in(whose).is_some_and(|user| command.revokes(user));
            let user = (app, (*whose).clone());
            let issued = self.issued.get(&user);
            let moves = self.moving.get(&user).is_some_and(|asked| now < *asked + MOVES);
            let is_sure = !moves && known.is_some_and(|known| known.is_surely_online(whose));
            is_meant && is_sure && issued.is_some_and(|issued| *issued < issued_before)
        });
        let still_there: Vec<&String> = still_there.collect();
        ensure(still_there.is_empty() || model.loss_is_new, || {
            format!("§3.11: tokens of {still_there:?} of app {app} are revoked, and they stay")
        })
    }

    fn reported(
        &mut self,
        model: &Model,
        now: Instant,
        app: usize,
        report: &Report,
    ) -> Result<(), Violation> {
        match report {
            Report::MemberLeft { room, uid, reason: LeaveReason::Kicked } => {
                let place = number_in(room.as_str()).zip(number_in(uid.as_str()));
                let is_meant = self.at_work(now, app).any(|removal| {
                    place.is_some_and(|(room, user)| removal.command.removes(room, user))
                });
                ensure(is_meant, || {
                    format!("I27: {uid} was kicked out of {room}, and nobody wanted that")
                })
            }
            Report::UserOffline { uid, reason } => {
                self.issued.remove(&(app, uid.as_str().to_owned()));
                let is_meant = self.at_work(now, app).any(|removal| {
                    number_in(uid.as_str()).is_some_and(|user| removal.command.puts_out(user))
                });
                ensure(is_meant || *reason != LeaveReason::Kicked, || {
                    format!("I27: {uid} was put out, and nobody wanted that")
                })
            }
            Report::UserOnline { uid } => {
                let ban = self.in_force(now, app).find(|ban| {
                    let is_it = |user| ban.whom == Banned::Login(user);
                    number_in(uid.as_str()).is_some_and(is_it)
                });
                ensure(ban.is_none(), || {
                    format!("I27: at {now} {uid} logged in in spite of {ban:?}")
                })
            }
            Report::MemberJoined { room, uid, .. } => {
                let place = number_in(room.as_str()).zip(number_in(uid.as_str()));
                let ban = self.in_force(now, app).find(|ban| {
                    // A join may be under way when its user is put out.
                    let is_late = matches!(ban.whom, Banned::Login(_))
                        && now.since(ban.since) <= model.under_way_max;
                    !is_late && place.is_some_and(|(room, user)| ban.whom.covers(room, user))
                });
                ensure(ban.is_none(), || {
                    format!("I27: at {now} {uid} joined {room} in spite of {ban:?}")
                })
            }
            _ => Ok(()),
        }
    }

    fn at_work(&self, now: Instant, app: usize) -> impl Iterator<Item = &Removal> {
        let of_app = self.all.iter().rev().filter(move |removal| removal.app == app);
        of_app.filter(move |removal| removal.until.is_none_or(|until| until >= now))
    }

    fn in_force(&self, now: Instant, app: usize) -> impl Iterator<Item = &Ban> {
        self.bans.iter().filter(move |ban| ban.app == app && ban.until > now)
    }

    fn banned_until(&self, (app, uid): &User, now: Instant) -> Option<Instant> {
        let is_it = |user| number_in(uid) == Some(user);
        let in_force = self.in_force(now, *app);
        let of_user = in_force.filter(|ban| matches!(ban.whom, Banned::User(user) if is_it(user)));
        of_user.map(|ban| ban.until).max()
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
            Event::MessageReceived { from, payload } if from.as_str() != BACK_END => {
                let serial = payload::read(payload.as_bytes()).map(|(_, serial)| serial);
                let sender = serial.and_then(|serial| self.gagged.remove(&serial));
                // Not by a later ban, if the message came to the server between the two.
                let is_banned = sender.is_some_and(|(sender, until)| {
                    now < until && self.banned_until(&sender, now).is_some()
                });
                ensure(!is_banned, || {
                    format!("§5.3: {from} of app {} is banned everywhere, and was received", {
                        engine.app
                    })
                })
            }
            Event::Logout(LogoutReason::PutOut) => {
                let user = engine.login.live().and_then(number_in);
                let is_meant = self.all.iter().any(|removal| {
                    let puts_out = |user| removal.command.puts_out(user);
                    removal.app == engine.app && user.is_some_and(puts_out)
                });
                ensure(is_meant, || format!("I27: #{who} was put out, and nobody wanted that"))
            }
            Event::Room { key, room, event: RoomEvent::StateChanged { state, .. } } => {
                let own = engine.login.live().and_then(number_in);
                let Some(place) = number_in(room.as_str()).zip(own) else { return Ok(()) };
                let since = self.joins.get(&(who, *key)).copied().unwrap_or_default();
                ensure(self.is_out(engine.app, place, since, *state), || {
                    format!(
                        "I27: at {now} #{who} got {state:?} of {room}: nobody wanted that since {since}"
                    )
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether this user was removed from this room, or banned from it, since it called `joinRoom`.
    fn is_out(
        &self,
        app: usize,
        (room, user): (usize, usize),
        since: Instant,
        state: RoomState,
    ) -> bool {
        let of_app = || self.all.iter().rev().filter(|removal| removal.app == app);
        let removes = |is_kind: fn(&Command) -> bool| {
            of_app().any(|removal| {
                let lasted = removal.until.is_none_or(|until| until >= since);
                lasted && is_kind(&removal.command) && removal.command.removes(room, user)
            })
        };
        let is_banned = |is_kind: fn(&Banned) -> bool| {
            of_app().any(|removal| match removal.command {
                Command::Ban { whom, seconds: seconds @ 1.. } => {
                    let over = removal.until.map(|until| until + lasting(whom, seconds) + LATE);
                    let lasted = over.is_none_or(|over| over >= since);
                    lasted && is_kind(&whom) && whom.covers(room, user)
                }
                _ => false,
            })
        };
        match state {
            RoomState::Kicked => removes(|command| !matches!(command, Command::Dismiss { .. })),
            RoomState::Dismissed => removes(|command| matches!(command, Command::Dismiss { .. })),
            RoomState::RoomBanned => is_banned(|whom| matches!(whom, Banned::Room(_))),
            RoomState::UserBanned => is_banned(|whom| !matches!(whom, Banned::Room(_))),
            _ => true,
        }
    }
}

fn lasting(whom: Banned, seconds: u64) -> Duration {
    let shortest = match whom {
        Banned::Login(_) => Duration::ZERO,
        _ => BAN_MIN,
    };
    Duration::from_secs(seconds).max(shortest)
}
