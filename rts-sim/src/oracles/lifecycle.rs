//! Logins and connections: who may log in, and which events follow (I1 to I8).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::{ConnectionState, Instant, LoginCode, LogoutReason, ServerParamsCode};
use rts_testkit::EngineIndex;

use super::{Oracle, Violation, ensure};
use crate::engine::Login;
use crate::model::Model;
use crate::plan::{Command, Step};
use crate::trace::{Answer, Call, Entry, Line, Phase, TokenFacts};

/// From state 4 to state 1, and from there to state 6.
const TO_DISCONNECTED: Duration = Duration::from_secs(2);
const TO_LOST: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    /// The number of rotations of each app's key, and whether the previous key is valid.
    keys: BTreeMap<usize, (u64, bool)>,
    /// The logins that the server accepted, by app and user, and the time of the last.
    accepted: BTreeMap<(usize, String), Instant>,
    last_state: BTreeMap<EngineIndex, Instant>,
    login_since: BTreeMap<EngineIndex, Instant>,
    is_connected_before: BTreeMap<EngineIndex, bool>,
    /// The time until which each engine was logging in, and its user.
    logging_in_until: BTreeMap<EngineIndex, (usize, String, Instant)>,
    /// The attempts to connect of each engine that is logging in.
    dials: BTreeMap<EngineIndex, u32>,
    /// Users with a login that was given up in transit. It may still arrive at any time.
    may_be_late: BTreeSet<(usize, String)>,
    /// The time of each engine's call of `login`.
    called_since: BTreeMap<EngineIndex, Instant>,
    /// For an app, or one of its users: tokens issued before this second are revoked.
    revoked: BTreeMap<(usize, Option<usize>), u32>,
    /// Whether a wall clock, which claims are made from, went back.
    claims_fell: bool,
}

impl Oracle for Lifecycle {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Fault(
                Step::WallJump { seconds: ..0 } | Step::NodeWallJump { seconds: ..0, .. },
            ) => {
                self.claims_fell = true;
                Ok(())
            }
            Entry::Fault(Step::RotateKey { app, keep_previous }) => {
                let (times, is_previous_good) = self.keys.entry(*app).or_default();
                *times += 1;
                *is_previous_good = *keep_previous;
                Ok(())
            }
            Entry::Commanded {
                app,
                command: Command::Revoke { user },
                answer: Answer::Revoked { issued_before, .. },
                ..
            }
            | Entry::Requested { app, command: Command::Revoke { user }, issued_before, .. } => {
                let before = self.revoked.entry((*app, *user)).or_default();
                *before = (*before).max(*issued_before);
                Ok(())
            }
            Entry::Phase(Phase::Healing) => {
                self.revoked.clear();
                Ok(())
            }
            Entry::Call { who, call, returned } => {
                self.called(model, line.at, *who, call, *returned)
            }
            Entry::Event { who, event } => self.event(model, line.at, *who, event),
            Entry::Dialled { who } => {
                self.dialled(model, *who);
                Ok(())
            }
            Entry::Judged { app, uid, facts, wall, code } => {
                if *code == LoginCode::Ok {
                    self.accepted.insert((*app, uid.clone()), line.at);
                }
                self.judged(*app, uid, *facts, *wall, *code)
            }
            Entry::Phase(Phase::Healed) => all_are_online(model),
            Entry::Phase(Phase::Asked) => one_login_each(model),
            _ => Ok(()),
        }
    }
}

impl Lifecycle {
    /// A first login has no claim to order it, so a login on a link that was given up may win.
    fn dialled(&mut self, model: &Model, who: EngineIndex) {
        let engine = &model.engines[who];
        if let Login::LoggingIn(uid) = &engine.login {
            let dials = self.dials.entry(who).or_default();
            *dials += 1;
            if *dials > 1 {
                self.may_be_late.insert((engine.app, uid.clone()));
            }
        }
    }

    fn called(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
        call: &Call,
        returned: i64,
    ) -> Result<(), Violation> {
        let engine = &model.engines[who];
        match call {
            Call::Login { uid, token_is_empty } => {
                let is_busy = matches!(engine.login, Login::LoggingIn(_) | Login::LoggedIn(_));
                let is_bad = *token_is_empty || rts_proto::UserId::new(uid).is_err();
                let wanted = match (engine.is_destroyed, is_bad, is_busy) {
                    (true, ..) => -3,
                    (false, true, _) => -1,
                    (false, false, true) => -2,
                    (false, false, false) => 0,
                };
                if returned == 0 {
                    self.login_since.insert(who, now);
                    self.called_since.insert(who, now);
                    self.is_connected_before.insert(who, false);
                }
                ensure(returned == wanted, || {
                    format!("I1: login of #{who} returned {returned}, {wanted} is right")
                })
            }
            Call::Refresh => {
                if matches!(engine.login, Login::Rejected(_)) {
                    self.login_since.insert(who, now);
                    self.is_connected_before.insert(who, false);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// I3, I5: the verdict follows from the facts about the token.
    fn judged(
        &self,
        app: usize,
        uid: &str,
        facts: Option<TokenFacts>,
        wall: u64,
        code: LoginCode,
    ) -> Result<(), Violation> {
        let (key, is_previous_good) = self.keys.get(&app).copied().unwrap_or_default();
        let is_good = facts.is_some_and(|facts| {
            let is_signed = facts.key == key || (facts.key + 1 == key && is_previous_good);
            !facts.is_damaged
                && is_signed
                && facts.app == app
                && format!("user-{}", facts.user) == uid
                && (facts.expire_at == 0 || wall <= facts.expire_at)
                && !self.is_revoked(facts)
        });
        match code {
            LoginCode::Ok | LoginCode::InvalidToken => {
                ensure(is_good == (code == LoginCode::Ok), || {
                    format!("I3: {facts:?} of {uid} at {wall} was judged {code:?} with key {key}")
                })
            }
            // The server refused for another reason, before it checked the token.
            LoginCode::Unknown | LoginCode::BadUserId | LoginCode::ServerError => Ok(()),
        }
    }

    fn is_revoked(&self, facts: TokenFacts) -> bool {
        [None, Some(facts.user)].into_iter().any(|user| {
            let before = self.revoked.get(&(facts.app, user));
            before.is_some_and(|before| facts.issued_at < *before)
        })
    }

    fn event(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
        event: &Event,
    ) -> Result<(), Violation> {
        let engine = &model.engines[who];
        ensure(!engine.is_destroyed, || {
            format!("I8: #{who} is destroyed, and calls back {event:?}")
        })?;
        if matches!(engine.login, Login::Idle) {
            nothing_but_answers(who, event)?;
        }
        if let (Login::LoggingIn(uid), Event::LoginResult { .. } | Event::Logout(_)) =
            (&engine.login, event)
        {
            self.logging_in_until.insert(who, (engine.app, uid.clone(), now));
            self.dials.remove(&who);
            if !matches!(event, Event::LoginResult { code: LoginCode::Ok, .. }) {
                self.may_be_late.insert((engine.app, uid.clone()));
            }
        }
        match event {
            Event::LoginResult { uid, code, .. } => {
                let wanted = match &engine.login {
                    Login::LoggingIn(asked) => Some(asked),
                    // A live login that could not be continued.
                    Login::LoggedIn(live) if *code != LoginCode::Ok => Some(live),
                    _ => None,
                };
                ensure(wanted.is_some_and(|wanted| wanted == uid.as_str()), || {
                    format!("I2: #{who} got {code:?} for {uid}, and is {:?}", engine.login)
                })?;
                if *code != LoginCode::Ok {
                    return Ok(());
                }
                let since = self.login_since.get(&who).copied().unwrap_or_default();
                let accepted = self.accepted.get(&(engine.app, uid.as_str().to_owned()));
                ensure(accepted.is_some_and(|at| *at >= since), || {
                    format!(
                        "I3: #{who} is logged in, and no token of {uid} was accepted since {since}"
                    )
                })
            }
            Event::Logout(reason) => {
                ensure(matches!(engine.login, Login::LoggedIn(_) | Login::LoggingIn(_)), || {
                    format!("I7: #{who} got {reason:?}, and is {:?}", engine.login)
                })?;
                match (reason, &engine.login) {
                    (LogoutReason::Displaced, Login::LoggedIn(uid)) => {
                        self.displaced(model, who, engine.app, uid)
                    }
                    _ => Ok(()),
                }
            }
            Event::ConnectionStateChanged(state) => {
                ensure(!model.is_healed(), || {
                    format!("I43: with nothing wrong #{who} got {state:?}")
                })?;
                let before = engine.connection;
                let since = self.last_state.insert(who, now);
                self.state_changed(model, now, who, before, since, *state)
            }
            Event::Warning { message, .. } => {
                Err(format!("#{who} was warned, and nothing calls for it: {message}"))
            }
            _ => Ok(()),
        }
    }

    /// I6: the newest login wins, so a login is displaced only by one that began later.
    fn displaced(
        &self,
        model: &Model,
        who: EngineIndex,
        app: usize,
        uid: &str,
    ) -> Result<(), Violation> {
        let since = self.called_since.get(&who).copied().unwrap_or_default();
        let is_now = model.engines.iter().enumerate().any(|(other, engine)| {
            let is_logging_in = matches!(&engine.login, Login::LoggingIn(asked) if asked == uid);
            other != who && engine.app == app && is_logging_in
        });
        let was_later = self.logging_in_until.iter().any(|(other, (other_app, asked, until))| {
            *other != who && *other_app == app && asked == uid && *until >= since
        });
        let is_late = self.may_be_late.contains(&(app, uid.to_owned()));
        ensure(is_now || was_later || is_late || self.claims_fell, || {
            format!("I6: #{who} gave way as {uid}, and nobody logged in after it did at {since}")
        })
    }

    fn state_changed(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
        before: Option<ConnectionState>,
        since: Option<Instant>,
        state: ConnectionState,
    ) -> Result<(), Violation> {
        use ConnectionState::{
            Connected, Connecting, Disconnected, Failed, Lost, Reconnected, Reconnecting,
        };
        let connected = self.is_connected_before.entry(who).or_default();
        let holds = match (before, state) {
            (_, Connecting | Failed) => true,
            (Some(Connecting | Reconnecting | Disconnected | Lost), Connected) => !*connected,
            (Some(Reconnecting | Disconnected | Lost), Reconnected) => *connected,
            (Some(Connecting | Connected | Reconnected), Reconnecting) => true,
            (Some(Reconnecting), Disconnected) => true,
            (Some(Disconnected), Lost) => true,
            _ => false,
        };
        *connected |= state == Connected;
        ensure(holds, || format!("#{who} got {state:?} after {before:?}"))?;
        let exactly = match state {
            Disconnected => TO_DISCONNECTED,
            Lost => TO_LOST,
            _ => return Ok(()),
        };
        let engine = &model.engines[who];
        let since = since.unwrap_or_default();
        let was_frozen = engine.is_frozen || engine.last_thaw >= since;
        ensure(was_frozen || now.since(since) == exactly, || {
            format!("#{who} got {state:?} {:?} after {before:?}", now.since(since))
        })
    }
}

/// I7: after the end of a login, only results of calls are called back.
fn nothing_but_answers(who: EngineIndex, event: &Event) -> Result<(), Violation> {
    let is_answer = match event {
        Event::MessageSendResult { .. }
        | Event::PeerOnlineStatus { .. }
        | Event::ServerMessageSendResult { .. }
        | Event::CreateRoomFailed { .. }
        | Event::ServerParamsSetResult(ServerParamsCode::NotLoggedIn)
        | Event::Warning { .. } => true,
        Event::Room { event, .. } => matches!(
            event,
            RoomEvent::MessageSendResult { .. } | RoomEvent::StateChanged { uid: None, .. }
        ),
        Event::ConnectionStateChanged(_)
        | Event::LoginResult { .. }
        | Event::Logout(_)
        | Event::ServerParamsSetResult(_)
        | Event::MessageReceived { .. } => false,
    };
    ensure(is_answer, || format!("I7: #{who} is not logged in, and calls back {event:?}"))
}

/// I43: each engine that is to be logged in is online.
fn all_are_online(model: &Model) -> Result<(), Violation> {
    for (who, engine) in model.engines.iter().enumerate() {
        let holds = match &engine.login {
            Login::Idle => true,
            Login::LoggedIn(_) => engine.is_up(),
            Login::LoggingIn(_) | Login::Rejected(_) => false,
        };
        ensure(holds, || {
            format!(
                "I43: 30 s after the faults #{who} is {:?} and {:?}",
                engine.login, engine.connection
            )
        })?;
    }
    Ok(())
}

/// I6: of several logins of one user, one is left.
fn one_login_each(model: &Model) -> Result<(), Violation> {
    let mut owners = BTreeMap::new();
    for (who, engine) in model.engines.iter().enumerate() {
        let Some(uid) = engine.login.live() else { continue };
        if let Some(other) = owners.insert((engine.app, uid), who) {
            return Err(format!("I6: #{other} and #{who} are both {uid}"));
        }
    }
    Ok(())
}
