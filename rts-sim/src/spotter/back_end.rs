//! Situations between the server and the back ends.

use std::collections::{BTreeMap, BTreeSet};

use rts_proto::client::{Event, RoomEvent};
use rts_proto::server::{CommandError, Report};
use rts_proto::{Instant, LeaveReason, OnlineStatus, RoomState};
use rts_testkit::EngineIndex;

use super::{Spotter, is_down};
use crate::engine::{Engine, Login};
use crate::model::Model;
use crate::names::{BACK_END, room_id, uid};
use crate::payload;
use crate::plan::{Banned, Command};
use crate::situations::Situation;
use crate::trace::{Answer, Entry, Line, TokenFacts};

#[derive(Debug, Default)]
pub(super) struct BackEnd {
    /// The time of each message to a user.
    sent: BTreeMap<u64, Instant>,
    /// The end of each ban.
    bans: BTreeMap<(usize, Banned), Instant>,
    /// For an app, or one of its users: tokens issued before this second are revoked.
    revoked: BTreeMap<(usize, Option<usize>), u32>,
    /// Engines that were put out while their applications knew of no link.
    pub(super) was_away: BTreeSet<EngineIndex>,
}

impl BackEnd {
    pub(super) fn is_revoked(&self, facts: TokenFacts) -> bool {
        [None, Some(facts.user)].into_iter().any(|user| {
            let before = self.revoked.get(&(facts.app, user));
            before.is_some_and(|before| facts.issued_at < *before)
        })
    }

    /// Whether this engine's user is banned from logging in.
    pub(super) fn bars(&self, engine: &Engine, now: Instant) -> bool {
        let (Login::LoggingIn(own) | Login::LoggedIn(own)) = &engine.login else { return false };
        self.bans.iter().any(|((app, whom), until)| {
            let is_it = matches!(whom, Banned::Login(user) if uid(*user) == *own);
            *app == engine.app && is_it && *until >= now
        })
    }
}

impl Spotter {
    pub(super) fn see_back_end(&mut self, model: &Model, line: &Line) {
        match &line.entry {
            Entry::Commanded { app, serial, command, answer } => {
                self.answered(answer);
                self.commanded(model, line.at, *app, *serial, *command, answer);
            }
            Entry::Reported { app, report } => self.reported(line.at, *app, report),
            Entry::Event { who, event: Event::MessageReceived { from, payload } }
                if from.as_str() == BACK_END =>
            {
                self.met(Situation::BackEndHeard);
                let serial = payload::read(payload.as_bytes()).map(|(_, serial)| serial);
                let sent_at = serial.and_then(|serial| self.back_end.sent.remove(&serial));
                if self.dialled_since(*who, sent_at) {
                    self.met(Situation::BackEndHeardAfterReconnect);
                }
            }
            Entry::Event { event: Event::Room { event, .. }, .. } => match event {
                RoomEvent::MessageReceived { from, .. } if from.as_str() == BACK_END => {
                    self.met(Situation::BackEndHeardInRoom);
                }
                RoomEvent::UserMessageReceived { .. } => self.met(Situation::BackEndHeardAlone),
                RoomEvent::UserLeft { reason: LeaveReason::Kicked, .. } => {
                    self.met(Situation::SawKick);
                }
                RoomEvent::StateChanged { state, .. } => match state {
                    RoomState::Kicked => self.met(Situation::Kicked),
                    RoomState::Dismissed => self.met(Situation::Dismissed),
                    RoomState::RoomBanned => self.met(Situation::JoinOfBannedRoom),
                    RoomState::UserBanned => self.met(Situation::JoinOfBannedUser),
                    _ => {}
                },
                _ => {}
            },
            _ => {}
        }
    }

    fn answered(&mut self, answer: &Answer) {
        match answer {
            Answer::Refused(CommandError::OverAppRate { .. }) => {
                self.met(Situation::BackEndOverRate);
            }
            Answer::Refused(CommandError::OverRoomRate) => self.met(Situation::BackEndOverRoomRate),
            Answer::Refused(CommandError::TooLong { .. }) => self.met(Situation::BackEndTooLong),
            Answer::Refused(CommandError::TooManyReceivers { .. }) => {
                self.met(Situation::BackEndTooManyReceivers);
            }
            Answer::Queued(0) => self.met(Situation::BackEndToNobody),
            Answer::Status(OnlineStatus::Unreachable) => self.met(Situation::BackEndSawSilent),
            Answer::Members(Some(_)) => self.met(Situation::BackEndSawMembers),
            _ => {}
        }
    }

    fn commanded(
        &mut self,
        model: &Model,
        now: Instant,
        app: usize,
        serial: u64,
        command: Command,
        answer: &Answer,
    ) {
        match (command, answer) {
            (Command::Unicast { .. }, Answer::Queued(1)) => {
                self.back_end.sent.insert(serial, now);
            }
            (Command::Kick { room, user }, Answer::Ended(1)) => {
                let is_away = model.engines.iter().any(|engine| {
                    let is_it = engine.app == app && engine.login.live() == Some(&uid(user));
                    let is_in = engine.joined().any(|(_, joined)| joined == room_id(room));
                    is_it && is_in && is_down(engine)
                });
                if is_away {
                    self.met(Situation::KickedWhileDown);
                }
            }
            (Command::Revoke { user }, Answer::Revoked { issued_before, ended }) => {
                let before = self.back_end.revoked.entry((app, user)).or_default();
                *before = (*before).max(*issued_before);
                if *ended > 0 {
                    self.met(match user {
                        Some(_) => Situation::TokenOfUserRevoked,
                        None => Situation::TokensOfAppRevoked,
                    });
                }
                let live = model.live(app);
                let meant = live.filter(|(_, own)| user.is_none_or(|user| uid(user) == *own));
                if meant.count() > *ended {
                    self.met(Situation::LaterTokenKept);
                }
            }
            (Command::Disconnect { user }, Answer::Ended(1)) => {
                for (who, _) in model.live(app).filter(|(_, own)| *own == uid(user)) {
                    if is_down(&model.engines[who]) {
                        self.back_end.was_away.insert(who);
                    }
                }
            }
            (Command::Ban { whom, seconds: 0 }, _) => {
                let until = self.back_end.bans.remove(&(app, whom));
                if until.is_some_and(|until| until > now) {
                    self.met(Situation::BanLifted);
                }
            }
            (Command::Ban { whom, seconds }, Answer::Ended(_)) => {
                let shortest = if matches!(whom, Banned::Login(_)) { 0 } else { 10 };
                let until = now + std::time::Duration::from_secs(seconds.max(shortest));
                self.back_end.bans.insert((app, whom), until);
            }
            _ => {}
        }
    }

    fn reported(&mut self, now: Instant, app: usize, report: &Report) {
        match report {
            Report::UserOffline { reason: LeaveReason::Left, .. } => {
                self.met(Situation::ReportedLogout);
            }
            Report::UserOffline { reason: LeaveReason::Kicked, .. } => {
                self.met(Situation::ReportedPutOut);
            }
            Report::UserOffline { reason: LeaveReason::Dropped, .. } => {
                self.met(Situation::ReportedDrop);
            }
            Report::MemberJoined { room, uid: user, .. } => {
                let is_over = self.back_end.bans.iter().any(|((of, whom), until)| {
                    let is_it = match whom {
                        Banned::Room(banned) => room_id(*banned) == room.as_str(),
                        Banned::User(banned) => uid(*banned) == user.as_str(),
                        Banned::Login(_) => false,
                        Banned::UserInRoom(of, banned) => {
                            room_id(*of) == room.as_str() && uid(*banned) == user.as_str()
                        }
                    };
                    *of == app && is_it && *until <= now
                });
                if is_over {
                    self.met(Situation::JoinedAfterBan);
                }
            }
            _ => {}
        }
    }
}
