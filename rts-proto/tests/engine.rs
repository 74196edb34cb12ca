//! The client core against a server that says whatever a test wants it to.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::client::{Client, Config, Event, Input, Output, Parameters, RoomEvent};
use rts_proto::wire::{Accepted, Frame, LoginAnswer, ResumeKey};
use rts_proto::{
    AppId, CloseCode, ConnectionState, Instant, LinkId, LoginCode, RoomKey, RoomState,
};

const HELLO: Frame = Frame::Hello { version: 1, features: 0 };

/// An engine, and what its server makes of it.
struct Stage {
    engine: Client,
    now: Instant,
    link: LinkId,
    connects: usize,
    events: Vec<Event>,
}

impl Stage {
    /// Logging in, with the link up.
    fn new() -> Self {
        let app_id = AppId::new("123456781234567812345678").expect("well formed");
        let config = Config { app_id, parameters: Parameters::default() };
        let mut stage = Self {
            engine: Client::new(config, 1),
            now: Instant::from_millis(1),
            link: LinkId(0),
            connects: 0,
            events: Vec::new(),
        };
        stage.engine.login(stage.now, "token", "alice").expect("accepted");
        stage.drain();
        stage.input(Input::Connected(stage.link));
        stage
    }

    /// Logged in.
    fn logged_in() -> Self {
        let mut stage = Self::new();
        stage.hears(HELLO);
        stage.hears(accepted(1));
        stage.events.clear();
        stage
    }

    fn hears(&mut self, frame: Frame) {
        self.input(Input::Received(self.link, frame.encode()));
    }

    fn input(&mut self, input: Input) {
        self.engine.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.engine.poll_output() {
                Output::Connect(link) => {
                    self.link = link;
                    self.connects += 1;
                }
                Output::Event(event) => self.events.push(event),
                Output::Transmit(..) | Output::Disconnect(_) => {}
                Output::Wait(deadline) => return deadline,
            }
        }
    }

    fn joined(&mut self, room: &str) -> RoomKey {
        let key = self.engine.create_room(self.now, room).expect("a room");
        self.engine.join_room(self.now, key).expect("accepted");
        // The first number that this engine gives on the wire.
        self.hears(Frame::JoinAnswer { ticket: 1, state: RoomState::Joined, members: Vec::new() });
        self.events.clear();
        key
    }
}

fn accepted(session: u64) -> Frame {
    Frame::LoginAnswer(LoginAnswer::Accepted(Accepted {
        session,
        key: ResumeKey([1; 16]),
        resumed: false,
        received: 0,
        claim: 1,
        sends_per_second: 0,
        broadcasts_per_second: 0,
        server_sends_per_second: 0,
    }))
}

fn close(code: CloseCode) -> Frame {
    Frame::Close { code: code.code(), reason: Bytes::new(), retry_after_ms: 0 }
}

#[test]
fn a_server_that_takes_clients_in_and_loses_them_at_once_is_not_hammered() {
    let mut stage = Stage::new();
    let end = stage.now + Duration::from_secs(60);
    let mut session = 0;
    while stage.now < end && stage.connects < 1_000 {
        let connects = stage.connects;
        session += 1;
        stage.hears(HELLO);
        stage.hears(accepted(session));
        stage.input(Input::Disconnected(stage.link));
        while stage.connects == connects {
            stage.now = stage.drain().expect("it comes back");
            stage.input(Input::Tick);
        }
        stage.input(Input::Connected(stage.link));
    }
    // Steps of half a second to five: about one attempt every two and a half seconds.
    assert!((10..60).contains(&stage.connects), "{} attempts in a minute", stage.connects);
}

#[test]
fn after_a_login_that_lasted_the_first_attempt_is_immediate() {
    let mut stage = Stage::logged_in();
    for _ in 0..3 {
        for _ in 0..5 {
            stage.now = stage.now + Duration::from_secs(1);
            stage.hears(Frame::Pong);
        }
        let connects = stage.connects;
        stage.input(Input::Disconnected(stage.link));
        assert_eq!(stage.connects, connects + 1);
        stage.input(Input::Connected(stage.link));
        stage.hears(HELLO);
        stage.hears(accepted(2));
    }
}

#[test]
fn a_server_of_another_version_is_given_up_and_said() {
    let mut stage = Stage::new();
    stage.hears(Frame::Hello { version: 2, features: 0 });
    stage.now = stage.now + Duration::from_secs(600);
    stage.input(Input::Tick);
    assert_eq!(stage.connects, 1);
    let states =
        |event: &Event| matches!(event, Event::ConnectionStateChanged(ConnectionState::Failed));
    assert!(stage.events.iter().any(states), "{:?}", stage.events);
    let refused = |event: &Event| matches!(event, Event::LoginResult { code, .. } if *code == LoginCode::ServerError);
    assert!(stage.events.iter().any(refused), "{:?}", stage.events);
}

#[test]
fn when_the_server_gives_up_joined_rooms_are_told_and_a_room_that_is_being_left_is_left() {
    let mut stage = Stage::logged_in();
    let stays = stage.joined("stays");
    let goes = stage.engine.create_room(stage.now, "goes").expect("a room");
    stage.engine.join_room(stage.now, goes).expect("accepted");
    stage.engine.leave_room(stage.now, goes);
    stage.hears(close(CloseCode::Abnormal));
    let told: Vec<_> = stage
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Room { key, event, .. } => Some((*key, event.clone())),
            _ => None,
        })
        .collect();
    let [(first, RoomEvent::Left), (second, RoomEvent::StateChanged { state, .. })] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((*first, *second, *state), (goes, stays, RoomState::ServerAbnormal));
    assert_eq!(stage.drain(), None, "nothing is tried again");
}
