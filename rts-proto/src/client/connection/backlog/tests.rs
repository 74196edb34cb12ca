use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::MessageId;
use crate::client::connection::pace::Pace;
use crate::client::connection::testing::{accepted, shared_at};

const NOW: Instant = Instant::from_millis(10_000);
const FULL_LANE: usize = 512 * 1_024;

struct Parts {
    backlog: Backlog,
    channel: Channel<Tag>,
    questions: Questions,
}

impl Parts {
    fn new() -> Self {
        Self { backlog: Backlog::default(), channel: Channel::new(), questions: Questions::new() }
    }

    /// A message to a user, whose frame has this length.
    fn send(&mut self, uid: &str, frame_bytes: usize) -> Question {
        let id = self.questions.next_message_id().expect("a valid id");
        let asked = self.questions.ask_send(id, Lane::of(uid), 0, &shared_at(NOW));
        asked.expect("room for one more");
        let question = Question::Send(id);
        self.backlog.push(Bytes::from(vec![0; frame_bytes]), question, &self.questions);
        question
    }

    fn query(&mut self) -> Question {
        let number = self.questions.ask_status("bob", &shared_at(NOW)).expect("room for one more");
        let question = Question::Status(number);
        self.backlog.push(Bytes::from_static(b"query"), question, &self.questions);
        question
    }

    fn advance(&mut self, now: Instant, budget: Option<Budget>) {
        self.backlog.advance(now, &mut self.channel, &mut self.questions, budget);
    }

    /// The questions that go into the window.
    fn moved(&mut self, now: Instant) -> Vec<Question> {
        self.advance(now, None);
        self.transmitted()
    }

    fn transmitted(&mut self) -> Vec<Question> {
        let mut questions = Vec::new();
        while let Some(Tag::Question(question)) = self.channel.peek() {
            questions.push(*question);
            self.channel.transmit();
        }
        questions
    }
}

#[test]
fn frames_keep_their_order() {
    let mut parts = Parts::new();
    let asked = [parts.send("bob", 10), parts.query(), parts.send("bob", 10)];
    assert_eq!(parts.backlog.bytes(), 25);
    assert_eq!(parts.moved(NOW), asked);
    assert_eq!((parts.backlog.bytes(), parts.backlog.is_empty()), (0, true));
}

#[test]
fn at_most_632_frames_are_in_the_window() {
    let mut parts = Parts::new();
    for _ in 0..700 {
        parts.send("bob", 10);
    }
    assert_eq!(parts.moved(NOW).len(), 632);
    assert_eq!(parts.backlog.held_until(), None);
    parts.channel.acknowledge(5, drop).expect("they were transmitted");
    assert_eq!(parts.moved(NOW).len(), 5);
}

#[test]
fn message_waits_for_its_receiver_and_others_pass() {
    let mut parts = Parts::new();
    let first = parts.send("bob", FULL_LANE);
    let second = parts.send("bob", 10);
    let third = parts.send("bob", 0);
    let query = parts.query();
    assert_eq!(parts.moved(NOW), [first, query]);
    assert_eq!(parts.backlog.held_until(), Some(Instant::from_millis(16_000)));
    assert_eq!(parts.moved(Instant::from_millis(16_000)), [second, third]);
    assert_eq!(parts.backlog.held_until(), None);
}

#[test]
fn frame_waits_for_its_rate_and_other_kinds_pass() {
    let mut parts = Parts::new();
    let (first, second) = (parts.send("bob", 10), parts.send("carol", 10));
    let query = parts.query();
    let mut slow = accepted();
    slow.sends_per_second = 2;
    let mut pace = Pace::new(&slow, NOW);
    pace.set_on(true);
    parts.advance(NOW, pace.budget());
    assert_eq!(parts.transmitted(), [first, query]);
    assert_eq!(parts.backlog.paced_until(), Some(Instant::from_millis(10_500)));
    assert_eq!(parts.moved(NOW), [second]);
    assert_eq!(parts.backlog.paced_until(), None);
}

#[test]
fn taken_back_frame_stays_where_it_is() {
    let mut parts = Parts::new();
    let (first, second) = (parts.send("bob", 10), parts.send("bob", 20));
    assert!(parts.backlog.take_back(first));
    assert!(!parts.backlog.take_back(first));
    assert!(!parts.backlog.take_back(Question::Broadcast(1)));
    assert_eq!(parts.backlog.bytes(), 20);
    assert_eq!(parts.moved(NOW), [second]);
    assert_eq!(second, Question::Send(MessageId(2)));
}
