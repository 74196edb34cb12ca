//! The server core, with arbitrary bytes from its clients.

use std::num::NonZeroUsize;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::{
    FRAME_BYTES_MAX, POSTS_PER_APP_MAX, POSTS_WAITING_MAX, REPLY_BYTES_MAX, WINDOW_BYTES_MAX,
};
use rts_proto::server::{
    Ban, Command, Config, Input, Output, PostProgress, Report, Server, Stats, Verdict,
};
use rts_proto::wire::{Decoder, Frame, ResumeKey};
use rts_proto::{
    AppId, CallId, Instant, LinkId, LoginCode, LoginId, MessageConfig, MessageId, Reply, RoomId,
    TargetId, UserId,
};

use crate::script::{APPS, Script, USERS};

const SLOTS: usize = 5;
/// More outputs than one step can cause.
const DRAIN_MAX: usize = 1_000_000;
/// The number of timers that may fire at one moment.
const STEPS_AT_ONE_MOMENT_MAX: usize = 16;
/// The first byte of a step that stands for a command of a back end.
const FIRST_COMMAND: u8 = 0xF8;
/// The timers after the last link: a grace period, and that of a displaced session.
const TIMERS_MAX: usize = 10_000;

/// The input is a script of several clients, the driver, and time.
///
/// Nothing panics. A drain ends. The windows are bounded. Transmitted frames can be decoded, are
/// within the limits, and are for existing links only. A timer that fired is not due again at once.
/// The reports add up to the true state. When all links are gone and the grace period is over, the
/// server is empty.
pub fn server_bytes(data: &[u8]) {
    let mut script = Script::new(data);
    let mut world = World::new();
    while !script.is_over() {
        world.step(&mut script);
    }
    for slot in 0..SLOTS {
        world.hang_up(slot);
    }
    world.drain();
    assert_eq!(world.server.stats().links, 0);
    let mut timers = 0;
    while world.sleep() {
        timers += 1;
        assert!(timers < TIMERS_MAX, "{:?} for ever", world.server.wake_reason());
    }
    assert_eq!(world.server.stats(), Stats::default(), "something is left");
}

struct World {
    server: Server,
    now: Instant,
    slots: [Option<LinkId>; SLOTS],
    /// Decodes the server's bytes on each link.
    readers: BTreeMap<LinkId, Decoder>,
    last_link: u64,
    to_judge: VecDeque<LoginId>,
    targets: VecDeque<TargetId>,
    /// Posts that the server ordered and did not abandon.
    posts: Vec<CallId>,
    /// All posts that the server ever ordered.
    posted: BTreeSet<CallId>,
    /// The state that the reports add up to.
    believed: Believed,
    wait: Option<Instant>,
}

#[derive(Default)]
struct Believed {
    online: BTreeSet<(AppId, UserId)>,
    rooms: BTreeMap<(AppId, RoomId), BTreeSet<UserId>>,
}

impl Believed {
    fn hear(&mut self, app: AppId, report: Report) {
        let is_news = match report {
            Report::UserOnline { uid } => self.online.insert((app, uid)),
            Report::UserOffline { uid, .. } => self.online.remove(&(app, uid)),
            Report::RoomCreated { room } => {
                self.rooms.insert((app, room), BTreeSet::new()).is_none()
            }
            Report::RoomEmptied { room } => {
                self.rooms.remove(&(app, room)).is_some_and(|members| members.is_empty())
            }
            Report::MemberJoined { room, uid, .. } => {
                self.rooms.get_mut(&(app, room)).is_some_and(|members| members.insert(uid))
            }
            Report::MemberLeft { room, uid, .. } => {
                self.rooms.get_mut(&(app, room)).is_some_and(|members| members.remove(&uid))
            }
        };
        assert!(is_news, "it was so before");
    }

    fn agrees_with(&self, stats: &Stats) {
        let memberships: usize = self.rooms.values().map(BTreeSet::len).sum();
        let believed = (self.online.len(), self.rooms.len(), memberships);
        assert_eq!(believed, (stats.sessions, stats.rooms, stats.memberships));
    }
}

impl World {
    fn new() -> Self {
        // Small limits, so that the fuzzer reaches them.
        let reported_apps = APPS.map(|id| AppId::new(id).expect("well formed")).into();
        let mut config = Config::default();
        config.links_before_login_max = NonZeroUsize::new(3).expect("not 0");
        config.room_members_max = NonZeroUsize::new(3).expect("not 0");
        config.reported_apps = reported_apps;
        Self {
            server: Server::new(config, 1),
            now: Instant::ORIGIN,
            slots: [None; SLOTS],
            readers: BTreeMap::new(),
            last_link: 0,
            to_judge: VecDeque::new(),
            targets: VecDeque::new(),
            posts: Vec::new(),
            posted: BTreeSet::new(),
            believed: Believed::default(),
            wait: None,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let op = script.byte();
        if op >= FIRST_COMMAND {
            self.command(op, script);
            return self.drain();
        }
        let op = op % 17;
        let slot = usize::from(script.byte()) % SLOTS;
        match op {
            0 => self.pass(Duration::from_millis(script.short().into())),
            1 => drop(self.sleep()),
            2 => self.accept(slot),
            3 => self.hang_up(slot),
            4 => {
                let len = script.byte().into();
                let bytes = Bytes::copy_from_slice(script.bytes(len));
                self.receive(slot, bytes);
            }
            5 | 6 => self.receive(slot, script.frame().encode()),
            7 => {
                let bytes = script.frame().encode();
                let cut = usize::from(script.byte()) % bytes.len();
                self.receive(slot, bytes.slice(..cut));
                self.receive(slot, bytes.slice(cut..));
            }
            8 => self.judge(script),
            9 => {
                self.accept(slot);
                self.receive(slot, Frame::Hello { version: 1, features: 0 }.encode());
                self.receive(slot, script.login().encode());
                self.judge(script);
            }
            10 => self.receive(slot, Frame::Ack { received: script.number() }.encode()),
            11 => self.flood(slot, script),
            12 if script.byte() == 0xFF => {
                self.server.shutdown(self.now, Duration::from_secs(script.byte().into()));
            }
            14 => {
                self.receive(slot, script.set_server_params().encode());
                self.answer_about_target(script);
            }
            15 => self.answer_about_target(script),
            16 => self.post_progresses(script),
            // A late drain only costs time.
            _ => return,
        }
        self.drain();
    }

    fn accept(&mut self, slot: usize) {
        self.hang_up(slot);
        self.last_link += 1;
        let link = LinkId(self.last_link);
        self.slots[slot] = Some(link);
        self.readers.insert(link, Decoder::new());
        // A resume key that the script can name.
        let key = ResumeKey([self.last_link as u8; 16]);
        self.server.handle_input(self.now, Input::Accepted(link, key));
        self.drain();
    }

    fn hang_up(&mut self, slot: usize) {
        if let Some(link) = self.slots[slot].take() {
            // Frames from before the server knew may still be drained.
            self.drain();
            self.readers.remove(&link);
            self.server.handle_input(self.now, Input::Disconnected(link));
        }
    }

    fn receive(&mut self, slot: usize, bytes: Bytes) {
        if let Some(link) = self.slots[slot] {
            self.server.handle_input(self.now, Input::Received(link, bytes));
        }
    }

    fn command(&mut self, op: u8, script: &mut Script<'_>) {
        let app_id = &script.app_id();
        let (room_id, uid, from) = (&script.room(), &script.uid(), &script.uid());
        let (to, payload, ban): (Vec<_>, _, _);
        let command = match op {
            0xF8 => {
                payload = script.payload();
                Command::Unicast { app_id, from, to: uid, payload: &payload }
            }
            0xF9 => {
                payload = script.payload();
                Command::BroadcastToRoom { app_id, room_id, from, payload: &payload }
            }
            0xFA => {
                to = (0..script.short() % 602).map(|_| script.uid()).collect();
                payload = script.payload();
                Command::UnicastInRoom { app_id, room_id, from, to: &to, payload: &payload }
            }
            0xFB => Command::Kick { app_id, room_id, uid },
            0xFC => Command::Dismiss { app_id, room_id },
            0xFD => match script.byte() {
                0xFF => Command::Revoke { app_id, uid: None, issued_before: u32::MAX },
                issued_before @ 0x80.. => {
                    Command::Revoke { app_id, uid: Some(uid), issued_before: issued_before.into() }
                }
                _ => Command::PutOut { app_id, uid },
            },
            _ => {
                ban = match script.byte() % 4 {
                    0 => Ban::Room(room_id.clone()),
                    1 => Ban::UserInRoom(room_id.clone(), uid.clone()),
                    2 => Ban::User(uid.clone()),
                    _ => Ban::Login(uid.clone()),
                };
                match script.byte() {
                    0 => Command::Unban { app_id, ban: &ban },
                    seconds => {
                        let interval = Duration::from_secs(u64::from(seconds) - 1);
                        Command::Ban { app_id, ban: &ban, interval }
                    }
                }
            }
        };
        // A command over a limit has no effect.
        self.server.command(self.now, command);
    }

    /// Many messages in one burst.
    fn flood(&mut self, slot: usize, script: &mut Script<'_>) {
        let id = MessageId(script.number());
        let to = Bytes::from_static(script.pick(&USERS).as_bytes());
        let config = script.pick(MessageConfig::ALL);
        let payload = script.payload();
        let frame = Frame::Send { id, to, payload, config }.encode();
        let count = (usize::from(script.byte()) * 64).min((4 << 20) / frame.len());
        self.receive(slot, frame.repeat(count).into());
    }

    fn judge(&mut self, script: &mut Script<'_>) {
        self.drain();
        let Some(login) = self.to_judge.pop_front() else { return };
        let verdict = match script.byte() {
            0xFF => Verdict::Accept { claim: u64::MAX, issued_at: u32::MAX },
            // This is no refusal, and must be handled as one.
            0xFE => Verdict::Refuse(LoginCode::Ok),
            byte @ 0xF0.. => {
                Verdict::Refuse(LoginCode::ALL[usize::from(byte) % LoginCode::ALL.len()])
            }
            byte => Verdict::Accept {
                claim: self.now.as_micros() + u64::from(byte),
                issued_at: byte.into(),
            },
        };
        self.server.handle_input(self.now, Input::Verdict(login, verdict));
    }

    fn answer_about_target(&mut self, script: &mut Script<'_>) {
        self.drain();
        let Some(target) = self.targets.pop_front() else { return };
        let is_allowed = script.byte() < 0xC0;
        self.server.handle_input(self.now, Input::TargetChecked(target, is_allowed));
    }

    fn post_progresses(&mut self, script: &mut Script<'_>) {
        self.drain();
        if self.posts.is_empty() {
            return;
        }
        let call = self.posts[usize::from(script.byte()) % self.posts.len()];
        let progress = match script.byte() % 5 {
            0 => PostProgress::Begun,
            1 => PostProgress::Answered(script.reply()),
            2 => PostProgress::Answered(Reply::new(vec![0; REPLY_BYTES_MAX + 1])),
            3 => PostProgress::AnsweredBadly,
            _ => PostProgress::NotReached,
        };
        if progress != PostProgress::Begun {
            self.posts.retain(|under_way| *under_way != call);
        }
        self.server.handle_input(self.now, Input::AppServerReplied(call, progress));
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.server.handle_input(self.now, Input::Tick);
    }

    /// Moves on to the server's deadline. Returns false if the server has no deadline.
    fn sleep(&mut self) -> bool {
        self.drain();
        let Some(until) = self.wait else { return false };
        self.now = self.now.max(until);
        for _ in 0..STEPS_AT_ONE_MOMENT_MAX {
            self.server.handle_input(self.now, Input::Tick);
            self.drain();
            if self.wait.is_none_or(|wait| wait > self.now) {
                return true;
            }
        }
        panic!("{:?} is due again and again", self.server.wake_reason());
    }

    fn drain(&mut self) {
        for _ in 0..DRAIN_MAX {
            match self.server.poll_output() {
                Output::Transmit(link, bytes) => {
                    let reader = self.readers.get_mut(&link).expect("for a link that is there");
                    reader.push(bytes);
                    while let Some(_frame) =
                        reader.next(FRAME_BYTES_MAX).expect("a server speaks the protocol")
                    {
                    }
                    assert_eq!(reader.buffered_bytes(), 0, "half a frame");
                }
                Output::Disconnect(link, _) => {
                    self.readers.remove(&link).expect("a link that is there");
                    if let Some(slot) = self.slots.iter_mut().find(|slot| **slot == Some(link)) {
                        *slot = None;
                    }
                }
                Output::Authenticate(login, _) => self.to_judge.push_back(login),
                Output::CheckTarget(target, _) => self.targets.push_back(target),
                Output::PostToAppServer(call, _) => {
                    assert!(self.posted.insert(call), "{call} was posted before");
                    self.posts.push(call);
                }
                Output::AbandonPost(call) => {
                    assert!(self.posts.contains(&call), "{call} is not under way");
                    self.posts.retain(|under_way| *under_way != call);
                }
                Output::Report(app_id, report) => self.believed.hear(app_id, report),
                Output::HandOver(..) | Output::Peer(..) => panic!("there is one shard"),
                Output::Notice(_) => {}
                Output::Wait(deadline) => {
                    self.wait = deadline;
                    let stats = self.server.stats();
                    self.believed.agrees_with(&stats);
                    assert_eq!(stats.posts_under_way, self.posts.len());
                    assert!(stats.posts_under_way <= APPS.len() * POSTS_PER_APP_MAX);
                    assert!(stats.posts_waiting <= APPS.len() * POSTS_WAITING_MAX);
                    assert_eq!(stats.links, self.readers.len());
                    assert!(stats.window_bytes <= stats.sessions * WINDOW_BYTES_MAX);
                    return;
                }
            }
        }
        panic!("a drain without an end");
    }
}
