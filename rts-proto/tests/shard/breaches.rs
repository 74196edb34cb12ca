//! Clients that break the rules: the close codes of their links, and the results for others.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::server::{Config, Input};
use rts_proto::wire::{Frame, LoginAnswer, SetServerParams};
use rts_proto::{
    BroadcastCode, CloseCode, LeaveReason, LinkId, LoginCode, MessageConfig, MessageId,
    OnlineStatus, Payload, Reply, RoomId, RoomState, SendCode, ServerParamsCode,
};

use crate::sequenced::SEQUENCED;
use crate::support::{HELLO, Shard, delivery, key, login, message, resume, user};

/// The numbers of §4.6 and §3.6.
const SERVER_WINDOW_FRAMES_MAX: usize = 4_096;
const WINDOW_BYTES_MAX: usize = 1_048_576;
const SESSION_GRACE: Duration = Duration::from_secs(30);

fn without_rates() -> Shard {
    let mut config = Config::default();
    config.sends_per_second = 0;
    config.broadcasts_per_second = 0;
    config.room_broadcasts_per_second = 0;
    Shard::new(config)
}

fn room() -> RoomId {
    RoomId::new("room").expect("well formed")
}

fn results(shard: &mut Shard, link: LinkId) -> Vec<(SendCode, Vec<MessageId>)> {
    let results = |frame| match frame {
        Frame::SendResults { code, ids } => Some((code, ids)),
        _ => None,
    };
    shard.frames_to(link).into_iter().filter_map(results).collect()
}

#[test]
fn acknowledgement_of_unsent_frames_ends_link_and_session() {
    // Bob is sent three messages, and has acknowledged two.
    for (received, wrong) in [(1, true), (2, false), (3, false), (4, true), (u64::MAX, true)] {
        let mut shard = without_rates();
        let (alice, _) = shard.log_in(login("alice"));
        let (bob, accepted) = shard.log_in(login("bob"));
        for id in 1..=3 {
            shard.say(alice, message(id, "bob", "hi"));
        }
        shard.tick();
        shard.say(bob, Frame::Ack { received: 2 });
        shard.tick();
        let done = vec![(SendCode::Ok, vec![MessageId(1), MessageId(2)])];
        assert_eq!(results(&mut shard, alice), done);
        let before = shard.server.stats().window_bytes;
        shard.say(bob, Frame::Ack { received });
        shard.tick();
        assert_eq!(shard.closed(bob), wrong.then_some(Some(CloseCode::BadAck)), "{received}");
        let third = |code| vec![(code, vec![MessageId(3)])];
        if wrong {
            // Bob acknowledged nothing valid, so the result of the third is unknown.
            assert_eq!(results(&mut shard, alice), third(SendCode::Timeout));
            let (_, anew) = shard.log_in(resume("bob", &accepted, 3));
            assert!(!anew.resumed);
        } else if received == 3 {
            assert_eq!(results(&mut shard, alice), third(SendCode::Ok));
        } else {
            assert_eq!(results(&mut shard, alice), []);
            assert_eq!(shard.server.stats().window_bytes, before);
        }
    }
}

#[test]
fn unsequenced_frames_are_not_sent_again() {
    let mut shard = without_rates();
    let (alice, _) = shard.log_in(login("alice"));
    let (bob, accepted) = shard.log_in(login("bob"));
    let unreliable = Frame::Send {
        id: MessageId(1),
        to: Bytes::from_static(b"bob"),
        payload: Payload::text("once"),
        config: MessageConfig::UnreliableOrdered,
    };
    shard.say(alice, unreliable);
    shard.say(alice, message(2, "bob", "hi"));
    assert_eq!(shard.frames_to(bob).len(), 2);
    let link = shard.link();
    shard.say(link, Frame::Login(resume("bob", &accepted, 0)));
    assert_eq!(shard.frames_to(link)[1..], [delivery("alice", "hi")]);
}

/// Alice and bob in one room, and the size of each of its frames in bob's window. He acknowledges
/// nothing more.
fn two_in_a_room(shard: &mut Shard) -> (LinkId, LinkId) {
    let (alice, _) = shard.log_in(login("alice"));
    let (bob, _) = shard.log_in(login("bob"));
    for link in [alice, bob] {
        shard.say(link, Frame::Join { room: room(), ticket: 1, business_id: None });
        shard.tick();
        shard.say(link, Frame::Ack { received: 1 });
    }
    shard.say(alice, Frame::Ack { received: 2 });
    shard.frames_to(alice);
    assert_eq!(shard.server.stats().window_bytes, 0);
    (alice, bob)
}

fn broadcast(shard: &mut Shard, link: LinkId, bytes: usize) {
    let payload = Payload::binary(vec![0; bytes]);
    shard.say(link, Frame::Broadcast { id: MessageId(1), room: room(), payload });
    shard.tick();
}

#[test]
fn member_stays_with_a_full_window_and_ends_one_byte_over() {
    for extra in [0, 1] {
        let mut shard = without_rates();
        let (alice, bob) = two_in_a_room(&mut shard);
        let of = |bytes| Frame::RoomDelivery {
            from: user("alice"),
            room: room(),
            payload: Payload::binary(vec![0; bytes]),
        };
        let frame = WINDOW_BYTES_MAX / 32;
        let payload = frame - (of(frame).encode().len() - frame);
        for _ in 1..32 {
            broadcast(&mut shard, alice, payload);
        }
        assert_eq!(shard.closed(bob), None);
        broadcast(&mut shard, alice, payload + extra);
        let code = (extra == 1).then_some(Some(CloseCode::SlowConsumer));
        assert_eq!(shard.closed(bob), code);
        let left = shard.frames_to(alice).iter().any(|frame| {
            matches!(frame, Frame::MemberLeft { reason: LeaveReason::Dropped, uid, .. } if *uid == user("bob"))
        });
        assert_eq!(left, extra == 1);
    }
}

#[test]
fn member_may_leave_4096_frames_unacknowledged() {
    let mut shard = without_rates();
    let (alice, bob) = two_in_a_room(&mut shard);
    for number in 1..=SERVER_WINDOW_FRAMES_MAX as u64 {
        broadcast(&mut shard, alice, 0);
        // Alice acknowledges an answer, a notice and a result each time.
        shard.say(alice, Frame::Ack { received: 2 + number });
    }
    assert_eq!(shard.closed(bob), None);
    broadcast(&mut shard, alice, 0);
    assert_eq!(shard.closed(bob), Some(Some(CloseCode::SlowConsumer)));
}

/// One well-formed frame of each kind.
fn one_of_each() -> Vec<Frame> {
    let (id, payload) = (MessageId(1), Payload::text("hi"));
    let (room, from, uid) = (room(), user("carol"), user("carol"));
    vec![
        HELLO,
        Frame::Login(login("alice")),
        Frame::LoginAnswer(LoginAnswer::Refused(LoginCode::Unknown)),
        Frame::Ack { received: 0 },
        Frame::Ping,
        Frame::Pong,
        message(1, "bob", "hi"),
        delivery("carol", "hi"),
        Frame::SendResults { code: SendCode::Ok, ids: vec![id] },
        Frame::Broadcast { id, room: room.clone(), payload: payload.clone() },
        Frame::RoomDelivery { from: from.clone(), room: room.clone(), payload: payload.clone() },
        Frame::BroadcastResults { room: room.clone(), code: BroadcastCode::Ok, ids: vec![id] },
        Frame::Join { room: room.clone(), ticket: 1, business_id: None },
        Frame::JoinAnswer { ticket: 1, state: RoomState::Joined, members: Vec::new() },
        Frame::Leave { room: room.clone(), ticket: 1 },
        Frame::LeaveAnswer { ticket: 1 },
        Frame::MemberJoined { room: room.clone(), uid: uid.clone() },
        Frame::MemberLeft { room: room.clone(), uid, reason: LeaveReason::Left },
        Frame::RoomNotice { room: room.clone(), state: RoomState::NoticesStop },
        Frame::RoomUnicast { from, room, payload: payload.clone() },
        Frame::StatusQuery { query: 1, uid: Bytes::from_static(b"bob") },
        Frame::StatusAnswer { query: 1, status: OnlineStatus::Online },
        Frame::SetServerParams(SetServerParams {
            ticket: 1,
            signature: Bytes::from_static(b"signature"),
            url: Bytes::from_static(b"http://app.example/"),
        }),
        Frame::ServerParamsAnswer { ticket: 1, code: ServerParamsCode::Ok },
        Frame::ServerSend { id, payload },
        Frame::ServerSendResult { id, code: SendCode::Ok, reply: Reply::default() },
        Frame::Logout,
        Frame::Close { code: 1, reason: Bytes::new(), retry_after_ms: 0 },
    ]
}

#[test]
fn accepts_only_allowed_frames_before_and_after_login() {
    // The allowed frames of a client at first, after its Hello, and while its token is checked.
    let may_begin: [&[&str]; 3] = [&["Hello"], &["Login"], &[]];
    for frame in one_of_each() {
        let kind = frame.kind();
        for (said, may) in may_begin.iter().enumerate() {
            let mut shard = without_rates();
            let (bob, _) = shard.log_in(login("bob"));
            let sessions = shard.server.stats().sessions;
            shard.decides = false;
            let link = LinkId(99);
            shard.input(Input::Accepted(link, key(99)));
            for before in [HELLO, Frame::Login(login("alice"))].into_iter().take(said) {
                shard.say(link, before);
            }
            shard.say(link, frame.clone());
            let taken = may.contains(&kind);
            let code = (!taken).then_some(Some(CloseCode::UnexpectedFrame));
            assert_eq!(shard.closed(link), code, "{kind} after {said} frames");
            shard.tick();
            assert_eq!(shard.frames_to(bob), []);
            assert_eq!(shard.server.stats().sessions, sessions);
        }
    }
    // The allowed frames after the login.
    let may = ["Ack", "Ping", "Send", "Broadcast", "Join", "Leave", "StatusQuery"];
    let may_too = ["SetServerParams", "ServerSend", "Logout"];
    for frame in one_of_each() {
        let kind = frame.kind();
        let mut shard = without_rates();
        let (link, accepted) = shard.log_in(login("alice"));
        shard.say(link, frame);
        let code = match kind {
            "Logout" => Some(None),
            _ if may.contains(&kind) || may_too.contains(&kind) => None,
            _ => Some(Some(CloseCode::UnexpectedFrame)),
        };
        assert_eq!(shard.closed(link), code, "{kind}");
        let (_, anew) = shard.log_in(resume("alice", &accepted, 0));
        assert_eq!(anew.resumed, code.is_none(), "{kind}");
    }
}

#[test]
fn displaced_session_is_remembered_for_its_grace_period() {
    for (waited, displaced) in
        [(SESSION_GRACE - Duration::from_micros(1), true), (SESSION_GRACE, false)]
    {
        let mut shard = without_rates();
        let (_, first) = shard.log_in(login("alice"));
        shard.log_in(login("alice"));
        shard.wait(waited);
        shard.tick();
        let link = shard.link();
        shard.say(link, Frame::Login(resume("alice", &first, 0)));
        // An unknown session makes the login an earlier one that continues. Its claim is smaller
        // than that of the displacing session, if there is one.
        let is_displaced = shard.closed(link) == Some(Some(CloseCode::Displaced));
        assert_eq!(is_displaced, displaced, "after {waited:?}");
    }
}

#[test]
fn sequenced_kinds_are_counted() {
    for frame in one_of_each() {
        // The document names messages with their config, which is 0 here.
        let named = SEQUENCED.contains(&frame.kind());
        assert_eq!(frame.is_sequenced(), named, "{}", frame.kind());
    }
}
