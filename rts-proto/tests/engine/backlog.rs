//! The backlog: sends that an engine accepts although the window has no space, and how they leave.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::client::Input;
use rts_proto::limits::{
    CLIENT_WINDOW_MESSAGES_MAX, FLIGHT_BYTES_MAX, FLIGHT_WAIT, OPEN_SEND_BYTES_MAX, OPEN_SENDS_MAX,
    PAYLOAD_BYTES_MAX, WINDOW_BYTES_MAX,
};
use rts_proto::wire::{Accepted, Frame};
use rts_proto::{MessageConfig, MessageId, Payload, SendCode, ServerParamsCode};

use crate::support::{Stage, session};

const NOTHING: [u64; 0] = [];

fn sent(frames: &[Frame]) -> Vec<u64> {
    frames
        .iter()
        .filter_map(|frame| match frame {
            Frame::Send { id, .. } => Some(id.0),
            _ => None,
        })
        .collect()
}

impl Stage {
    fn sends_large(&mut self, to: &str) -> MessageId {
        let payload = Payload::binary(Bytes::from(vec![0; PAYLOAD_BYTES_MAX]));
        let config = MessageConfig::ReliableOrdered;
        let id = self.engine.send_message(self.now, to, payload, config).expect("accepted");
        self.drain();
        id
    }

    fn answers(&mut self, ids: impl IntoIterator<Item = u64>, code: SendCode) {
        let ids = ids.into_iter().map(MessageId).collect();
        self.receives(Frame::SendResults { code, ids });
    }
}

#[test]
fn accepts_2048_open_sends_and_refuses_one_more() {
    let mut stage = Stage::logged_in();
    for _ in 0..OPEN_SENDS_MAX {
        stage.sends("hi");
    }
    assert_eq!(stage.results(), []);
    assert_eq!(
        sent(&stage.sent_frames()).len(),
        CLIENT_WINDOW_MESSAGES_MAX,
        "the window of the wire"
    );
    let id = stage.sends("one more");
    assert_eq!(stage.results(), [(id, SendCode::OverRate)]);
    assert_eq!(id.0, OPEN_SENDS_MAX as u64 + 1, "the refused send has an id");

    // A result allows one more send. An acknowledgement frees space for one more frame.
    stage.answers([1], SendCode::Ok);
    assert_eq!(stage.results(), [(MessageId(1), SendCode::Ok)]);
    stage.sends("there is room");
    assert_eq!(stage.results(), []);
    assert_eq!(sent(&stage.sent_frames()), NOTHING);
    stage.receives(Frame::Ack { received: 2 });
    let next = CLIENT_WINDOW_MESSAGES_MAX as u64 + 1;
    assert_eq!(sent(&stage.sent_frames()), [next, next + 1], "in their order");
}

#[test]
fn accepts_8_mib_of_open_sends_and_refuses_one_byte_more() {
    let mut stage = Stage::logged_in();
    stage.input(Input::Disconnected(stage.link));
    for _ in 0..OPEN_SEND_BYTES_MAX / PAYLOAD_BYTES_MAX {
        stage.sends_large("bob");
    }
    assert_eq!(stage.results(), []);
    let id = stage.sends("x");
    assert_eq!(stage.results(), [(id, SendCode::OverRate)]);
    stage.sends("");
    assert_eq!(stage.results(), [], "every byte fits");
    stage.engine.logout(stage.now);
    stage.drain();
    let results = stage.results();
    assert_eq!(results.len(), OPEN_SEND_BYTES_MAX / PAYLOAD_BYTES_MAX + 1);
    assert!(results.iter().all(|(_, code)| *code == SendCode::Broken), "no message left");
}

#[test]
fn backlog_goes_out_in_order_at_the_servers_rate() {
    let rate = |answer| Accepted { sends_per_second: 100, ..answer };
    let mut stage = Stage::accepted(rate(session(1)));
    let connects = stage.connects;
    stage.input(Input::Disconnected(stage.link));
    for _ in 0..900 {
        stage.sends("hi");
        stage.now = stage.now + Duration::from_millis(11);
    }
    assert_eq!(stage.results(), [], "90 a second for as long as a result may take");
    assert_eq!(stage.connects, connects + 1);
    stage.input(Input::Connected(stage.link));
    stage.sent_frames();
    let begin = stage.now;
    stage.welcomed(Accepted { resumed: true, ..rate(session(1)) });
    let mut out = Vec::new();
    let mut acknowledged = 0;
    loop {
        let ids = sent(&stage.sent_frames());
        acknowledged += ids.len() as u64;
        out.extend(ids);
        stage.receives(Frame::Ack { received: acknowledged });
        if stage.now.since(begin) > Duration::from_secs(9) {
            break;
        }
        let burst = 50 + 100 * (stage.now.since(begin).as_millis() as usize + 10) / 1_000;
        assert!(out.len() <= burst + 1, "{} after {:?}", out.len(), stage.now.since(begin));
        stage.pass(Duration::from_millis(10));
    }
    assert!(out.windows(2).all(|pair| pair[0] < pair[1]), "in their order");
    assert_eq!(out.len(), 900, "each before its time-out");
}

#[test]
fn full_lane_holds_back_messages_to_its_receiver_only() {
    let mut stage = Stage::logged_in();
    let frames = FLIGHT_BYTES_MAX as u64 / (PAYLOAD_BYTES_MAX as u64 + 20);
    for _ in 0..frames + 3 {
        stage.sends_large("bob");
    }
    assert_eq!(sent(&stage.sent_frames()), (1..=frames).collect::<Vec<_>>());
    let config = MessageConfig::ReliableOrdered;
    let to_carol = stage.engine.send_message(stage.now, "carol", Payload::text("hi"), config);
    stage.drain();
    let small = stage.sends("behind the large ones, though it would fit");
    assert_eq!(sent(&stage.sent_frames()), [to_carol.expect("accepted").0]);

    stage.receives(Frame::Ack { received: frames + 1 });
    assert_eq!(sent(&stage.sent_frames()), NOTHING, "the server has them, bob has not");
    stage.answers([1, 2], SendCode::Ok);
    assert_eq!(sent(&stage.sent_frames()), [frames + 1, frames + 2]);
    stage.answers([3], SendCode::Ok);
    assert_eq!(sent(&stage.sent_frames()), [frames + 3, small.0]);
}

#[test]
fn wait_for_a_silent_receiver_ends() {
    let mut stage = Stage::logged_in();
    for _ in 0..30 {
        stage.sends_large("bob");
    }
    let mut out = sent(&stage.sent_frames());
    stage.receives(Frame::Ack { received: out.len() as u64 });
    stage.pass(FLIGHT_WAIT - Duration::from_millis(1));
    assert_eq!(sent(&stage.sent_frames()), NOTHING);
    stage.pass(Duration::from_millis(1));
    out.extend(sent(&stage.sent_frames()));
    stage.receives(Frame::Ack { received: out.len() as u64 });
    out.extend(sent(&stage.sent_frames()));
    assert!(out.len() * PAYLOAD_BYTES_MAX > WINDOW_BYTES_MAX, "more than the receiver's window");
    // The server refuses the messages without space. That is not an answer of the receiver, so the
    // next messages leave at once too.
    let refused = 17..=out.len() as u64;
    stage.answers(refused, SendCode::Broken);
    out.extend(sent(&stage.sent_frames()));
    stage.receives(Frame::Ack { received: out.len() as u64 });
    out.extend(sent(&stage.sent_frames()));
    assert_eq!(out, (1..=30).collect::<Vec<_>>());
    let next = stage.sends_large("bob");
    assert_eq!(sent(&stage.sent_frames()), [next.0]);
}

#[test]
fn lost_session_sends_backlog_again_and_sent_is_unknown() {
    let mut stage = Stage::logged_in();
    for _ in 0..CLIENT_WINDOW_MESSAGES_MAX + 3 {
        stage.sends("hi");
    }
    let left = CLIENT_WINDOW_MESSAGES_MAX as u64;
    assert_eq!(sent(&stage.sent_frames()).len() as u64, left);
    stage.cut();
    stage.welcomed(session(2));
    let results = stage.results();
    assert_eq!(results.len() as u64, left);
    assert!(results.iter().all(|(id, code)| id.0 <= left && *code == SendCode::Timeout));
    assert_eq!(sent(&stage.sent_frames()), [left + 1, left + 2, left + 3]);
}

#[test]
fn message_that_times_out_in_the_backlog_leaves_no_gap() {
    let mut stage = Stage::logged_in();
    for _ in 0..CLIENT_WINDOW_MESSAGES_MAX {
        stage.sends("hi");
    }
    stage.sent_frames();
    let waits = stage.sends("waits");
    stage.now = stage.now + Duration::from_secs(5);
    let later = stage.sends("waits too");
    stage.receives(Frame::Pong);
    stage.pass(Duration::from_secs(5));
    let results = stage.results();
    assert_eq!(results.last(), Some(&(waits, SendCode::Broken)));
    assert_eq!(results.len(), CLIENT_WINDOW_MESSAGES_MAX + 1);
    // No frame was acknowledged either, so the link is dead.
    stage.input(Input::Connected(stage.link));
    stage.sent_frames();
    stage.welcomed(Accepted {
        resumed: true,
        received: CLIENT_WINDOW_MESSAGES_MAX as u64,
        ..session(1)
    });
    assert_eq!(sent(&stage.sent_frames()), [later.0]);
}

/// A hundred queries and then a frame of another kind, all called while the link is down.
fn after_a_hundred_questions(resumed: bool, then: impl FnOnce(&mut Stage)) -> (Stage, Vec<Frame>) {
    let rates = |answer| Accepted { sends_per_second: 100, server_sends_per_second: 20, ..answer };
    let mut stage = Stage::accepted(rates(session(1)));
    stage.engine.set_server_params(stage.now, "first", "https://app.example/");
    stage.receives(Frame::ServerParamsAnswer { ticket: 1, code: ServerParamsCode::Ok });
    stage.receives(Frame::Ack { received: 1 });
    stage.input(Input::Disconnected(stage.link));
    for number in 0..100 {
        stage.engine.get_peer_online_status(stage.now, &format!("user-{number}"));
    }
    then(&mut stage);
    stage.drain();
    stage.input(Input::Connected(stage.link));
    stage.sent_frames();
    let (number, received) = if resumed { (1, 1) } else { (2, 0) };
    stage.welcomed(Accepted { resumed, received, ..rates(session(number)) });
    let said = stage.sent_frames();
    (stage, said)
}

fn questions(frames: &[Frame]) -> usize {
    frames.iter().filter(|frame| matches!(frame, Frame::StatusQuery { .. })).count()
}

#[test]
fn paced_queries_do_not_delay_messages() {
    for resumed in [true, false] {
        let (mut stage, said) = after_a_hundred_questions(resumed, |stage| {
            stage.sends("behind a hundred questions");
        });
        assert_eq!(sent(&said), [1], "resumed: {resumed}");
        assert_eq!(questions(&said), 5, "half a second's worth");
        stage.pass(Duration::from_millis(99));
        assert_eq!(questions(&stage.sent_frames()), 0);
        stage.pass(Duration::from_millis(1));
        assert_eq!(questions(&stage.sent_frames()), 1, "and then 10 a second");
    }
}

/// Server params do not change the destination of messages that wait.
#[test]
fn server_params_wait_behind_earlier_messages() {
    let (mut stage, mut said) = after_a_hundred_questions(true, |stage| {
        for _ in 0..12 {
            stage.engine.send_server_message(stage.now, Payload::text("hi")).expect("accepted");
        }
        stage.engine.set_server_params(stage.now, "second", "https://app.example/");
    });
    let kinds = |frames: &[Frame]| -> String {
        let kind = |frame: &Frame| match frame {
            Frame::ServerSend { .. } => Some('m'),
            Frame::SetServerParams(_) => Some('p'),
            _ => None,
        };
        frames.iter().filter_map(kind).collect()
    };
    assert_eq!(kinds(&said), "m".repeat(10), "half a second's worth");
    for _ in 0..4 {
        stage.pass(Duration::from_millis(25));
        said.extend(stage.sent_frames());
    }
    assert_eq!(kinds(&said), "m".repeat(12) + "p");
}
