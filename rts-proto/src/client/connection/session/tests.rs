use alloc::vec::Vec;

use super::*;
use crate::client::connection::link::{Greeting, Link};
use crate::client::connection::testing::{accepted, shared_at};
use crate::client::io::Output;
use crate::limits::ACK_FRAMES_MAX;
use crate::wire::Frame;
use crate::{LinkId, MessageId};

const NOW: Instant = Instant::from_millis(1_000);
const LATER: Instant = Instant::from_millis(1_250);

struct Parts {
    session: Session,
    link: Link,
    questions: Questions,
    shared: Shared,
}

impl Parts {
    fn new(accepted: &Accepted) -> Self {
        let mut link = Link::Greeting(Greeting::new(LinkId(1), Bytes::new(), NOW));
        assert!(link.go_online(NOW));
        let session = Session::new(accepted, NOW);
        Self { session, link, questions: Questions::new(), shared: shared_at(NOW) }
    }

    fn queue(&mut self, frame: &'static str) -> Question {
        let id = self.questions.next_message_id().expect("a valid id");
        self.questions.ask_server_send(id, 0, &self.shared).expect("room for one more");
        self.session.queue(frame.into(), Question::ServerSend(id), &self.questions);
        Question::ServerSend(id)
    }

    /// The frames that go out now.
    fn released(&mut self) -> Vec<Bytes> {
        let online = self.link.online_mut().expect("the link is online");
        self.session.release(online, &mut self.questions, &mut self.shared);
        core::iter::from_fn(|| self.shared.take_output())
            .filter_map(|output| match output {
                Output::Transmit(_, bytes) => Some(bytes),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn acknowledges_deliveries_at_once_and_others_within_250_ms() {
    let mut session = Session::new(&accepted(), NOW);
    session.count_received(NOW, false);
    assert_eq!(session.next_timer(), Some((LATER, Timer::Flush)));
    session.count_received(NOW, true);
    assert_eq!(session.next_timer(), Some((NOW, Timer::Flush)));
    assert_eq!(session.take_ack(), Some(2));
    assert_eq!((session.take_ack(), session.next_timer()), (None, None));
}

#[test]
fn many_frames_are_acknowledged_at_once() {
    let mut session = Session::new(&accepted(), NOW);
    for _ in 1..ACK_FRAMES_MAX {
        session.count_received(NOW, false);
    }
    assert_eq!(session.next_timer(), Some((LATER, Timer::Flush)));
    session.count_received(NOW, false);
    assert_eq!(session.next_timer(), Some((NOW, Timer::Flush)));
}

#[test]
fn acknowledgement_travels_with_a_sent_frame() {
    let mut parts = Parts::new(&accepted());
    parts.session.count_received(NOW, false);
    parts.queue("message");
    assert_eq!(parts.released(), [Frame::Ack { received: 1 }.encode(), "message".into()]);
    assert_eq!(parts.session.next_timer(), None);
}

#[test]
fn frame_can_be_taken_back_until_transmitted() {
    let mut parts = Parts::new(&accepted());
    let first = parts.queue("first");
    assert_eq!(parts.released(), ["first"]);
    let second = parts.queue("second");
    assert!(!parts.session.take_back(first));
    assert!(parts.session.take_back(second));
    assert!(!parts.session.take_back(second));
    assert_eq!(parts.released(), [""; 0]);
}

#[test]
fn frames_held_for_resume_are_sent_at_the_rate() {
    let mut accepted = accepted();
    accepted.server_sends_per_second = 2;
    let mut parts = Parts::new(&accepted);
    parts.queue("first");
    parts.queue("second");
    parts.queue("third");
    assert_eq!(parts.released(), ["first", "second", "third"]);
    accepted.received = 1;
    parts.session.resumed(&accepted).expect("it was transmitted");
    assert_eq!(parts.released(), [""; 0]);
    assert_eq!(parts.session.next_timer(), Some((Instant::from_millis(1_500), Timer::Pace)));
    parts.shared.advance(Instant::from_millis(1_500));
    assert_eq!(parts.released(), ["second"]);
}

#[test]
fn refuses_resume_that_acknowledges_unsent_frames() {
    let mut session = Session::new(&accepted(), NOW);
    let mut answer = accepted();
    answer.received = 1;
    assert!(session.resumed(&answer).is_err());
}

#[test]
fn session_given_up_by_the_server_is_not_requested() {
    let mut session = Session::new(&accepted(), NOW);
    session.count_received(NOW, false);
    let resume = session.resume().expect("it can be resumed");
    assert_eq!((resume.session, resume.received), (1, 1));
    session.give_up_resuming();
    assert_eq!(session.resume(), None);
}

#[test]
fn frames_of_an_ended_session_know_whether_they_may_have_left() {
    let mut parts = Parts::new(&accepted());
    let first = parts.queue("first");
    parts.released();
    parts.session.push("join".into(), Tag::Join(1));
    let second = parts.queue("second");
    let frames = parts.session.into_frames().map(|frame| (frame.question, frame.may_have_left));
    assert_eq!(frames.collect::<Vec<_>>(), [(first, true), (second, false)]);
    assert_eq!(second, Question::ServerSend(MessageId(2)));
}

#[test]
fn a_join_has_room_beside_896_frames() {
    let mut session = Session::new(&accepted(), NOW);
    for ticket in 0..896 {
        assert!(session.push_join("join".into(), ticket));
    }
    assert!(!session.push_join("join".into(), 896));
    assert!(session.take_back_join(5));
    assert!(!session.take_back_join(5));
    assert!(session.push_join("join".into(), 896));
}
