//! The chat with real engines and a real server core, in simulated time.

use std::time::Duration;

use rts_client::contract::{Event, Events};
use rts_proto::server::Config;
use rts_proto::{AppId, LoginCode, RoomId, UserId};
use rts_testkit::{APP_ID, World};

use super::super::line::Look;
use super::*;

struct Stage {
    world: World,
    alice: Typist,
    /// The index of bob's engine in the world.
    bob: usize,
}

/// A chat with the engine's events and its output.
struct Typist {
    talk: Talk,
    events: Events,
    index: usize,
}

const BOB: usize = 0;

impl Stage {
    fn new() -> Self {
        let mut world = World::new(Config::default(), 1, 7);
        let (index, engine) = world.connect();
        let (engine, events) = (engine.contract().clone(), engine.contract().events());
        world.log_in(BOB, "bob");
        engine.login(&world.token("alice"), "alice").expect("not logged in");
        let mut alice = Typist { talk: Talk::new(engine, None), events, index };
        world.run_for(Duration::from_secs(1));
        alice.output();
        Self { world, alice, bob: BOB }
    }

    /// Types a line, and returns the output of the next second.
    fn types(&mut self, line: &str) -> Vec<String> {
        let command = Command::parse(line).expect("a command");
        let mut lines = texts(self.alice.talk.run(&command));
        lines.extend(self.passes(Duration::from_secs(1)));
        lines
    }

    fn passes(&mut self, time: Duration) -> Vec<String> {
        self.world.run_for(time);
        self.alice.output()
    }

    fn bob_joins(&mut self, room: &str) -> rts_proto::RoomKey {
        self.world.join(self.bob, room)
    }

    fn kick(&mut self, room: &str) {
        let app = AppId::new(APP_ID).expect("an app id");
        let room = RoomId::new(room).expect("a room id");
        let alice = UserId::new("alice").expect("a user id");
        assert!(self.world.backend(|server, now| server.kick(now, &app, &room, &alice)));
    }

    /// The messages that bob has received, from users and in rooms.
    fn bob_has(&mut self) -> Vec<String> {
        let received = [self.world.texts(self.bob), self.world.room_texts(self.bob)].concat();
        self.world.take_events(self.bob);
        received
    }
}

impl Typist {
    fn output(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(event) = self.events.try_next() {
            lines.extend(texts(self.talk.event(&event)));
        }
        lines.extend(texts(self.talk.report_arrivals()));
        lines
    }
}

fn texts(lines: Vec<Line>) -> Vec<String> {
    let look = Look { has_colours: false, has_times: false, is_echo: false };
    lines.iter().map(|line| look.line(line, "")).collect()
}

#[test]
fn last_to_or_join_selects_the_receiver() {
    let mut stage = Stage::new();
    stage.bob_joins("lobby");
    assert_eq!(stage.types("/join lobby"), ["* joined #lobby", "* #lobby: bob is here"]);
    stage.types("/to dave");
    assert_eq!(stage.alice.talk.prompt(), "to dave> ");
    assert_eq!(stage.types("/join lobby"), [""; 0], "alice is a member already");
    assert_eq!(stage.alice.talk.prompt(), "to #lobby> ");
    assert_eq!(stage.types("to the room"), ["✓ to #lobby: to the room"]);
    stage.types("/to dave");
    stage.types("/to #lobby");
    assert_eq!(stage.types("again"), ["✓ to #lobby: again"]);
    assert_eq!(stage.bob_has(), ["to the room", "again"]);
}

#[test]
fn message_has_one_line_with_tick_or_reason() {
    let mut stage = Stage::new();
    assert_eq!(stage.types("hello?"), ["! to whom? /to USER or /join ROOM"]);
    assert_eq!(stage.types("/msg bob hi bob"), ["✓ to bob: hi bob"]);
    assert_eq!(stage.types("/msg dave hi"), ["✗ to dave: hi -- the receiver is not logged in (4)"]);
    assert_eq!(stage.bob_has(), ["hi bob"]);
    stage.world.send(BOB, "alice", "hi alice\x1b[2J");
    assert_eq!(stage.passes(Duration::from_secs(1)), ["bob: hi alice\u{FFFD}[2J"]);
}

#[test]
fn removed_member_is_notified_and_can_join_again() {
    let mut stage = Stage::new();
    stage.bob_joins("lobby");
    stage.types("/join lobby");
    stage.kick("lobby");
    let shown = stage.passes(Duration::from_secs(1));
    assert_eq!(
        shown,
        ["* out of #lobby: kicked by the app's back end (-1006); /join lobby goes back"]
    );
    assert!(stage.alice.talk.is_cut());
    let refused = ["! not sent: you are not in #lobby; /join lobby goes in"];
    assert_eq!(stage.types("to nobody else"), refused);
    assert_eq!(stage.types("/join lobby"), ["* joined #lobby", "* #lobby: bob is here"]);
    assert_eq!(stage.types("back"), ["✓ to #lobby: back"]);
    assert_eq!(stage.bob_has(), ["back"]);
}

#[test]
fn several_rooms_are_separate_and_left_one_by_one() {
    let mut stage = Stage::new();
    let lobby = stage.bob_joins("lobby");
    stage.types("/join lobby");
    assert_eq!(stage.types("/join lounge"), ["* joined #lounge"]);
    stage.world.broadcast(BOB, lobby, "in the lobby");
    assert_eq!(stage.passes(Duration::from_secs(1)), ["#lobby bob: in the lobby"]);
    assert_eq!(stage.types("/rooms"), ["* #lobby (2): you, bob", "* #lounge: nobody but you"]);
    assert_eq!(stage.types("/leave"), ["* left #lounge"]);
    assert_eq!(stage.alice.talk.prompt(), "to nobody> ", "the previous receiver is not restored");
    assert_eq!(stage.types("/leave"), ["* left #lobby"], "it is the only room");
    assert_eq!(stage.types("/leave"), ["! you are in no room; /join ROOM enters one"]);
    assert_eq!(stage.types("/to #lobby"), ["! you are not in #lobby; /join lobby goes in"]);
    stage.world.broadcast(BOB, lobby, "to nobody");
    assert_eq!(stage.passes(Duration::from_secs(1)), [""; 0]);
}

#[test]
fn members_are_listed_and_joins_and_leaves_reported() {
    let mut stage = Stage::new();
    stage.types("/join lobby");
    let lobby = stage.bob_joins("lobby");
    assert_eq!(stage.passes(Duration::ZERO), ["* #lobby: bob is here"]);
    assert_eq!(stage.types("/who"), ["* #lobby (2): you, bob"]);
    stage.world.call(BOB, |engine, now| engine.leave_room(now, lobby));
    assert_eq!(stage.passes(Duration::from_secs(1)), ["* #lobby: bob is gone: left (0)"]);
    assert_eq!(stage.types("/who #lobby"), ["* #lobby: nobody but you"]);
    assert_eq!(stage.types("/who bob"), ["* bob is online"]);
    assert_eq!(stage.types("/who dave"), ["* dave is offline"]);
    let names = stage.alice.talk.names();
    assert_eq!((names.users, names.rooms), (vec!["bob".to_owned()], vec!["lobby".to_owned()]));
}

#[test]
fn present_members_are_reported_in_one_line() {
    let mut stage = Stage::new();
    for number in 0..12 {
        let other = stage.world.add(APP_ID, rts_proto::client::Parameters::default());
        stage.world.log_in(other, &format!("user{number:02}"));
        stage.world.join(other, "lobby");
    }
    let shown = stage.types("/join lobby");
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[1].ends_with("user08, user09 and 2 more are here; /who names them"), "{shown:?}");
}

#[test]
fn lost_connection_and_its_losses_are_reported() {
    let mut stage = Stage::new();
    stage.types("/join lobby");
    stage.types("/to bob");
    stage.world.block_connects(stage.alice.index);
    stage.types("on its way");
    let shown = stage.passes(Duration::from_secs(15));
    assert!(shown[0].starts_with("* the connection is lost"), "{shown:?}");
    assert!(shown[1].starts_with("? to bob: on its way -- no answer in time"), "{shown:?}");
    assert!(stage.alice.talk.is_cut());
    // Longer than the grace period.
    stage.passes(Duration::from_secs(45));
    stage.world.allow_connects(stage.alice.index);
    let shown = stage.passes(Duration::from_secs(10));
    assert!(shown.contains(&"* connected again".to_owned()), "{shown:?}");
    assert!(shown.iter().any(|line| line.contains("meanwhile is missing")), "{shown:?}");
    assert!(!stage.alice.talk.is_cut());
}

#[test]
fn open_broadcast_of_left_room_is_reported() {
    let mut stage = Stage::new();
    stage.types("/join lobby");
    let command = Command::parse("hi").expect("a command");
    assert_eq!(stage.alice.talk.run(&command), []);
    assert!(stage.alice.talk.is_waiting());
    let shown = stage.types("/leave");
    assert_eq!(shown, ["? to #lobby: hi -- you left before the result came", "* left #lobby"]);
    assert!(!stage.alice.talk.is_waiting());
}

#[test]
fn join_does_not_wait_after_refused_token() {
    let mut stage = Stage::new();
    let command = Command::parse("/join lobby").expect("a command");
    stage.world.block_connects(stage.alice.index);
    assert_eq!(stage.alice.talk.run(&command), []);
    assert!(stage.alice.talk.is_waiting());
    let uid = UserId::new("alice").expect("a user id");
    let code = LoginCode::InvalidToken;
    let refused = Event::LoginResult { uid, code, elapsed: Duration::from_secs(1) };
    let shown = texts(stage.alice.talk.event(&refused));
    assert!(shown[0].starts_with("! login refused: the token is invalid"), "{shown:?}");
    assert!(!stage.alice.talk.is_waiting());
    let said = &stage.types("hi")[0];
    assert_eq!(said, "! not sent: you are not in #lobby; /join lobby goes in");
}
