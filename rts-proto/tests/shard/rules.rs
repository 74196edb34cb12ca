//! Limits and moments, in pairs: the largest accepted value, and the next one.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::server::{Config, Input};
use rts_proto::wire::{Frame, SetServerParams};
use rts_proto::{
    CloseCode, LinkId, MessageConfig, MessageId, OnlineStatus, Payload, SendCode, TargetId,
};

use crate::support::{Shard, login, message};

/// The numbers of §4.6 and §5.6.
const CLIENT_WINDOW_FRAMES_MAX: usize = 1_024;
const UNRELIABLE_MARK_BYTES: usize = 262_144;

fn without_rates() -> Shard {
    let mut config = Config::default();
    config.sends_per_second = 0;
    config.status_queries_per_second = 0;
    Shard::new(config)
}

#[test]
fn client_may_have_1024_unacknowledged_frames() {
    for (frames, code) in [
        (CLIENT_WINDOW_FRAMES_MAX, None),
        (CLIENT_WINDOW_FRAMES_MAX + 1, Some(Some(CloseCode::WindowExceeded))),
    ] {
        let mut shard = without_rates();
        let (link, _) = shard.log_in(login("alice"));
        let burst: Vec<u8> =
            (0..frames).flat_map(|id| message(id as u64, "nobody", "").encode()).collect();
        shard.say_bytes(link, burst.into());
        assert_eq!(shard.closed(link), code, "{frames} frames");
    }
}

#[test]
fn an_acknowledged_window_is_a_new_one() {
    let mut shard = without_rates();
    let (link, _) = shard.log_in(login("alice"));
    for _ in 0..2 {
        for id in 0..CLIENT_WINDOW_FRAMES_MAX {
            shard.say(link, message(id as u64, "nobody", ""));
        }
        shard.tick();
    }
    assert_eq!(shard.closed(link), None);
}

/// The status of bob, who has been silent for this long.
fn status_after(silence: Duration) -> OnlineStatus {
    let mut shard = without_rates();
    shard.log_in(login("bob"));
    let (alice, _) = shard.log_in(login("alice"));
    shard.wait(silence - Duration::from_secs(5));
    shard.say(alice, Frame::Ping);
    shard.wait(Duration::from_secs(5));
    let query = Frame::StatusQuery { query: 1, uid: Bytes::from_static(b"bob") };
    shard.say(alice, query);
    let answer = shard.frames_to(alice).into_iter().find_map(|frame| match frame {
        Frame::StatusAnswer { status, .. } => Some(status),
        _ => None,
    });
    answer.expect("an answer")
}

#[test]
fn silent_user_is_unreachable_and_then_offline() {
    let moment = Duration::from_micros(1);
    for (seconds, before, from_then_on) in [
        (15, OnlineStatus::Online, OnlineStatus::Unreachable),
        (30, OnlineStatus::Unreachable, OnlineStatus::Offline),
    ] {
        let mark = Duration::from_secs(seconds);
        assert_eq!(status_after(mark - moment), before);
        assert_eq!(status_after(mark), from_then_on);
    }
}

/// Sends a message to bob. Returns its result, if it comes at once.
fn result(
    shard: &mut Shard,
    alice: LinkId,
    payload: Payload,
    config: MessageConfig,
) -> Option<SendCode> {
    let id = MessageId(1);
    let to = Bytes::from_static(b"bob");
    shard.frames_to(alice);
    shard.say(alice, Frame::Send { id, to, payload, config });
    shard.tick();
    shard.frames_to(alice).into_iter().find_map(|frame| match frame {
        Frame::SendResults { code, .. } => Some(code),
        _ => None,
    })
}

#[test]
fn unreliable_messages_to_a_slow_receiver_are_dropped() {
    let mut shard = without_rates();
    shard.log_in(login("bob"));
    let (alice, _) = shard.log_in(login("alice"));
    // Reliable messages up to the mark exactly. Each frame has a head of the same size.
    let head = Frame::Delivery {
        from: crate::support::user("alice"),
        payload: Payload::binary(vec![0; 20_000]),
        config: MessageConfig::ReliableOrdered,
    };
    let head = head.encode().len() - 20_000;
    let mut left = UNRELIABLE_MARK_BYTES;
    while left > 0 {
        let frame = if left > 60_000 { 30_000 } else { left.min(30_000) };
        let frame = if left > frame && left - frame < 20_000 { frame / 2 } else { frame };
        let payload = Payload::binary(vec![0; frame - head]);
        assert_eq!(result(&mut shard, alice, payload, MessageConfig::ReliableOrdered), None);
        left -= frame;
    }
    assert_eq!(shard.server.stats().window_bytes, UNRELIABLE_MARK_BYTES);
    let unreliable = MessageConfig::UnreliableOrdered;
    let at_the_mark = result(&mut shard, alice, Payload::text("x"), unreliable);
    assert_eq!(at_the_mark, Some(SendCode::Ok));
    assert_eq!(result(&mut shard, alice, Payload::text("x"), MessageConfig::ReliableOrdered), None);
    let above = result(&mut shard, alice, Payload::text("x"), unreliable);
    assert_eq!(above, Some(SendCode::Broken));
}

/// §5.3. The sender's own engine would refuse these too, but other clients rely on the server.
#[test]
fn results_have_the_reason_of_an_undelivered_message() {
    let system = crate::support::user("system");
    let mut config = Config::default();
    config.reserved_uids = [system].into();
    config.sends_per_second = 4;
    let mut shard = Shard::new(config);
    let (alice, _) = shard.log_in(login("alice"));
    for (to, code) in [
        ("not a uid", SendCode::ReceiverNotFound),
        ("", SendCode::ReceiverNotFound),
        ("system", SendCode::ReceiverNotFound),
        ("nobody", SendCode::ReceiverNotLoggedIn),
        ("nobody", SendCode::OverRate),
    ] {
        shard.say(alice, message(1, to, "hi"));
        let heard = shard.frames_to(alice);
        let results = Frame::SendResults { code, ids: vec![MessageId(1)] };
        assert!(heard.contains(&results), "{to:?}: {heard:?}");
    }
}

/// §7.2. The sender's own engine would answer these too.
#[test]
fn impossible_id_is_offline() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    for (number, uid) in ["not a uid", "", "a".repeat(129).as_str()].into_iter().enumerate() {
        let query = number as u64;
        let uid = Bytes::copy_from_slice(uid.as_bytes());
        shard.say(alice, Frame::StatusQuery { query, uid });
        let answer = Frame::StatusAnswer { query, status: OnlineStatus::Offline };
        assert!(shard.frames_to(alice).contains(&answer));
    }
}

/// §11.5. The sender's own engine would refuse these too.
#[test]
fn message_without_server_params_fails_at_once() {
    let mut config = Config::default();
    config.server_sends_per_second = 1;
    let mut shard = Shard::new(config);
    let (alice, _) = shard.log_in(login("alice"));
    for code in [SendCode::NoServerParams, SendCode::OverRate] {
        let id = MessageId(7);
        shard.say(alice, Frame::ServerSend { id, payload: Payload::text("x") });
        let result = Frame::ServerSendResult { id, code, reply: rts_proto::Reply::default() };
        assert!(shard.frames_to(alice).contains(&result), "{code:?}");
    }
}

/// §11.4, while earlier params are in force and the driver has not decided on the later ones.
#[test]
fn message_waits_for_earlier_params() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    for target in [1, 2] {
        let (signature, url) =
            (Bytes::from_static(b"s"), Bytes::from_static(b"https://a.example/"));
        shard
            .say(alice, Frame::SetServerParams(SetServerParams { ticket: target, signature, url }));
        let payload = Payload::text("x");
        shard.say(alice, Frame::ServerSend { id: MessageId(target), payload });
        let begun = |shard: &Shard| {
            let stats = shard.server.stats();
            (stats.posts_under_way, stats.posts_waiting)
        };
        let before = target as usize - 1;
        assert_eq!(begun(&shard), (before, 1));
        shard.input(Input::TargetChecked(TargetId(target), true));
        assert_eq!(begun(&shard), (before + 1, 0));
    }
}

#[test]
fn sessions_end_in_grace_order_also_at_a_late_tick() {
    let mut shard = Shard::new(Config::default());
    let links = ["alice", "bob", "carol"].map(|uid| shard.log_in(login(uid)).0);
    let room = rts_proto::RoomId::new("room").expect("well formed");
    for link in links {
        shard.say(link, Frame::Join { room: room.clone(), ticket: 1, business_id: None });
    }
    // The last byte of alice comes later than that of bob, and that of carol later still.
    for (link, seconds) in [(links[0], 2), (links[2], 18)] {
        shard.wait(Duration::from_secs(seconds));
        shard.say(link, Frame::Ping);
        shard.frames_to(link);
    }
    shard.wait(Duration::from_secs(20));
    let left = |frame| match frame {
        Frame::MemberLeft { uid, .. } => Some(uid),
        _ => None,
    };
    let gone: Vec<_> = shard.frames_to(links[2]).into_iter().filter_map(left).collect();
    assert_eq!(gone, ["bob", "alice"].map(crate::support::user));
}

#[test]
fn unreliable_messages_of_a_burst_arrive_once_and_in_order() {
    for config in [MessageConfig::UnreliableOrdered, MessageConfig::UnreliableUnordered] {
        let mut shard = without_rates();
        let (bob, _) = shard.log_in(login("bob"));
        let (alice, _) = shard.log_in(login("alice"));
        let texts = ["first", "second", "third"].map(Payload::text);
        let frame = |(id, payload): (u64, &Payload)| Frame::Send {
            id: MessageId(id),
            to: Bytes::from_static(b"bob"),
            payload: payload.clone(),
            config,
        };
        let burst: Vec<u8> =
            (1..).zip(&texts).flat_map(|numbered| frame(numbered).encode()).collect();
        shard.say_bytes(alice, burst.into());
        let from = crate::support::user("alice");
        let wanted = texts.map(|payload| Frame::Delivery { from: from.clone(), payload, config });
        assert_eq!(shard.frames_to(bob), wanted, "{config:?}");
    }
}
