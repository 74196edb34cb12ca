//! Recognises situations in the trace.

mod app_server;
mod back_end;
mod closings;
mod moves;
mod rooms;
mod shards;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use rts_proto::client::Event;
use rts_proto::limits::{PAYLOAD_BYTES_MAX, SESSION_GRACE};
use rts_proto::{
    ConnectionState, Instant, LoginCode, LogoutReason, MessageConfig, OnlineStatus, SendCode,
};
use rts_testkit::{EngineIndex, Side};

use app_server::AppServer;
use back_end::BackEnd;
use moves::Moves;
use shards::Shards;
use waiting::Waiting;

use super::engine::{Engine, Login, RoomPhase};
use super::model::Model;
use super::newer::Unknown;
use super::payload;
use super::plan::Step;
use super::situations::{Situation, Situations};
use super::trace::{Call, Entry, Line, TokenFacts};

const SLOW: Duration = Duration::from_secs(5);
/// The size of a crowd, and the time in which it reconnects.
const MANY: usize = 100;
const MANY_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Sent {
    at: Instant,
    serial: u64,
    to: String,
    config: MessageConfig,
}

#[derive(Debug, Default)]
pub(crate) struct Spotter {
    pub(crate) counts: Situations,
    open: BTreeMap<(EngineIndex, u64), Sent>,
    /// The time of each message, until it is received.
    sent_at: BTreeMap<u64, Instant>,
    received: BTreeMap<u64, Instant>,
    timed_out: BTreeMap<u64, ()>,
    dialled: BTreeMap<EngineIndex, Instant>,
    keys: BTreeMap<usize, u64>,
    frozen_since: BTreeMap<EngineIndex, Instant>,
    /// The call that is being made.
    inside: Option<Situation>,
    last_call: Option<(EngineIndex, Instant, Call)>,
    app_server: AppServer,
    back_end: BackEnd,
    waiting: Waiting,
    shards: Shards,
    moves: Moves,
    /// The times of the last seconds at which engines reported that they are connected again.
    returned: Vec<Instant>,
}

impl Spotter {
    fn met(&mut self, situation: Situation) {
        self.counts.met(situation);
    }

    pub(crate) fn see(&mut self, model: &Model, line: &Line) {
        self.see_app_server(model, line);
        self.see_back_end(model, line);
        self.see_waiting(model, line);
        self.see_shards(model, line);
        self.see_moves(line);
        match &line.entry {
            Entry::Call { who, call, returned } => {
                self.called(&model.engines[*who], line.at, *who, call, *returned);
            }
            Entry::Returned { .. } => self.inside = None,
            Entry::Event { who, event } => self.event(model, line.at, *who, event),
            Entry::Judged { app, facts, wall, code, .. } => {
                self.judged(*app, *facts, *wall, *code);
            }
            Entry::Closed { code: Some(code), .. } => self.closed(*code),
            Entry::Dialled { who } => drop(self.dialled.insert(*who, line.at)),
            Entry::Frozen { who, on: true } => drop(self.frozen_since.insert(*who, line.at)),
            Entry::Frozen { who, on: false } => {
                let since = self.frozen_since.remove(who);
                if since.is_some_and(|since| line.at.since(since) > SESSION_GRACE) {
                    self.met(Situation::FrozenBeyondGrace);
                }
            }
            Entry::Unknown { at, what } => self.met(match (at, what) {
                (Side::Client, Unknown::Field) => Situation::UnknownFieldAtEngine,
                (Side::Client, Unknown::Kind) => Situation::UnknownKindAtEngine,
                (Side::Server, Unknown::Field) => Situation::UnknownFieldAtServer,
                (Side::Server, Unknown::Kind) => Situation::UnknownKindAtServer,
            }),
            Entry::Fault(step @ (Step::Crash | Step::CutAll)) => {
                if *step == Step::Crash && !self.open.is_empty() {
                    self.met(Situation::CrashWithOpenSends);
                }
                if model.engines.iter().filter(|engine| engine.is_up()).count() >= MANY {
                    self.met(Situation::HundredCutOff);
                }
            }
            Entry::Fault(Step::RotateKey { app, .. }) => *self.keys.entry(*app).or_default() += 1,
            Entry::Engine { .. }
            | Entry::WayUpDead { .. }
            | Entry::Congested { .. }
            | Entry::TargetChecked { .. }
            | Entry::Posted { .. }
            | Entry::AppServerSaid { .. }
            | Entry::PostAbandoned { .. }
            | Entry::Requested { .. }
            | Entry::Commanded { .. }
            | Entry::Reported { .. }
            | Entry::Restarted
            | Entry::HandedOver { .. }
            | Entry::EntriesArrived { .. }
            | Entry::MailboxCongested { .. }
            | Entry::NodeFrozen { .. }
            | Entry::NodeHasView { .. }
            | Entry::NodeServes { .. }
            | Entry::NodesRemoved(_)
            | Entry::NodeEnded { .. }
            | Entry::Located(_)
            | Entry::Closed { code: None, .. }
            | Entry::Fault(_)
            | Entry::Phase(_)
            | Entry::SessionBegan { .. }
            | Entry::Gauges { .. } => {}
        }
    }

    fn called(
        &mut self,
        engine: &Engine,
        now: Instant,
        who: EngineIndex,
        call: &Call,
        returned: i64,
    ) {
        let is_down = is_down(engine);
        let is_logging_in = matches!(engine.login, Login::LoggingIn(_));
        match call {
            Call::Login { .. } if returned == -2 => self.met(Situation::LoginTwice),
            Call::Logout => {
                self.inside = Some(Situation::ResultAtLogout);
                if is_logging_in {
                    self.met(Situation::LogoutWhileLoggingIn);
                } else if engine.login.live().is_some() && is_down {
                    self.met(Situation::LogoutWhileDown);
                }
            }
            Call::Destroy => {
                self.inside = Some(Situation::ResultAtDestroy);
                if is_logging_in {
                    self.met(Situation::DestroyWhileLoggingIn);
                }
            }
            Call::DestroyRoom { results, .. } if !results.is_empty() => {
                self.met(Situation::RoomDestroyedWithOpenBroadcasts);
            }
            Call::Refresh if matches!(engine.login, Login::Rejected(_)) => {
                self.met(Situation::TokenRenewed);
            }
            Call::Send { to, serial, config, .. } if returned > 0 => {
                if engine.login.live().is_some() && is_down {
                    self.met(Situation::SendWhileDown);
                }
                let sent = Sent { at: now, serial: *serial, to: to.clone(), config: *config };
                self.sent_at.insert(*serial, now);
                self.open.insert((who, returned.unsigned_abs()), sent);
            }
            Call::JoinRoom { key } | Call::LeaveRoom { key } => {
                let phase = engine.rooms.get(key).map(|room| room.phase);
                match (call, phase) {
                    (Call::JoinRoom { .. }, Some(RoomPhase::Leaving { then_join: false, .. })) => {
                        self.met(Situation::JoinWhileLeaving);
                    }
                    (Call::LeaveRoom { .. }, Some(RoomPhase::Joining)) => {
                        self.met(Situation::LeaveWhileJoining);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        self.last_call = Some((who, now, call.clone()));
    }

    fn event(&mut self, model: &Model, now: Instant, who: EngineIndex, event: &Event) {
        let engine = &model.engines[who];
        match event {
            Event::MessageSendResult { id, code } => self.result(model, now, who, id.0, *code),
            Event::MessageReceived { from, payload } => {
                if engine.login.live() == Some(from.as_str()) {
                    self.met(Situation::MessageToSelf);
                }
                match payload.len() {
                    0 => self.met(Situation::EmptyPayload),
                    PAYLOAD_BYTES_MAX => self.met(Situation::LargestPayload),
                    _ => {}
                }
                let Some((_, serial)) = payload::read(payload.as_bytes()) else { return };
                self.received.insert(serial, now);
                if self.timed_out.contains_key(&serial) {
                    self.met(Situation::ReceivedAfterTimeout);
                }
                let sent_at = self.sent_at.remove(&serial);
                if self.dialled_since(who, sent_at) {
                    self.met(Situation::ReceivedAfterReconnect);
                }
            }
            Event::LoginResult { code, .. } => self.met(match (code, &engine.login) {
                (LoginCode::Ok, _) => Situation::LoginOk,
                (LoginCode::InvalidToken, Login::LoggedIn(_)) => Situation::ReloginInvalidToken,
                (LoginCode::InvalidToken, _) => Situation::LoginInvalidToken,
                (LoginCode::Unknown, _) => Situation::LoginUnknown,
                (LoginCode::BadUserId, _) if self.back_end.bars(engine, now) => {
                    Situation::LoginOfBarredUser
                }
                (LoginCode::BadUserId, _) => Situation::LoginBadUser,
                (LoginCode::ServerError, _) => Situation::LoginServerError,
            }),
            Event::Logout(LogoutReason::Displaced) => self.met(Situation::Displaced),
            Event::Logout(LogoutReason::PutOut) => {
                self.met(Situation::PutOut);
                if self.back_end.was_away.remove(&who) {
                    self.met(Situation::PutOutWhileAway);
                }
            }
            Event::ConnectionStateChanged(state) => {
                let is_first = engine.connection == Some(ConnectionState::Connecting);
                match state {
                    ConnectionState::Reconnecting if is_first => {
                        self.met(Situation::FirstConnectionLate);
                    }
                    ConnectionState::Reconnecting => self.met(Situation::Reconnecting),
                    ConnectionState::Disconnected => self.met(Situation::Disconnected),
                    ConnectionState::Lost => self.met(Situation::Lost),
                    ConnectionState::Reconnected => {
                        self.met(Situation::Reconnected);
                        self.one_more_returned(now);
                    }
                    ConnectionState::Connecting
                    | ConnectionState::Connected
                    | ConnectionState::Failed => {}
                }
            }
            Event::PeerOnlineStatus { status, .. } => self.met(match status {
                OnlineStatus::Offline => Situation::StatusOffline,
                OnlineStatus::Online => Situation::StatusOnline,
                OnlineStatus::Unreachable => Situation::StatusUnreachable,
            }),
            Event::Room { key, event, .. } => {
                let phase = engine.rooms.get(key).map(|room| room.phase);
                self.room_event(engine, now, who, phase, event);
            }
            Event::Logout(LogoutReason::Own)
            | Event::ServerParamsSetResult(_)
            | Event::ServerMessageSendResult { .. }
            | Event::CreateRoomFailed { .. }
            | Event::Warning { .. } => {}
        }
    }

    fn result(&mut self, model: &Model, now: Instant, who: EngineIndex, id: u64, code: SendCode) {
        let Some(sent) = self.open.remove(&(who, id)) else { return };
        if let Some(inside @ (Situation::ResultAtLogout | Situation::ResultAtDestroy)) = self.inside
        {
            self.met(inside);
        }
        let is_reliable = sent.config.is_reliable();
        match code {
            SendCode::Ok if is_reliable => {
                self.met(Situation::SendOk);
                if now.since(sent.at) > SLOW {
                    self.met(Situation::SlowResult);
                }
                if self.dialled_since(who, Some(sent.at)) {
                    self.met(Situation::ResultAfterReconnect);
                }
            }
            SendCode::Ok => self.met(Situation::UnreliableOk),
            SendCode::Timeout => {
                self.met(Situation::SendTimeout);
                if self.received.contains_key(&sent.serial) {
                    self.met(Situation::TimeoutThoughReceived);
                } else {
                    self.timed_out.insert(sent.serial, ());
                }
            }
            SendCode::Broken if is_reliable => self.met(Situation::SendBroken),
            SendCode::Broken => self.met(Situation::UnreliableBroken),
            SendCode::ReceiverNotFound => self.met(Situation::SendReceiverNotFound),
            SendCode::ReceiverNotLoggedIn => {
                self.met(Situation::SendReceiverNotLoggedIn);
                let app = model.engines[who].app;
                let is_elsewhere = model
                    .engines
                    .iter()
                    .any(|other| other.app != app && other.login.live() == Some(&sent.to));
                if is_elsewhere {
                    self.met(Situation::NamesakeOfAnotherApp);
                }
            }
            SendCode::OverRate => self.met(Situation::SendOverRate),
            SendCode::TooLong => self.met(Situation::SendTooLong),
            SendCode::Unknown => self.met(Situation::SendOfBannedUser),
            SendCode::NotInitialised => self.met(Situation::SendWhileLoggingIn),
            SendCode::NotLoggedIn => self.met(Situation::SendNotLoggedIn),
            _ => {}
        }
    }

    fn one_more_returned(&mut self, now: Instant) {
        self.returned.retain(|at| now.since(*at) < MANY_WITHIN);
        self.returned.push(now);
        if self.returned.len() == MANY {
            self.returned.clear();
            self.met(Situation::HundredReturned);
        }
    }

    fn dialled_since(&self, who: EngineIndex, sent_at: Option<Instant>) -> bool {
        let dialled = self.dialled.get(&who);
        sent_at.is_some_and(|sent_at| dialled.is_some_and(|at| *at > sent_at))
    }

    fn judged(&mut self, app: usize, facts: Option<TokenFacts>, wall: u64, code: LoginCode) {
        let Some(facts) = facts.filter(|facts| facts.app == app && !facts.is_damaged) else {
            return;
        };
        let key = self.keys.get(&app).copied().unwrap_or(0);
        if code == LoginCode::Ok && facts.key < key {
            self.met(Situation::PreviousKeyGood);
        }
        if code == LoginCode::InvalidToken {
            if self.back_end.is_revoked(facts) {
                self.met(Situation::RevokedTokenRefused);
            }
            if facts.expire_at > 0 && facts.expire_at < wall {
                self.met(Situation::ExpiredTokenRefused);
            } else if facts.key < key {
                self.met(Situation::OldKeyRefused);
            }
        }
    }
}

/// The application knows that there is no link.
fn is_down(engine: &Engine) -> bool {
    matches!(
        engine.connection,
        Some(ConnectionState::Reconnecting | ConnectionState::Disconnected | ConnectionState::Lost)
    )
}
