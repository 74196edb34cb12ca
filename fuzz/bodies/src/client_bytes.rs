//! The client core, with arbitrary bytes from the server and arbitrary calls.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::client::{Call, Client, Config, Event, Input, Output, Returned, RoomEvent};
use rts_proto::limits::{ENGINE_BYTES_MAX, FRAME_BYTES_MAX};
use rts_proto::wire::{Decoder, Frame};
use rts_proto::{AppId, Instant, LinkId, MessageId, RoomKey};

use crate::script::{APPS, ROOMS, SIGNATURES, Script, URLS, USERS};

/// More outputs than one step can cause.
const DRAIN_MAX: usize = 200_000;
/// The number of timers that may fire at one moment.
const STEPS_AT_ONE_MOMENT_MAX: usize = 16;

/// The input is a script of calls, of bytes from a server, and of time.
///
/// Nothing panics. A drain ends. Stored bytes are bounded. Transmitted frames can be decoded. A
/// timer that fired is not due again at once. Every accepted send and broadcast gets exactly one
/// result, at the latest at `destroy`.
pub fn client_bytes(data: &[u8]) {
    let mut script = Script::new(data);
    let mut world = World::new();
    while !script.is_over() {
        world.step(&mut script);
    }
    let now = world.now;
    world.client.destroy(now);
    world.drain();
    assert!(world.open.is_empty(), "no result: {:?}", world.open);
    assert_eq!(world.client.open_questions(), 0);
    assert_eq!(world.client.stored_bytes(), 0);
    assert_eq!(world.client.poll_output(), Output::Wait(None), "after destroy");
}

struct World {
    client: Client,
    now: Instant,
    link: LinkId,
    /// Decodes the client's bytes on its link.
    reader: Decoder,
    rooms: Vec<RoomKey>,
    /// Sends, and broadcasts of a room, without a result.
    open: BTreeSet<(Option<RoomKey>, MessageId)>,
    wait: Option<Instant>,
}

impl World {
    fn new() -> Self {
        let app_id = AppId::new(APPS[0]).expect("well formed");
        Self {
            client: Client::new(Config::new(app_id), 1),
            now: Instant::ORIGIN,
            link: LinkId(0),
            reader: Decoder::new(),
            rooms: Vec::new(),
            open: BTreeSet::new(),
            wait: None,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let (now, link) = (self.now, self.link);
        match script.byte() % 22 {
            0 => self.pass(Duration::from_millis(script.short().into())),
            1 => self.sleep(),
            2 => self.client.handle_input(now, Input::Connected(link)),
            3 => self.client.handle_input(now, Input::Disconnected(link)),
            4 => self.client.handle_input(now, Input::NetworkChanged),
            5 => {
                let len = script.byte().into();
                let bytes = Bytes::copy_from_slice(script.bytes(len));
                self.client.handle_input(now, Input::Received(link, bytes));
            }
            6 => self.receive(script.frame()),
            7 => {
                self.client.handle_input(now, Input::Connected(link));
                self.drain();
                self.receive(Frame::Hello { version: 1, features: 0 });
                self.receive(script.login_answer());
            }
            8 => {
                // A peer that sends bytes before its link exists, and one that cuts a frame.
                let bytes = script.frame().encode();
                let cut = usize::from(script.byte()) % bytes.len();
                self.client.handle_input(now, Input::Received(LinkId(u64::MAX), bytes.clone()));
                self.client.handle_input(now, Input::Received(link, bytes.slice(..cut)));
                self.client.handle_input(now, Input::Received(link, bytes.slice(cut..)));
            }
            op @ (9..=18 | 20 | 21) => self.call(op, script),
            // A late drain only costs time.
            _ => return,
        }
        self.drain();
    }

    fn room(&self, script: &mut Script<'_>) -> Option<RoomKey> {
        if self.rooms.is_empty() { None } else { Some(script.pick(&self.rooms)) }
    }

    fn call(&mut self, op: u8, script: &mut Script<'_>) {
        let payload;
        let call = match op {
            9 => Call::Login { token: "token", uid: script.pick(&USERS) },
            10 => Call::Logout,
            11 => Call::UpdateLoginToken { token: script.pick(&["fresh", ""]) },
            12 => {
                let uid = script.pick(&USERS);
                payload = script.payload();
                Call::SendMessage { uid, payload: &payload, config: script.config() }
            }
            13 => Call::GetPeerOnlineStatus { uid: script.pick(&USERS) },
            14 => Call::CreateRoom { room_id: script.pick(&ROOMS) },
            15 => {
                let Some(key) = self.room(script) else { return };
                match script.byte() % 4 {
                    0 | 1 => Call::JoinRoom { key },
                    2 => Call::LeaveRoom { key },
                    _ => Call::DestroyRoom { key },
                }
            }
            16 => {
                let Some(key) = self.room(script) else { return };
                payload = script.payload();
                Call::SendRoomMessage { key, payload: &payload }
            }
            17 => Call::SetBusinessId { id: script.pick(&["tag", "", "bad tag"]) },
            18 => Call::SetRuntimeParameters { json: script.text() },
            20 => {
                let signature = script.pick(&SIGNATURES);
                Call::SetServerParams { signature, url: script.pick(&URLS) }
            }
            _ => {
                payload = script.payload();
                Call::SendServerMessage { payload: &payload }
            }
        };
        let returned = self.client.call(self.now, call);
        self.returned(call, returned);
    }

    fn returned(&mut self, call: Call<'_>, returned: Returned) {
        match (call, returned) {
            (_, Returned::Send(Ok(id))) => {
                assert!(self.open.insert((None, id)), "{id} was used before");
            }
            (Call::SendRoomMessage { key, .. }, Returned::Broadcast(Ok(id))) => {
                assert!(self.open.insert((Some(key), id)), "{id} was used before");
            }
            (_, Returned::CreateRoom(Ok(key))) => self.rooms.push(key),
            (Call::DestroyRoom { key }, Returned::DestroyRoom(results)) => {
                for (id, _) in results {
                    assert!(self.open.remove(&(Some(key), id)), "{key}: {id} was not open");
                }
                self.drain();
                assert!(!self.open.iter().any(|(room, _)| *room == Some(key)), "{key}: no result");
            }
            _ => {}
        }
    }

    fn receive(&mut self, frame: Frame) {
        self.client.handle_input(self.now, Input::Received(self.link, frame.encode()));
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.client.handle_input(self.now, Input::Tick);
    }

    /// Moves on to the client's deadline.
    fn sleep(&mut self) {
        self.drain();
        let Some(until) = self.wait else { return };
        self.now = self.now.max(until);
        for _ in 0..STEPS_AT_ONE_MOMENT_MAX {
            self.client.handle_input(self.now, Input::Tick);
            self.drain();
            if self.wait.is_none_or(|wait| wait > self.now) {
                return;
            }
        }
        panic!("{:?} is due again and again", self.client.wake_reason());
    }

    fn drain(&mut self) {
        for _ in 0..DRAIN_MAX {
            match self.client.poll_output() {
                Output::Connect(link) => {
                    assert!(link > self.link, "{link} was used before");
                    self.link = link;
                    self.reader = Decoder::new();
                }
                Output::Transmit(link, bytes) => {
                    assert_eq!(link, self.link, "transmitted on an earlier link");
                    self.reader.push(bytes);
                    while let Some(_frame) =
                        self.reader.next(FRAME_BYTES_MAX).expect("a client speaks the protocol")
                    {
                    }
                    assert_eq!(self.reader.buffered_bytes(), 0, "half a frame");
                }
                Output::Disconnect(link) => assert_eq!(link, self.link),
                Output::Event(event) => self.hear(event),
                Output::Wait(deadline) => {
                    self.wait = deadline;
                    assert!(self.client.stored_bytes() <= ENGINE_BYTES_MAX);
                    return;
                }
            }
        }
        panic!("a drain without an end");
    }

    fn hear(&mut self, event: Event) {
        let question = match event {
            Event::MessageSendResult { id, .. } | Event::ServerMessageSendResult { id, .. } => {
                (None, id)
            }
            Event::Room { key, event: RoomEvent::MessageSendResult { id, .. }, .. } => {
                (Some(key), id)
            }
            _ => return,
        };
        // The result may come before its call returns the id, and only once: `step` inserts before
        // it drains.
        assert!(self.open.remove(&question), "{question:?}: a second result");
    }
}
