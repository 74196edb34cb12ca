//! A node whose users and back end do what a test draws.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use rts_proto::server::{Command, Config, Returned, Shards as _};
use rts_proto::wire::{Accepted, Frame, Login, LoginAnswer, Resume, ResumeKey};
use rts_proto::{LinkId, MessageId, OnlineStatus, Payload, RoomId, UserId};

use crate::events::{AGAIN, Event, ROOMS, USERS, room_id, uid};
use crate::support::{Node, app, broadcast, join, leave, login, user};

/// A node or a cluster, and the clients of its users.
pub(crate) struct World {
    pub(crate) node: Node,
    /// Whether clients resume where their session is. In a cluster they need not.
    pub(crate) resumes_there: bool,
    clients: BTreeMap<usize, Client>,
    next_id: u64,
}

struct Client {
    link: LinkId,
    is_up: bool,
    session: u64,
    key: ResumeKey,
    claim: u64,
    received: u64,
}

/// What a test sees of an event.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// The frames to each user. Frames of two streams have no order among each other.
    pub(crate) frames: BTreeMap<(usize, Stream), Vec<Frame>>,
    returned: Option<String>,
    reports: Vec<String>,
    figures: String,
    /// Absent for a cluster.
    pages: Option<String>,
}

impl Seen {
    /// Without what only one node is asked for.
    pub(crate) fn without_pages(mut self) -> Self {
        self.pages = None;
        self
    }
}

/// Frames to a client that arrive in one order, wherever users and rooms have their home.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    Results,
    Room(RoomId),
    Messages,
    Answers,
    Link,
}

impl Stream {
    fn of(frame: &Frame) -> Self {
        match frame {
            Frame::SendResults { .. } | Frame::BroadcastResults { .. } => Self::Results,
            Frame::RoomDelivery { room, .. }
            | Frame::MemberJoined { room, .. }
            | Frame::MemberLeft { room, .. }
            | Frame::RoomNotice { room, .. }
            | Frame::RoomUnicast { room, .. } => Self::Room(room.clone()),
            Frame::Delivery { .. } => Self::Messages,
            Frame::JoinAnswer { .. } | Frame::LeaveAnswer { .. } | Frame::StatusAnswer { .. } => {
                Self::Answers
            }
            _ => Self::Link,
        }
    }
}

impl World {
    pub(crate) fn new(shards: usize) -> Self {
        Self::of(Node::new(shards, &Self::config()))
    }

    pub(crate) fn cluster(shape: &[usize]) -> Self {
        Self::of(Node::cluster(shape, &Self::config()))
    }

    fn of(node: Node) -> Self {
        Self { resumes_there: !node.is_cluster(), node, clients: BTreeMap::new(), next_id: 0 }
    }

    fn config() -> Config {
        let mut config = Config::default();
        config.logins_per_second = 0;
        config.joins_per_second = 0;
        config.sends_per_second = 5;
        config.room_broadcasts_per_second = 4;
        config.room_members_max = NonZeroUsize::new(4).expect("not 0");
        config
    }

    pub(crate) fn happens(&mut self, event: &Event) -> Seen {
        self.next_id += 1;
        let id = self.next_id;
        let returned = match event {
            Event::LogIn(who) => {
                self.connect(*who, self.any_shard(*who), login(&uid(*who)));
                None
            }
            Event::Resume(who) => {
                if let Some(client) = self.clients.get(who) {
                    let (session, key) = (client.session, client.key);
                    let resume = Some(Resume { session, key, received: client.received });
                    let claim = client.claim;
                    let shard = match self.resumes_there {
                        true => self.node.shard_of(client.link),
                        false => self.any_shard(*who),
                    };
                    self.connect(*who, shard, Login { resume, claim, ..login(&uid(*who)) });
                }
                None
            }
            Event::HangUp(who) => {
                if let Some(client) = self.clients.get_mut(who)
                    && std::mem::take(&mut client.is_up)
                {
                    self.node.hang_up(client.link);
                }
                None
            }
            Event::LogOut(who) => self.say(*who, &[Frame::Logout]),
            Event::Send(from, to, config) => {
                let to = Bytes::copy_from_slice(uid(*to).as_str().as_bytes());
                let payload = Payload::text(format!("m{id}"));
                self.say(*from, &[Frame::Send { id: MessageId(id), to, payload, config: *config }])
            }
            Event::Join(who, at) => self.say(*who, &[join(&room_id(*at), id)]),
            Event::JoinAndLeave(who, at, leaves_last) => {
                let (joins, leaves) = (join(&room_id(*at), id), leave(&room_id(*at), id));
                let again = join(&room_id(*at), id + AGAIN);
                match leaves_last {
                    true => self.say(*who, &[joins, again, leaves]),
                    false => self.say(*who, &[leaves, joins, again]),
                }
            }
            Event::Leave(who, at) => self.say(*who, &[leave(&room_id(*at), id)]),
            Event::Broadcast(who, at) => {
                self.say(*who, &[broadcast(&room_id(*at), id, &format!("b{id}"))])
            }
            Event::Query(who, whom) => {
                let uid = Bytes::copy_from_slice(uid(*whom).as_str().as_bytes());
                self.say(*who, &[Frame::StatusQuery { query: id, uid }])
            }
            Event::Unicast(to) => {
                let (from, payload) = (user("backend"), Payload::text(format!("u{id}")));
                let to = &uid(*to);
                let command =
                    Command::Unicast { app_id: &app(), from: &from, to, payload: &payload };
                self.command(command)
            }
            Event::BroadcastToRoom(at) => {
                let (from, payload) = (user("backend"), Payload::text(format!("u{id}")));
                let (app_id, room_id) = (&app(), &room_id(*at));
                let (from, payload) = (&from, &payload);
                let command = Command::BroadcastToRoom { app_id, room_id, from, payload };
                self.command(command)
            }
            Event::UnicastInRoom(at, to) => {
                let (from, payload) = (user("backend"), Payload::text(format!("u{id}")));
                let to: Vec<UserId> = to.iter().map(|who| uid(*who)).collect();
                let (app_id, room_id, to) = (&app(), &room_id(*at), &to);
                let (from, payload) = (&from, &payload);
                let command = Command::UnicastInRoom { app_id, room_id, from, to, payload };
                self.command(command)
            }
            Event::Kick(at, who) => {
                let (app_id, room_id, uid) = (&app(), &room_id(*at), &uid(*who));
                self.command(Command::Kick { app_id, room_id, uid })
            }
            Event::Dismiss(at) => {
                let (app_id, room_id) = (&app(), &room_id(*at));
                self.command(Command::Dismiss { app_id, room_id })
            }
            Event::Ban(of, secs) => {
                let (app_id, ban, interval) = (&app(), &of.ban(), Duration::from_secs(*secs));
                self.command(Command::Ban { app_id, ban, interval })
            }
            Event::Unban(of) => {
                let (app_id, ban) = (&app(), &of.ban());
                self.command(Command::Unban { app_id, ban })
            }
            Event::PutOut(who) => {
                let (app_id, uid) = (&app(), &uid(*who));
                self.command(Command::PutOut { app_id, uid })
            }
            Event::Revoke(who) => {
                let (app_id, uid, issued_before) = (&app(), &uid(*who), 1);
                let uid = Some(uid);
                self.command(Command::Revoke { app_id, uid, issued_before })
            }
            Event::Wait(millis) => {
                // Sessions that end at one moment may hear of one another, or not.
                for who in 0..USERS {
                    // A client that has not logged in sends no pings.
                    if self.clients.get(&who).is_some_and(|client| client.session != 0) {
                        self.say(who, &[Frame::Ping]);
                    }
                }
                self.node.wait(Duration::from_millis(*millis));
                None
            }
        };
        self.see(returned)
    }

    /// In a cluster, the back end asks any shard.
    fn command(&mut self, command: Command<'_>) -> Option<Returned> {
        match self.node.is_cluster() {
            true => self.node.command_by(self.any_shard(0), command),
            false => Some(self.node.command(command)),
        }
    }

    /// The id of the next send.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id + 1
    }

    /// The session over which a user sends or asks this, if its link is up and it is logged in.
    pub(crate) fn sender(&self, event: &Event) -> Option<u64> {
        let (Event::Send(who, ..)
        | Event::Broadcast(who, _)
        | Event::Join(who, _)
        | Event::Leave(who, _)
        | Event::JoinAndLeave(who, ..)) = event
        else {
            return None;
        };
        let client = self.clients.get(who)?;
        Some(client.session).filter(|session| *session != 0 && self.is_up(*session))
    }

    /// Whether a client is on this session, and its link is up.
    pub(crate) fn is_up(&self, session: u64) -> bool {
        self.clients.values().any(|client| {
            let is_open = client.is_up && self.node.closed(client.link).is_none();
            client.session == session && is_open
        })
    }

    /// Users that were logged in, and have no link.
    pub(crate) fn without_link(&self) -> Vec<usize> {
        let is_down = |client: &Client| !client.is_up || self.node.closed(client.link).is_some();
        let down = self.clients.iter().filter(|(_, client)| is_down(client));
        down.map(|(who, _)| *who).collect()
    }

    /// The shard that accepts a user's next link: now this one and now that one.
    fn any_shard(&self, who: usize) -> usize {
        (who + self.next_id as usize) % self.node.len()
    }

    fn connect(&mut self, who: usize, shard: usize, login: Login) {
        let received = login.resume.as_ref().map_or(0, |resume| resume.received);
        let link = self.node.link_at(shard, &[Frame::Login(login)]);
        let key = ResumeKey([0; 16]);
        let client = Client { link, is_up: true, session: 0, key, claim: 0, received };
        self.clients.insert(who, client);
    }

    fn say(&mut self, who: usize, frames: &[Frame]) -> Option<Returned> {
        let client = self.clients.get(&who)?;
        if client.is_up && self.node.closed(client.link).is_none() {
            let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.clone().encode()).collect();
            self.node.say_bytes(client.link, bytes.into());
        }
        None
    }

    /// Lets everything arrive and be acknowledged, and collects what is seen of it.
    fn see(&mut self, returned: Option<Returned>) -> Seen {
        let mut frames: BTreeMap<(usize, Stream), Vec<Frame>> = BTreeMap::new();
        loop {
            let mut has_more = false;
            for (who, client) in &mut self.clients {
                let mut owes_ack = false;
                for frame in self.node.frames_to(client.link) {
                    has_more = true;
                    client.received += u64::from(frame.is_sequenced());
                    owes_ack |= frame.is_sequenced();
                    if let Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) = &frame {
                        if !accepted.resumed {
                            client.received = 0;
                        }
                        client.session = accepted.session;
                        (client.key, client.claim) = (accepted.key, accepted.claim);
                    }
                    if let Some(frame) = comparable(frame) {
                        frames.entry((*who, Stream::of(&frame))).or_default().push(frame);
                    }
                }
                if owes_ack && client.is_up && self.node.closed(client.link).is_none() {
                    self.node.say(client.link, Frame::Ack { received: client.received });
                }
            }
            if !has_more {
                break;
            }
        }
        for of_stream in frames.values_mut() {
            sort_leaves(of_stream);
        }
        let mut reports: Vec<String> =
            self.node.reports.drain(..).map(|report| format!("{report:?}")).collect();
        reports.sort();
        let (figures, pages) = (self.figures(), self.pages());
        let returned = returned.map(|value| format!("{value:?}"));
        Seen { frames, returned, reports, figures, pages }
    }
}

impl World {
    /// Sessions without a link are over: each session is one of a user online, and only users
    /// online are members of rooms.
    pub(crate) fn is_at_rest(&mut self) -> Result<(), TestCaseError> {
        let is_online =
            |node: &Node, uid: &UserId| node.status_of_all(uid) != OnlineStatus::Offline;
        let online = (0..USERS).filter(|who| is_online(&self.node, &uid(*who))).count();
        prop_assert_eq!(self.node.stats_of_all().sessions, online);
        for room in (0..ROOMS).map(room_id) {
            for member in self.node.members_of_all(&room).unwrap_or_default() {
                prop_assert!(is_online(&self.node, &member), "{} in {}", member, room);
            }
        }
        Ok(())
    }

    /// All users log out. When lost sessions, bans and rates are over, nothing is left.
    pub(crate) fn leaves_nothing(&mut self) -> Result<(), TestCaseError> {
        for who in 0..USERS {
            self.happens(&Event::LogOut(who));
        }
        for _ in 0..3 {
            self.node.wait(Duration::from_secs(40));
        }
        let stats = self.node.stats_of_all();
        prop_assert_eq!(
            (stats.sessions, stats.rooms, stats.memberships, stats.window_bytes),
            (0, 0, 0, 0)
        );
        prop_assert_eq!((stats.users_remembered, stats.bans, stats.apps), (0, 0, 0));
        Ok(())
    }

    /// What the figures say.
    fn figures(&mut self) -> String {
        let stats = self.node.stats_of_all();
        let counts = (stats.sessions, stats.rooms, stats.memberships, stats.bans);
        let statuses: Vec<OnlineStatus> =
            (0..USERS).map(|who| self.node.status_of_all(&uid(who))).collect();
        let members: Vec<Option<Vec<UserId>>> =
            (0..ROOMS).map(|at| self.node.members_of_all(&room_id(at))).collect();
        format!("{counts:?}; {statuses:?}; {members:?}")
    }

    /// What a node answers to questions about one app.
    fn pages(&mut self) -> Option<String> {
        if self.node.is_cluster() {
            return None;
        }
        let stats = self.node.app_stats(&app());
        let users = self.node.users_page(&app(), None, 4);
        let rooms = self.node.rooms_page(&app(), None, 2);
        Some(format!("{stats:?}; {users:?}; {rooms:?}"))
    }
}

/// Memberships that end at one moment, in the shards of their sessions, end in no order.
fn sort_leaves(frames: &mut [Frame]) {
    let is_leave = |frame: &Frame| matches!(frame, Frame::MemberLeft { .. });
    for leaves in frames.chunk_by_mut(|one, other| is_leave(one) && is_leave(other)) {
        leaves.sort_by_key(|frame| format!("{frame:?}"));
    }
}

/// The frame without what differs from node to node.
fn comparable(frame: Frame) -> Option<Frame> {
    match frame {
        Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) => {
            let accepted = Accepted { session: 0, key: ResumeKey([0; 16]), ..accepted };
            Some(Frame::LoginAnswer(LoginAnswer::Accepted(accepted)))
        }
        // Its wait before a reconnect is drawn by chance.
        Frame::Close { code, reason, .. } => Some(Frame::Close { code, reason, retry_after_ms: 0 }),
        // Their place between the others has no meaning.
        Frame::Ack { .. } | Frame::Pong => None,
        other => Some(other),
    }
}
