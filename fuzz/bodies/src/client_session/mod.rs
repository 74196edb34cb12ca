//! The client core with a server that keeps every rule, against what that server knows to be true.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use rts_proto::client::{Client, Config, Event, Input, Output, Parameters, RoomEvent};
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::wire::{Accepted, Decoder, Frame, LoginAnswer, ResumeKey};
use rts_proto::{
    AppId, BroadcastCode, Instant, LinkId, LoginCode, MessageConfig, MessageId, OnlineStatus,
    Payload, RoomId, RoomKey, RoomState, SendCode, UserId,
};

use crate::script::Script;

/// Enough for everything to happen.
const STEPS_MAX: usize = 600;
/// Timers that may follow each other.
const TIMERS_MAX: usize = 10_000;

/// The input is a script of what the application, the server, the links and time do.
///
/// Each send, broadcast and query has exactly one result; "not sent" is said only of what the server never saw, and what the server
/// decided is what the application is told. A resume asks for exactly what did not arrive, and what is
/// sent again is what was sent before. Messages are called back once and in order.
pub fn client_session(data: &[u8]) {
    let mut script = Script::new(data);
    let mut world = World::new();
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        world.step(&mut script);
        world.drain();
    }
    world.client.destroy(world.now);
    world.drain();
    assert_eq!(world.client.open_questions(), 0);
    assert_eq!(world.asked, BTreeSet::new(), "without a result");
    assert_eq!(world.queries, 0, "without an answer");
    assert!(world.received.is_sorted_by(|a, b| a < b), "{:?}", world.received);
}

/// What a result is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Send(MessageId),
    Broadcast(MessageId),
}

/// The server's side of a session.
#[derive(Default)]
struct Session {
    number: u64,
    /// Its newest key; the one before is good as well until the client has spoken (§3.3).
    key: u8,
    is_confirmed: bool,
    /// Sequenced frames that it has, in order.
    has: Vec<Frame>,
    /// Sequenced frames that it sent, in order; the client has the first so many, and said that it has so many.
    sent: Vec<Bytes>,
    arrived: usize,
    acknowledged: usize,
}

struct World {
    client: Client,
    now: Instant,
    room: RoomKey,
    session: Option<Session>,
    link: Option<LinkId>,
    /// Whether the server has answered the login on this link.
    is_up: bool,
    /// What the client writes does not arrive, up to the next link.
    is_deaf: bool,
    decoder: Decoder,
    /// The client's login on this link, once it is written: what it resumes, if anything.
    login_resumes: Option<Option<(u64, ResumeKey, u64)>>,
    last_session: u64,
    wait: Option<Instant>,
    asked: BTreeSet<Asked>,
    /// Messages of which a server, of any session, has a frame.
    seen: BTreeSet<Asked>,
    /// What the server decided.
    decided: BTreeMap<Asked, u32>,
    /// The numbers of broadcasts on the wire.
    wire_ids: BTreeMap<MessageId, MessageId>,
    last_broadcast: u64,
    /// Queries without an answer.
    queries: usize,
    received: Vec<u64>,
    last_delivery: u64,
}

impl World {
    fn new() -> Self {
        let app_id = AppId::new("123456781234567812345678").expect("well formed");
        let mut client = Client::new(Config { app_id, parameters: Parameters::default() }, 1);
        let now = Instant::from_millis(1);
        let room = client.create_room(now, "room").expect("a good id");
        Self {
            client,
            now,
            room,
            session: None,
            link: None,
            is_up: false,
            is_deaf: false,
            decoder: Decoder::new(),
            login_resumes: None,
            last_session: 0,
            wait: None,
            asked: BTreeSet::new(),
            seen: BTreeSet::new(),
            decided: BTreeMap::new(),
            wire_ids: BTreeMap::new(),
            last_broadcast: 0,
            queries: 0,
            received: Vec::new(),
            last_delivery: 0,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 20 {
            0 => self.sleep(),
            1 => self.pass(Duration::from_millis(u64::from(script.short()) / 4)),
            2 | 3 => drop(self.client.login(self.now, "token", "alice")),
            4 if script.byte().is_multiple_of(8) => self.client.logout(self.now),
            4..=7 => self.send(script.pick(MessageConfig::ALL)),
            8 => drop(self.client.join_room(self.now, self.room)),
            9 if script.byte().is_multiple_of(4) => self.client.leave_room(self.now, self.room),
            9 => self.broadcast(),
            10 => {
                self.queries += 1;
                self.client.get_peer_online_status(self.now, "bob");
            }
            11 => self.cut(),
            12 => self.is_deaf = self.link.is_some(),
            13 | 14 => self.connect(script.byte()),
            15 => self.deliver(),
            16 => self.answer_sends(script),
            17 => self.answer_others(),
            18 => self.acknowledge(),
            _ => self.say(Frame::Pong),
        }
    }

    fn send(&mut self, config: MessageConfig) {
        let payload = Payload::text("x");
        let id = self.client.send_message(self.now, "bob", payload, config).expect("accepted");
        self.asked.insert(Asked::Send(id));
    }

    fn broadcast(&mut self) {
        // A handle counts from 1, and this one is never destroyed.
        self.last_broadcast += 1;
        let id = MessageId(self.last_broadcast);
        self.asked.insert(Asked::Broadcast(id));
        let payload = Payload::text(id.to_string());
        let returned = self.client.send_room_message(self.now, self.room, payload);
        assert_eq!(returned, Ok(id));
    }

    /// The link that the client wants is made or not, and the server answers its login: as well as it can, or by forgetting
    /// everything, or so that the answer is lost, or not at all.
    fn connect(&mut self, how: u8) {
        let Some(link) = self.link.filter(|_| !self.is_up && self.login_resumes.is_none()) else {
            return;
        };
        if how.is_multiple_of(8) {
            self.link = None;
            return self.client.handle_input(self.now, Input::Disconnected(link));
        }
        self.client.handle_input(self.now, Input::Connected(link));
        self.drain();
        let Some(asked) = self.login_resumes else { return };
        if how % 8 == 1 || self.link != Some(link) {
            return;
        }
        let resumed = how % 8 != 2 && self.resumes(asked);
        if !resumed {
            self.last_session += 1;
            self.session = Some(Session { number: self.last_session, ..Session::default() });
        }
        let session = self.session.as_mut().expect("there is one");
        session.key = session.key.wrapping_add(1);
        session.is_confirmed = false;
        let accepted = Accepted {
            session: session.number,
            key: ResumeKey([session.key; 16]),
            resumed,
            received: session.has.len() as u64,
            claim: 1,
            sends_per_second: 0,
            broadcasts_per_second: 0,
            server_sends_per_second: 0,
        };
        if how % 8 == 3 {
            // The client never reads this answer.
            return;
        }
        let again: Vec<Bytes> = session.sent[session.arrived..].to_vec();
        self.is_up = true;
        self.receive(Frame::Hello { version: 1, features: 0 }.encode());
        self.receive(Frame::LoginAnswer(LoginAnswer::Accepted(accepted)).encode());
        for bytes in again {
            self.arrive(bytes);
        }
    }

    /// Whether the login asks for the session that the server has; its count must then be true.
    fn resumes(&mut self, asked: Option<(u64, ResumeKey, u64)>) -> bool {
        let (Some((number, key, received)), Some(session)) = (asked, &mut self.session) else {
            return false;
        };
        let former = session.key.wrapping_sub(1);
        let is_good = key == ResumeKey([session.key; 16])
            || !session.is_confirmed && key == ResumeKey([former; 16]);
        if number != session.number || !is_good {
            return false;
        }
        assert_eq!(received, session.arrived as u64, "the client counts");
        session.acknowledged = session.arrived;
        true
    }

    fn receive(&mut self, bytes: Bytes) {
        if let Some(link) = self.link {
            self.client.handle_input(self.now, Input::Received(link, bytes));
            self.drain();
        }
    }

    /// A sequenced frame of the server reaches the client.
    fn arrive(&mut self, bytes: Bytes) {
        if !self.is_up {
            return;
        }
        if let Some(session) = &mut self.session {
            session.arrived += 1;
        }
        self.receive(bytes);
    }

    fn say(&mut self, frame: Frame) {
        if self.is_up {
            self.receive(frame.encode());
        }
    }

    /// The server says something sequenced; it arrives if there is a link.
    fn say_sequenced(&mut self, frame: Frame) {
        let Some(session) = &mut self.session else { return };
        let bytes = frame.encode();
        session.sent.push(bytes.clone());
        self.arrive(bytes);
    }

    fn cut(&mut self) {
        let Some(link) = self.link.take() else { return };
        self.is_up = false;
        self.client.handle_input(self.now, Input::Disconnected(link));
    }

    fn deliver(&mut self) {
        if self.is_up {
            self.last_delivery += 1;
            self.say_sequenced(Frame::Delivery {
                from: UserId::new("bob").expect("well formed"),
                payload: Payload::text(self.last_delivery.to_string()),
                config: MessageConfig::ReliableOrdered,
            });
        }
    }

    /// What the server has and has not answered: sends and broadcasts, each with a code of the script's choice.
    fn answer_sends(&mut self, script: &mut Script<'_>) {
        let undecided: Vec<Asked> =
            self.seen.iter().filter(|asked| !self.decided.contains_key(asked)).copied().collect();
        for asked in undecided.into_iter().take(3) {
            match asked {
                Asked::Send(id) => {
                    let code = script.pick(&[SendCode::Ok, SendCode::ReceiverNotLoggedIn]);
                    self.decided.insert(asked, code.code());
                    self.say_sequenced(Frame::SendResults { code, ids: vec![id] });
                }
                Asked::Broadcast(id) => {
                    let code = script.pick(&[BroadcastCode::Ok, BroadcastCode::NotInRoom]);
                    self.decided.insert(asked, code.code());
                    let room = RoomId::new("room").expect("well formed");
                    let ids = vec![self.wire_ids[&id]];
                    self.say_sequenced(Frame::BroadcastResults { room, code, ids });
                }
            }
        }
    }

    /// Joins, leaves and queries that the server has, from the last on.
    fn answer_others(&mut self) {
        let Some(session) = &self.session else { return };
        let frames: Vec<Frame> = session.has.iter().rev().take(4).cloned().collect();
        for frame in frames {
            match frame {
                Frame::Join { ticket, .. } => self.say_sequenced(Frame::JoinAnswer {
                    ticket,
                    state: RoomState::Joined,
                    members: Vec::new(),
                }),
                Frame::Leave { ticket, .. } => self.say_sequenced(Frame::LeaveAnswer { ticket }),
                Frame::StatusQuery { query, .. } => {
                    let status = OnlineStatus::Online;
                    self.say_sequenced(Frame::StatusAnswer { query, status });
                }
                _ => {}
            }
        }
    }

    fn acknowledge(&mut self) {
        if let Some(session) = &self.session {
            self.say(Frame::Ack { received: session.has.len() as u64 });
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.client.handle_input(self.now, Input::Tick);
    }

    /// Goes on at the moment that the client waits for.
    fn sleep(&mut self) {
        self.drain();
        if let Some(until) = self.wait {
            self.pass(until.since(self.now));
        }
    }

    fn drain(&mut self) {
        for _ in 0..TIMERS_MAX {
            match self.client.poll_output() {
                Output::Connect(link) => {
                    self.link = Some(link);
                    self.is_up = false;
                    self.is_deaf = false;
                    self.login_resumes = None;
                    self.decoder = Decoder::new();
                }
                Output::Transmit(link, bytes) => self.written(link, bytes),
                Output::Disconnect(link) => {
                    if self.link.take_if(|own| *own == link).is_some() {
                        self.is_up = false;
                    }
                }
                Output::Event(event) => self.happened(event),
                Output::Wait(deadline) => {
                    self.wait = deadline;
                    return;
                }
            }
        }
        panic!("a drain without an end");
    }

    fn written(&mut self, link: LinkId, bytes: Bytes) {
        assert_eq!(self.link, Some(link), "for the link that there is");
        self.decoder.push(bytes);
        let frame = self.decoder.next(FRAME_BYTES_MAX).expect("a client speaks well");
        let frame = frame.expect("whole frames");
        if let Frame::Login(login) = &frame {
            let resume = login.resume.as_ref();
            self.login_resumes = Some(resume.map(|r| (r.session, r.key, r.received)));
        }
        if self.is_deaf || !self.is_up {
            return;
        }
        let session = self.session.as_mut().expect("it is logged in");
        session.is_confirmed = true;
        if let Frame::Ack { received } = &frame {
            let received = usize::try_from(*received).expect("small");
            assert!(received >= session.acknowledged, "less than before");
            assert_eq!(received, session.arrived, "the client counts");
            session.acknowledged = received;
        }
        let asked = match &frame {
            Frame::Send { id, .. } => Some(Asked::Send(*id)),
            Frame::Broadcast { id: wire, payload: Payload::Text(text), .. } => {
                let own = MessageId(text.parse().expect("a number"));
                self.wire_ids.insert(own, *wire);
                Some(Asked::Broadcast(own))
            }
            _ => None,
        };
        if let Some(asked) = asked {
            assert!(self.seen.insert(asked), "{asked:?} is sent again, and had arrived");
        }
        if frame.is_sequenced() {
            session.has.push(frame);
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::MessageReceived { payload: Payload::Text(number), .. } => {
                self.received.push(number.parse().expect("a number"));
            }
            Event::MessageSendResult { id, code } => {
                self.answered(Asked::Send(id), code.code(), code == SendCode::Broken);
            }
            Event::Room { event: RoomEvent::MessageSendResult { id, code }, .. } => {
                self.answered(Asked::Broadcast(id), code.code(), code == BroadcastCode::Broken);
            }
            Event::PeerOnlineStatus { .. } => self.queries -= 1,
            Event::LoginResult { code, .. } => {
                assert!([LoginCode::Ok, LoginCode::Unknown].contains(&code), "{code:?}");
            }
            _ => {}
        }
    }

    fn answered(&mut self, asked: Asked, code: u32, is_not_sent: bool) {
        assert!(self.asked.remove(&asked), "{asked:?} has a second result");
        if is_not_sent {
            assert!(!self.seen.contains(&asked), "{asked:?} was sent");
        }
        // These are the server's alone to say.
        if [SendCode::Ok.code(), BroadcastCode::Ok.code(), 4].contains(&code) {
            assert_eq!(self.decided.get(&asked), Some(&code), "{asked:?}");
        }
    }
}
