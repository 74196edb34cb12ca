//! The server core, with arbitrary bytes from its clients.

mod answers;
mod commands;
mod node;
mod reports;
mod sends;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::{
    FRAME_BYTES_MAX, POSTS_PER_APP_MAX, POSTS_WAITING_MAX, SESSION_GRACE, WINDOW_BYTES_MAX,
};
use rts_proto::server::{Command, Config, Input, Output, ShardId, Shards, Stats};
use rts_proto::wire::{Decoder, Frame, ResumeKey};
use rts_proto::{
    AppId, CallId, Instant, LinkId, LoginId, MessageConfig, MessageId, Payload, TargetId,
};

use self::node::Node;
use self::reports::Believed;
use self::sends::Clients;
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
/// The time between acknowledgements of the clients at the end. Links are not silent for so long
/// that they are closed.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The input is a script of several clients, the driver, and time.
///
/// Nothing panics. A drain ends. The windows are bounded. Transmitted frames can be decoded, are
/// within the limits, and are for existing links only. A timer that fired is not due again at once.
/// The reports add up to the true state. Each accepted send has exactly one result. When all links
/// are gone and the grace period is over, the server is empty.
pub fn server_bytes(data: &[u8]) {
    run(data, 1);
}

/// Like [`server_bytes`], with a server of two shards. The script also decides when links and
/// entries arrive at the other shard, and when a mailbox is congested.
pub fn server_shards(data: &[u8]) {
    run(data, 2);
}

fn run(data: &[u8], shards: usize) {
    let mut script = Script::new(data);
    let mut world = World::new(shards);
    while !script.is_over() {
        world.carry(&mut script);
        world.step(&mut script);
    }
    world.finish_sends();
    for slot in 0..SLOTS {
        world.hang_up(slot);
    }
    world.settle();
    assert_eq!(world.node.sum().links, 0);
    let mut timers = 0;
    while world.sleep() {
        timers += 1;
        assert!(timers < TIMERS_MAX, "{:?} for ever", world.wake_reasons());
        world.settle();
    }
    assert_eq!(world.node.sum(), Stats::default(), "something is left");
}

struct World {
    node: Node,
    slots: [Option<LinkId>; SLOTS],
    /// Decodes the server's bytes on each link.
    readers: BTreeMap<LinkId, Decoder>,
    clients: Clients,
    /// Links that were cut on their way to another shard. It may write to them when they arrive.
    cut: BTreeSet<LinkId>,
    last_link: u64,
    /// Shards count logins, targets and posts for themselves.
    to_judge: VecDeque<(ShardId, LoginId)>,
    targets: VecDeque<(ShardId, TargetId)>,
    /// Posts that the server ordered and did not abandon.
    posts: Vec<(ShardId, CallId)>,
    /// All posts that the server ever ordered.
    posted: BTreeSet<(ShardId, CallId)>,
    /// The state that the reports add up to.
    believed: Believed,
    wait: Option<Instant>,
}

impl World {
    fn new(shards: usize) -> Self {
        // Small limits, so that the fuzzer reaches them.
        let reported_apps = APPS.map(|id| AppId::new(id).expect("well formed")).into();
        let mut config = Config::default();
        config.links_before_login_max = NonZeroUsize::new(3).expect("not 0");
        config.room_members_max = NonZeroUsize::new(3).expect("not 0");
        config.reported_apps = reported_apps;
        Self {
            node: Node::new(&config, shards),
            slots: [None; SLOTS],
            readers: BTreeMap::new(),
            clients: Clients::default(),
            cut: BTreeSet::new(),
            last_link: 0,
            to_judge: VecDeque::new(),
            targets: VecDeque::new(),
            posts: Vec::new(),
            posted: BTreeSet::new(),
            believed: Believed::default(),
            wait: None,
        }
    }

    /// Lets something arrive at another shard, and changes the congestion of a mailbox. With one
    /// shard, the script has no such bytes.
    fn carry(&mut self, script: &mut Script<'_>) {
        let [there, back] = self.node.pairs()[..] else { return };
        let what = script.byte();
        if what & 1 != 0 {
            self.node.entries_arrive(there);
        }
        if what & 2 != 0 {
            self.node.entries_arrive(back);
        }
        if what & 4 != 0 {
            self.node.link_arrives();
        }
        match what >> 3 {
            0 => self.node.set_congested(there, true),
            1 => self.node.set_congested(back, true),
            2 => self.node.set_congested(there, false),
            3 => self.node.set_congested(back, false),
            4..8 => return self.settle(),
            _ => {}
        }
        self.drain();
    }

    /// Lets everything arrive that is under way between shards.
    fn settle(&mut self) {
        self.drain();
        let pairs = self.node.pairs();
        let arrives = |node: &mut Node| {
            node.link_arrives() || pairs.iter().any(|pair| node.entries_arrive(*pair))
        };
        while arrives(&mut self.node) {
            self.drain();
        }
    }

    /// Lets the sends of all sessions have their results: the clients acknowledge everything, and
    /// receivers without a link never come back.
    fn finish_sends(&mut self) {
        for pair in self.node.pairs() {
            self.node.set_congested(pair, false);
        }
        self.settle();
        for _ in 0..=SESSION_GRACE.as_secs() / HEARTBEAT.as_secs() {
            for slot in 0..SLOTS {
                let Some(link) = self.slots[slot] else { continue };
                match self.clients.acknowledge(link) {
                    Some(acknowledgement) => self.receive(slot, acknowledgement.encode()),
                    None => self.hang_up(slot),
                }
            }
            self.settle();
            self.pass(HEARTBEAT);
            self.settle();
        }
        self.clients.have_all_results();
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
            12 => match script.byte() {
                0xFF => {
                    let retry_after_max = Duration::from_secs(script.byte().into());
                    self.node.command(Command::Shutdown { retry_after_max });
                }
                _ => self.talk(slot, script),
            },
            13 => {
                let index = script.byte().into();
                if let Some(login) = self.clients.resume(index) {
                    self.accept(slot);
                    self.receive(slot, Frame::Hello { version: 1, features: 0 }.encode());
                    self.receive(slot, login.encode());
                    self.judge(script);
                }
            }
            14 => {
                self.receive(slot, script.set_server_params().encode());
                self.answer_about_target(script);
            }
            15 => self.answer_about_target(script),
            _ => self.post_progresses(script),
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
        self.clients.opened(link);
        let shard = self.node.accept(link);
        self.node.handle(shard, Input::Accepted(link, key));
        self.drain();
    }

    fn hang_up(&mut self, slot: usize) {
        if let Some(link) = self.slots[slot].take() {
            // Frames from before the server knew may still be drained.
            self.drain();
            self.readers.remove(&link);
            self.clients.closed(link);
            if self.node.is_moving(link) {
                self.cut.insert(link);
            }
            self.node.handle_of(link, Input::Disconnected(link));
        }
    }

    fn receive(&mut self, slot: usize, bytes: Bytes) {
        if let Some(link) = self.slots[slot] {
            self.clients.spoke(link, bytes.clone());
            self.node.handle_of(link, Input::Received(link, bytes));
        }
    }

    /// A join, a broadcast to that room and a message.
    fn talk(&mut self, slot: usize, script: &mut Script<'_>) {
        let (room, id) = (script.room(), MessageId(script.number()));
        let to = Bytes::from_static(script.pick(&USERS).as_bytes());
        let (config, payload) = (script.config(), Payload::text("x"));
        let join = Frame::Join { room: room.clone(), ticket: script.number(), business_id: None };
        let broadcast = Frame::Broadcast { id, room, payload: payload.clone() };
        for frame in [join, broadcast, Frame::Send { id, to, payload, config }] {
            self.receive(slot, frame.encode());
            self.drain();
        }
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

    fn pass(&mut self, time: Duration) {
        self.node.now = self.node.now + time;
        self.node.tick();
    }

    /// Moves on to the server's deadline. Returns false if the server has no deadline.
    fn sleep(&mut self) -> bool {
        self.drain();
        let Some(until) = self.wait else { return false };
        self.node.now = self.node.now.max(until);
        for _ in 0..STEPS_AT_ONE_MOMENT_MAX {
            self.node.tick();
            self.drain();
            if self.wait.is_none_or(|wait| wait > self.node.now) {
                return true;
            }
        }
        panic!("{:?} is due again and again", self.wake_reasons());
    }

    fn wake_reasons(&mut self) -> impl Debug + use<> {
        self.node.ask_all(|server, _| server.wake_reason())
    }

    fn drain(&mut self) {
        let deadlines: Vec<_> = self.node.ids().map(|shard| self.drain_shard(shard)).collect();
        self.wait = deadlines.into_iter().flatten().min();
        let stats = self.node.sum();
        self.believed.agrees_with(&stats);
        assert_eq!(stats.posts_under_way, self.posts.len());
        assert!(stats.posts_under_way <= APPS.len() * POSTS_PER_APP_MAX);
        assert!(stats.posts_waiting <= APPS.len() * POSTS_WAITING_MAX);
        let moving = self.readers.keys().filter(|link| self.node.is_moving(**link)).count();
        assert_eq!(stats.links + moving, self.readers.len());
        assert!(stats.window_bytes <= stats.sessions * WINDOW_BYTES_MAX);
    }

    /// Returns the deadline of the shard.
    fn drain_shard(&mut self, shard: ShardId) -> Option<Instant> {
        for _ in 0..DRAIN_MAX {
            match self.node.server(shard).poll_output() {
                Output::Transmit(link, _) | Output::Disconnect(link, _)
                    if self.cut.contains(&link) => {}
                Output::Transmit(link, bytes) => {
                    let reader = self.readers.get_mut(&link).expect("for a link that is there");
                    reader.push(bytes);
                    while let Some(frame) =
                        reader.next(FRAME_BYTES_MAX).expect("a server speaks the protocol")
                    {
                        self.clients.heard(link, frame);
                    }
                    assert_eq!(reader.buffered_bytes(), 0, "half a frame");
                }
                Output::Disconnect(link, _) => {
                    self.readers.remove(&link).expect("a link that is there");
                    self.clients.closed(link);
                    if let Some(slot) = self.slots.iter_mut().find(|slot| **slot == Some(link)) {
                        *slot = None;
                    }
                }
                Output::Authenticate(login, _) => self.to_judge.push_back((shard, login)),
                Output::CheckTarget(target, _) => self.targets.push_back((shard, target)),
                Output::PostToAppServer(call, _) => {
                    let call = (shard, call);
                    assert!(self.posted.insert(call), "{call:?} was posted before");
                    self.posts.push(call);
                }
                Output::AbandonPost(call) => {
                    let call = (shard, call);
                    assert!(self.posts.contains(&call), "{call:?} is not under way");
                    self.posts.retain(|under_way| *under_way != call);
                }
                Output::Report(app_id, report) => self.believed.hear(app_id, report),
                Output::HandOver(link, to, opened) => self.node.hand_over(link, to, opened),
                Output::Peer(to, entries) => self.node.send(shard, to, entries),
                Output::Notice(_) | Output::Respond(..) => {}
                Output::Wait(deadline) => return deadline,
            }
        }
        panic!("a drain without an end");
    }
}
