//! Commands that end logins. A user that is put out stays out until it logs in. A revoked token
//! ends its session, and another token does not. A user that is banned everywhere reaches nobody
//! (§3.10, §3.11, §5.3).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::client::Event;
use rts_proto::limits::{BAN_MIN, SESSION_GRACE};
use rts_proto::server::Report;
use rts_proto::{Instant, LoginCode};

use super::{Oracle, Violation, ensure};
use crate::engine::Login;
use crate::model::Model;
use crate::names::{BACK_END, uid};
use crate::payload;
use crate::plan::{Banned, Command};
use crate::swarm::APPS_REPORTED;
use crate::trace::{Answer, Call, Entry, Line};

/// A session that still exists this long after its login was accepted has received frames since, so
/// its client knows of it.
const LOGIN_KNOWN_AFTER: Duration = Duration::from_secs(36);

/// A user of an app.
type User = (usize, String);

#[derive(Debug, Default)]
pub(super) struct PutOut {
    /// Users that were put out while all their engines believed to be logged in, and did not log in
    /// since.
    out: BTreeMap<User, Instant>,
    /// The last accepted login of each user. Its client may not have received the answer before a
    /// session of the user ended.
    judged: BTreeMap<User, Instant>,
    /// The earliest and latest possible time of issue of the token of a user's session.
    issued: BTreeMap<User, (u32, u32)>,
    /// Users whose sessions a revocation must have ended, and whose report is still to come.
    due: BTreeSet<User>,
    /// The end of each user's ban from everywhere.
    banned: BTreeMap<User, Instant>,
    /// Messages of those users, and the end of their bans, by serial.
    gagged: BTreeMap<u64, (User, Instant)>,
}

impl Oracle for PutOut {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Commanded { app, command, answer, .. } => {
                self.nothing_is_due()?;
                self.commanded(model, line.at, *app, *command, answer)?;
            }
            Entry::Gauges { .. } => self.nothing_is_due()?,
            Entry::Reported { app, report } => self.reported(line.at, *app, report)?,
            Entry::Judged { app, uid, facts: Some(facts), code: LoginCode::Ok, .. } => {
                self.judged.insert((*app, uid.clone()), line.at);
                let at = facts.issued_at;
                let issued = self.issued.entry((*app, uid.clone())).or_insert((at, at));
                *issued = (issued.0.min(at), issued.1.max(at));
            }
            Entry::Call { who, call, .. } => self.called(model, line.at, *who, call),
            Entry::Event { who, event: Event::MessageReceived { from, payload } }
                if from.as_str() != BACK_END =>
            {
                let app = model.engines[*who].app;
                let serial = payload::read(payload.as_bytes()).map(|(_, serial)| serial);
                let sender = serial.and_then(|serial| self.gagged.remove(&serial));
                // Not by a later ban, if the message came to the server between the two.
                let is_banned = sender.is_some_and(|(sender, until)| {
                    line.at < until && self.banned_until(&sender, line.at).is_some()
                });
                ensure(!is_banned, || {
                    format!("§5.3: {from} of app {app} is banned everywhere, and was received")
                })?;
            }
            Entry::Restarted => *self = Self::default(),
            _ => {}
        }
        Ok(())
    }
}

impl PutOut {
    fn banned_until(&self, user: &User, now: Instant) -> Option<Instant> {
        self.banned.get(user).copied().filter(|until| *until > now)
    }

    fn called(&mut self, model: &Model, now: Instant, who: usize, call: &Call) {
        let engine = &model.engines[who];
        match call {
            Call::Login { uid, .. } => drop(self.out.remove(&(engine.app, uid.clone()))),
            Call::Refresh => {
                if let Login::Rejected(uid) | Login::LoggingIn(uid) = &engine.login {
                    self.out.remove(&(engine.app, uid.clone()));
                }
            }
            Call::Send { serial, .. } => {
                let user = engine.login.live().map(|uid| (engine.app, uid.to_owned()));
                let until = user.as_ref().and_then(|user| self.banned_until(user, now));
                self.gagged.extend(user.zip(until).map(|gagged| (*serial, gagged)));
            }
            _ => {}
        }
    }

    fn commanded(
        &mut self,
        model: &Model,
        now: Instant,
        app: usize,
        command: Command,
        answer: &Answer,
    ) -> Result<(), Violation> {
        match (command, answer) {
            (Command::Revoke { .. }, Answer::Revoked { issued_before, ended }) => {
                self.revoked(model, app, command, *issued_before, *ended)
            }
            (Command::Disconnect { user }, Answer::Ended(1)) => {
                let is_settled = model.engines.iter().all(|engine| match &engine.login {
                    Login::LoggingIn(asked) | Login::Rejected(asked) => {
                        engine.app != app || *asked != uid(user)
                    }
                    Login::LoggedIn(_) | Login::Idle => true,
                });
                let judged = self.judged.get(&(app, uid(user)));
                let is_known = judged.is_none_or(|at| now.since(*at) > LOGIN_KNOWN_AFTER);
                if is_settled && is_known {
                    self.out.insert((app, uid(user)), now);
                }
                Ok(())
            }
            (Command::Ban { whom: Banned::User(user), seconds }, Answer::Ended(_)) => {
                let until = now + Duration::from_secs(seconds).max(BAN_MIN);
                match seconds {
                    0 => drop(self.banned.remove(&(app, uid(user)))),
                    _ => drop(self.banned.insert((app, uid(user)), until)),
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Users with a token that is certainly older are out, and users with a token that is certainly
    /// newer stay.
    fn revoked(
        &mut self,
        model: &Model,
        app: usize,
        command: Command,
        issued_before: u32,
        ended: usize,
    ) -> Result<(), Violation> {
        let Some(known) = model.reported.get(&app).filter(|_| app < APPS_REPORTED) else {
            return Ok(());
        };
        let meant = |whose: &&String| {
            let number = whose.strip_prefix("user-").and_then(|number| number.parse().ok());
            match number {
                Some(number) => command.revokes(number),
                // A peer of the module `attack`, whose token is not in the trace.
                None => command == Command::Revoke { user: None },
            }
        };
        let (mut certain, mut possible) = (BTreeSet::new(), 0);
        for whose in known.online.iter().filter(meant) {
            let user = (app, whose.clone());
            let (first, last) = self.issued.get(&user).copied().unwrap_or((0, u32::MAX));
            possible += usize::from(first < issued_before);
            if last < issued_before {
                certain.insert(user);
            }
        }
        ensure((certain.len()..=possible).contains(&ended), || {
            format!(
                "§3.11: {ended} sessions of app {app} ended for {command:?} before {issued_before}: at least {certain:?}, at most {possible}"
            )
        })?;
        self.due = certain;
        Ok(())
    }

    fn reported(&mut self, now: Instant, app: usize, report: &Report) -> Result<(), Violation> {
        match report {
            Report::UserOffline { uid, .. } => {
                let user = (app, uid.as_str().to_owned());
                self.issued.remove(&user);
                self.due.remove(&user);
                Ok(())
            }
            Report::UserOnline { uid } => {
                let since = self.out.remove(&(app, uid.as_str().to_owned()));
                // For this long the client can ask to resume the session, and learns that the user
                // is put out.
                let is_back = since.is_some_and(|since| now.since(since) < SESSION_GRACE);
                ensure(!is_back, || {
                    format!(
                        "§3.10: {uid} of app {app} was put out at {since:?}, and came back by itself"
                    )
                })
            }
            _ => Ok(()),
        }
    }

    fn nothing_is_due(&self) -> Result<(), Violation> {
        ensure(self.due.is_empty(), || {
            format!("§3.11: tokens of {:?} are revoked, and their sessions go on", self.due)
        })
    }
}
