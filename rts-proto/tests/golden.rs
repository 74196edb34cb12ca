//! The worked example of `docs/protocol.md` section 10. It makes a change of the wire visible.

#[path = "golden/document.rs"]
mod document;

use bytes::Bytes;
use document::document;
use rts_proto::client::{self, Client};
use rts_proto::limits::{ACK_DELAY, FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN};
use rts_proto::server::{self, Server, Verdict};
use rts_proto::wire::{Accepted, Decoder, Frame, Login, LoginAnswer, ResumeKey};
use rts_proto::{
    AppId, Instant, LinkId, MessageConfig, MessageId, Payload, RoomId, RoomState, SendCode, UserId,
};

const APP_ID: &str = "123456781234567812345678";
const TOKEN: &str = "001123456781234567812345678FwBOYbwAAPFTZYBCVWUAAAUAYWxpY2UAACAAG1qGMriGfbjy1d8zUi8hKfCURsZMSP2v8KhktaEFlUo=";
/// The number of an engine with the seed 1.
const ENGINE: u64 = 0x910A_2DEC_8902_5CC1;
const CLAIM: u64 = 1_700_000_000_000_000;
const KEY: ResumeKey = ResumeKey([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const START: Instant = Instant::from_millis(1);

/// One block of the document.
struct Example {
    /// The speaker in the document.
    from: String,
    bytes: Vec<u8>,
}

/// The text under the heading `## number ...`.
fn section(number: u32) -> String {
    let document = document();
    let heading = format!("\n## {number} ");
    let (_, after) = document.split_once(&heading).expect("the section is there");
    let (section, _) = after.split_once("\n## ").unwrap_or((after, ""));
    section.to_owned()
}

/// The bytes of one line of a hex block. `#` begins a comment.
fn hex(line: &str) -> Vec<u8> {
    let (bytes, _) = line.split_once('#').unwrap_or((line, ""));
    bytes
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hex digits"))
        .collect()
}

fn examples() -> Vec<Example> {
    let section = section(10);
    let mut examples = Vec::new();
    let mut title = None;
    let mut lines = section.lines();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("**") {
            title = rest.split_once(':').map(|(from, _)| from.to_owned());
        } else if line == "```hex" {
            let block = lines.by_ref().take_while(|line| *line != "```");
            let bytes = block.flat_map(hex).collect();
            examples.push(Example { from: title.take().expect("each block has a title"), bytes });
        }
    }
    examples
}

/// The bytes of all blocks of one speaker, in order.
fn said_by(from: &str) -> Vec<Vec<u8>> {
    examples().into_iter().filter(|example| example.from == from).map(|e| e.bytes).collect()
}

fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("well formed")
}

fn app() -> AppId {
    AppId::new(APP_ID).expect("well formed")
}

fn lobby() -> RoomId {
    RoomId::new("lobby").expect("well formed")
}

fn login(uid: &str) -> Frame {
    Frame::Login(Login {
        app_id: app(),
        uid: user(uid),
        token: Bytes::from_static(TOKEN.as_bytes()),
        resume: None,
        claim: 0,
        engine: ENGINE,
        attempt: 1,
    })
}

const HELLO: Frame = Frame::Hello { version: 1, features: 0 };

/// The conversation of the document.
fn conversation() -> Vec<(&'static str, Frame)> {
    let config = MessageConfig::ReliableOrdered;
    vec![
        ("alice", HELLO),
        ("alice", login("alice")),
        ("server", HELLO),
        (
            "server",
            Frame::LoginAnswer(LoginAnswer::Accepted(Accepted {
                session: 1,
                key: KEY,
                resumed: false,
                received: 0,
                claim: CLAIM,
                sends_per_second: 100,
                broadcasts_per_second: 65,
                server_sends_per_second: 20,
            })),
        ),
        (
            "alice",
            Frame::Send {
                id: MessageId(1),
                to: Bytes::from_static(b"bob"),
                payload: Payload::text("hi"),
                config,
            },
        ),
        (
            "server to bob",
            Frame::Delivery { from: user("alice"), payload: Payload::text("hi"), config },
        ),
        ("bob", Frame::Ack { received: 1 }),
        ("server", Frame::Ack { received: 1 }),
        ("server", Frame::SendResults { code: SendCode::Ok, ids: vec![MessageId(1)] }),
        ("alice", Frame::Ack { received: 1 }),
        ("alice", Frame::Join { room: lobby(), ticket: 1, business_id: None }),
        ("server", Frame::Ack { received: 2 }),
        (
            "server",
            Frame::JoinAnswer { ticket: 1, state: RoomState::Joined, members: vec![user("bob")] },
        ),
        (
            "server",
            Frame::RoomUnicast {
                from: user("system"),
                room: lobby(),
                payload: Payload::text("hi"),
            },
        ),
        ("alice", Frame::Ack { received: 3 }),
        (
            "server",
            Frame::Close {
                code: 7,
                reason: Bytes::from_static(b"logged in elsewhere"),
                retry_after_ms: 0,
            },
        ),
    ]
}

#[test]
fn document_has_exactly_this_conversation() {
    let documented: Vec<String> = examples().into_iter().map(|example| example.from).collect();
    let expected: Vec<&str> = conversation().into_iter().map(|(from, _)| from).collect();
    assert_eq!(documented, expected);
}

#[test]
fn every_frame_is_written_byte_for_byte() {
    for (example, (_, frame)) in examples().into_iter().zip(conversation()) {
        assert_eq!(frame.clone().encode(), example.bytes, "{frame:?}");
    }
}

#[test]
fn every_frame_is_read_from_its_bytes() {
    for (example, (_, frame)) in examples().into_iter().zip(conversation()) {
        let mut decoder = Decoder::new();
        decoder.push(example.bytes.into());
        assert_eq!(decoder.next(FRAME_BYTES_MAX_BEFORE_LOGIN), Ok(Some(frame)));
        assert_eq!(decoder.next(FRAME_BYTES_MAX_BEFORE_LOGIN), Ok(None));
        assert_eq!(decoder.buffered_bytes(), 0);
    }
}

/// The server core, and its frames on each link.
struct Shard {
    server: Server,
    alice: Vec<u8>,
    bob: Vec<u8>,
}

const ALICE: LinkId = LinkId(1);
const BOB: LinkId = LinkId(2);
const ELSEWHERE: LinkId = LinkId(3);

impl Shard {
    fn say(&mut self, link: LinkId, bytes: impl Into<Bytes>) {
        self.input(server::Input::Received(link, bytes.into()));
    }

    fn input(&mut self, input: server::Input) {
        self.server.handle_input(START, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.server.poll_output() {
                server::Output::Transmit(ALICE, bytes) => self.alice.extend_from_slice(&bytes),
                server::Output::Transmit(BOB, bytes) => self.bob.extend_from_slice(&bytes),
                server::Output::Transmit(..) | server::Output::Disconnect(..) => {}
                server::Output::Authenticate(login, _) => {
                    let verdict = Verdict::Accept { claim: CLAIM, issued_at: 0 };
                    self.server.handle_input(START, server::Input::Verdict(login, verdict));
                }
                server::Output::CheckTarget(..)
                | server::Output::PostToAppServer(..)
                | server::Output::Respond(..)
                | server::Output::AbandonPost(_) => panic!("nobody speaks to the app server"),
                server::Output::HandOver(..) | server::Output::Peer(..) => panic!("one shard"),
                server::Output::Report(..) | server::Output::Notice(_) => {}
                server::Output::Wait(_) => return,
            }
        }
    }

    fn log_in(&mut self, link: LinkId, key: ResumeKey, frames: &[Vec<u8>]) {
        self.input(server::Input::Accepted(link, key));
        for frame in frames {
            self.say(link, frame.clone());
        }
    }
}

#[test]
fn server_core_sends_the_golden_frames() {
    let server = Server::new(server::Config::default(), 1);
    let mut shard = Shard { server, alice: Vec::new(), bob: Vec::new() };
    let alice = said_by("alice");
    let [hello, login_of_alice, send, ack, join, last_ack] = alice.as_slice() else {
        panic!("six frames")
    };

    shard.log_in(ALICE, KEY, &[hello.clone(), login_of_alice.clone()]);
    let login_of_bob = login("bob").encode().to_vec();
    shard.log_in(BOB, ResumeKey([2; 16]), &[hello.clone(), login_of_bob]);
    shard.say(BOB, Frame::Join { room: lobby(), ticket: 1, business_id: None }.encode());
    shard.input(server::Input::Tick);
    // Frames to bob until here are not in the document. The JoinAnswer is in his window, so the
    // Delivery comes second here.
    shard.bob.clear();
    shard.say(BOB, Frame::Ack { received: 1 }.encode());

    shard.say(ALICE, send.clone());
    shard.input(server::Input::Tick);
    assert_eq!(shard.bob, said_by("server to bob").concat());
    shard.say(BOB, Frame::Ack { received: 2 }.encode());
    shard.input(server::Input::Tick);
    shard.say(ALICE, ack.clone());
    shard.say(ALICE, join.clone());
    shard.input(server::Input::Tick);
    let sent = shard.server.unicast_in_room(
        START,
        &app(),
        &lobby(),
        user("system"),
        &[user("alice")],
        Payload::text("hi"),
    );
    assert_eq!(sent, Ok(1));
    shard.input(server::Input::Tick);
    shard.say(ALICE, last_ack.clone());
    shard.log_in(ELSEWHERE, ResumeKey([3; 16]), &[hello.clone(), login_of_alice.clone()]);

    assert_eq!(shard.alice, said_by("server").concat());
}

#[test]
fn client_core_sends_the_golden_frames() {
    let config = client::Config::new(app());
    let mut alice = Client::new(config, 1);
    let mut said = Vec::new();
    let mut drain = |alice: &mut Client| loop {
        match alice.poll_output() {
            client::Output::Transmit(_, bytes) => said.extend_from_slice(&bytes),
            client::Output::Wait(_) => return,
            _ => {}
        }
    };
    let server = said_by("server");
    let [hello, answer, ack, results, second_ack, join_answer, unicast, close] = server.as_slice()
    else {
        panic!("eight frames")
    };
    let hear = |alice: &mut Client, bytes: &[u8]| {
        let bytes = Bytes::copy_from_slice(bytes);
        alice.handle_input(START, client::Input::Received(LinkId(1), bytes));
    };

    alice.login(START, TOKEN, "alice").expect("accepted");
    alice.handle_input(START, client::Input::Connected(LinkId(1)));
    drain(&mut alice);
    hear(&mut alice, hello);
    hear(&mut alice, answer);
    assert!(alice.is_logged_in());
    alice
        .send_message(START, "bob", Payload::text("hi"), MessageConfig::ReliableOrdered)
        .expect("accepted");
    drain(&mut alice);
    hear(&mut alice, ack);
    hear(&mut alice, results);
    assert_eq!(alice.open_questions(), 0);
    let room = alice.create_room(START, "lobby").expect("a good id");
    alice.join_room(START, room).expect("accepted");
    drain(&mut alice);
    hear(&mut alice, second_ack);
    hear(&mut alice, join_answer);
    alice.handle_input(START, client::Input::Tick);
    drain(&mut alice);
    hear(&mut alice, unicast);
    alice.handle_input(START + ACK_DELAY, client::Input::Tick);
    drain(&mut alice);
    hear(&mut alice, close);
    assert!(!alice.is_logged_in());
    drain(&mut alice);

    assert_eq!(said, said_by("alice").concat());
}

/// §1.2: the limits of frames that the decoder is called with.
#[test]
fn the_largest_message_fits_into_a_frame() {
    let largest = Frame::RoomDelivery {
        from: user(&"u".repeat(128)),
        room: RoomId::new(&"r".repeat(128)).expect("well formed"),
        payload: Payload::binary(vec![0; 65_536]),
    };
    let mut decoder = Decoder::new();
    decoder.push(largest.clone().encode());
    assert_eq!(decoder.next(FRAME_BYTES_MAX), Ok(Some(largest)));
}
