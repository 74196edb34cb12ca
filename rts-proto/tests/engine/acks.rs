//! Acknowledgements that an engine receives, and those that it sends. Section 4 of the protocol.

use std::time::Duration;

use rts_proto::client::Input;
use rts_proto::limits::STATUS_QUERIES_PER_SECOND;
use rts_proto::wire::{Accepted, Frame, Login};
use rts_proto::{Disconnect, MessageConfig, MessageId, Payload, ProtocolError, SendCode, UserId};

use crate::support::{Stage, session};

const MOMENT: Duration = Duration::from_micros(1);
/// The number of §4.4: up to 500 ms are allowed, and engines use half of it.
const ACK_DELAY: Duration = Duration::from_millis(250);
const ACK_FRAMES_MAX: u64 = 64;
const ACK_BYTES_MAX: usize = 131_072;

/// Texts of the messages among the frames.
fn texts(frames: &[Frame]) -> Vec<&str> {
    let text = |frame| match frame {
        &Frame::Send { payload: Payload::Text(ref text), .. } => Some(&**text),
        _ => None,
    };
    frames.iter().filter_map(text).collect()
}

fn ack(received: u64) -> Frame {
    Frame::Ack { received }
}

fn delivery(bytes: usize) -> Frame {
    Frame::Delivery {
        from: UserId::new("bob").expect("well formed"),
        payload: Payload::binary(vec![0; bytes]),
        config: MessageConfig::ReliableOrdered,
    }
}

/// A frame of this length that is not sequenced.
fn unreliable(bytes: usize) -> Frame {
    let of_payload = |payload| Frame::Delivery {
        from: UserId::new("bob").expect("well formed"),
        payload: Payload::binary(vec![0; payload]),
        config: MessageConfig::UnreliableOrdered,
    };
    let head = of_payload(bytes).encode().len() - bytes;
    of_payload(bytes - head)
}

/// A frame of the server that is acknowledged after a delay.
fn answer(number: u64) -> Frame {
    Frame::SendResults { code: SendCode::Ok, ids: vec![MessageId(number)] }
}

#[test]
fn acknowledgement_of_unsent_frames_ends_link_and_session() {
    // Three messages are sent, and two acknowledged.
    for (received, wrong) in [(1, true), (2, false), (3, false), (4, true), (u64::MAX, true)] {
        let mut stage = Stage::logged_in();
        let ids = ["one", "two", "three"].map(|text| stage.sends(text));
        stage.receives(ack(2));
        stage.receives(ack(received));
        let bad = ProtocolError::BadAck { received, acked: 2, sent: 3 };
        let why = wrong.then_some(Disconnect::PeerMisbehaved(bad));
        assert_eq!(stage.engine.last_disconnect(), why, "{received}");
        if !wrong {
            continue;
        }
        // The login continues, and its session does not.
        let login = stage.cut();
        let Frame::Login(login) = login else { panic!("{login:?}") };
        assert!(login.resume.is_none() && login.claim == 1);
        stage.welcomed(session(2));
        assert_eq!(texts(&stage.sent_frames()), [""; 0]);
        let mut results = stage.results();
        results.sort_unstable();
        assert_eq!(results, ids.map(|id| (id, SendCode::Timeout)));
    }
}

#[test]
fn resume_with_an_impossible_count_ends_the_link() {
    for (received, wrong) in [(0, true), (1, false), (2, false), (3, true)] {
        let mut stage = Stage::logged_in();
        stage.sends("one");
        stage.sends("two");
        stage.receives(ack(1));
        stage.cut();
        stage.welcomed(Accepted { resumed: true, received, ..session(1) });
        let bad = ProtocolError::BadAck { received, acked: 1, sent: 2 };
        let is_bad = stage.engine.last_disconnect() == Some(Disconnect::PeerMisbehaved(bad));
        assert_eq!(is_bad, wrong, "{received}");
    }
}

#[test]
fn acknowledged_frames_are_not_sent_again() {
    let mut stage = Stage::logged_in();
    for text in ["one", "two", "three", "four"] {
        stage.sends(text);
    }
    stage.receives(ack(1));
    stage.sent_frames();
    let login = stage.cut();
    let Frame::Login(login) = login else { panic!("{login:?}") };
    assert_eq!(login.resume.map(|resume| (resume.session, resume.received)), Some((1, 0)));
    assert_eq!(login.claim, 1);
    // The server had received one frame more than it last acknowledged.
    stage.welcomed(Accepted { resumed: true, received: 2, ..session(1) });
    assert_eq!(texts(&stage.sent_frames()), ["three", "four"]);
}

/// As at another node of a cluster.
#[test]
fn session_that_was_resumed_under_another_number_is_resumed_under_that_again() {
    let mut stage = Stage::logged_in();
    for (asked, answered) in [(1, 7), (7, 7), (7, 9), (9, 9)] {
        let login = stage.cut();
        let Frame::Login(Login { resume: Some(resume), .. }) = login else { panic!("{login:?}") };
        assert_eq!(resume.session, asked);
        stage.welcomed(Accepted { resumed: true, ..session(answered) });
    }
}

#[test]
fn acknowledges_a_delivery_at_the_end_of_its_burst() {
    let mut stage = Stage::logged_in();
    stage.receives(delivery(1));
    stage.receives(delivery(2));
    assert_eq!(stage.sent_frames(), []);
    assert_eq!(stage.drain(), Some(stage.now), "due at once");
    stage.input(Input::Tick);
    assert_eq!(stage.sent_frames(), [ack(2)]);
}

#[test]
fn acknowledges_other_frames_after_a_delay() {
    let mut stage = Stage::logged_in();
    stage.receives(answer(1));
    stage.pass(ACK_DELAY - MOMENT);
    stage.receives(answer(2));
    assert_eq!(stage.sent_frames(), []);
    stage.pass(MOMENT);
    assert_eq!(stage.sent_frames(), [ack(2)], "the second does not extend the delay");
    stage.pass(ACK_DELAY);
    assert_eq!(stage.sent_frames(), [], "acknowledged once");
}

#[test]
fn acknowledgement_travels_with_the_next_frame() {
    let mut stage = Stage::logged_in();
    stage.receives(answer(1));
    stage.sends("hi");
    let said = stage.sent_frames();
    assert_eq!((&said[0], texts(&said)), (&ack(1), vec!["hi"]));
    stage.pass(ACK_DELAY);
    assert_eq!(stage.sent_frames(), []);
}

#[test]
fn acknowledges_64_frames_at_once() {
    let mut stage = Stage::logged_in();
    // The second round shows that the count starts again.
    for round in 1..=2 {
        for number in 1..ACK_FRAMES_MAX {
            stage.receives(answer(number));
        }
        stage.pass(MOMENT);
        assert_eq!(stage.sent_frames(), []);
        stage.receives(answer(ACK_FRAMES_MAX));
        stage.pass(Duration::ZERO);
        assert_eq!(stage.sent_frames(), [ack(round * ACK_FRAMES_MAX)]);
    }
}

#[test]
fn acknowledges_an_eighth_of_a_window_at_once() {
    for (missing, said) in [(1, vec![]), (0, vec![ack(1)])] {
        let mut stage = Stage::logged_in();
        // Bytes of all kinds count, but only a sequenced frame needs an acknowledgement.
        let left = ACK_BYTES_MAX - answer(1).encode().len();
        for bytes in [left / 3, left / 3, left - left / 3 * 2 - missing] {
            stage.receives(unreliable(bytes));
        }
        stage.receives(answer(1));
        stage.pass(Duration::ZERO);
        assert_eq!(stage.sent_frames(), said, "{missing} bytes are missing");
    }
}

/// The moments at which messages leave that waited for the link, in order.
fn paced(stage: &mut Stage, time: Duration) -> Vec<Duration> {
    let start = stage.now;
    let mut moments = Vec::new();
    loop {
        moments.extend(texts(&stage.sent_frames()).iter().map(|_| stage.now.since(start)));
        match stage.drain().filter(|at| *at <= start + time) {
            Some(at) => stage.pass(at.since(stage.now)),
            None => return moments,
        }
    }
}

#[test]
fn backlog_keeps_to_the_rate_after_a_reconnect() {
    let with_rate = |resumed| Accepted { resumed, sends_per_second: 4, ..session(1) };
    for resumed in [true, false] {
        let mut stage = Stage::accepted(with_rate(false));
        // No rate delays frames on a link that was not lost: the server enforces its rates.
        for _ in 0..10 {
            stage.sends("before");
        }
        assert_eq!(texts(&stage.sent_frames()).len(), 10);
        stage.receives(ack(10));
        stage.input(Input::Disconnected(stage.link));
        stage.pass(Duration::from_secs(5));
        for _ in 0..6 {
            stage.sends("meanwhile");
        }
        stage.input(Input::Connected(stage.link));
        stage.sent_frames();
        stage.welcomed(Accepted { received: if resumed { 10 } else { 0 }, ..with_rate(resumed) });
        // Half a second's worth at once, then one message each quarter of a second.
        let moments = paced(&mut stage, Duration::from_millis(3_000));
        let quarters = [0, 0, 1, 2, 3, 4].map(|quarter| Duration::from_millis(250 * quarter));
        assert_eq!(moments, quarters, "resumed: {resumed}");
        assert_eq!(stage.engine.sessions_begun(), if resumed { 1 } else { 2 });
        for _ in 0..10 {
            stage.sends("after");
        }
        assert_eq!(texts(&stage.sent_frames()).len(), 10);
    }
}

/// The server remembers the used rates too: they belong to the user.
#[test]
fn used_rates_stay_used_after_a_reconnect() {
    let with_rate = |resumed| Accepted { resumed, sends_per_second: 4, ..session(1) };
    for resumed in [true, false] {
        let mut stage = Stage::accepted(with_rate(false));
        for _ in 0..10 {
            stage.sends("before");
        }
        stage.sent_frames();
        stage.receives(ack(10));
        stage.input(Input::Disconnected(stage.link));
        for _ in 0..2 {
            stage.sends("meanwhile");
        }
        stage.input(Input::Connected(stage.link));
        stage.sent_frames();
        stage.welcomed(Accepted { received: if resumed { 10 } else { 0 }, ..with_rate(resumed) });
        let moments = paced(&mut stage, Duration::from_millis(3_000));
        assert_eq!(moments, [250, 500].map(Duration::from_millis), "resumed: {resumed}");
    }
}

#[test]
fn new_rates_of_a_server_apply_at_once() {
    let with_rate = |rate| Accepted { sends_per_second: rate, ..session(1) };
    let mut stage = Stage::accepted(with_rate(4));
    for _ in 0..10 {
        stage.sends("before");
    }
    stage.receives(ack(10));
    stage.input(Input::Disconnected(stage.link));
    for _ in 0..6 {
        stage.sends("meanwhile");
    }
    stage.input(Input::Connected(stage.link));
    stage.sent_frames();
    stage.welcomed(with_rate(8));
    let moments = paced(&mut stage, Duration::from_millis(3_000));
    assert_eq!(moments, [0, 0, 0, 0, 125, 250].map(Duration::from_millis));
}

#[test]
fn joins_wait_for_no_rate_and_queries_for_theirs() {
    let mut stage = Stage::logged_in();
    stage.input(Input::Disconnected(stage.link));
    stage.pass(Duration::from_secs(5));
    for _ in 0..STATUS_QUERIES_PER_SECOND {
        stage.engine.get_peer_online_status(stage.now, "bob");
    }
    let room = stage.engine.create_room(stage.now, "room").expect("a room");
    stage.engine.join_room(stage.now, room).expect("accepted");
    stage.drain();
    stage.input(Input::Connected(stage.link));
    stage.sent_frames();
    stage.welcomed(Accepted { resumed: true, ..session(1) });
    let queries = |said: &[Frame]| {
        said.iter().filter(|frame| matches!(frame, Frame::StatusQuery { .. })).count()
    };
    let half = STATUS_QUERIES_PER_SECOND as usize / 2;
    let said = stage.sent_frames();
    assert_eq!(queries(&said), half, "half a second's worth");
    assert!(said.iter().any(|frame| matches!(frame, Frame::Join { .. })), "{said:?}");
    stage.pass(Duration::from_millis(500));
    assert_eq!(queries(&stage.sent_frames()), half);
}
