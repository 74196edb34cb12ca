//! Limits and moments, in pairs: the largest that is accepted, and one more.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::{CLIENT_WINDOW_FRAMES_MAX, UNRELIABLE_MARK_BYTES};
use rts_proto::server::Config;
use rts_proto::wire::Frame;
use rts_proto::{CloseCode, LinkId, MessageConfig, MessageId, OnlineStatus, Payload, SendCode};

use crate::support::{Shard, login, message};

fn without_rates() -> Shard {
    let config = Config { sends_per_second: 0, status_queries_per_second: 0, ..Config::default() };
    Shard::new(config)
}

#[test]
fn a_client_may_have_a_whole_window_unacknowledged_and_not_one_frame_more() {
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

/// What the server says of bob, whom it heard last so long ago.
fn status_after(silence: Duration) -> OnlineStatus {
    let mut shard = without_rates();
    shard.log_in(login("bob"));
    let (alice, _) = shard.log_in(login("alice"));
    shard.wait(silence - Duration::from_secs(5));
    shard.say(alice, Frame::Ping);
    shard.wait(Duration::from_secs(5));
    let query = Frame::StatusQuery { query: 1, uid: Bytes::from_static(b"bob") };
    shard.say(alice, query);
    let answer = shard.hear(alice).into_iter().find_map(|frame| match frame {
        Frame::StatusAnswer { status, .. } => Some(status),
        _ => None,
    });
    answer.expect("an answer")
}

#[test]
fn a_silent_user_is_unreachable_and_then_offline() {
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

/// Sends this to bob, and gives its result, if it comes at once.
fn result(
    shard: &mut Shard,
    alice: LinkId,
    payload: Payload,
    config: MessageConfig,
) -> Option<SendCode> {
    let id = MessageId(1);
    let to = Bytes::from_static(b"bob");
    shard.hear(alice);
    shard.say(alice, Frame::Send { id, to, payload, config });
    shard.tick();
    shard.hear(alice).into_iter().find_map(|frame| match frame {
        Frame::SendResults { code, .. } => Some(code),
        _ => None,
    })
}

#[test]
fn unreliable_messages_wait_for_nobody_who_is_behind() {
    let mut shard = without_rates();
    shard.log_in(login("bob"));
    let (alice, _) = shard.log_in(login("alice"));
    // Reliable ones up to the mark exactly: a frame has a head of the same size each time.
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
