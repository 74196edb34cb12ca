//! Sessions that are resumed over another link: keys, counts, late logins, the grace period.
//! Sections 3 and 4 of the protocol, frame by frame.

use std::time::Duration;

use crate::support::{APP, Shard, delivery, key, login, message, resume};
use bytes::Bytes;
use rts_proto::client::{self, Client};
use rts_proto::limits::ACK_DELAY;
use rts_proto::server::Config;
use rts_proto::wire::{Accepted, Frame, Login, LoginAnswer};
use rts_proto::{AppId, CloseCode, LinkId, LoginCode, MessageId, Payload, SendCode};

fn shard() -> Shard {
    Shard::new(Config::default())
}

#[test]
fn each_resume_has_a_new_key() {
    let mut shard = shard();
    let (_, first) = shard.log_in(login("alice"));
    let (_, second) = shard.log_in(resume("alice", &first, 0));
    let (_, third) = shard.log_in(resume("alice", &second, 0));
    assert_eq!((second.resumed, third.resumed), (true, true));
    assert_eq!([first.session, second.session], [third.session; 2]);
    assert!(first.key != second.key && second.key != third.key && first.key != third.key);
}

#[test]
fn lost_resume_answer_allows_another_resume() {
    let mut shard = shard();
    let (first_link, first) = shard.log_in(login("alice"));
    let (bob, _) = shard.log_in(login("bob"));
    shard.accepts_tokens = false;
    shard.hang_up(first_link);
    shard.say(bob, message(7, "alice", "hi"));
    // The client never reads these answers, so it knows the first key only.
    for _ in 0..3 {
        let (link, unread) = shard.log_in(resume("alice", &first, 0));
        assert!(unread.resumed);
        shard.hang_up(link);
    }
    let link = shard.link();
    shard.say(link, Frame::Login(resume("alice", &first, 0)));
    let frames = shard.frames_to(link);
    assert!(matches!(&frames[0], Frame::LoginAnswer(LoginAnswer::Accepted(a)) if a.resumed));
    assert_eq!(frames[1..], [delivery("bob", "hi")]);
    shard.say(link, Frame::Ack { received: 1 });
    shard.tick();
    let result = Frame::SendResults { code: SendCode::Ok, ids: vec![MessageId(7)] };
    assert_eq!(shard.frames_to(bob), [Frame::Ack { received: 1 }, result]);
}

#[test]
fn former_key_is_valid_until_the_client_sends_a_frame() {
    let mut shard = shard();
    let (_, first) = shard.log_in(login("alice"));
    let (link, second) = shard.log_in(resume("alice", &first, 0));
    shard.say(link, Frame::Ping);
    let (_, again) = shard.log_in(resume("alice", &first, 0));
    assert!(!again.resumed, "the key of an answer that was used up");
    assert!(again.session != second.session);
}

#[test]
fn key_before_the_former_one_is_invalid() {
    let mut shard = shard();
    let (_, first) = shard.log_in(login("alice"));
    let (_, second) = shard.log_in(resume("alice", &first, 0));
    let (_, third) = shard.log_in(resume("alice", &second, 0));
    assert!(third.resumed);
    let (_, again) = shard.log_in(resume("alice", &first, 0));
    assert!(!again.resumed);
}

#[test]
fn refuses_resume_by_others_and_with_impossible_counts() {
    let mut shard = shard();
    let (_, alice) = shard.log_in(login("alice"));
    let mut attempts = Vec::new();
    let good = resume("alice", &alice, 0);
    attempts.push(Login { uid: crate::support::user("bob"), ..good.clone() });
    let other_app = AppId::new(&APP.replace('1', "2")).expect("well formed");
    attempts.push(Login { app_id: other_app, ..good.clone() });
    for attempt in attempts {
        let (_, accepted) = shard.log_in(attempt);
        assert!(!accepted.resumed);
    }
    // The session is unchanged after all of these.
    let (_, resumed) = shard.log_in(good);
    assert!(resumed.resumed);
    let (_, too_many) = shard.log_in(resume("alice", &resumed, 1));
    assert!(!too_many.resumed, "one frame more than was sent");
}

#[test]
fn no_other_key_resumes_a_session() {
    // A different key, and keys with one wrong bit in each byte.
    let (_, good) = shard().log_in(login("alice"));
    let one_bit_off = (0..16).map(|byte| {
        let mut wrong = good.key;
        wrong.0[byte] ^= 1 << (byte % 8);
        wrong
    });
    for wrong in one_bit_off.chain([key(0), key(99)]) {
        let mut shard = shard();
        let (_, alice) = shard.log_in(login("alice"));
        assert_eq!(alice.key, good.key);
        let (_, accepted) = shard.log_in(resume("alice", &Accepted { key: wrong, ..alice }, 0));
        assert!(!accepted.resumed, "{:?}", wrong.0);
    }
}

#[test]
fn refuses_resume_below_the_acknowledged_count() {
    let mut shard = shard();
    let (link, alice) = shard.log_in(login("alice"));
    let (bob, _) = shard.log_in(login("bob"));
    shard.say(bob, message(1, "alice", "one"));
    shard.say(bob, message(2, "alice", "two"));
    assert_eq!(shard.frames_to(link).len(), 2);
    shard.say(link, Frame::Ack { received: 1 });
    assert_eq!(shard.closed(link), None);
    let (_, below) = shard.log_in(resume("alice", &alice, 0));
    assert!(!below.resumed);
}

#[test]
fn resume_sends_missing_frames_only() {
    let mut shard = shard();
    let (_, alice) = shard.log_in(login("alice"));
    let (bob, _) = shard.log_in(login("bob"));
    for (id, text) in [(1, "one"), (2, "two"), (3, "three")] {
        shard.say(bob, message(id, "alice", text));
    }
    let link = shard.link();
    shard.say(link, Frame::Login(resume("alice", &alice, 2)));
    assert_eq!(shard.frames_to(link)[1..], [delivery("bob", "three")]);
    // The count of a resume is an acknowledgement.
    shard.tick();
    let results = Frame::SendResults { code: SendCode::Ok, ids: vec![MessageId(1), MessageId(2)] };
    assert_eq!(shard.frames_to(bob), [Frame::Ack { received: 3 }, results]);
}

#[test]
fn login_answer_replaces_the_acknowledgement() {
    let mut shard = shard();
    let (link, alice) = shard.log_in(login("alice"));
    shard.say(link, message(1, "nobody", "one"));
    shard.say(link, message(2, "nobody", "two"));
    // The resume comes before the tick that would acknowledge.
    let new_link = shard.link();
    shard.say(new_link, Frame::Login(resume("alice", &alice, 0)));
    shard.tick();
    let frames = shard.frames_to(new_link);
    assert!(matches!(&frames[0], Frame::LoginAnswer(LoginAnswer::Accepted(a)) if a.received == 2));
    assert!(!frames.iter().any(|frame| matches!(frame, Frame::Ack { .. })), "{frames:?}");
}

#[test]
fn nothing_is_read_from_a_replaced_link() {
    let mut shard = shard();
    let (old, alice) = shard.log_in(login("alice"));
    let (bob, _) = shard.log_in(login("bob"));
    let (new, _) = shard.log_in(resume("alice", &alice, 0));
    assert_eq!(shard.closed(old), Some(Some(CloseCode::Replaced)));
    shard.say(old, message(1, "bob", "from a zombie"));
    shard.say(old, Frame::Logout);
    shard.hang_up(old);
    shard.say(new, message(1, "bob", "alive"));
    shard.tick();
    assert_eq!(shard.frames_to(bob), [delivery("alice", "alive")]);
    shard.wait(ACK_DELAY);
    shard.tick();
    assert_eq!(shard.frames_to(new), [Frame::Ack { received: 1 }]);
}

fn of_engine(login: Login, engine: u64, attempt: u64) -> Login {
    Login { engine, attempt, ..login }
}

#[test]
fn overtaken_login_changes_nothing() {
    let mut shard = shard();
    let (_, first) = shard.log_in(of_engine(login("alice"), 5, 1));
    let (link, second) = shard.log_in(of_engine(resume("alice", &first, 0), 5, 3));
    let late = [
        // The first login, sent again because the answer took long.
        login("alice"),
        // A resume with a key that is still valid.
        resume("alice", &first, 0),
        // A resume with an invalid key, which would be a fresh login with the old claim.
        resume("alice", &Accepted { key: key(99), ..first.clone() }, 0),
    ];
    for late in late {
        let code = shard.log_in_refused(of_engine(late, 5, 2));
        assert_eq!(code, Some(CloseCode::Replaced));
    }
    assert_eq!(shard.closed(link), None);
    shard.say(link, Frame::Ping);
    assert_eq!(shard.frames_to(link), [Frame::Pong]);
    let (_, third) = shard.log_in(of_engine(resume("alice", &second, 0), 5, 4));
    assert!(third.resumed);
}

#[test]
fn attempts_order_logins_of_one_engine_only() {
    for (engine, attempt) in [(6, 1), (5, 3)] {
        let mut shard = shard();
        let (link, _) = shard.log_in(of_engine(login("alice"), 5, 3));
        let (_, other) = shard.log_in(of_engine(login("alice"), engine, attempt));
        assert!(!other.resumed);
        assert_eq!(shard.closed(link), Some(Some(CloseCode::Displaced)));
    }
    // Logins of an engine without a number have no order.
    let mut shard = shard();
    let (link, _) = shard.log_in(of_engine(login("alice"), 0, 3));
    shard.log_in(of_engine(login("alice"), 0, 2));
    assert_eq!(shard.closed(link), Some(Some(CloseCode::Displaced)));
}

#[test]
fn login_overtaken_during_its_check_changes_nothing() {
    use rts_proto::server::{Input, Output, Server, Verdict};
    let now = rts_proto::Instant::from_millis(1);
    let mut server = Server::new(Config::default(), 1);
    let mut asked = Vec::new();
    for (number, attempt) in [(1, 1), (2, 2)] {
        let link = LinkId(number);
        server.handle_input(now, Input::Accepted(link, key(number as u8)));
        server.handle_input(now, Input::Received(link, crate::support::HELLO.encode()));
        let login = Frame::Login(of_engine(login("alice"), 5, attempt));
        server.handle_input(now, Input::Received(link, login.encode()));
        loop {
            match server.poll_output() {
                Output::Authenticate(login, _) => asked.push(login),
                Output::Wait(_) => break,
                Output::Transmit(..)
                | Output::Disconnect(..)
                | Output::CheckTarget(..)
                | Output::HandOver(..)
                | Output::Peer(..)
                | Output::PostToAppServer(..)
                | Output::AbandonPost(_)
                | Output::Respond(..)
                | Output::Report(..)
                | Output::Notice(_) => {}
            }
        }
    }
    let [early, late] = asked.as_slice() else { panic!("two questions") };
    server.handle_input(now, Input::Verdict(*late, Verdict::Accept { claim: 1, issued_at: 0 }));
    server.handle_input(now, Input::Verdict(*early, Verdict::Accept { claim: 2, issued_at: 0 }));
    let mut closed = Vec::new();
    while let output @ (Output::Transmit(..) | Output::Disconnect(..)) = server.poll_output() {
        if let Output::Disconnect(link, code) = output {
            closed.push((link, code));
        }
    }
    assert_eq!(closed, [(LinkId(1), Some(CloseCode::Replaced))]);
    assert_eq!(server.stats().sessions, 1);
}

#[test]
fn resumes_until_the_grace_ends_even_before_a_late_tick() {
    let grace = Duration::from_secs(30);
    let moment = Duration::from_micros(1);
    for (silence, resumed) in [(grace - moment, true), (grace, false)] {
        let mut shard = shard();
        let (link, alice) = shard.log_in(login("alice"));
        shard.hang_up(link);
        shard.wait(silence);
        let (_, accepted) = shard.log_in(resume("alice", &alice, 0));
        assert_eq!(accepted.resumed, resumed, "after {silence:?}");
    }
}

#[test]
fn bytes_after_the_grace_end_an_open_link() {
    let mut shard = shard();
    let (link, _) = shard.log_in(login("alice"));
    shard.wait(Duration::from_secs(29));
    shard.say(link, Frame::Ping);
    assert_eq!(shard.frames_to(link), [Frame::Pong]);
    shard.wait(Duration::from_secs(30));
    shard.say(link, Frame::Ping);
    assert_eq!(shard.closed(link), Some(Some(CloseCode::Silent)));
    assert_eq!(shard.server.stats().sessions, 0);
}

#[test]
fn refused_token_does_not_prevent_a_resume() {
    let mut shard = shard();
    let (_, alice) = shard.log_in(login("alice"));
    shard.accepts_tokens = false;
    let (_, resumed) = shard.log_in(resume("alice", &alice, 0));
    assert!(resumed.resumed);
    let link = shard.link();
    shard.say(link, Frame::Login(login("alice")));
    let refused = Frame::LoginAnswer(LoginAnswer::Refused(LoginCode::InvalidToken));
    assert_eq!(shard.frames_to(link), [refused]);
}

#[test]
fn engine_with_a_replaced_link_reconnects() {
    let config = client::Config::new(AppId::new(APP).expect("well formed"));
    let now = rts_proto::Instant::from_millis(1);
    let mut alice = Client::new(config, 1);
    alice.login(now, "token", "alice").expect("accepted");
    alice.handle_input(now, client::Input::Connected(LinkId(1)));
    let answer = LoginAnswer::Accepted(Accepted {
        session: 1,
        key: key(1),
        resumed: false,
        received: 0,
        claim: 1,
        sends_per_second: 0,
        broadcasts_per_second: 0,
        server_sends_per_second: 0,
    });
    let replaced =
        Frame::Close { code: CloseCode::Replaced.code(), reason: Bytes::new(), retry_after_ms: 0 };
    for frame in [crate::support::HELLO, Frame::LoginAnswer(answer), replaced] {
        alice.handle_input(now, client::Input::Received(LinkId(1), frame.encode()));
    }
    assert!(alice.is_logged_in());
    let mut connects = 0;
    loop {
        match alice.poll_output() {
            client::Output::Connect(link) => {
                connects += 1;
                assert_eq!(link, LinkId(connects));
            }
            client::Output::Wait(_) => break,
            _ => {}
        }
    }
    assert_eq!(connects, 2);
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    const SECRET: &str = "canary";
    let mut shard = shard();
    let (bob, accepted) = shard.log_in(login("bob"));
    let mut shown = format!("{accepted:?} {:?}", resume("bob", &accepted, 0));
    let config = client::Config::new(AppId::new(APP).expect("well formed"));
    let mut alice = Client::new(config, 1);
    alice.login(shard.now, SECRET, "alice").expect("accepted");
    shown.push_str(&format!("{alice:?}"));
    alice.handle_input(shard.now, client::Input::Connected(LinkId(1)));
    shown.push_str(&format!("{alice:?}"));
    shard.say(bob, message(1, "bob", SECRET));
    let token = Bytes::from_static(SECRET.as_bytes());
    let link = shard.link();
    let login = Login { token, ..login("alice") };
    shown.push_str(&format!("{login:?}"));
    shard.say(link, Frame::Login(login));
    let mut half = message(2, "bob", SECRET).encode();
    half.truncate(half.len() - 1);
    shard.say_bytes(bob, half);
    shown.push_str(&format!("{:?} {:?}", shard.server, Payload::text(SECRET)));
    assert!(!shown.contains(SECRET), "{shown}");
    // The key of the first link, as numbers or as text.
    assert!(!shown.contains("[1, 1, 1") && !shown.contains("\\x01\\x01"), "{shown}");
}
