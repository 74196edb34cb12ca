//! Links that are lost and opened again, and servers that refuse clients.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::client::{Event, Input, RoomEvent};
use rts_proto::wire::{Accepted, Frame};
use rts_proto::{
    CloseCode, ConnectionState, Disconnect, LoginCode, MessageConfig, Payload, ProtocolError,
    RoomState, UserId,
};

use crate::support::{Stage, close, session};

#[test]
fn back_off_grows_when_logins_do_not_last() {
    let mut stage = Stage::new();
    let end = stage.now + Duration::from_secs(60);
    let mut number = 0;
    while stage.now < end && stage.connects < 1_000 {
        let connects = stage.connects;
        number += 1;
        stage.welcomed(session(number));
        stage.input(Input::Disconnected(stage.link));
        while stage.connects == connects {
            stage.now = stage.drain().expect("it comes back");
            stage.input(Input::Tick);
        }
        stage.input(Input::Connected(stage.link));
    }
    // The steps are half a second to 5 s: about one attempt every 2.5 s.
    assert!((10..60).contains(&stage.connects), "{} attempts in a minute", stage.connects);
}

#[test]
fn first_attempt_after_a_lasting_login_is_immediate() {
    let mut stage = Stage::logged_in();
    for _ in 0..3 {
        for _ in 0..5 {
            stage.now = stage.now + Duration::from_secs(1);
            stage.receives(Frame::Pong);
        }
        let connects = stage.connects;
        stage.input(Input::Disconnected(stage.link));
        assert_eq!(stage.connects, connects + 1);
        stage.input(Input::Connected(stage.link));
        stage.welcomed(session(2));
    }
}

#[test]
fn unsupported_server_version_ends_attempts_and_is_reported() {
    let mut stage = Stage::new();
    stage.receives(Frame::Hello { version: 2, features: 0 });
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
fn fatal_close_ends_joined_rooms_and_finishes_leaving_ones() {
    let mut stage = Stage::logged_in();
    let stays = stage.joined("stays");
    let goes = stage.engine.create_room(stage.now, "goes").expect("a room");
    stage.engine.join_room(stage.now, goes).expect("accepted");
    stage.engine.leave_room(stage.now, goes);
    stage.receives(close(CloseCode::Abnormal));
    let room_events: Vec<_> = stage
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Room { key, event, .. } => Some((*key, event.clone())),
            _ => None,
        })
        .collect();
    let [(first, RoomEvent::Left), (second, RoomEvent::StateChanged { state, .. })] =
        &room_events[..]
    else {
        panic!("{room_events:?}");
    };
    assert_eq!((*first, *second, *state), (goes, stays, RoomState::ServerAbnormal));
    assert_eq!(stage.drain(), None, "nothing is tried again");
}

#[test]
fn retry_after_is_at_most_a_minute() {
    for code in [CloseCode::Shutdown, CloseCode::Busy] {
        for (asked_ms, waits_ms) in
            [(59_999, 59_999), (60_000, 60_000), (60_001, 60_000), (u32::MAX, 60_000)]
        {
            let mut stage = Stage::new();
            let connects = stage.connects;
            let (code, reason) = (code.code(), Bytes::new());
            stage.receives(Frame::Close { code, reason, retry_after_ms: asked_ms });
            let closed_at = stage.now;
            // Reports of silence come in between.
            while stage.connects == connects {
                stage.now = stage.drain().expect("it comes back");
                stage.input(Input::Tick);
            }
            assert_eq!(stage.now.since(closed_at), Duration::from_millis(waits_ms), "{asked_ms}");
        }
    }
}

#[test]
fn relogin_shows_the_claim_of_its_session() {
    for claim in [2, u64::MAX] {
        let mut stage = Stage::accepted(Accepted { claim, ..session(1) });
        let Frame::Login(login) = stage.cut() else { panic!("it logs in") };
        assert_eq!((login.claim, login.resume.is_some()), (claim, true));
    }
}

#[test]
fn pings_after_5_seconds_without_sending() {
    let moment = Duration::from_micros(1);
    let mut stage = Stage::logged_in();
    for _ in 0..2 {
        stage.pass(Duration::from_secs(5) - moment);
        assert_eq!(stage.sent_frames(), []);
        stage.pass(moment);
        assert_eq!(stage.sent_frames(), [Frame::Ping]);
        stage.receives(Frame::Pong);
    }
}

/// §1.2, in the protocol's own numbers. The length alone is enough to refuse a frame.
#[test]
fn server_frame_has_at_most_4096_then_66048_bytes() {
    // 4,096 and 4,097, 66,048 and 66,049.
    for (length, max, logged_in) in [
        (&[0x80, 0x20][..], 4_096, false),
        (&[0x81, 0x20], 4_096, false),
        (&[0x80, 0x84, 0x04], 66_048, true),
        (&[0x81, 0x84, 0x04], 66_048, true),
    ] {
        let mut stage = if logged_in { Stage::logged_in() } else { Stage::new() };
        stage.input(Input::Received(stage.link, Bytes::from_static(length)));
        let too_large = ProtocolError::FrameTooLarge { len: max as u64 + 1, max };
        let why = (length[0] == 0x81).then_some(Disconnect::PeerMisbehaved(too_large));
        assert_eq!(stage.engine.last_disconnect(), why, "{length:?}");
    }
}

/// Bytes arrive every second, so that the link is not silent.
fn chatter(stage: &mut Stage, seconds: u64) {
    for _ in 0..seconds {
        let from = UserId::new("carol").expect("well formed");
        let config = MessageConfig::UnreliableOrdered;
        let payload = Payload::text("hi");
        stage.receives(Frame::Delivery { from, payload, config });
        stage.pass(Duration::from_secs(1));
    }
}

fn pings(frames: &[Frame]) -> usize {
    frames.iter().filter(|frame| **frame == Frame::Ping).count()
}

#[test]
fn missing_pong_ends_the_link_although_bytes_arrive() {
    let mut stage = Stage::logged_in();
    let connects = stage.connects;
    chatter(&mut stage, 5);
    assert_eq!(pings(&stage.sent_frames()), 1);
    chatter(&mut stage, 9);
    assert_eq!(stage.connects, connects);
    chatter(&mut stage, 1);
    assert_eq!(stage.connects, connects + 1, "10 s after the Ping");
    assert_eq!(stage.engine.last_disconnect(), Some(Disconnect::TimedOut));
}

#[test]
fn one_pong_answers_all_pings_before_it() {
    let mut stage = Stage::logged_in();
    let connects = stage.connects;
    for _ in 0..3 {
        chatter(&mut stage, 6);
        stage.input(Input::NetworkChanged);
        assert!(pings(&stage.sent_frames()) > 1);
        stage.receives(Frame::Pong);
    }
    assert_eq!(stage.connects, connects);
}

#[test]
fn missing_ack_ends_the_link_although_pongs_arrive() {
    let mut stage = Stage::logged_in();
    let connects = stage.connects;
    stage.sends("hi");
    for _ in 0..9 {
        chatter(&mut stage, 1);
        stage.receives(Frame::Pong);
    }
    assert_eq!(stage.connects, connects);
    chatter(&mut stage, 1);
    assert_eq!(stage.connects, connects + 1);
}

#[test]
fn busy_client_pings_without_confirmation() {
    let unreliable = MessageConfig::UnreliableOrdered;
    for config in [MessageConfig::ReliableOrdered, unreliable] {
        let mut stage = Stage::logged_in();
        let connects = stage.connects;
        stage.sent_frames();
        let mut asked = Vec::new();
        for second in 0..16 {
            if stage.connects != connects {
                break;
            }
            let payload = Payload::text("hi");
            stage.engine.send_message(stage.now, "bob", payload, config).expect("accepted");
            chatter(&mut stage, 1);
            asked.extend(std::iter::repeat_n(second, pings(&stage.sent_frames())));
        }
        assert_eq!(asked, [4], "once, 5 s after the unanswered frame");
        assert_eq!(stage.connects, connects + 1, "and then the link is dead");
    }
}

#[test]
fn client_with_acknowledged_frames_does_not_ping() {
    let mut stage = Stage::logged_in();
    for number in 1..=20 {
        stage.sends("hi");
        chatter(&mut stage, 1);
        stage.receives(Frame::Ack { received: number });
    }
    assert_eq!(pings(&stage.sent_frames()), 0);
}
