//! Links that are lost and made again, and servers that will not have them.

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
fn a_server_that_takes_clients_in_and_loses_them_at_once_is_not_hammered() {
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
        stage.welcomed(session(2));
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

#[test]
fn a_server_may_ask_an_engine_to_stay_away_for_a_minute_and_not_for_weeks() {
    for code in [CloseCode::Shutdown, CloseCode::Busy] {
        for (asked_ms, waits_ms) in
            [(59_999, 59_999), (60_000, 60_000), (60_001, 60_000), (u32::MAX, 60_000)]
        {
            let mut stage = Stage::new();
            let connects = stage.connects;
            let (code, reason) = (code.code(), Bytes::new());
            stage.hears(Frame::Close { code, reason, retry_after_ms: asked_ms });
            let told = stage.now;
            // What it says about the silence comes in between.
            while stage.connects == connects {
                stage.now = stage.drain().expect("it comes back");
                stage.input(Input::Tick);
            }
            assert_eq!(stage.now.since(told), Duration::from_millis(waits_ms), "{asked_ms}");
        }
    }
}

#[test]
fn a_login_over_another_link_shows_the_claim_of_its_session() {
    for claim in [2, u64::MAX] {
        let mut stage = Stage::accepted(Accepted { claim, ..session(1) });
        let Frame::Login(login) = stage.cut() else { panic!("it logs in") };
        assert_eq!((login.claim, login.resume.is_some()), (claim, true));
    }
}

#[test]
fn who_has_said_nothing_for_5_seconds_says_ping() {
    let moment = Duration::from_micros(1);
    let mut stage = Stage::logged_in();
    for _ in 0..2 {
        stage.pass(Duration::from_secs(5) - moment);
        assert_eq!(stage.said(), []);
        stage.pass(moment);
        assert_eq!(stage.said(), [Frame::Ping]);
        stage.hears(Frame::Pong);
    }
}

/// §1.2, in the protocol's own numbers. The length alone is enough to refuse a frame.
#[test]
fn a_frame_of_the_server_has_4096_bytes_at_most_before_the_login_and_66048_afterwards() {
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

/// Something arrives every second, so that the link is not silent.
fn chatter(stage: &mut Stage, seconds: u64) {
    for _ in 0..seconds {
        let from = UserId::new("carol").expect("well formed");
        let config = MessageConfig::UnreliableOrdered;
        let payload = Payload::text("hi");
        stage.hears(Frame::Delivery { from, payload, config });
        stage.pass(Duration::from_secs(1));
    }
}

fn pings(frames: &[Frame]) -> usize {
    frames.iter().filter(|frame| **frame == Frame::Ping).count()
}

#[test]
fn a_ping_without_its_pong_ends_the_link_whatever_else_arrives() {
    let mut stage = Stage::logged_in();
    let connects = stage.connects;
    chatter(&mut stage, 5);
    assert_eq!(pings(&stage.said()), 1);
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
        assert!(pings(&stage.said()) > 1);
        stage.hears(Frame::Pong);
    }
    assert_eq!(stage.connects, connects);
}

#[test]
fn a_sequenced_frame_without_its_acknowledgement_ends_the_link_though_pings_are_answered() {
    let mut stage = Stage::logged_in();
    let connects = stage.connects;
    stage.sends("hi");
    for _ in 0..9 {
        chatter(&mut stage, 1);
        stage.hears(Frame::Pong);
    }
    assert_eq!(stage.connects, connects);
    chatter(&mut stage, 1);
    assert_eq!(stage.connects, connects + 1);
}

#[test]
fn a_busy_client_pings_when_nothing_shows_that_it_is_heard() {
    let unreliable = MessageConfig::UnreliableOrdered;
    for config in [MessageConfig::ReliableOrdered, unreliable] {
        let mut stage = Stage::logged_in();
        let connects = stage.connects;
        stage.said();
        let mut asked = Vec::new();
        for second in 0..16 {
            if stage.connects != connects {
                break;
            }
            let payload = Payload::text("hi");
            stage.engine.send_message(stage.now, "bob", payload, config).expect("accepted");
            chatter(&mut stage, 1);
            asked.extend(std::iter::repeat_n(second, pings(&stage.said())));
        }
        assert_eq!(asked, [4], "once, 5 s after what was not answered");
        assert_eq!(stage.connects, connects + 1, "and then the link is dead");
    }
}

#[test]
fn a_client_whose_frames_are_acknowledged_need_not_ping() {
    let mut stage = Stage::logged_in();
    for number in 1..=20 {
        stage.sends("hi");
        chatter(&mut stage, 1);
        stage.hears(Frame::Ack { received: number });
    }
    assert_eq!(pings(&stage.said()), 0);
}
