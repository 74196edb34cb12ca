//! A node of several shards, and clients whose frames the test chooses. Entries between shards wait
//! until the test lets them arrive.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::server::{
    Config, Entry, Input, Output, Placement, Report, Server, ShardId, Shards, Verdict,
};
use rts_proto::wire::{Accepted, Decoder, Frame, Login, LoginAnswer, ResumeKey};
use rts_proto::{
    AppId, CloseCode, Instant, LinkId, MessageConfig, MessageId, Payload, RoomId, UserId,
};

pub(crate) const HELLO: Frame = Frame::Hello { version: 1, features: 0 };

pub(crate) struct Node {
    servers: Vec<Server>,
    pub(crate) now: Instant,
    /// The shard of each link.
    links: BTreeMap<LinkId, ShardId>,
    frames: BTreeMap<LinkId, Vec<Frame>>,
    closed: BTreeMap<LinkId, Option<CloseCode>>,
    /// Entries under way, by sender and receiver.
    mailboxes: BTreeMap<(ShardId, ShardId), VecDeque<Vec<Entry>>>,
    /// Whether entries wait for [`Node::deliver`].
    pub(crate) holds_entries: bool,
    pub(crate) reports: Vec<Report>,
    pub(crate) handed_over: usize,
    last_link: u64,
    clock: u64,
}

impl Node {
    pub(crate) fn new(count: usize, config: &Config) -> Self {
        let server = |own: usize| {
            let own = ShardId::new(own).expect("valid");
            let placement = Placement::new(own, count, 3).expect("valid");
            let mut config = config.clone();
            config.placement = placement;
            config.reported_apps = [app()].into();
            Server::new(config, 1)
        };
        Self {
            servers: (0..count).map(server).collect(),
            now: Instant::from_millis(1),
            links: BTreeMap::new(),
            frames: BTreeMap::new(),
            closed: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            holds_entries: false,
            reports: Vec::new(),
            handed_over: 0,
            last_link: 0,
            clock: 1_000,
        }
    }

    /// A user whose home is this shard, among users with names that begin like this.
    pub(crate) fn user_at(&self, shard: usize, prefix: &str) -> UserId {
        let placement = self.placement();
        let names = (0..).map(|number| user(&format!("{prefix}{number}")));
        let is_there = |uid: &UserId| placement.of_user(&app(), uid.as_str()).number() == shard;
        names.into_iter().find(is_there).expect("hashes reach every shard")
    }

    /// A room whose home is this shard.
    pub(crate) fn room_at(&self, shard: usize) -> RoomId {
        self.rooms_at(shard).next().expect("hashes reach every shard")
    }

    /// The rooms whose home is this shard.
    pub(crate) fn rooms_at(&self, shard: usize) -> impl Iterator<Item = RoomId> {
        let placement = self.placement();
        let names = (0..).map(|number| room(&format!("r{number}")));
        names.filter(move |id| placement.of_room(&app(), id).number() == shard)
    }

    /// A link at a shard, with these frames behind its Hello.
    pub(crate) fn link_at(&mut self, shard: usize, frames: &[Frame]) -> LinkId {
        self.last_link += 1;
        let id = LinkId(self.last_link);
        let shard = ShardId::new(shard).expect("valid");
        self.links.insert(id, shard);
        let key = ResumeKey([self.last_link as u8; 16]);
        self.input(shard, Input::Accepted(id, key));
        let bytes: Vec<u8> =
            [HELLO].iter().chain(frames).flat_map(|frame| frame.clone().encode()).collect();
        self.say_bytes(id, bytes.into());
        id
    }

    /// A new link at shard 0 with a successful login.
    pub(crate) fn log_in(&mut self, login: Login) -> (LinkId, Accepted) {
        let link = self.link_at(0, &[Frame::Login(login)]);
        match &self.frames_to(link)[..] {
            [HELLO, Frame::LoginAnswer(LoginAnswer::Accepted(accepted)), ..] => {
                (link, accepted.clone())
            }
            other => panic!("not logged in: {other:?}"),
        }
    }

    pub(crate) fn enter(&mut self, uid: &UserId) -> LinkId {
        self.log_in(login(uid)).0
    }

    pub(crate) fn say(&mut self, link: LinkId, frame: Frame) {
        self.say_bytes(link, frame.encode());
    }

    pub(crate) fn say_bytes(&mut self, link: LinkId, bytes: Bytes) {
        self.input(self.links[&link], Input::Received(link, bytes));
    }

    pub(crate) fn hang_up(&mut self, link: LinkId) {
        self.input(self.links[&link], Input::Disconnected(link));
    }

    /// Time passes, and every shard does what is due.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.end_burst();
    }

    /// Ends the burst of every shard. Returns the frames on a link since the last call.
    pub(crate) fn frames_to(&mut self, link: LinkId) -> Vec<Frame> {
        self.end_burst();
        self.frames.remove(&link).unwrap_or_default()
    }

    pub(crate) fn closed(&self, link: LinkId) -> Option<Option<CloseCode>> {
        self.closed.get(&link).copied()
    }

    pub(crate) fn shard_of(&self, link: LinkId) -> usize {
        self.links[&link].number()
    }

    /// Ends bursts until no entry is under way, or only those that are held.
    pub(crate) fn end_burst(&mut self) {
        loop {
            for shard in self.placement().shards() {
                self.input(shard, Input::Tick);
            }
            if self.holds_entries || !self.deliver_all() {
                return;
            }
        }
    }

    /// Gives all entries that are under way to their shards. False if there were none.
    fn deliver_all(&mut self) -> bool {
        let pairs: Vec<_> = self.mailboxes.keys().copied().collect();
        for (from, to) in &pairs {
            while self.deliver(from.number(), to.number()) {}
        }
        !pairs.is_empty()
    }

    /// Gives a shard the oldest entries from another one. False if there are none.
    pub(crate) fn deliver(&mut self, from: usize, to: usize) -> bool {
        let pair = (ShardId::new(from).expect("valid"), ShardId::new(to).expect("valid"));
        let Some(mailbox) = self.mailboxes.get_mut(&pair) else { return false };
        let entries = mailbox.pop_front().expect("not empty");
        if mailbox.is_empty() {
            self.mailboxes.remove(&pair);
        }
        self.input(pair.1, Input::Peer(pair.0, entries));
        true
    }

    /// The number of entries under way from one shard to another.
    pub(crate) fn under_way(&self, from: usize, to: usize) -> usize {
        let pair = (ShardId::new(from).expect("valid"), ShardId::new(to).expect("valid"));
        self.mailboxes.get(&pair).into_iter().flatten().map(Vec::len).sum()
    }

    /// Reports to a shard whether the mailbox to another one is congested.
    pub(crate) fn congest(&mut self, from: usize, to: usize, is_congested: bool) {
        let (from, to) = (ShardId::new(from).expect("valid"), ShardId::new(to).expect("valid"));
        self.input(from, Input::PeerCongested(to, is_congested));
    }

    /// Ends the burst of one shard.
    pub(crate) fn tick(&mut self, shard: usize) {
        self.input(ShardId::new(shard).expect("valid"), Input::Tick);
    }

    pub(crate) fn input(&mut self, shard: ShardId, input: Input) {
        self.servers[shard.number()].handle_input(self.now, input);
        self.drain(shard);
    }

    fn drain(&mut self, shard: ShardId) {
        loop {
            match self.servers[shard.number()].poll_output() {
                Output::Transmit(link, bytes) => {
                    assert_eq!(self.links.get(&link), Some(&shard), "{link} is of another shard");
                    let mut decoder = Decoder::new();
                    decoder.push(bytes);
                    while let Some(frame) = decoder.next(FRAME_BYTES_MAX).expect("frames") {
                        self.frames.entry(link).or_default().push(frame);
                    }
                }
                Output::Disconnect(link, code) => drop(self.closed.insert(link, code)),
                Output::Authenticate(login, _) => {
                    self.clock += 1;
                    let verdict = Verdict::Accept { claim: self.clock, issued_at: 0 };
                    let input = Input::Verdict(login, verdict);
                    self.servers[shard.number()].handle_input(self.now, input);
                }
                Output::HandOver(link, to, opened) => {
                    self.handed_over += 1;
                    self.links.insert(link, to);
                    self.input(to, Input::HandedOver(link, opened));
                }
                Output::Peer(to, entries) => {
                    assert!(to != shard && !entries.is_empty());
                    self.mailboxes.entry((shard, to)).or_default().push_back(entries);
                }
                Output::Report(_, report) => self.reports.push(report),
                Output::CheckTarget(..)
                | Output::PostToAppServer(..)
                | Output::AbandonPost(_)
                | Output::Notice(_) => {}
                Output::Wait(_) => return,
            }
        }
    }
}

impl Shards for Node {
    fn placement(&self) -> Placement {
        Placement::new(ShardId::FIRST, self.servers.len(), 3).expect("valid")
    }

    fn shard<T>(&mut self, shard: ShardId, call: impl FnOnce(&mut Server, Instant) -> T) -> T {
        let returned = call(&mut self.servers[shard.number()], self.now);
        self.drain(shard);
        returned
    }
}

pub(crate) fn app() -> AppId {
    AppId::new("123456781234567812345678").expect("well formed")
}

pub(crate) fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("well formed")
}

pub(crate) fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("well formed")
}

pub(crate) fn login(uid: &UserId) -> Login {
    Login {
        app_id: app(),
        uid: uid.clone(),
        token: Bytes::from_static(b"token"),
        resume: None,
        claim: 0,
        engine: 0,
        attempt: 0,
    }
}

pub(crate) fn message(id: u64, to: &UserId, text: &str) -> Frame {
    let to = Bytes::copy_from_slice(to.as_str().as_bytes());
    let config = MessageConfig::ReliableOrdered;
    Frame::Send { id: MessageId(id), to, payload: Payload::text(text), config }
}

pub(crate) fn delivery(from: &UserId, text: &str) -> Frame {
    let config = MessageConfig::ReliableOrdered;
    Frame::Delivery { from: from.clone(), payload: Payload::text(text), config }
}

pub(crate) fn join(room: &RoomId, ticket: u64) -> Frame {
    Frame::Join { room: room.clone(), ticket, business_id: None }
}

pub(crate) fn leave(room: &RoomId, ticket: u64) -> Frame {
    Frame::Leave { room: room.clone(), ticket }
}

pub(crate) fn broadcast(room: &RoomId, id: u64, text: &str) -> Frame {
    Frame::Broadcast { id: MessageId(id), room: room.clone(), payload: Payload::text(text) }
}

pub(crate) fn room_delivery(from: &UserId, room: &RoomId, text: &str) -> Frame {
    let (from, room) = (from.clone(), room.clone());
    Frame::RoomDelivery { from, room, payload: Payload::text(text) }
}
