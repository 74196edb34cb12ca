//! Two engines and a server over links that break anywhere, and an observer of all frames. A
//! sequenced frame that was on a wire never changes. A frame that is known to have arrived is not
//! sent again. Counts never fall (§4).

mod observer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::observer::Session;
use bytes::Bytes;
use proptest::prelude::*;
use rts_proto::client::{self, Client, Event, RoomEvent};
use rts_proto::server::{self, Server, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, Instant, LinkId, MessageConfig, Payload, RoomKey};

const NAMES: [&str; 2] = ["alice", "bob"];
/// The server's number of a link: the index of the engine times this, plus the engine's number.
const LINKS_PER_ENGINE: u64 = 1_000_000;

/// An index of `NAMES`.
type EngineIndex = usize;

#[derive(Clone, Debug)]
enum Step {
    Send {
        who: EngineIndex,
        to: EngineIndex,
        reliable: bool,
        bytes: usize,
    },
    Ask(EngineIndex),
    Broadcast(EngineIndex),
    /// This number of frames on a wire arrive.
    Deliver {
        who: EngineIndex,
        upwards: bool,
        frames: usize,
    },
    /// The link breaks, and its frames are lost. The server may not notice it.
    Cut {
        who: EngineIndex,
        half_open: bool,
    },
    Pass(Duration),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let engine = 0..NAMES.len();
    let send = (engine.clone(), engine.clone(), prop::bool::weighted(0.8), 0..3_000_usize);
    let deliver = (engine.clone(), any::<bool>(), 1..8_usize);
    let step = prop_oneof![
        8 => send.prop_map(|(who, to, reliable, bytes)| Step::Send { who, to, reliable, bytes }),
        1 => engine.clone().prop_map(Step::Ask),
        2 => engine.clone().prop_map(Step::Broadcast),
        10 => deliver.prop_map(|(who, upwards, frames)| Step::Deliver { who, upwards, frames }),
        2 => (engine, any::<bool>()).prop_map(|(who, half_open)| Step::Cut { who, half_open }),
        2 => (1..700_u64).prop_map(|time| Step::Pass(Duration::from_millis(time))),
        1 => (1..40_u64).prop_map(|time| Step::Pass(Duration::from_secs(time))),
    ];
    prop::collection::vec(step, 0..120)
}

struct Side {
    engine: Client,
    room: Option<RoomKey>,
    wakes_at: Option<Instant>,
    /// The server's number of the link.
    link: Option<LinkId>,
    up: VecDeque<Bytes>,
    /// `None` is the end of the link.
    down: VecDeque<Option<Bytes>>,
    session: Option<Session>,
    events: Vec<Event>,
}

struct World {
    server: Server,
    wakes_at: Option<Instant>,
    now: Instant,
    sides: Vec<Side>,
    closed: BTreeSet<LinkId>,
    last_key: u64,
    last_claim: u64,
    half_open: bool,
    /// Messages by text: sender, id, receiver, and whether it is reliable.
    sent: BTreeMap<String, (EngineIndex, u64, EngineIndex, bool)>,
}

fn server_link(who: EngineIndex, link: LinkId) -> LinkId {
    LinkId(who as u64 * LINKS_PER_ENGINE + link.0)
}

fn engine_link(link: LinkId) -> (EngineIndex, LinkId) {
    ((link.0 / LINKS_PER_ENGINE) as usize, LinkId(link.0 % LINKS_PER_ENGINE))
}

impl World {
    fn new() -> Self {
        let mut config = server::Config::default();
        config.sends_per_second = 0;
        config.broadcasts_per_second = 0;
        config.status_queries_per_second = 0;
        config.joins_per_second = 0;
        config.logins_per_second = 0;
        config.room_broadcasts_per_second = 0;
        let side = |who: EngineIndex| {
            let app_id = AppId::new("123456781234567812345678").expect("well formed");
            let config = client::Config::new(app_id);
            Side {
                engine: Client::new(config, who as u64 + 1),
                room: None,
                wakes_at: None,
                link: None,
                up: VecDeque::new(),
                down: VecDeque::new(),
                session: None,
                events: Vec::new(),
            }
        };
        let mut world = Self {
            server: Server::new(config, 1),
            wakes_at: None,
            now: Instant::from_millis(1),
            sides: (0..NAMES.len()).map(side).collect(),
            closed: BTreeSet::new(),
            last_key: 0,
            last_claim: 0,
            half_open: false,
            sent: BTreeMap::new(),
        };
        for (who, name) in NAMES.iter().enumerate() {
            world.sides[who].engine.login(world.now, "token", name).expect("accepted");
            world.drain_engine(who);
            world.deliver_all();
            let engine = &mut world.sides[who].engine;
            let room = engine.create_room(world.now, "room").expect("a room");
            engine.join_room(world.now, room).expect("accepted");
            world.sides[who].room = Some(room);
            world.drain_engine(who);
            world.deliver_all();
        }
        world
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send { who, to, reliable, bytes } => self.send(who, to, reliable, bytes),
            Step::Ask(who) => {
                self.sides[who].engine.get_peer_online_status(self.now, NAMES[1 - who]);
                self.drain_engine(who);
            }
            Step::Broadcast(who) => {
                let side = &mut self.sides[who];
                let room = side.room.expect("since the beginning");
                // It is refused while the room is joined again.
                let _ = side.engine.send_room_message(self.now, room, Payload::text("to all"));
                self.drain_engine(who);
            }
            Step::Deliver { who, upwards, frames } => {
                for _ in 0..frames {
                    self.deliver(who, upwards);
                }
            }
            Step::Cut { who, half_open } => {
                self.half_open = half_open;
                if let Some(link) = self.sides[who].link {
                    self.cut(link);
                    self.engine(who, client::Input::Disconnected(engine_link(link).1));
                }
            }
            Step::Pass(time) => self.pass(time),
        }
    }

    fn send(&mut self, who: EngineIndex, to: EngineIndex, reliable: bool, bytes: usize) {
        let text = format!("{:0>1$}", self.sent.len(), bytes.max(4));
        let payload = Payload::text(text.as_str());
        let config = match reliable {
            true => MessageConfig::ReliableOrdered,
            false => MessageConfig::UnreliableOrdered,
        };
        let engine = &mut self.sides[who].engine;
        let id = engine.send_message(self.now, NAMES[to], payload, config).expect("accepted");
        self.sent.insert(text, (who, id.0, to, reliable));
        self.drain_engine(who);
    }

    /// The oldest frame on a wire arrives.
    fn deliver(&mut self, who: EngineIndex, upwards: bool) -> bool {
        let Some(link) = self.sides[who].link else { return false };
        if upwards {
            let Some(bytes) = self.sides[who].up.pop_front() else { return false };
            if !self.closed.contains(&link) {
                if let Some(session) = &mut self.sides[who].session {
                    session.server_hears(link, &bytes);
                }
                self.server(server::Input::Received(link, bytes));
            }
        } else {
            match self.sides[who].down.pop_front() {
                Some(Some(bytes)) => {
                    if let Some(session) = &mut self.sides[who].session {
                        session.engine_hears(&bytes);
                    }
                    self.engine(who, client::Input::Received(engine_link(link).1, bytes));
                }
                Some(None) => {
                    self.cut(link);
                    self.engine(who, client::Input::Disconnected(engine_link(link).1));
                }
                None => return false,
            }
        }
        true
    }

    fn engine_says(&mut self, who: EngineIndex, bytes: Bytes) {
        let side = &mut self.sides[who];
        if let Some(session) = &mut side.session {
            session.engine_says(&bytes);
        }
        side.up.push_back(bytes);
    }

    fn server_says(&mut self, link: LinkId, bytes: Bytes) {
        let side = &mut self.sides[engine_link(link).0];
        observer::server_says(&mut side.session, link, &bytes);
        if side.link == Some(link) {
            side.down.push_back(Some(bytes));
        }
    }

    fn cut(&mut self, link: LinkId) {
        let side = &mut self.sides[engine_link(link).0];
        if side.link == Some(link) {
            side.link = None;
            side.up.clear();
            side.down.clear();
            if !self.half_open && self.closed.insert(link) {
                self.server(server::Input::Disconnected(link));
            }
        }
    }

    fn engine(&mut self, who: EngineIndex, input: client::Input) {
        self.sides[who].engine.handle_input(self.now, input);
        self.drain_engine(who);
    }

    fn drain_engine(&mut self, who: EngineIndex) {
        loop {
            match self.sides[who].engine.poll_output() {
                client::Output::Connect(link) => {
                    let id = server_link(who, link);
                    self.sides[who].link = Some(id);
                    self.last_key += 1;
                    let key = ResumeKey(u128::from(self.last_key).to_be_bytes());
                    self.server(server::Input::Accepted(id, key));
                    self.sides[who].engine.handle_input(self.now, client::Input::Connected(link));
                }
                client::Output::Transmit(_, bytes) => self.engine_says(who, bytes),
                client::Output::Disconnect(link) => self.cut(server_link(who, link)),
                client::Output::Event(event) => self.sides[who].events.push(event),
                client::Output::Wait(at) => {
                    self.sides[who].wakes_at = at;
                    return;
                }
            }
        }
    }

    fn server(&mut self, input: server::Input) {
        self.server.handle_input(self.now, input);
        loop {
            match self.server.poll_output() {
                server::Output::Transmit(link, bytes) => self.server_says(link, bytes),
                server::Output::Disconnect(link, _) => {
                    self.closed.insert(link);
                    let side = &mut self.sides[engine_link(link).0];
                    if side.link == Some(link) {
                        side.down.push_back(None);
                    }
                }
                server::Output::Authenticate(login, _) => {
                    self.last_claim += 1;
                    let verdict = Verdict::Accept { claim: self.last_claim, issued_at: 0 };
                    self.server.handle_input(self.now, server::Input::Verdict(login, verdict));
                }
                server::Output::CheckTarget(..)
                | server::Output::HandOver(..)
                | server::Output::Peer(..)
                | server::Output::PostToAppServer(..)
                | server::Output::AbandonPost(_)
                | server::Output::Respond(..)
                | server::Output::Report(..)
                | server::Output::Notice(_) => {}
                server::Output::Wait(at) => {
                    self.wakes_at = at;
                    return;
                }
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            let wakes = self.sides.iter().map(|side| side.wakes_at).chain([self.wakes_at]);
            let next = wakes.flatten().min().unwrap_or(end);
            self.now = next.clamp(self.now, end);
            let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
            let due: Vec<_> =
                (0..NAMES.len()).filter(|who| is_due(self.sides[*who].wakes_at)).collect();
            if is_due(self.wakes_at) {
                self.server(server::Input::Tick);
            }
            for who in due {
                self.engine(who, client::Input::Tick);
            }
        }
    }

    fn deliver_all(&mut self) {
        while (0..NAMES.len()).any(|who| self.deliver(who, true) | self.deliver(who, false)) {}
    }

    /// Links break no more: every send has its result, and each side knows what the other has.
    fn finish(mut self) {
        self.half_open = false;
        for _ in 0..600 {
            self.deliver_all();
            self.pass(Duration::from_millis(100));
        }
        for side in &self.sides {
            side.session.as_ref().expect("logged in").check_settled();
            assert_eq!(side.engine.open_questions(), 0);
        }
        self.check_messages();
    }

    fn check_messages(&self) {
        let mut results: BTreeMap<(EngineIndex, u64), u32> = BTreeMap::new();
        let mut arrived: BTreeSet<&str> = BTreeSet::new();
        for (who, side) in self.sides.iter().enumerate() {
            // An unreliable message does not wait behind reliable ones that are paced after a
            // reconnect, so each kind has its own order.
            let mut last = [[0; 2]; NAMES.len()];
            for event in &side.events {
                match event {
                    Event::MessageSendResult { id, code } => {
                        assert_eq!(results.insert((who, id.0), code.code()), None, "{id:?}");
                    }
                    Event::MessageReceived { payload: Payload::Text(text), .. } => {
                        let (from, id, to, reliable) = self.sent[&**text];
                        assert_eq!(to, who);
                        let last = &mut last[from][usize::from(reliable)];
                        assert!(*last < id, "twice or late");
                        *last = id;
                        arrived.insert(text);
                    }
                    Event::Room { event: RoomEvent::StateChanged { state, .. }, .. } => {
                        panic!("{state:?}");
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(results.len(), self.sent.len());
        for (text, (from, id, to, reliable)) in &self.sent {
            let has_arrived = arrived.contains(text.as_str());
            match (results[&(*from, *id)], reliable) {
                (0, true) => assert!(has_arrived, "{id} from {from} to {to}"),
                (0 | 1, _) => {}
                (_, _) => assert!(!has_arrived, "{id} from {from} to {to}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_frames_are_not_resent_and_counts_only_rise(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.finish();
    }
}
