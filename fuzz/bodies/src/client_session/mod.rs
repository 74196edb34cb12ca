//! The client core with a correct server, checked against the server's state.

mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::client::{Call, Client, Config, Event, Input, Output, Returned, RoomEvent};
use rts_proto::wire::{Decoder, Frame, ResumeKey};
use rts_proto::{
    AppId, BroadcastCode, Instant, LinkId, LoginCode, MessageConfig, MessageId, Payload, RoomKey,
    SendCode,
};

use crate::script::Script;
use server::Session;

/// Enough steps for every situation.
const STEPS_MAX: usize = 600;
/// The number of timers that may follow each other.
const TIMERS_MAX: usize = 10_000;

/// The input is a script of the application, the server, the links and time.
///
/// Each send, broadcast and query has exactly one result. "Not sent" is the result only if the
/// server never had the frame, and the server's decisions reach the application. A resume asks for
/// exactly the frames that did not arrive, and frames that are sent again are unchanged. Messages
/// are called back once and in order.
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
    world.call(Call::Destroy);
    world.drain();
    assert_eq!(world.client.open_questions(), 0);
    assert_eq!(world.asked, BTreeSet::new(), "without a result");
    assert_eq!(world.queries, 0, "without an answer");
    assert!(world.received.is_sorted_by(|a, b| a < b), "{:?}", world.received);
}

/// The call that a result is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Send(MessageId),
    Broadcast(MessageId),
}

struct World {
    client: Client,
    now: Instant,
    room: RoomKey,
    session: Option<Session>,
    link: Option<LinkId>,
    /// Whether the server has answered the login on this link.
    is_up: bool,
    /// Whether the client's bytes do not arrive, until its next link.
    is_deaf: bool,
    decoder: Decoder,
    /// The client's login on this link, once written: the session that it resumes, if any.
    login_resumes: Option<Option<(u64, ResumeKey, u64)>>,
    last_session: u64,
    wait: Option<Instant>,
    asked: BTreeSet<Asked>,
    /// The messages whose frame a server of any session has.
    seen: BTreeSet<Asked>,
    /// The results that the server decided.
    decided: BTreeMap<Asked, u32>,
    /// The numbers of broadcasts on the wire.
    wire_ids: BTreeMap<MessageId, MessageId>,
    last_broadcast: u64,
    /// The number of queries without an answer.
    queries: usize,
    received: Vec<u64>,
    last_delivery: u64,
}

impl World {
    fn new() -> Self {
        let app_id = AppId::new("123456781234567812345678").expect("well formed");
        let mut client = Client::new(Config::new(app_id), 1);
        let now = Instant::from_millis(1);
        let created = client.call(now, Call::CreateRoom { room_id: "room" });
        let Returned::CreateRoom(Ok(room)) = created else { panic!("a good id: {created:?}") };
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
            2 | 3 => drop(self.call(Call::Login { token: "token", uid: "alice" })),
            4 if script.byte().is_multiple_of(8) => drop(self.call(Call::Logout)),
            4..=7 => self.send(script.pick(MessageConfig::ALL)),
            8 => drop(self.call(Call::JoinRoom { key: self.room })),
            9 if script.byte().is_multiple_of(4) => {
                self.call(Call::LeaveRoom { key: self.room });
            }
            9 => self.broadcast(),
            10 => {
                self.queries += 1;
                self.call(Call::GetPeerOnlineStatus { uid: "bob" });
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

    fn call(&mut self, call: Call<'_>) -> Returned {
        self.client.call(self.now, call)
    }

    fn send(&mut self, config: MessageConfig) {
        let payload = &Payload::text("x");
        let returned = self.call(Call::SendMessage { uid: "bob", payload, config });
        let Returned::Send(Ok(id)) = returned else { panic!("not accepted: {returned:?}") };
        self.asked.insert(Asked::Send(id));
    }

    fn broadcast(&mut self) {
        // A handle counts from 1, and this one is never destroyed.
        self.last_broadcast += 1;
        let id = MessageId(self.last_broadcast);
        self.asked.insert(Asked::Broadcast(id));
        let payload = &Payload::text(id.to_string());
        let returned = self.call(Call::SendRoomMessage { key: self.room, payload });
        assert_eq!(returned, Returned::Broadcast(Ok(id)));
    }

    fn cut(&mut self) {
        let Some(link) = self.link.take() else { return };
        self.is_up = false;
        self.client.handle_input(self.now, Input::Disconnected(link));
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.client.handle_input(self.now, Input::Tick);
    }

    /// Moves on to the client's deadline.
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
        // Only the server may decide these results.
        if [SendCode::Ok.code(), BroadcastCode::Ok.code(), 4].contains(&code) {
            assert_eq!(self.decided.get(&asked), Some(&code), "{asked:?}");
        }
    }
}
