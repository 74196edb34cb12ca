//! A shard with users of two apps, who are all in two rooms.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::server::{Ban, CommandError, Config, Input, Notice, Stats};
use rts_proto::wire::{Accepted, Frame, Login, LoginAnswer};
use rts_proto::{AppId, CloseCode, LeaveReason, LinkId, MessageId, Payload, RoomId, UserId};

use super::step::{Command, NAMES, ROOMS, Step, USERS};
use crate::support::{APP, Shard, login, resume, user};

const OTHER_APP: &str = "876543218765432187654321";

struct User {
    login: Login,
    link: LinkId,
    accepted: Accepted,
    received: u64,
}

pub(super) struct Hall {
    pub(super) shard: Shard,
    /// Broadcasts never wait.
    at_once: bool,
    users: Vec<User>,
    /// The link for the next login.
    spare: LinkId,
    heard: Vec<Vec<Frame>>,
    /// The return values of the back end's commands.
    answers: Vec<Result<usize, CommandError>>,
}

/// Everything that is observable.
pub(super) type Observed = (Vec<Vec<Frame>>, Vec<Result<usize, CommandError>>, Stats);

impl Hall {
    pub(super) fn new(at_once: bool) -> Self {
        let mut config = Config::default();
        config.sends_per_second = 0;
        config.broadcasts_per_second = 0;
        config.room_broadcasts_per_second = 0;
        config.backend_sends_per_second = 0;
        let mut shard = Shard::new(config);
        let mut users = Vec::new();
        for app in [APP, OTHER_APP] {
            for name in NAMES {
                let app_id = AppId::new(app).expect("well formed");
                let login = Login { app_id, ..login(name) };
                let (link, accepted) = shard.log_in(login.clone());
                users.push(User { login, link, accepted, received: 0 });
                for name in ROOMS {
                    shard.say(link, Frame::Join { room: room(name), ticket: 1, business_id: None });
                }
            }
        }
        let spare = shard.link();
        Self { shard, at_once, users, spare, heard: Vec::new(), answers: Vec::new() }
    }

    pub(super) fn play(&mut self, steps: &[Step]) {
        for (number, step) in (1..).zip(steps) {
            self.step(number, *step);
        }
    }

    pub(super) fn step(&mut self, number: u64, step: Step) {
        let id = MessageId(number);
        match step {
            Step::Broadcast { who, room: name, bytes } => {
                let payload = Payload::binary(vec![0; bytes]);
                self.say(who, Frame::Broadcast { id, room: room(name), payload });
            }
            Step::Send { who, to, bytes, config } => {
                let payload = Payload::binary(vec![1; bytes]);
                self.say(who, Frame::Send { id, to: to.into(), payload, config });
            }
            Step::Fill { who, bytes } => self.fill(who, bytes),
            Step::FillWithFrames { who, frames } => (0..frames).for_each(|_| self.unicast(who, 0)),
            Step::Ping { who } => self.say(who, Frame::Ping),
            Step::Pong { who } => self.say(who, Frame::Pong),
            Step::Join { who, room: name } => {
                self.say(who, Frame::Join { room: room(name), ticket: number, business_id: None });
            }
            Step::Leave { who, room: name } => {
                self.say(who, Frame::Leave { room: room(name), ticket: number });
            }
            Step::Logout { who } => self.say(who, Frame::Logout),
            Step::Ack { who, but } => {
                let received = self.users[who].received.saturating_sub(but);
                self.say(who, Frame::Ack { received });
            }
            Step::HangUp { who } => self.shard.hang_up(self.users[who].link),
            Step::Resume { who } => {
                let User { login, accepted, received, .. } = &self.users[who];
                let resume = resume(login.uid.as_str(), accepted, *received).resume;
                let login = Login { resume, claim: accepted.claim, ..login.clone() };
                self.log_in(who, login);
            }
            Step::LogIn { who } => self.log_in(who, self.users[who].login.clone()),
            Step::Command { command, room: name, whom } => {
                self.command(command, &room(name), &user(whom));
            }
            Step::Wait { ms } => self.shard.wait(Duration::from_millis(ms)),
            Step::Hear => (0..USERS).for_each(|who| self.receive(who)),
        }
        // Time passes with any input. All inputs but those of links settle broadcasts. This link
        // does not exist, so there is no other effect.
        let nowhere = LinkId(u64::MAX);
        self.shard.input(match self.at_once {
            true => Input::Disconnected(nowhere),
            false => Input::Received(nowhere, Bytes::from_static(b"x")),
        });
    }

    fn command(&mut self, command: Command, room: &RoomId, whom: &UserId) {
        let (server, now) = (&mut self.shard.server, self.shard.now);
        let (app, from) = (AppId::new(APP).expect("well formed"), user("system"));
        let text = Payload::text("from the back end");
        let done = match command {
            Command::Unicast => server.unicast(now, &app, from, whom, text),
            Command::Broadcast => server.broadcast_to_room(now, &app, room, from, text),
            Command::UnicastInRoom => {
                server.unicast_in_room(now, &app, room, from, core::slice::from_ref(whom), text)
            }
            Command::Kick => Ok(server.kick(now, &app, room, whom).into()),
            Command::Ban => {
                let ban = Ban::UserInRoom(room.clone(), whom.clone());
                server.ban(now, &app, &ban, Duration::from_secs(10))
            }
            Command::Dismiss => Ok(server.dismiss(now, &app, room)),
        };
        self.answers.push(done);
    }

    fn fill(&mut self, who: usize, bytes: usize) {
        const PIECE_BYTES_MAX: usize = 60_000;
        const HEAD_BYTES_MAX: usize = 40;
        // The command settles broadcasts, so that both runs have equal windows.
        self.unicast(who, 0);
        let Login { app_id, uid, .. } = &self.users[who].login;
        let page = self.shard.server.users_page(self.shard.now, app_id, None, NAMES.len());
        let present = page.items.into_iter().find(|figures| figures.uid == *uid);
        let missing = present.map_or(0, |figures| bytes.saturating_sub(figures.window_bytes));
        let pieces = missing / PIECE_BYTES_MAX;
        (0..pieces).for_each(|_| self.unicast(who, PIECE_BYTES_MAX - HEAD_BYTES_MAX));
        self.unicast(who, (missing % PIECE_BYTES_MAX).saturating_sub(HEAD_BYTES_MAX));
    }

    fn unicast(&mut self, who: usize, bytes: usize) {
        let Login { app_id, uid, .. } = &self.users[who].login;
        let (from, payload) = (user("system"), Payload::binary(vec![2; bytes]));
        let sent = self.shard.server.unicast(self.shard.now, app_id, from, uid, payload);
        self.answers.push(sent);
    }

    /// Bytes in all windows, without waiting broadcasts.
    pub(super) fn window_bytes(&self) -> usize {
        self.shard.server.stats().window_bytes
    }

    /// Whether a session ended since the last call because it had no space for a frame that it must
    /// get. A session without a link that was silent for too long counts too: neither has a
    /// `Close`.
    pub(super) fn has_overrun(&mut self) -> bool {
        let noticed = self.shard.noticed();
        let is_closed = |app_id: &AppId, uid: &UserId| {
            noticed.iter().any(|notice| match notice {
                Notice::Closed { user: Some(user), code, .. } => {
                    (&user.0, &user.1) == (app_id, uid) && *code != CloseCode::SlowConsumer
                }
                _ => false,
            })
        };
        noticed.iter().any(|notice| match notice {
            Notice::SessionEnded { app_id, uid, reason: LeaveReason::Dropped } => {
                !is_closed(app_id, uid)
            }
            _ => false,
        })
    }

    fn say(&mut self, who: usize, frame: Frame) {
        self.shard.say(self.users[who].link, frame);
    }

    fn receive(&mut self, who: usize) {
        let heard = self.shard.frames_to(self.users[who].link);
        self.users[who].received += sequenced(&heard);
        self.heard.push(heard);
    }

    fn log_in(&mut self, who: usize, login: Login) {
        let link = self.spare;
        self.shard.say(link, Frame::Login(login));
        let heard = self.shard.frames_to(link);
        if let [Frame::LoginAnswer(LoginAnswer::Accepted(accepted)), rest @ ..] = &heard[..] {
            let user = &mut self.users[who];
            let before = if accepted.resumed { user.received } else { 0 };
            user.received = before + sequenced(rest);
            (user.link, user.accepted) = (link, accepted.clone());
        }
        self.heard.push(heard);
        self.spare = self.shard.link();
    }

    pub(super) fn end(mut self) -> Observed {
        (0..USERS).for_each(|who| self.receive(who));
        (self.heard, self.answers, self.shard.server.stats())
    }
}

fn room(name: &str) -> RoomId {
    RoomId::new(name).expect("well formed")
}

fn sequenced(frames: &[Frame]) -> u64 {
    frames.iter().filter(|frame| frame.is_sequenced()).count() as u64
}
