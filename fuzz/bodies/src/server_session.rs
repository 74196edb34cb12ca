//! The server core with clients that keep every rule, against a small model of what it has to say to them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::{FRAME_BYTES_MAX, SESSION_GRACE, UNREACHABLE_AFTER};
use rts_proto::server::{Config, Input, Output, Server, Stats, Verdict};
use rts_proto::wire::{Accepted, Decoder, Frame, Login, LoginAnswer, Resume, ResumeKey};
use rts_proto::{
    AppId, BroadcastCode, Instant, LeaveReason, LinkId, MessageConfig, MessageId, OnlineStatus,
    Payload, RoomId, RoomState, SendCode, UserId,
};

use crate::script::Script;

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
/// Enough for everything to happen, and not so much that a window fills.
const STEPS_MAX: usize = 600;

/// A place in `NAMES`.
type Person = usize;

/// The input is a script of what three users do, all in one room, and of time and links.
///
/// Each send has exactly one result, and the one that the model foresees; deliveries arrive in order and once; the answers to
/// joins and queries are true; notices tell of every change of the room and of nothing else; a resume goes on where
/// the client stopped reading.
pub fn server_session(data: &[u8]) {
    let mut script = Script::new(data);
    let mut world = World::new();
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        world.step(&mut script);
        world.settle();
        world.check();
    }
    world.pass(SESSION_GRACE);
    world.pass(SESSION_GRACE);
    assert_eq!(world.server.stats(), Stats::default(), "something is left");
}

/// A session as both its client and the model see it.
struct Session {
    number: u64,
    key: ResumeKey,
    claim: u64,
    link: Option<LinkId>,
    /// What the server sends does not arrive, up to the next link.
    is_deaf: bool,
    last_heard: Instant,
    /// Sequenced frames that the server got, and that the client got.
    sent: u64,
    received: u64,
    is_in_room: bool,
    /// Reliable messages to this session that it has not received, by sender in order.
    due: BTreeMap<Person, VecDeque<u64>>,
    /// Those that it received and did not acknowledge: the place among the received frames, and the message.
    unacknowledged: VecDeque<(u64, u64)>,
    /// Results of its own sends that are decided and have not arrived.
    results: BTreeMap<u64, SendCode>,
    /// What else is to arrive, in any order.
    others: Vec<Frame>,
}

/// A reliable message without a result.
struct Open {
    from: Person,
    to: Person,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Present,
    /// Its session was superseded; it may come back.
    Orphan(Instant),
}

struct World {
    server: Server,
    now: Instant,
    sessions: [Option<Session>; NAMES.len()],
    members: BTreeMap<Person, Member>,
    open: BTreeMap<u64, Open>,
    decoders: BTreeMap<LinkId, (Person, Decoder)>,
    last_link: u64,
    last_number: u64,
    last_claim: u64,
    answer: Option<Accepted>,
}

impl World {
    fn new() -> Self {
        let config = Config {
            sends_per_second: 0,
            broadcasts_per_second: 0,
            status_queries_per_second: 0,
            room_broadcasts_per_second: 0,
            ..Config::default()
        };
        Self {
            server: Server::new(config, 1),
            now: Instant::from_millis(1),
            sessions: [None, None, None],
            members: BTreeMap::new(),
            open: BTreeMap::new(),
            decoders: BTreeMap::new(),
            last_link: 0,
            last_number: 0,
            last_claim: 0,
            answer: None,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let who = usize::from(script.byte()) % NAMES.len();
        match script.byte() % 16 {
            0 => self.pass(Duration::from_millis(u64::from(script.short()) / 2)),
            1 => self.log_in(who),
            2 | 3 => self.resume(who),
            4 => self.cut(who),
            5 => {
                if let Some(session) = &mut self.sessions[who] {
                    session.is_deaf = session.link.is_some();
                }
            }
            6..=9 => self.send(who, script),
            10 => self.join(who),
            11 => self.leave(who),
            12 => self.broadcast(who, script),
            13 => self.query(who, usize::from(script.byte()) % NAMES.len()),
            14 => self.acknowledge(who),
            _ if script.byte().is_multiple_of(4) => self.log_out(who),
            _ => self.ping(who),
        }
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Says something on the person's link, if it has one.
    fn say(&mut self, who: Person, frame: Frame) -> bool {
        let Some(session) = &mut self.sessions[who] else { return false };
        let Some(link) = session.link else { return false };
        session.last_heard = self.now;
        session.sent += u64::from(frame.is_sequenced());
        self.server.handle_input(self.now, Input::Received(link, frame.encode()));
        true
    }

    fn settle(&mut self) {
        self.server.handle_input(self.now, Input::Tick);
        self.drain();
    }

    fn log_in(&mut self, who: Person) {
        self.end(who, End::Superseded);
        let accepted = self.open_link(who, None, 0).expect("every token is good");
        assert!(!accepted.resumed);
    }

    fn resume(&mut self, who: Person) {
        let Some(session) = &self.sessions[who] else { return };
        let (received, sent) = (session.received, session.sent);
        let resume = Resume { session: session.number, key: session.key, received };
        let claim = session.claim;
        self.acknowledged(who, received);
        let accepted = self.open_link(who, Some(resume), claim).expect("a session is resumed");
        assert!(accepted.resumed, "its grace has not passed");
        assert_eq!(accepted.received, sent, "the server counts");
    }

    fn open_link(&mut self, who: Person, resume: Option<Resume>, claim: u64) -> Option<Accepted> {
        self.last_link += 1;
        let link = LinkId(self.last_link);
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.last_link.to_le_bytes());
        self.decoders.insert(link, (who, Decoder::new()));
        let login = Login {
            app_id: AppId::new("123456781234567812345678").expect("well formed"),
            uid: UserId::new(NAMES[who]).expect("well formed"),
            token: Bytes::from_static(b"token"),
            resume,
            claim,
            engine: who as u64 + 1,
            attempt: self.last_link,
        };
        self.server.handle_input(self.now, Input::Accepted(link, ResumeKey(key)));
        for frame in [Frame::Hello { version: 1, features: 0 }, Frame::Login(login)] {
            self.server.handle_input(self.now, Input::Received(link, frame.encode()));
        }
        if let Some(session) = &mut self.sessions[who] {
            session.link = Some(link);
            session.is_deaf = false;
            session.last_heard = self.now;
        }
        self.drain();
        self.answer.take()
    }

    fn answered(&mut self, who: Person, link: LinkId, accepted: Accepted) {
        match &mut self.sessions[who] {
            Some(session) => session.key = accepted.key,
            None => {
                self.sessions[who] = Some(Session {
                    number: accepted.session,
                    key: accepted.key,
                    claim: accepted.claim,
                    link: Some(link),
                    is_deaf: false,
                    last_heard: self.now,
                    sent: 0,
                    received: 0,
                    is_in_room: false,
                    due: BTreeMap::new(),
                    unacknowledged: VecDeque::new(),
                    results: BTreeMap::new(),
                    others: Vec::new(),
                });
            }
        }
        self.answer = Some(accepted);
    }

    fn cut(&mut self, who: Person) {
        let Some(session) = &mut self.sessions[who] else { return };
        if let Some(link) = session.link.take() {
            self.decoders.remove(&link);
            self.server.handle_input(self.now, Input::Disconnected(link));
        }
    }

    fn send(&mut self, who: Person, script: &mut Script<'_>) {
        let to = usize::from(script.byte()) % (NAMES.len() + 1);
        let config = script.pick(MessageConfig::ALL);
        let number = self.number();
        let name = NAMES.get(to).copied().unwrap_or("not an id");
        let frame = Frame::Send {
            id: MessageId(number),
            to: Bytes::from_static(name.as_bytes()),
            payload: Payload::text(number.to_string()),
            config,
        };
        if !self.say(who, frame) {
            return;
        }
        let receiver = self.sessions.get_mut(to).map(Option::as_mut);
        let code = match receiver {
            None => Some(SendCode::ReceiverNotFound),
            Some(None) => Some(SendCode::ReceiverNotLoggedIn),
            Some(Some(receiver)) if config.is_reliable() => {
                receiver.due.entry(who).or_default().push_back(number);
                self.open.insert(number, Open { from: who, to });
                None
            }
            Some(Some(receiver)) if receiver.link.is_some() => Some(SendCode::Ok),
            Some(Some(_)) => Some(SendCode::Broken),
        };
        if let (Some(code), Some(sender)) = (code, &mut self.sessions[who]) {
            sender.results.insert(number, code);
        }
    }

    fn room() -> RoomId {
        RoomId::new("room").expect("well formed")
    }

    fn user(who: Person) -> UserId {
        UserId::new(NAMES[who]).expect("well formed")
    }

    fn tell_others(&mut self, who: Person, frame: &Frame) {
        for (other, member) in &self.members {
            if *other != who
                && *member == Member::Present
                && let Some(session) = &mut self.sessions[*other]
            {
                session.others.push(frame.clone());
            }
        }
    }

    fn join(&mut self, who: Person) {
        let ticket = self.number();
        if !self.say(who, Frame::Join { room: Self::room(), ticket, business_id: None }) {
            return;
        }
        let is_new = self.members.insert(who, Member::Present).is_none();
        let others = self.members.keys().filter(|member| **member != who);
        // In the order of the ids, which is that of the names.
        let members = others.map(|other| Self::user(*other)).collect();
        let session = self.sessions[who].as_mut().expect("it spoke");
        session.is_in_room = true;
        session.others.push(Frame::JoinAnswer { ticket, state: RoomState::Joined, members });
        if is_new {
            self.tell_others(
                who,
                &Frame::MemberJoined { room: Self::room(), uid: Self::user(who) },
            );
        }
    }

    fn leave(&mut self, who: Person) {
        let ticket = self.number();
        if !self.say(who, Frame::Leave { room: Self::room(), ticket }) {
            return;
        }
        let session = self.sessions[who].as_mut().expect("it spoke");
        session.others.push(Frame::LeaveAnswer { ticket });
        if std::mem::take(&mut session.is_in_room) {
            self.gone(who, LeaveReason::Left);
        }
    }

    fn gone(&mut self, who: Person, reason: LeaveReason) {
        self.members.remove(&who);
        let left = Frame::MemberLeft { room: Self::room(), uid: Self::user(who), reason };
        self.tell_others(who, &left);
    }

    fn broadcast(&mut self, who: Person, script: &mut Script<'_>) {
        let number = self.number();
        let payload = Payload::binary(vec![script.byte(); 3]);
        let (id, room) = (MessageId(number), Self::room());
        let frame = Frame::Broadcast { id, room: room.clone(), payload: payload.clone() };
        if !self.say(who, frame) {
            return;
        }
        let session = self.sessions[who].as_mut().expect("it spoke");
        let is_in = session.is_in_room;
        let code = if is_in { BroadcastCode::Ok } else { BroadcastCode::NotInRoom };
        session.others.push(Frame::BroadcastResults { room: room.clone(), code, ids: vec![id] });
        if is_in {
            let from = Self::user(who);
            self.tell_others(who, &Frame::RoomDelivery { from, room, payload });
        }
    }

    fn query(&mut self, who: Person, about: Person) {
        let query = self.number();
        let uid = Bytes::from_static(NAMES[about].as_bytes());
        if !self.say(who, Frame::StatusQuery { query, uid }) {
            return;
        }
        let silence = self.sessions[about].as_ref().map(|other| self.now.since(other.last_heard));
        let status = match silence {
            Some(silence) if silence < UNREACHABLE_AFTER => OnlineStatus::Online,
            Some(_) => OnlineStatus::Unreachable,
            None => OnlineStatus::Offline,
        };
        let session = self.sessions[who].as_mut().expect("it spoke");
        session.others.push(Frame::StatusAnswer { query, status });
    }

    fn acknowledge(&mut self, who: Person) {
        let Some(received) = self.sessions[who].as_ref().map(|session| session.received) else {
            return;
        };
        if self.say(who, Frame::Ack { received }) {
            self.acknowledged(who, received);
        }
    }

    /// What the receiver has said that it has, is a result for its sender.
    fn acknowledged(&mut self, who: Person, received: u64) {
        let Some(session) = &mut self.sessions[who] else { return };
        let known = session.unacknowledged.partition_point(|(place, _)| *place <= received);
        let numbers: Vec<u64> = session.unacknowledged.drain(..known).map(|(_, n)| n).collect();
        for number in numbers {
            self.decide(number, SendCode::Ok);
        }
    }

    fn decide(&mut self, number: u64, code: SendCode) {
        if let Some(open) = self.open.remove(&number)
            && let Some(sender) = &mut self.sessions[open.from]
        {
            sender.results.insert(number, code);
        }
    }

    fn ping(&mut self, who: Person) {
        self.say(who, Frame::Ping);
    }

    fn log_out(&mut self, who: Person) {
        if self.say(who, Frame::Logout) {
            self.end(who, End::Logout);
        }
    }

    /// The session is over, and everything that follows from it.
    fn end(&mut self, who: Person, why: End) {
        let Some(session) = self.sessions[who].take() else { return };
        self.open.retain(|_, open| open.from != who);
        let unread: Vec<u64> =
            self.open.iter().filter(|(_, open)| open.to == who).map(|(n, _)| *n).collect();
        for number in unread {
            self.decide(number, SendCode::Timeout);
        }
        if session.is_in_room {
            match why {
                End::Logout => self.gone(who, LeaveReason::Left),
                End::Grace => self.gone(who, LeaveReason::Dropped),
                End::Superseded => {
                    let until = session.last_heard + SESSION_GRACE;
                    self.members.insert(who, Member::Orphan(until));
                }
            }
        }
    }

    /// Time passes, and at its end what is due happens.
    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        let mut over: Vec<_> = (0..NAMES.len())
            .filter_map(|who| Some((self.sessions[who].as_ref()?.last_heard + SESSION_GRACE, who)))
            .filter(|(at, _)| *at <= self.now)
            .collect();
        over.sort_unstable();
        for (_, who) in over {
            self.end(who, End::Grace);
        }
        let orphans: Vec<Person> = self
            .members
            .iter()
            .filter(|(_, member)| matches!(member, Member::Orphan(until) if *until <= self.now))
            .map(|(who, _)| *who)
            .collect();
        for who in orphans {
            self.gone(who, LeaveReason::Dropped);
        }
        self.settle();
    }

    fn drain(&mut self) {
        loop {
            match self.server.poll_output() {
                Output::Transmit(link, bytes) => self.transmitted(link, bytes),
                Output::Disconnect(link, _) => {
                    self.decoders.remove(&link);
                    for session in self.sessions.iter_mut().flatten() {
                        session.link.take_if(|own| *own == link);
                    }
                }
                Output::Authenticate(login, _) => {
                    self.last_claim += 1;
                    let verdict = Verdict::Accept { claim: self.last_claim };
                    self.server.handle_input(self.now, Input::Verdict(login, verdict));
                }
                Output::Report(..) => {}
                Output::CheckTarget(..) | Output::PostToAppServer(..) | Output::AbandonPost(_) => {
                    panic!("nobody asked for the app's server");
                }
                Output::Wait(_) => return,
            }
        }
    }

    fn transmitted(&mut self, link: LinkId, bytes: Bytes) {
        let Some((who, decoder)) = self.decoders.get_mut(&link) else { return };
        let who = *who;
        decoder.push(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next(FRAME_BYTES_MAX).expect("a server speaks well") {
            frames.push(frame);
        }
        for frame in frames {
            if let Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) = frame {
                self.answered(who, link, accepted);
                continue;
            }
            let Some(session) = &mut self.sessions[who] else { continue };
            if session.link == Some(link) && !session.is_deaf {
                session.read(frame);
            }
        }
    }

    /// Who reads has everything that is meant for it.
    fn check(&self) {
        for session in self.sessions.iter().flatten() {
            if session.link.is_some() && !session.is_deaf {
                assert!(session.due.values().all(VecDeque::is_empty), "not delivered");
                assert!(session.results.is_empty(), "no result for {:?}", session.results);
                assert!(session.others.is_empty(), "missing {:?}", session.others);
            }
        }
        let stats = self.server.stats();
        assert_eq!(stats.sessions, self.sessions.iter().flatten().count());
        assert_eq!(stats.memberships, self.members.len());
    }
}

#[derive(Clone, Copy)]
enum End {
    Logout,
    Grace,
    Superseded,
}

impl Session {
    fn read(&mut self, frame: Frame) {
        self.received += u64::from(frame.is_sequenced());
        match frame {
            Frame::Hello { .. } | Frame::Pong | Frame::Close { .. } => {}
            Frame::Ack { received } => assert_eq!(received, self.sent, "the server counts"),
            Frame::Delivery { from, payload, config } => {
                let Payload::Text(number) = payload else { panic!("nobody sent bytes") };
                let number: u64 = number.parse().expect("a number");
                if config.is_reliable() {
                    let from = NAMES.iter().position(|name| *name == from.as_str());
                    let due = self.due.get_mut(&from.expect("one of them"));
                    let next = due.and_then(VecDeque::pop_front);
                    assert_eq!(next, Some(number), "out of order, twice, or from nowhere");
                    self.unacknowledged.push_back((self.received, number));
                }
            }
            Frame::SendResults { code, ids } => {
                for id in ids {
                    assert_eq!(self.results.remove(&id.0), Some(code), "the result of {id}");
                }
            }
            other => {
                let place = self.others.iter().position(|expected| *expected == other);
                self.others.remove(place.unwrap_or_else(|| panic!("not expected: {other:?}")));
            }
        }
    }
}
