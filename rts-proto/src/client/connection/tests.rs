use alloc::vec::Vec;

use super::testing::{accepted, shared_at};
use super::*;
use crate::client::io::Output;
use crate::client::questions::{Question, Questions};
use crate::wire::LoginAnswer;

const NOW: Instant = Instant::from_millis(1_000);
const FIRST: LinkId = LinkId(1);
const HELLO: Frame = Frame::Hello { version: VERSION, features: 0 };

fn user() -> UserId {
    UserId::new("alice").expect("a valid id")
}

/// A login, for which the first link was requested.
fn logging_in() -> (Connection, Shared) {
    let app_id = AppId::new("123456781234567812345678").expect("a valid id");
    let (mut connection, mut shared) = (Connection::new(app_id, 1), shared_at(NOW));
    connection.log_in(user(), "token".into(), &mut shared);
    (connection, shared)
}

fn greeting() -> (Connection, Shared) {
    let (mut connection, mut shared) = logging_in();
    connection.connected(FIRST, &mut shared);
    (connection, shared)
}

fn online() -> (Connection, Shared) {
    let (mut connection, mut shared) = greeting();
    let entered = connection.accepted(&accepted(), &mut shared);
    assert!(entered.is_ok_and(|entered| entered.is_some()));
    (connection, shared)
}

fn outputs(shared: &mut Shared) -> Vec<Output> {
    core::iter::from_fn(|| shared.take_output()).collect()
}

#[test]
fn only_the_requested_link_gets_a_hello() {
    let (mut connection, mut shared) = logging_in();
    outputs(&mut shared);
    connection.connected(LinkId(2), &mut shared);
    assert_eq!(outputs(&mut shared), []);
    connection.connected(FIRST, &mut shared);
    let outputs = outputs(&mut shared);
    assert_eq!(outputs.first(), Some(&Output::Transmit(FIRST, HELLO.encode())));
    assert_eq!(outputs.len(), 2);
    assert!(!connection.is_online());
}

#[test]
fn bytes_of_another_link_are_not_read() {
    let (mut connection, _) = greeting();
    connection.receive(LinkId(2), HELLO.encode(), NOW);
    assert_eq!(connection.next_frame(FIRST), Ok(None));
    connection.receive(FIRST, HELLO.encode(), NOW);
    assert_eq!(connection.next_frame(LinkId(2)), Ok(None));
    assert_eq!(connection.next_frame(FIRST), Ok(Some(HELLO)));
}

#[test]
fn token_set_after_the_login_frame_is_newer() {
    let (mut connection, mut shared) = greeting();
    assert!(!connection.has_newer_token());
    connection.refresh_token("fresh".into(), &mut shared);
    assert!(connection.has_newer_token());
}

#[test]
fn refused_token_ends_the_link_until_a_better_one_comes() {
    let (mut connection, mut shared) = greeting();
    let ended = connection.reject_token(&mut shared).expect("there was a login");
    assert_eq!((ended.uid, ended.since), (user(), NOW));
    assert_eq!((connection.link_id(), connection.rejected_user()), (None, Some(&user())));
    assert_eq!(connection.next_timer(&shared), None);
    assert!(connection.end_login().is_none());
    connection.refresh_token("fresh".into(), &mut shared);
    assert_eq!((connection.link_id(), connection.rejected_user()), (Some(LinkId(2)), None));
}

#[test]
fn silence_counts_from_the_last_byte_of_an_open_link() {
    let (mut connection, shared) = online();
    let later = Instant::from_millis(4_000);
    connection.receive(FIRST, Frame::Pong.encode(), later);
    connection.disconnected(FIRST);
    let expected = (Instant::from_millis(14_000), Timer::Silence);
    assert_eq!(connection.next_timer(&shared), Some(expected));
}

#[test]
fn network_change_probes_open_links_and_replaces_others() {
    let (mut connection, mut shared) = online();
    outputs(&mut shared);
    connection.network_changed(&mut shared);
    assert_eq!(outputs(&mut shared), [Output::Transmit(FIRST, Frame::Ping.encode())]);
    let expected = (Instant::from_millis(3_000), Timer::Probe);
    assert_eq!(connection.next_timer(&shared), Some(expected));

    let (mut connection, mut shared) = greeting();
    outputs(&mut shared);
    connection.network_changed(&mut shared);
    let replaced = [Output::Disconnect(FIRST), Output::Connect(LinkId(2))];
    assert_eq!(outputs(&mut shared), replaced);
}

#[test]
fn a_session_sends_only_while_its_link_is_up() {
    let (mut connection, mut shared) = online();
    let mut questions = Questions::new();
    let query = questions.ask_status("bob", &shared).expect("room for one more");
    let frame = Frame::StatusQuery { query, uid: "bob".into() };
    connection.drop_link(&mut shared);
    outputs(&mut shared);
    let question = Question::Status(query);
    connection.submit(frame, question, &mut questions, &mut shared);
    connection.transmit(Frame::Ping, &mut shared);
    assert_eq!(outputs(&mut shared), []);
    assert!(connection.take_back(question));
}

#[test]
fn each_frame_is_acknowledged_once() {
    let (mut connection, mut shared) = online();
    outputs(&mut shared);
    let frame = Frame::LoginAnswer(LoginAnswer::Accepted(accepted()));
    connection.count(&frame, NOW);
    connection.acknowledge(&mut shared);
    assert_eq!(outputs(&mut shared), []);
    connection.count(&Frame::LeaveAnswer { ticket: 1 }, NOW);
    connection.acknowledge(&mut shared);
    connection.acknowledge(&mut shared);
    let ack = Frame::Ack { received: 1 }.encode();
    assert_eq!(outputs(&mut shared), [Output::Transmit(FIRST, ack)]);
}

#[test]
fn an_early_close_is_kept_with_its_link() {
    let (mut connection, _) = greeting();
    connection.closed_early(14, b"come back");
    let early = connection.early_close().expect("it was closed");
    assert_eq!((early.link, early.number, &*early.reason), (FIRST, 14, "come back"));
}
