//! A node of several shards, or a cluster of such nodes, and clients whose frames the test chooses.
//! Entries between shards wait until the test lets them arrive.
//!
//! Tests count the shards of all nodes together, from 0.

mod nodes;
mod requests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::server::{
    Config, Entry, HomeTable, Input, NodeNumber, Output, Placement, Report, RequestId, Response,
    Server, ShardId, Shards, Stats, Verdict,
};
use rts_proto::wire::{Accepted, Decoder, Frame, Login, LoginAnswer, ResumeKey};
use rts_proto::{
    AppId, CloseCode, Instant, LinkId, MessageConfig, MessageId, OnlineStatus, Payload, RoomId,
    UserId,
};

/// The seed of the distribution over shards.
const SEED: u64 = 3;
pub(crate) const HELLO: Frame = Frame::Hello { version: 1, features: 0 };

pub(crate) struct Node {
    servers: Vec<Server>,
    /// By number, the shards.
    ids: Vec<ShardId>,
    /// The latest homes of a cluster.
    homes: Option<HomeTable>,
    /// Tables of homes that shards have yet to get.
    coming: BTreeMap<ShardId, VecDeque<(HomeTable, Instant)>>,
    /// Whether they wait for [`Node::give_homes`].
    pub(crate) holds_homes: bool,
    /// The nodes of the latest table that each shard has.
    known: BTreeMap<ShardId, Vec<NodeNumber>>,
    next_node: usize,
    config: Config,
    pub(crate) now: Instant,
    /// The shard of each link.
    links: BTreeMap<LinkId, ShardId>,
    frames: BTreeMap<LinkId, Vec<Frame>>,
    closed: BTreeMap<LinkId, Option<CloseCode>>,
    /// When each shard has something to do.
    deadlines: BTreeMap<ShardId, Option<Instant>>,
    /// Entries under way, by sender and receiver.
    mailboxes: BTreeMap<(ShardId, ShardId), VecDeque<Vec<Entry>>>,
    /// Whether entries wait for [`Node::deliver`].
    pub(crate) holds_entries: bool,
    pub(crate) reports: Vec<Report>,
    responses: Vec<(ShardId, RequestId, Response)>,
    last_request: u64,
    pub(crate) handed_over: usize,
    last_link: u64,
    clock: u64,
}

impl Node {
    /// A node that is in no cluster.
    pub(crate) fn new(count: usize, config: &Config) -> Self {
        let ids = (0..count).map(|number| ShardId::new(number).expect("valid")).collect();
        Self::of_shards(ids, None, config)
    }

    /// A cluster of nodes with these numbers of shards.
    pub(crate) fn cluster(shape: &[usize], config: &Config) -> Self {
        let node = |number| NodeNumber::new(number).expect("few nodes");
        let shards = |(of, count): (usize, &usize)| {
            (0..*count).map(move |number| ShardId::of_node(node(of), number).expect("few shards"))
        };
        let ids = shape.iter().enumerate().flat_map(shards).collect();
        let nodes = shape.iter().enumerate().map(|(number, count)| (node(number), *count));
        let homes = HomeTable::new(1, nodes, |slot| node(slot % shape.len())).expect("valid");
        Self { next_node: shape.len(), ..Self::of_shards(ids, Some(homes), config) }
    }

    fn of_shards(ids: Vec<ShardId>, homes: Option<HomeTable>, config: &Config) -> Self {
        let mut config = config.clone();
        config.reported_apps = [app()].into();
        config.homes = homes.clone();
        let nodes: Vec<_> = homes.iter().flat_map(HomeTable::nodes).map(|(node, _)| node).collect();
        Self {
            servers: ids.iter().map(|own| server(*own, &ids, &config)).collect(),
            known: ids.iter().map(|id| (*id, nodes.clone())).collect(),
            ids,
            homes,
            coming: BTreeMap::new(),
            holds_homes: false,
            next_node: 1,
            config,
            now: Instant::from_millis(1),
            links: BTreeMap::new(),
            frames: BTreeMap::new(),
            closed: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            holds_entries: false,
            reports: Vec::new(),
            responses: Vec::new(),
            last_request: 0,
            handed_over: 0,
            last_link: 0,
            clock: 1_000,
        }
    }

    /// The number of shards of all nodes.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The number of a shard.
    fn number(&self, shard: ShardId) -> usize {
        self.ids.iter().position(|id| *id == shard).expect("one of the shards")
    }

    /// The number of nodes of the cluster.
    pub(crate) fn nodes(&self) -> usize {
        self.homes.as_ref().map_or(1, |homes| homes.nodes().count())
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.homes.is_some()
    }

    /// The figures of all nodes together.
    pub(crate) fn stats_of_all(&self) -> Stats {
        Stats::of_node(self.servers.iter().map(Server::stats_part))
    }

    /// The status of a user, who must have a session in at most one shard.
    pub(crate) fn status_of_all(&self, uid: &UserId) -> OnlineStatus {
        let of_shard = |server: &Server| server.online_status(self.now, &app(), uid);
        let mut known = self.servers.iter().map(of_shard);
        let status = known.find(|status| *status != OnlineStatus::Offline);
        assert!(known.all(|status| status == OnlineStatus::Offline), "two sessions of {uid}");
        status.unwrap_or(OnlineStatus::Offline)
    }

    /// The members of a room, which must exist in at most one shard.
    pub(crate) fn members_of_all(&self, room: &RoomId) -> Option<Vec<UserId>> {
        let mut known = self.servers.iter().filter_map(|server| server.room_members(&app(), room));
        let members = known.next()?.cloned().collect();
        assert!(known.next().is_none(), "{room} is in two shards");
        Some(members)
    }

    fn home_of_user(&self, uid: &UserId) -> ShardId {
        let placement = self.placement();
        match &self.homes {
            None => placement.of_user(&app(), uid.as_str()),
            Some(homes) => homes.of_user(&placement, &app(), uid.as_str()),
        }
    }

    /// A user whose home is this shard, among users with names that begin like this.
    pub(crate) fn user_at(&self, shard: usize, prefix: &str) -> UserId {
        let names = (0..).map(|number| user(&format!("{prefix}{number}")));
        let is_there = |uid: &UserId| self.home_of_user(uid) == self.ids[shard];
        names.into_iter().find(is_there).expect("hashes reach every shard")
    }

    /// A room whose home is this shard.
    pub(crate) fn room_at(&self, shard: usize) -> RoomId {
        self.rooms_at(shard).next().expect("hashes reach every shard")
    }

    /// The rooms whose home is this shard.
    pub(crate) fn rooms_at(&self, shard: usize) -> impl Iterator<Item = RoomId> {
        let (placement, homes, shard) = (self.placement(), self.homes.clone(), self.ids[shard]);
        let names = (0..).map(|number| room(&format!("r{number}")));
        names.filter(move |id| {
            let home = match &homes {
                None => placement.of_room(&app(), id),
                Some(homes) => homes.of_room(&placement, &app(), id),
            };
            home == shard
        })
    }

    /// A link at a shard, with these frames behind its Hello.
    pub(crate) fn link_at(&mut self, shard: usize, frames: &[Frame]) -> LinkId {
        self.last_link += 1;
        let id = LinkId(self.last_link);
        let shard = self.ids[shard];
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
        self.log_in_at(0, login)
    }

    /// A new link at a shard with a successful login.
    pub(crate) fn log_in_at(&mut self, shard: usize, login: Login) -> (LinkId, Accepted) {
        let link = self.link_at(shard, &[Frame::Login(login)]);
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
        if let Some(shard) = self.links.get(&link) {
            self.input(*shard, Input::Received(link, bytes));
        }
    }

    pub(crate) fn hang_up(&mut self, link: LinkId) {
        if let Some(shard) = self.links.get(&link) {
            self.input(*shard, Input::Disconnected(link));
        }
    }

    /// Time passes. Every shard does what is due at its moment.
    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        self.end_burst();
        while let Some(next) = self.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.end_burst();
        }
        self.now = until;
        self.end_burst();
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.values().flatten().min().copied()
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
        self.number(self.links[&link])
    }

    /// Ends bursts until no entry is under way, or only those that are held.
    pub(crate) fn end_burst(&mut self) {
        for round in 0.. {
            assert!(round < 1_000, "entries go round in circles");
            for number in 0..self.len() {
                self.tick(number);
            }
            if self.holds_entries || !self.deliver_all() {
                return;
            }
        }
    }

    /// Gives all entries that are under way to their shards. False if there were none.
    fn deliver_all(&mut self) -> bool {
        let pairs: Vec<_> = self.mailboxes.keys().copied().collect();
        let mut has_delivered = false;
        for pair in pairs {
            while self.deliver_to(pair) {
                has_delivered = true;
            }
        }
        has_delivered
    }

    /// Gives a shard the oldest entries from another one: of all that are under way, counted round
    /// and round.
    pub(crate) fn deliver_any(&mut self, which: usize) {
        if !self.mailboxes.is_empty() {
            let pair = *self.mailboxes.keys().nth(which % self.mailboxes.len()).expect("one");
            self.deliver_to(pair);
        }
    }

    /// Gives a shard the oldest entries from another one. False if there are none.
    pub(crate) fn deliver(&mut self, from: usize, to: usize) -> bool {
        self.deliver_to((self.ids[from], self.ids[to]))
    }

    fn deliver_to(&mut self, pair: (ShardId, ShardId)) -> bool {
        // Entries of a node come behind the table that adds it.
        let adds_node = |(table, _): &(HomeTable, Instant)| {
            table.nodes().any(|(node, _)| node == pair.0.node())
        };
        if self.is_cluster()
            && !self.known[&pair.1].contains(&pair.0.node())
            && self.coming.get(&pair.1).is_some_and(|coming| coming.iter().any(adds_node))
        {
            return false;
        }
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
        let pair = (self.ids[from], self.ids[to]);
        self.mailboxes.get(&pair).into_iter().flatten().map(Vec::len).sum()
    }

    /// The oldest entries from one shard to another, as text.
    pub(crate) fn oldest(&self, from: usize, to: usize) -> String {
        let mailbox = self.mailboxes.get(&(self.ids[from], self.ids[to]));
        format!("{:?}", mailbox.and_then(VecDeque::front))
    }

    /// Reports to a shard whether the mailbox to another one is congested.
    pub(crate) fn congest(&mut self, from: usize, to: usize, is_congested: bool) {
        let (from, to) = (self.ids[from], self.ids[to]);
        self.input(from, Input::PeerCongested(to, is_congested));
    }

    /// Ends the burst of one shard.
    pub(crate) fn tick(&mut self, shard: usize) {
        self.input(self.ids[shard], Input::Tick);
    }

    pub(crate) fn input(&mut self, shard: ShardId, input: Input) {
        let now = self.now;
        self.server(shard).handle_input(now, input);
        self.drain(shard);
    }

    fn server(&mut self, shard: ShardId) -> &mut Server {
        let number = self.number(shard);
        &mut self.servers[number]
    }

    fn drain(&mut self, shard: ShardId) {
        loop {
            match self.server(shard).poll_output() {
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
                    let now = self.now;
                    self.server(shard).handle_input(now, input);
                }
                Output::HandOver(link, to, opened) => {
                    assert_eq!(to.node(), shard.node(), "a link cannot leave its node");
                    self.handed_over += 1;
                    self.links.insert(link, to);
                    self.input(to, Input::HandedOver(link, opened));
                }
                Output::Peer(to, entries) => {
                    assert!(to != shard && !entries.is_empty());
                    if !self.ids.contains(&to) {
                        continue;
                    }
                    self.mailboxes.entry((shard, to)).or_default().push_back(entries);
                }
                Output::Report(_, report) => self.reports.push(report),
                Output::Respond(id, response) => self.responses.push((shard, id, *response)),
                Output::CheckTarget(..)
                | Output::PostToAppServer(..)
                | Output::AbandonPost(_)
                | Output::Notice(_) => {}
                Output::Wait(deadline) => {
                    self.deadlines.insert(shard, deadline);
                    return;
                }
            }
        }
    }
}

fn server(own: ShardId, ids: &[ShardId], config: &Config) -> Server {
    let count = ids.iter().filter(|id| id.node() == own.node()).count();
    let mut config = config.clone();
    config.placement = Placement::new(own, count, SEED).expect("valid");
    Server::new(config, 1)
}

/// The shards of the first node.
impl Shards for Node {
    fn placement(&self) -> Placement {
        let of_first = self.ids.iter().filter(|id| id.node() == NodeNumber::ALONE);
        Placement::new(ShardId::FIRST, of_first.count(), SEED).expect("valid")
    }

    fn shard<T>(&mut self, shard: ShardId, call: impl FnOnce(&mut Server, Instant) -> T) -> T {
        let now = self.now;
        let returned = call(self.server(shard), now);
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

pub(crate) fn without_acks(frames: Vec<Frame>) -> Vec<Frame> {
    frames.into_iter().filter(|frame| !matches!(frame, Frame::Ack { .. })).collect()
}
