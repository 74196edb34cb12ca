use super::*;
use crate::limits::{ACK_DELAY, WINDOW_BYTES_MAX};
use crate::server::deadlines::Timer;
use crate::server::keys::Outcome;
use crate::server::shared::Shared;
use crate::server::testing::{
    begin_linked_session, end_session, flushed_to, link_of, outputs, sent_to, shared,
};
use crate::wire::Frame;
use crate::{MessageConfig, MessageId, Payload, SendCode, UserId};

/// A frame with this text.
fn says(text: &str) -> Frame {
    let from = UserId::new("alice").expect("a valid id");
    let (payload, config) = (Payload::text(text), MessageConfig::ReliableOrdered);
    Frame::Delivery { from, payload, config }
}

/// Two sessions, and their audience.
fn two() -> (Shared, SessionNumber, SessionNumber) {
    let mut shared = shared();
    let alice = begin_linked_session(&mut shared, "alice");
    let bob = begin_linked_session(&mut shared, "bob");
    (shared, alice, bob)
}

fn broadcast(shared: &mut Shared, from: SessionNumber, to: [SessionNumber; 2], text: &str) {
    let (now, outbox, sessions) = (shared.now(), &mut shared.outbox, &mut shared.sessions);
    let frame = says(text).encode();
    outbox.broadcast(sessions, now, Some(from), frame, Audience(1), to.into_iter());
}

fn push(shared: &mut Shared, to: SessionNumber, text: &str, origin: Option<Origin>) -> bool {
    let (now, outbox, sessions) = (shared.now(), &mut shared.outbox, &mut shared.sessions);
    outbox.push(sessions, now, to, says(text).encode(), origin)
}

/// Fills the window of this session up to this number of bytes below the limit.
fn fill(shared: &mut Shared, number: SessionNumber, missing: usize) {
    shared.push_or_end(number, Bytes::from(alloc::vec![0; WINDOW_BYTES_MAX - missing]));
    assert_eq!(shared.outbox.pop_overrun(), None);
}

#[test]
fn a_push_comes_behind_the_broadcasts_before_it() {
    let (mut shared, alice, bob) = two();
    broadcast(&mut shared, alice, [alice, bob], "one");
    broadcast(&mut shared, alice, [alice, bob], "two");
    assert!(push(&mut shared, bob, "three", None));
    broadcast(&mut shared, alice, [alice, bob], "four");
    shared.push_or_end(bob, says("five").encode());
    let expected = ["one", "two", "three", "four", "five"].map(says);
    assert_eq!(flushed_to(&mut shared, bob), expected);
}

#[test]
fn results_follow_earlier_broadcasts() {
    let (mut shared, alice, bob) = two();
    broadcast(&mut shared, alice, [alice, bob], "one");
    shared.add_outcome(bob, Outcome::Send(SendCode::Ok, MessageId(1)));
    let now = shared.now();
    shared.outbox.push_outcomes(&mut shared.sessions, now, bob);
    let result = Frame::SendResults { code: SendCode::Ok, ids: [MessageId(1)].into() };
    assert_eq!(flushed_to(&mut shared, bob), [says("one"), result]);
}

#[test]
fn unsequenced_frame_goes_out_at_once_after_the_window() {
    let (mut shared, alice, bob) = two();
    assert!(push(&mut shared, bob, "one", None));
    broadcast(&mut shared, alice, [alice, bob], "two");
    let (now, outbox, sessions) = (shared.now(), &mut shared.outbox, &mut shared.sessions);
    let pong = Frame::Pong.encode();
    outbox.transmit(sessions, now, link_of(bob), Some(bob), pong);
    assert_eq!(sent_to(&mut shared, bob), [says("one"), says("two"), Frame::Pong]);
    assert!(flushed_to(&mut shared, bob).is_empty());
}

#[test]
fn unacked_bytes_include_waiting_broadcasts() {
    let (mut shared, alice, bob) = two();
    let frame_len = says("one").encode().len();
    broadcast(&mut shared, alice, [alice, bob], "one");
    assert_eq!(shared.unacked_bytes(bob), Some(frame_len));
    assert_eq!(shared.unacked_bytes(alice), Some(0));
}

#[test]
fn full_window_refuses_one_more_message() {
    let len = says("one").encode().len();
    for (missing, has_room) in [(len, true), (len - 1, false)] {
        let (mut shared, _, bob) = two();
        fill(&mut shared, bob, missing);
        assert_eq!(push(&mut shared, bob, "one", None), has_room);
        // The sender gets the result, and the session has missed no frame that it must get.
        assert_eq!(shared.outbox.pop_overrun(), None);
    }
}

#[test]
fn session_without_space_for_a_required_frame_ends() {
    let (mut shared, alice, bob) = two();
    let frame = says("one").encode();
    fill(&mut shared, bob, frame.len() - 1);
    broadcast(&mut shared, alice, [alice, bob], "one");
    shared.push_or_end(bob, frame);
    assert!(!push(&mut shared, bob, "", None));
    assert_eq!(shared.outbox.pop_overrun(), Some(bob));
    assert_eq!(shared.outbox.pop_overrun(), None);
}

#[test]
fn message_has_its_result_when_acknowledged_or_at_session_end() {
    let (mut shared, alice, bob) = two();
    let origin = |id| Some(Origin { session: alice, id: MessageId(id) });
    assert!(push(&mut shared, bob, "one", origin(1)));
    assert!(push(&mut shared, bob, "two", origin(2)));
    assert!(flushed_to(&mut shared, alice).is_empty());
    let (now, outbox, sessions) = (shared.now(), &mut shared.outbox, &mut shared.sessions);
    assert!(outbox.acknowledge(sessions, now, bob, 1).is_ok());
    assert!(outbox.acknowledge(sessions, now, bob, 3).is_err());
    let delivered = Frame::SendResults { code: SendCode::Ok, ids: [MessageId(1)].into() };
    assert_eq!(flushed_to(&mut shared, alice), [delivered]);
    let remains = shared.sessions.end(bob, &mut shared.deadlines).expect("it is there");
    let now = shared.now();
    shared.outbox.end(&mut shared.sessions, now, remains.flow);
    let lost = Frame::SendResults { code: SendCode::Timeout, ids: [MessageId(2)].into() };
    assert_eq!(flushed_to(&mut shared, alice), [lost]);
}

#[test]
fn output_for_an_ended_session_is_discarded() {
    let (mut shared, alice, bob) = two();
    broadcast(&mut shared, alice, [alice, bob], "one");
    end_session(&mut shared, bob);
    assert!(!push(&mut shared, bob, "two", None));
    shared.push_or_end(bob, says("three").encode());
    shared.add_outcome(bob, Outcome::Send(SendCode::Ok, MessageId(1)));
    assert_eq!(shared.unacked_bytes(bob), None);
    assert_eq!(shared.outbox.pop_overrun(), None);
    let now = shared.now();
    shared.outbox.flush(&mut shared.sessions, now);
    assert!(outputs(&mut shared).is_empty());
}

#[test]
fn acknowledgement_goes_alone_after_a_delay() {
    let (mut shared, alice, _) = two();
    let (now, outbox, sessions) = (shared.now(), &mut shared.outbox, &mut shared.sessions);
    let flow = &mut sessions.get_mut(alice).expect("it is there").flow;
    assert!(outbox.count_frame(now, alice, flow).is_ok());
    let due = now + ACK_DELAY;
    assert_eq!(outbox.next_timer(), Some((due, Timer::Acknowledge)));
    outbox.late_acks_due(sessions, due);
    assert_eq!(outbox.next_timer(), Some((due, Timer::Flush)));
    assert_eq!(flushed_to(&mut shared, alice), [Frame::Ack { received: 1 }]);
    assert_eq!(shared.outbox.next_timer(), None);
}

#[test]
fn burst_of_pings_has_one_pong_and_none_on_a_congested_link() {
    let (mut shared, alice, _) = two();
    for is_read in [true, false] {
        for _ in 0..2 {
            let (now, outbox, sessions) = (shared.now(), &mut shared.outbox, &mut shared.sessions);
            outbox.answer_ping(sessions, now, alice);
        }
        let now = shared.now();
        shared.outbox.flush(&mut shared.sessions, now);
        shared.outbox.end_burst(&mut shared.sessions, |_| is_read);
        let expected = if is_read { alloc::vec![Frame::Pong] } else { Vec::new() };
        assert_eq!(sent_to(&mut shared, alice), expected);
    }
}
