//! An engine keeps nothing of a login that ended, and nothing at all after `destroy`. The tests
//! fill every store, and then end the login in every possible way.

use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;

use super::engine::Client;
use super::io::{Config, Input, Output};
use crate::kept::{Kept, filled};
use crate::limits::FRAME_BYTES_MAX;
use crate::wire::{Accepted, Decoder, Frame, LoginAnswer, ResumeKey, VERSION};
use crate::{
    AppId, CloseCode, Instant, LinkId, LoginCode, MessageConfig, Payload, RoomKey, RoomState,
    ServerParamsCode,
};

/// All stores of an engine. A new part has to be added here.
fn kept(engine: &Client) -> Kept {
    let Client {
        shared,
        connection,
        questions,
        rooms,
        server_params,
        is_destroyed: _,
        observer: _,
    } = engine;
    let of_login = [shared.kept(), connection.kept(), questions.kept()].concat();
    [of_login, rooms.kept(), server_params.kept()].concat()
}

/// An engine, and a server whose frames the test chooses.
struct World {
    engine: Client,
    now: Instant,
    link: LinkId,
    /// The engine's latest frames.
    frames: Vec<Frame>,
}

impl World {
    fn new() -> Self {
        let app_id = AppId::new("123456781234567812345678").expect("a valid id");
        let config = Config::new(app_id);
        let (now, link) = (Instant::from_millis(1), LinkId(0));
        Self { engine: Client::new(config, 1), now, link, frames: Vec::new() }
    }

    /// Every store is filled.
    fn lived() -> Self {
        let mut world = Self::new();
        world.live();
        world
    }

    /// Nothing is left to do, and only this is kept.
    fn assert_keeps(&mut self, expected: &[(&'static str, usize)], context: &str) {
        assert_eq!(self.drain(), None, "{context}: no deadline is left");
        assert_eq!(filled(kept(&self.engine)), expected, "{context}");
    }

    fn assert_destroy_empties(&mut self, context: &str) {
        self.engine.destroy(self.now);
        self.assert_keeps(&[], context);
    }

    fn input(&mut self, input: Input) {
        self.engine.handle_input(self.now, input);
    }

    fn receives(&mut self, frame: Frame) {
        self.input(Input::Received(self.link, frame.encode()));
    }

    /// Processes all outputs. The moment until which the engine waits.
    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.engine.poll_output() {
                Output::Connect(link) => self.link = link,
                Output::Transmit(_, bytes) => {
                    let mut decoder = Decoder::new();
                    decoder.push(bytes);
                    let next = || decoder.next(FRAME_BYTES_MAX).expect("well-formed");
                    self.frames.extend(core::iter::from_fn(next));
                }
                Output::Wait(until) => return until,
                Output::Event(_) | Output::Disconnect(_) => {}
            }
        }
    }

    fn log_in(&mut self) {
        assert!(self.engine.login(self.now, "token", "alice").is_ok());
        self.connect();
        self.answer_login(1);
    }

    /// Brings a link up as soon as the engine asks for one.
    fn connect(&mut self) {
        let before = self.link;
        while self.drain().is_some_and(|until| {
            let waits = self.link == before;
            self.now = if waits { self.now.max(until) } else { self.now };
            waits
        }) {
            self.input(Input::Tick);
        }
        self.input(Input::Connected(self.link));
        self.receives(Frame::Hello { version: VERSION, features: 0 });
    }

    fn answer_login(&mut self, session: u64) {
        self.receives(Frame::LoginAnswer(LoginAnswer::Accepted(Accepted {
            session,
            key: ResumeKey([1; 16]),
            resumed: false,
            received: 0,
            claim: 1,
            sends_per_second: 0,
            broadcasts_per_second: 0,
            server_sends_per_second: 0,
        })));
        self.drain();
    }

    fn refuse_login(&mut self) {
        let refused = LoginAnswer::Refused(LoginCode::InvalidToken);
        self.receives(Frame::LoginAnswer(refused));
        self.drain();
    }

    fn join(&mut self, room: &str) -> RoomKey {
        let key = self.engine.create_room(self.now, room).expect("a room");
        assert!(self.engine.join_room(self.now, key).is_ok());
        self.drain();
        key
    }

    fn set_params(&mut self) {
        self.engine.set_server_params(self.now, "signature", "https://app.example/");
        self.drain();
    }

    /// A session that followed a lost one, with every kind of question open, and an output that was
    /// not polled.
    fn live(&mut self) {
        self.log_in();
        let joined = self.join("joined");
        let asked = |frame: &Frame| match frame {
            Frame::Join { ticket, .. } => Some(*ticket),
            _ => None,
        };
        let ticket = self.frames.iter().find_map(asked).expect("it asks to join");
        self.receives(Frame::JoinAnswer { ticket, state: RoomState::Joined, members: Vec::new() });
        self.set_params();
        let asked = |frame: &Frame| match frame {
            Frame::SetServerParams(set) => Some(set.ticket),
            _ => None,
        };
        let ticket = self.frames.iter().find_map(asked).expect("it asks for params");
        self.receives(Frame::ServerParamsAnswer { ticket, code: ServerParamsCode::Ok });
        self.input(Input::Disconnected(self.link));
        self.connect();
        self.answer_login(2);

        self.join("joining");
        self.set_params();
        let (now, hi) = (self.now, || Payload::text("hi"));
        let config = MessageConfig::ReliableOrdered;
        assert!(self.engine.send_message(now, "bob", hi(), config).is_ok());
        assert!(self.engine.send_server_message(now, hi()).is_ok());
        assert!(self.engine.send_room_message(now, joined, hi()).is_ok());
        self.engine.get_peer_online_status(now, "bob");
    }
}

/// All ways in which a login can end.
const ENDS: [fn(&mut World); 5] = [
    |world| world.engine.logout(world.now),
    |world| {
        world.input(Input::Disconnected(world.link));
        world.engine.logout(world.now);
    },
    |world| {
        world.input(Input::Disconnected(world.link));
        world.connect();
        world.engine.logout(world.now);
    },
    |world| world.receives(close(CloseCode::PutOut)),
    |world| world.receives(close(CloseCode::Displaced)),
];

fn close(code: CloseCode) -> Frame {
    Frame::Close { code: code.code(), reason: Bytes::new(), retry_after_ms: 0 }
}

#[test]
fn whole_life_uses_every_store() {
    let world = World::lived();
    let empty: Vec<_> = kept(&world.engine).into_iter().filter(|(_, count)| *count == 0).collect();
    assert_eq!(empty, []);
}

#[test]
fn ended_login_leaves_only_room_handles() {
    for (end, ends) in ENDS.into_iter().enumerate() {
        let mut world = World::lived();
        ends(&mut world);
        world.assert_keeps(&[("handles", 2), ("rooms", 2)], &format!("end {end}"));
    }
}

#[test]
fn refused_token_keeps_rooms_and_params_for_the_next_one() {
    let mut world = World::lived();
    world.input(Input::Disconnected(world.link));
    world.connect();
    world.refuse_login();
    // The login keeps its rooms and params until another token comes.
    let of_params = [("params in force", 1), ("tickets of repeated params", 1)];
    let of_rooms = [("handles", 2), ("rooms", 2), ("memberships", 2)];
    let expected = [&[("logins", 1)][..], &of_rooms, &of_params].concat();
    world.assert_keeps(&expected, "refused");
    world.assert_destroy_empties("destroyed");
}

#[test]
fn destroyed_engine_keeps_nothing() {
    let lives: [fn(&mut World); 3] = [|_| {}, World::log_in, World::live];
    for (life, lives) in lives.into_iter().enumerate() {
        let mut world = World::new();
        lives(&mut world);
        world.assert_destroy_empties(&format!("life {life}"));
    }
    for (end, ends) in ENDS.into_iter().enumerate() {
        let mut world = World::lived();
        ends(&mut world);
        world.assert_destroy_empties(&format!("end {end}"));
    }
}
