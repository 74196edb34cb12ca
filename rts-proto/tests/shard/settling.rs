//! Broadcasts of a burst wait until they have to be put into the members' windows. Nobody can tell:
//! everything is as if they were put there at once.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use rts_proto::server::{Ban, CommandError, Config, Input, Stats};
use rts_proto::wire::{Accepted, Frame, Login, LoginAnswer};
use rts_proto::{AppId, LinkId, MessageConfig, MessageId, Payload, RoomId, UserId};

use crate::support::{APP, Shard, login, resume, user};

/// In both apps: what is said in one must not be heard in the other.
const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const ROOMS: [&str; 2] = ["room", "other"];
const OTHER_APP: &str = "876543218765432187654321";
const USERS: usize = 2 * NAMES.len();
const STEPS_MAX: usize = 120;

#[derive(Clone, Debug)]
enum Step {
    Broadcast {
        who: usize,
        room: &'static str,
        bytes: usize,
    },
    Send {
        who: usize,
        to: &'static str,
        config: MessageConfig,
    },
    Ping {
        who: usize,
    },
    /// Which a client does not say.
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
    /// All that was heard but for so many frames.
    Ack {
        who: usize,
        but: u64,
    },
    HangUp {
        who: usize,
    },
    /// Over another link, in the middle of the burst.
    Resume {
        who: usize,
    },
    LogIn {
        who: usize,
    },
    /// By the back end of the first app.
    Command {
        command: Command,
        room: &'static str,
        whom: &'static str,
    },
    Wait {
        ms: u64,
    },
    /// The burst ends, and all listen.
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
    let config = || select(MessageConfig::ALL);
    let step = prop_oneof![
        20 => (who(), room(), select(&[0_usize, 3, 900, 9_000][..]))
            .prop_map(|(who, room, bytes)| Step::Broadcast { who, room, bytes }),
        3 => (who(), name(), config()).prop_map(|(who, to, config)| Step::Send { who, to, config }),
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
    /// For the next login.
    spare: LinkId,
    heard: Vec<Vec<Frame>>,
    /// What the back end was told.
    answers: Vec<Result<usize, CommandError>>,
}

/// All that anybody could tell.
type Told = (Vec<Vec<Frame>>, Vec<Result<usize, CommandError>>, Stats);

impl Hall {
    fn new(at_once: bool) -> Self {
        let mut shard = Shard::new(Config {
            sends_per_second: 0,
            broadcasts_per_second: 0,
            room_broadcasts_per_second: 0,
            ..Config::default()
        });
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

    fn step(&mut self, number: u64, step: &Step) {
        let id = MessageId(number);
        match *step {
            Step::Broadcast { who, room: name, bytes } => {
                let payload = Payload::binary(vec![0; bytes]);
                self.say(who, Frame::Broadcast { id, room: room(name), payload });
            }
            Step::Send { who, to, config } => {
                self.say(
                    who,
                    Frame::Send { id, to: to.into(), payload: Payload::text("p2p"), config },
                );
            }
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
            Step::Hear => (0..USERS).for_each(|who| self.hear(who)),
        }
        if self.at_once {
            // All inputs but those of links that are open do that, and this one nothing else.
            self.shard.input(Input::Disconnected(LinkId(u64::MAX)));
        }
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

    fn say(&mut self, who: usize, frame: Frame) {
        self.shard.say(self.users[who].link, frame);
    }

    fn hear(&mut self, who: usize) {
        let heard = self.shard.hear(self.users[who].link);
        self.users[who].received += sequenced(&heard);
        self.heard.push(heard);
    }

    fn log_in(&mut self, who: usize, login: Login) {
        let link = self.spare;
        self.shard.say(link, Frame::Login(login));
        let heard = self.shard.hear(link);
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
        (0..USERS).for_each(|who| self.hear(who));
        (self.heard, self.answers, self.shard.server.stats())
    }
}

fn room(name: &str) -> RoomId {
    RoomId::new(name).expect("well formed")
}

fn sequenced(frames: &[Frame]) -> u64 {
    frames.iter().filter(|frame| frame.is_sequenced()).count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_can_tell_that_broadcasts_wait(steps in steps()) {
        let [waiting, at_once] = [false, true].map(|at_once| {
            let mut hall = Hall::new(at_once);
            for (number, step) in (1..).zip(&steps) {
                hall.step(number, step);
            }
            hall.end()
        });
        prop_assert_eq!(waiting, at_once);
    }
}
