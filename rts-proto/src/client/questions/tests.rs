use core::time::Duration;

use super::*;
use crate::client::event::{Event, RoomEvent};
use crate::client::io::Output;
use crate::client::parameters::Parameters;
use crate::{BroadcastCode, OnlineStatus, Reply, RoomId, ServerParamsCode};

const NOW: Instant = Instant::from_millis(1_000);
const DEADLINE: Instant = Instant::from_millis(11_000);

struct Parts {
    questions: Questions,
    rooms: Rooms,
    shared: Shared,
}

impl Parts {
    fn new() -> Self {
        let mut shared = Shared::new(Parameters::default());
        shared.advance(NOW);
        Self { questions: Questions::new(), rooms: Rooms::default(), shared }
    }

    fn send(&mut self, payload_bytes: usize) -> Option<Question> {
        let id = self.questions.next_message_id().expect("a valid id");
        let lane = Lane::of("bob");
        self.questions.ask_send(id, lane, payload_bytes, &self.shared)?;
        Some(Question::Send(id))
    }

    fn answer(&mut self, answer: Answer) -> bool {
        self.questions.answer(answer, &self.rooms, &mut self.shared)
    }

    fn settle(&mut self, frames: Vec<Carried>) -> Vec<Question> {
        let unsent = self.questions.settle(frames.into_iter(), &self.rooms, &mut self.shared);
        unsent.into_iter().map(|(_, question)| question).collect()
    }

    fn take_events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.shared.take_output())
            .filter_map(|output| match output {
                Output::Event(event) => Some(event),
                _ => None,
            })
            .collect()
    }
}

fn carried(question: Question, may_have_left: bool) -> Carried {
    Carried { frame: Bytes::new(), question, may_have_left }
}

#[test]
fn every_kind_of_question_has_one_answer() {
    let mut parts = Parts::new();
    let room = RoomId::new("lobby").expect("a valid id");
    let key = parts.rooms.create(room.clone()).expect("a handle");
    let send = parts.send(5).expect("room for one more");
    let number = parts.questions.ask_broadcast(key, MessageId(1), 5, &parts.shared);
    let number = number.expect("room for one more");
    let query = parts.questions.ask_status("bob", &parts.shared).expect("room for one more");
    let ticket = parts.questions.ask_server_params(&parts.shared);
    let id = parts.questions.next_message_id().expect("a valid id");
    parts.questions.ask_server_send(id, 5, &parts.shared).expect("room for one more");
    assert_eq!(parts.questions.len(), 5);
    let answers = || {
        [
            send.unknown(),
            Answer::Broadcast(number, BroadcastCode::Ok),
            Answer::Status(query, OnlineStatus::Online),
            Answer::ServerParams(ticket, ServerParamsCode::Ok),
            Answer::ServerSend(id, SendCode::Ok, Reply::default()),
        ]
    };
    assert!(answers().into_iter().all(|answer| parts.answer(answer)));
    let event = RoomEvent::MessageSendResult { id: MessageId(1), code: BroadcastCode::Ok };
    let expected = [
        Event::MessageSendResult { id: MessageId(1), code: SendCode::Timeout },
        Event::Room { key, room, event },
        Event::PeerOnlineStatus { uid: "bob".into(), status: OnlineStatus::Online },
        Event::ServerParamsSetResult(ServerParamsCode::Ok),
        Event::ServerMessageSendResult { id, code: SendCode::Ok, reply: Reply::default() },
    ];
    assert_eq!(parts.take_events(), expected);
    assert!(answers().into_iter().all(|answer| !parts.answer(answer)));
    assert_eq!((parts.take_events(), parts.questions.len()), (Vec::new(), 0));
    assert_eq!(parts.questions.next_deadline(), None);
}

#[test]
fn a_question_is_due_after_10_seconds() {
    let mut parts = Parts::new();
    let first = parts.send(0).expect("room for one more");
    parts.shared.advance(NOW + Duration::from_secs(1));
    parts.send(0).expect("room for one more");
    assert_eq!(parts.questions.next_deadline(), Some(DEADLINE));
    assert_eq!(parts.questions.due(Instant::from_micros(10_999_999)), None);
    assert_eq!(parts.questions.due(DEADLINE), Some(first));
}

#[test]
fn accepts_2048_open_sends_and_one_more_after_an_answer() {
    let mut parts = Parts::new();
    let first = parts.send(0).expect("room for one more");
    for _ in 1..2_048 {
        parts.send(0).expect("room for one more");
    }
    assert_eq!(parts.send(0), None);
    parts.answer(first.unknown());
    assert!(parts.send(0).is_some());
}

#[test]
fn an_engine_takes_8_mebibytes_of_sends() {
    let mut parts = Parts::new();
    let first = parts.send(8 * 1_048_576).expect("it fits");
    assert_eq!(parts.send(1), None);
    assert!(parts.send(0).is_some());
    parts.answer(first.unknown());
    assert!(parts.send(1).is_some());
}

#[test]
fn an_engine_asks_128_status_queries_at_once() {
    let mut parts = Parts::new();
    let ask = |parts: &mut Parts| parts.questions.ask_status("bob", &parts.shared);
    for _ in 0..128 {
        ask(&mut parts).expect("room for one more");
    }
    assert_eq!(ask(&mut parts), None);
    parts.answer(Answer::Status(1, OnlineStatus::Offline));
    assert!(ask(&mut parts).is_some());
}

#[test]
fn lost_session_settles_sent_questions_and_returns_unsent_ones() {
    let mut parts = Parts::new();
    let left = parts.send(0).expect("room for one more");
    let waits = parts.send(0).expect("room for one more");
    let query = parts.questions.ask_status("bob", &parts.shared).expect("room for one more");
    let query = Question::Status(query);
    let frames = [carried(left, true), carried(waits, false), carried(query, false)];
    assert_eq!(parts.settle(frames.into()), [waits]);
    let expected = [Event::MessageSendResult { id: MessageId(1), code: SendCode::Timeout }];
    assert_eq!(parts.take_events(), expected);
    assert_eq!(parts.questions.all(), [waits, query]);
}

#[test]
fn unsent_message_does_not_count_as_on_its_way() {
    let mut parts = Parts::new();
    let question = parts.send(0).expect("room for one more");
    parts.questions.departs(question, 512 * 1_024, NOW);
    let bob = Lane::of("bob");
    let is_held = |parts: &Parts| parts.questions.hold(NOW, bob, 1, &Held::default()).is_some();
    assert!(is_held(&parts));
    parts.settle([carried(question, false)].into());
    assert!(!is_held(&parts));
    assert_eq!(parts.questions.lane(question), Some(bob));
    parts.answer(question.not_sent());
    assert_eq!(parts.questions.lane(question), None);
}

#[test]
fn answered_message_frees_its_lane() {
    let mut parts = Parts::new();
    let question = parts.send(0).expect("room for one more");
    parts.questions.departs(question, 512 * 1_024, NOW);
    parts.answer(Answer::Send(MessageId(1), SendCode::Ok));
    assert_eq!(parts.questions.hold(NOW, Lane::of("bob"), 1, &Held::default()), None);
}

#[test]
fn message_answered_in_the_backlog_does_not_count_later() {
    let mut parts = Parts::new();
    let question = parts.send(0).expect("room for one more");
    parts.answer(Answer::Send(MessageId(1), SendCode::Ok));
    parts.questions.departs(question, 600_000, NOW);
    assert_eq!(parts.questions.hold(NOW, Lane::of("bob"), 1, &Held::default()), None);
}

#[test]
fn broadcasts_are_found_by_handle_and_closed_without_event() {
    let mut parts = Parts::new();
    for key in [1, 2] {
        let asked = parts.questions.ask_broadcast(RoomKey(key), MessageId(9), 0, &parts.shared);
        assert_eq!(asked, Some(key));
    }
    assert_eq!(parts.questions.of_room(RoomKey(2)), [Question::Broadcast(2)]);
    let answer = || Question::Broadcast(2).not_sent();
    let answered = parts.questions.answer_silently(answer(), NOW);
    let expected = Some((MessageId(9), BroadcastCode::Broken));
    assert_eq!((answered, parts.take_events()), (expected, Vec::new()));
    assert_eq!(parts.questions.answer_silently(answer(), NOW), None);
    assert_eq!(parts.questions.of_room(RoomKey(2)), []);
}
