//! The server core with correct clients, checked against a small model of its frames.

mod links;
mod messages;
mod rooms;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::{FRAME_BYTES_MAX, SESSION_GRACE, UNREACHABLE_AFTER};
use rts_proto::server::{Config, Input, Output, Server, Stats, Verdict};
use rts_proto::wire::{Accepted, Decoder, Frame, LoginAnswer, ResumeKey};
use rts_proto::{Instant, LeaveReason, LinkId, OnlineStatus, Payload, SendCode};

use crate::script::Script;

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
/// Enough steps for every situation, and too few to fill a window.
const STEPS_MAX: usize = 600;

/// An index of `NAMES`.
type EngineIndex = usize;

/// The input is a script of three users in one room, of time and of links.
///
/// Each send has exactly one result, which the model predicts. Deliveries arrive in order and once.
/// The answers to joins and queries are true. Notices report exactly the changes of the room. A
/// resume continues where the client stopped reading.
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

/// A session, as its client and the model see it.
struct Session {
    number: u64,
    key: ResumeKey,
    claim: u64,
    link: Option<LinkId>,
    /// Whether the server's bytes do not arrive, until the next link.
    is_deaf: bool,
    last_heard: Instant,
    /// The number of sequenced frames that the server received, and that the client received.
    sent: u64,
    received: u64,
    is_in_room: bool,
    /// Reliable messages to this session that it has not received, in order for each sender.
    due: BTreeMap<EngineIndex, VecDeque<u64>>,
    /// Messages that it received and did not acknowledge: the position among the received frames,
    /// and the message.
    unacknowledged: VecDeque<(u64, u64)>,
    /// Results of its own sends that are decided and have not arrived.
    results: BTreeMap<u64, SendCode>,
    /// Other frames that are to arrive, in any order.
    others: Vec<Frame>,
}

/// A reliable message without a result.
struct Open {
    from: EngineIndex,
    to: EngineIndex,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Present,
    /// The session was superseded and may be joined by a new one.
    Orphan(Instant),
}

struct World {
    server: Server,
    now: Instant,
    sessions: [Option<Session>; NAMES.len()],
    members: BTreeMap<EngineIndex, Member>,
    open: BTreeMap<u64, Open>,
    decoders: BTreeMap<LinkId, (EngineIndex, Decoder)>,
    last_link: u64,
    last_number: u64,
    last_claim: u64,
    answer: Option<Accepted>,
}

impl World {
    fn new() -> Self {
        let mut config = Config::default();
        config.sends_per_second = 0;
        config.broadcasts_per_second = 0;
        config.status_queries_per_second = 0;
        config.joins_per_second = 0;
        config.logins_per_second = 0;
        config.room_broadcasts_per_second = 0;
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

    /// Sends a frame on the user's link, if there is one.
    fn say(&mut self, who: EngineIndex, frame: Frame) -> bool {
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

    fn query(&mut self, who: EngineIndex, about: EngineIndex) {
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

    fn ping(&mut self, who: EngineIndex) {
        self.say(who, Frame::Ping);
    }

    fn log_out(&mut self, who: EngineIndex) {
        if self.say(who, Frame::Logout) {
            self.end(who, End::Logout);
        }
    }

    /// Ends the session, with all consequences.
    fn end(&mut self, who: EngineIndex, why: End) {
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

    /// Moves the time on, and fires the timers that are due.
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
        let orphans: Vec<EngineIndex> = self
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
                    let verdict = Verdict::Accept { claim: self.last_claim, issued_at: 0 };
                    self.server.handle_input(self.now, Input::Verdict(login, verdict));
                }
                Output::HandOver(..) | Output::Peer(..) => panic!("there is one shard"),
                Output::Report(..) | Output::Notice(_) => {}
                Output::CheckTarget(..)
                | Output::PostToAppServer(..)
                | Output::AbandonPost(_)
                | Output::Respond(..) => {
                    panic!("nobody asked for the app server");
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

    /// A user that reads has received every frame that is meant for it.
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
