//! Broadcasts of a burst wait before they go into the members' windows. This is not observable:
//! while windows have space, the output equals that of a shard that does not wait.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use rts_proto::limits::{
    MEMBER_LISTS_WINDOW_BYTES_MAX, SERVER_WINDOW_FRAMES_MAX, UNRELIABLE_MARK_BYTES,
    WINDOW_BYTES_MAX,
};
use rts_proto::server::{Ban, CommandError, Config, Input, Notice, NoticeLevel, Stats};
use rts_proto::wire::{Accepted, Frame, Login, LoginAnswer};
use rts_proto::{
    AppId, CloseCode, LeaveReason, LinkId, MessageConfig, MessageId, Payload, RoomId, SendCode,
    UserId,
};

use crate::support::{APP, Shard, login, resume, user};

/// In both apps: messages of one must not reach the other.
const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const ROOMS: [&str; 2] = ["room", "other"];
const OTHER_APP: &str = "876543218765432187654321";
const USERS: usize = 2 * NAMES.len();
const STEPS_MAX: usize = 120;
/// Windows are filled up to these sizes, and to just below.
const MARKS: [usize; 3] = [UNRELIABLE_MARK_BYTES, MEMBER_LISTS_WINDOW_BYTES_MAX, WINDOW_BYTES_MAX];

#[derive(Clone, Copy, Debug)]
enum Step {
    Broadcast {
        who: usize,
        room: &'static str,
        bytes: usize,
    },
    Send {
        who: usize,
        to: &'static str,
        bytes: usize,
        config: MessageConfig,
    },
    /// Messages of the back end, until about this number of bytes is in the user's window.
    Fill {
        who: usize,
        bytes: usize,
    },
    /// Messages of the back end, until this number of frames is in the user's window.
    FillWithFrames {
        who: usize,
        frames: usize,
    },
    Ping {
        who: usize,
    },
    /// A frame that clients may not send.
    Pong {
        who: usize,
    },
    Join {
        who: usize,
        room: &'static str,
    },
    Leave {
        who: usize,
        room: &'static str,
    },
    Logout {
        who: usize,
    },
    /// Acknowledges all received frames but this number.
    Ack {
        who: usize,
        but: u64,
    },
    HangUp {
        who: usize,
    },
    /// Resumes over another link, in the middle of the burst.
    Resume {
        who: usize,
    },
    LogIn {
        who: usize,
    },
    /// A command of the first app's back end.
    Command {
        command: Command,
        room: &'static str,
        whom: &'static str,
    },
    Wait {
        ms: u64,
    },
    /// The burst ends, and all clients read.
    Hear,
}

#[derive(Clone, Copy, Debug)]
enum Command {
    Unicast,
    Broadcast,
    UnicastInRoom,
    Kick,
    Ban,
    Dismiss,
}

impl Command {
    const ALL: [Self; 6] =
        [Self::Unicast, Self::Broadcast, Self::UnicastInRoom, Self::Kick, Self::Ban, Self::Dismiss];
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (who, room, name) = (|| 0..USERS, || select(&ROOMS), || select(&NAMES));
    let (bytes, config) = (|| select(&[0_usize, 3, 900, 9_000]), || select(MessageConfig::ALL));
    let step = prop_oneof![
        20 => (who(), room(), bytes())
            .prop_map(|(who, room, bytes)| Step::Broadcast { who, room, bytes }),
        4 => (who(), name(), bytes(), config())
            .prop_map(|(who, to, bytes, config)| Step::Send { who, to, bytes, config }),
        4 => (who(), select(&MARKS), 0..30_000_usize)
            .prop_map(|(who, mark, less)| Step::Fill { who, bytes: mark - less }),
        1 => who().prop_map(|who| Step::Ping { who }),
        1 => who().prop_map(|who| Step::Pong { who }),
        3 => (who(), room()).prop_map(|(who, room)| Step::Join { who, room }),
        2 => (who(), room()).prop_map(|(who, room)| Step::Leave { who, room }),
        1 => who().prop_map(|who| Step::Logout { who }),
        3 => (who(), 0..4_u64).prop_map(|(who, but)| Step::Ack { who, but }),
        1 => who().prop_map(|who| Step::HangUp { who }),
        3 => who().prop_map(|who| Step::Resume { who }),
        1 => who().prop_map(|who| Step::LogIn { who }),
        4 => (select(&Command::ALL), room(), name())
            .prop_map(|(command, room, whom)| Step::Command { command, room, whom }),
        1 => (0..40_000_u64).prop_map(|ms| Step::Wait { ms }),
        3 => Just(Step::Hear),
    ];
    prop::collection::vec(step, 0..STEPS_MAX)
}

struct User {
    login: Login,
    link: LinkId,
    accepted: Accepted,
    received: u64,
}

struct Hall {
    shard: Shard,
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
type Told = (Vec<Vec<Frame>>, Vec<Result<usize, CommandError>>, Stats);

impl Hall {
    fn new(at_once: bool) -> Self {
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

    fn play(&mut self, steps: &[Step]) {
        for (number, step) in (1..).zip(steps) {
            self.step(number, *step);
        }
    }

    fn step(&mut self, number: u64, step: Step) {
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
    fn window_bytes(&self) -> usize {
        self.shard.server.stats().window_bytes
    }

    /// Whether a session ended since the last call because it had no space for a frame that it must
    /// get. A session without a link that was silent for too long counts too: neither has a
    /// `Close`.
    fn has_overrun(&mut self) -> bool {
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

    fn end(mut self) -> Told {
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

/// One hall in which broadcasts wait, and one in which they do not.
fn halls() -> [Hall; 2] {
    [false, true].map(Hall::new)
}

/// The number of steps before a window has no space for a frame that its session must get. Then it
/// is observable whether that session ends now or after more broadcasts of the burst.
fn steps_with_room(steps: &[Step]) -> usize {
    let mut hall = Hall::new(true);
    hall.shard.server.take_notice(NoticeLevel::Sessions);
    let with_room = (1..).zip(steps).take_while(|(number, step)| {
        hall.step(*number, **step);
        !hall.has_overrun()
    });
    with_room.count()
}

#[test]
fn waiting_broadcasts_are_not_observable() {
    let (waits, overruns) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let with_room = steps_with_room(&steps);
        overruns.set(overruns.get() + usize::from(with_room < steps.len()));
        let [mut waiting, mut at_once] = halls();
        for (number, step) in (1..).zip(&steps[..with_room]) {
            waiting.step(number, *step);
            at_once.step(number, *step);
            let waits_now = waiting.window_bytes() < at_once.window_bytes();
            waits.set(waits.get() + usize::from(waits_now));
        }
        prop_assert_eq!(waiting.end(), at_once.end());
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    // The test proves nothing without these.
    assert!(waits.get() > 100, "a broadcast waited after {} steps only", waits.get());
    assert!(overruns.get() > 0, "no window was ever full");
}

#[test]
fn reference_run_fills_windows_at_once() {
    let step = Step::Broadcast { who: 0, room: ROOMS[0], bytes: 900 };
    let grown = halls().map(|mut hall| {
        let before = hall.window_bytes();
        hall.play(&[step]);
        hall.window_bytes() - before
    });
    assert!(grown[0] == 0 && grown[1] > 2 * 900, "{grown:?}");
}

#[test]
fn waiting_broadcasts_use_up_the_window() {
    let [reliable, unreliable] = [MessageConfig::ReliableOrdered, MessageConfig::UnreliableOrdered];
    let fill = |bytes| Step::Fill { who: 1, bytes };
    // The frames of the logins are in it too.
    let full_of_frames = Step::FillWithFrames { who: 1, frames: SERVER_WINDOW_FRAMES_MAX - 7 };
    for (full, config) in [
        (fill(WINDOW_BYTES_MAX - 18_500), reliable),
        (full_of_frames, reliable),
        (fill(UNRELIABLE_MARK_BYTES - 17_500), unreliable),
    ] {
        let broadcast = Step::Broadcast { who: 0, room: ROOMS[0], bytes: 9_000 };
        let send = |bytes| Step::Send { who: 0, to: NAMES[1], bytes, config };
        let steps = [full, broadcast, broadcast, send(300), send(900), Step::Hear];
        assert_eq!(steps_with_room(&steps), steps.len());
        let [waiting, at_once] = halls().map(|mut hall| {
            hall.play(&steps);
            hall.end()
        });
        assert_eq!(waiting, at_once);
        let is_broken = |frame: &Frame| match frame {
            Frame::SendResults { code: SendCode::Broken, ids } => ids.contains(&MessageId(5)),
            _ => false,
        };
        assert!(waiting.0.iter().flatten().any(is_broken), "{full:?}");
    }
}
