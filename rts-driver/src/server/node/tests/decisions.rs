//! The log of a shard's decisions: questions of operators and developers, each with the line that
//! answers it.

use rts_proto::wire::SetServerParams;
use rts_proto::wire::{Accepted, LoginAnswer, Resume};
use rts_proto::{LoginCode, RoomId};
use std::num::NonZeroUsize;

use super::*;
use crate::testing::lines::Lines;

/// A text in every payload, token, signature and key of these tests.
const SECRET: &str = "hush";

/// Accepts a login with the good token.
struct Tokens;

impl Authenticate for Tokens {
    fn authenticate(&self, credentials: &Credentials) -> Verdict {
        match credentials.token.starts_with(b"good") {
            true => Verdict::Accept { claim: 1, issued_at: 0 },
            false => Verdict::Refuse(LoginCode::InvalidToken),
        }
    }

    fn explain(&self, _: &Credentials) -> String {
        "it expired an hour ago".to_owned()
    }
}

/// A shard whose log the test reads, and how links ended.
struct Story {
    stepped: SteppedShard,
    lines: Lines,
}

impl Story {
    fn new(lines: Lines) -> Self {
        let mut config = Config::default();
        config.sends_per_second = 2;
        config.room_broadcasts_per_second = 0;
        config.broadcasts_per_second = 0;
        config.room_members_max = NonZeroUsize::new(2).expect("not 0");
        Self { stepped: SteppedShard::with(config, Arc::new(Tokens)), lines }
    }

    /// The lines since the last call.
    fn take_lines(&mut self) -> Vec<String> {
        self.stepped.turn_until_quiet();
        self.lines.take()
    }

    fn log_in(&mut self, uid: &str) -> (Pipe, Accepted) {
        self.log_in_with(uid, "good", None)
    }

    fn log_in_with(
        &mut self,
        uid: &str,
        token: &str,
        resume: Option<(Resume, u64)>,
    ) -> (Pipe, Accepted) {
        let mut peer = self.ask(uid, token, resume);
        self.stepped.turn_until_quiet();
        let answer = frames(read_all(&mut peer)).into_iter().find_map(|frame| match frame {
            Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) => Some(accepted),
            _ => None,
        });
        (peer, answer.expect("a good token"))
    }

    fn ask(&mut self, uid: &str, token: &str, resume: Option<(Resume, u64)>) -> Pipe {
        let mut peer = self.stepped.accept(CAPACITY);
        let (resume, claim) = resume.unzip();
        let login = Login {
            app_id: app_id(),
            uid: uid.parse().expect("well formed"),
            token: format!("{token} {SECRET}").into(),
            resume,
            claim: claim.unwrap_or_default(),
            engine: 0,
            attempt: 0,
        };
        peer.write(&[hello(), Frame::Login(login).encode()].concat());
        peer
    }
}

fn frames(heard: Vec<u8>) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    decoder.push(heard.into());
    std::iter::from_fn(|| decoder.next(FRAME_BYTES_MAX).expect("whole frames")).collect()
}

fn send(id: u64, to: &'static str) -> Bytes {
    let (id, to) = (MessageId(id), Bytes::from_static(to.as_bytes()));
    let (payload, config) = (Payload::text(SECRET), MessageConfig::ReliableOrdered);
    Frame::Send { id, to, payload, config }.encode()
}

fn lobby() -> RoomId {
    RoomId::new("lobby").expect("well formed")
}

fn join() -> Bytes {
    Frame::Join { room: lobby(), ticket: 1, business_id: None }.encode()
}

/// The fields that every line about this user has.
fn app_and(user: &str) -> String {
    format!("app=123456781234567812345678 user={user}")
}

/// Runs a story with a log at this level.
fn with_log_at(filter: &str, story: impl FnOnce(Story)) {
    let lines = Lines::default();
    lines.clone().collect(filter, || story(Story::new(lines)));
}

#[test]
fn logs_logins_resumes_and_displaced_sessions() {
    with_log_at("debug", |mut story| {
        let (alice, accepted) = story.log_in("alice");
        let (mut bob, _) = story.log_in("bob");
        let who = app_and("alice");
        let from = "address=127.0.0.1:1";
        assert_eq!(
            story.take_lines(),
            [
                format!("DEBUG rts::links: link accepted {from} link=1"),
                format!("DEBUG rts::users: logged in {from} link=1 {who} resumed=false"),
                format!("DEBUG rts::links: link accepted {from} link=2"),
                format!(
                    "DEBUG rts::users: logged in {from} link=2 {} resumed=false",
                    app_and("bob")
                ),
            ]
        );

        // The link of alice breaks while bob's message is in progress.
        bob.write(&send(1, "alice"));
        story.stepped.turn_until_quiet();
        drop(alice);
        let why = r#"why="closed by the client""#;
        assert_eq!(
            story.take_lines(),
            [format!("DEBUG rts::links: link lost {from} link=1 {who} {why}")]
        );

        let Accepted { session, key, claim, .. } = accepted;
        let resume = Resume { session, key, received: 0 };
        let (again, _) = story.log_in_with("alice", "good", Some((resume, claim)));
        assert_eq!(
            story.take_lines(),
            [
                format!("DEBUG rts::links: link accepted {from} link=3"),
                format!(
                    "DEBUG rts::users: logged in {from} link=3 {who} resumed=true frames_resent=1"
                ),
            ]
        );

        // Another login displaces this one, which then cannot be resumed.
        let (_newest, _) = story.log_in("alice");
        let elsewhere = r#"why="logged in elsewhere""#;
        assert_eq!(
            story.take_lines(),
            [
                format!("DEBUG rts::links: link accepted {from} link=4"),
                format!(
                    " INFO rts::users: logged in elsewhere: the former session is over {from} \
                     link=4 {who} former=127.0.0.1:1"
                ),
                format!(
                    "DEBUG rts::links: link closed {from} link=3 {who} code=Displaced {elsewhere}"
                ),
                // Bob's message was not acknowledged.
                format!(
                    "DEBUG rts::messages: message failed link=2 {} to=\"alice\" id=1 code=1 \
                     why=\"the receiver's session is over, and it did not acknowledge this\"",
                    app_and("bob")
                ),
                format!("DEBUG rts::users: logged in {from} link=4 {who} resumed=false"),
            ]
        );
        drop(again);
    });
}

#[test]
fn logs_refused_logins_with_reason() {
    with_log_at("debug", |mut story| {
        let mut mallory = story.ask("mallory", "bad", None);
        let who = app_and("mallory");
        assert_eq!(
            story.take_lines(),
            [
                "DEBUG rts::links: link accepted address=127.0.0.1:1 link=1".to_owned(),
                format!(
                    " INFO rts::users: login refused address=127.0.0.1:1 link=1 {who} code=-1000 \
                     why=\"it expired an hour ago\""
                ),
            ]
        );
        assert!(is_over(&mut mallory));
        // A session that does not exist any more.
        let resume = Resume { session: 77, key: ResumeKey([7; 16]), received: 0 };
        let (_alice, _) = story.log_in_with("alice", "good", Some((resume, 0)));
        let logged_in = story.take_lines().pop().expect("a line");
        let why = r#"why="the session that it asked for is over""#;
        assert!(logged_in.ends_with(&format!("{} resumed=false {why}", app_and("alice"))));

        let limits = LinkLimits { links_max: 1, ..LinkLimits::default() };
        story.stepped.node.set_link_limits(limits);
        let _refused = story.stepped.accept(CAPACITY);
        let line = " WARN rts::links: link refused: connection limit reached address=127.0.0.1:1 \
                    why=\"there are 1 already\"";
        assert_eq!(story.take_lines(), [line]);
    });
}

/// Whether the server has closed the link, after its bytes are read.
fn is_over(peer: &mut Pipe) -> bool {
    read_all(peer);
    is_closed(peer)
}

#[test]
fn logs_why_messages_are_not_delivered() {
    with_log_at("debug", |mut story| {
        let (mut alice, _) = story.log_in("alice");
        story.take_lines();
        for id in 1..=3 {
            alice.write(&send(id, "dave"));
        }
        let who = app_and("alice");
        let offline = "code=4 why=\"the receiver is not logged in\"";
        let what = "what=\"messages to users (sends_per_second)\"";
        assert_eq!(
            story.take_lines(),
            [
                format!(
                    "DEBUG rts::messages: message failed link=1 {who} to=\"dave\" id=1 {offline}"
                ),
                format!(
                    "DEBUG rts::messages: message failed link=1 {who} to=\"dave\" id=2 {offline}"
                ),
                format!(
                    " INFO rts::users: over a rate, and refused (result 5; a join: state -1001; a \
                     query: status 2) address=127.0.0.1:1 link=1 {who} {what}"
                ),
                format!(
                    "DEBUG rts::messages: message failed link=1 {who} to=\"dave\" id=3 code=5 \
                     why=\"over sends_per_second\""
                ),
            ]
        );
        let broadcast =
            Frame::Broadcast { id: MessageId(1), room: lobby(), payload: Payload::text(SECRET) };
        let post = Frame::ServerSend { id: MessageId(4), payload: Payload::text(SECRET) };
        let url = format!("https://{SECRET}.example/").into();
        let set = SetServerParams { ticket: 1, signature: SECRET.into(), url };
        alice.write(
            &[broadcast.encode(), post.encode(), Frame::SetServerParams(set).encode()].concat(),
        );
        assert_eq!(
            story.take_lines(),
            [
                format!(
                    "DEBUG rts::messages: broadcast failed link=1 {who} room=lobby id=1 code=100 \
                     why=\"the user is not in the room\""
                ),
                format!(
                    "DEBUG rts::messages: message to the app server failed link=1 {who} id=4 \
                     code=106 why=\"no server params are in force\""
                ),
                format!(
                    "DEBUG rts::messages: server params failed link=1 {who} code=1000 why=\"the \
                     signature or the URL is invalid, or the URL is not allowed (1000)\""
                ),
            ]
        );
    });
}

#[test]
fn logs_joins_bans_and_slow_members() {
    with_log_at("debug", |mut story| {
        let [(mut alice, _), (mut bob, _), (mut carol, _)] =
            ["alice", "bob", "carol"].map(|uid| story.log_in(uid));
        story.take_lines();
        alice.write(&join());
        story.stepped.turn_until_quiet();
        bob.write(&join());
        story.stepped.turn_until_quiet();
        carol.write(&join());
        let room = "app=123456781234567812345678 room=lobby";
        let [alices, bobs, carols] = ["alice", "bob", "carol"].map(app_and);
        assert_eq!(
            story.take_lines(),
            [
                format!("DEBUG rts::rooms: room created {room}"),
                format!("DEBUG rts::rooms: joined a room {alices} room=lobby"),
                format!("DEBUG rts::rooms: joined a room {bobs} room=lobby"),
                format!(
                    "DEBUG rts::rooms: join failed link=3 {carols} room=lobby code=-1001 \
                     why=\"the room is full (room_members_max)\""
                ),
            ]
        );
        // Bob acknowledges nothing, so his window fills.
        let text = SECRET.repeat(15_000);
        for id in 1..=100 {
            let payload = Payload::text(text.as_str());
            let broadcast = Frame::Broadcast { id: MessageId(id), room: lobby(), payload };
            alice.write(&broadcast.encode());
            story.stepped.turn_until_quiet();
            read_all(&mut alice);
            read_all(&mut bob);
            if story.stepped.node.stats().links == 2 {
                break;
            }
        }
        assert_eq!(
            story.take_lines(),
            [
                format!(
                    " INFO rts::links: link closed address=127.0.0.1:1 link=2 {bobs} \
                     code=SlowConsumer why=\"did not read what it was sent\""
                ),
                format!(
                    "DEBUG rts::rooms: left a room {bobs} room=lobby why=\"the user's session is \
                     over\""
                ),
                format!(
                    "DEBUG rts::users: session over {bobs} why=\"silent for too long, or closed\""
                ),
            ]
        );
    });
}

#[test]
fn logs_why_links_ended_before_login() {
    with_log_at("info", |mut story| {
        let mut peer = story.stepped.accept(CAPACITY);
        peer.write(b"GET / HTTP/1.1\r\n\r\n");
        let lines = story.take_lines();
        let line = " INFO rts::links: connection ended before a login address=127.0.0.1:1 link=1 \
                    why=\"the other side speaks HTTP, not RTS";
        assert!(matches!(&lines[..], [only] if only.starts_with(line)), "{lines:?}");
    });
}

#[test]
fn logs_no_secrets_and_no_messages_at_info() {
    let play = |mut story: Story| {
        let (mut alice, _) = story.log_in("alice");
        let mut mallory = story.ask("mallory", "bad", None);
        alice.write(&[join(), send(1, "dave"), send(2, "alice"), send(3, "alice")].concat());
        let post = Frame::ServerSend { id: MessageId(4), payload: Payload::text(SECRET) };
        alice.write(&post.encode());
        story.stepped.turn_until_quiet();
        // A frame that violates the protocol.
        alice.write(&[hello(), send(5, SECRET)].concat());
        read_all(&mut mallory);
        let lines = story.take_lines();
        assert!(lines.iter().all(|line| !line.contains(SECRET)), "{lines:#?}");
        lines
    };
    with_log_at("debug", |story| assert!(play(story).len() > 8));
    with_log_at("info", |story| {
        let lines = play(story);
        let is_quiet = |line: &String| !line.contains("rts::messages") && !line.contains("DEBUG");
        assert!(lines.len() == 3 && lines.iter().all(is_quiet), "{lines:#?}");
    });
}
