//! Every question has one answer: the server's, or the engine's if the server does not answer.

use std::time::Duration;

use rts_proto::client::{Event, Input, RoomEvent};
use rts_proto::limits::OPEN_QUERIES_MAX;
use rts_proto::wire::{Accepted, Frame};
use rts_proto::{
    BroadcastCode, MessageId, OnlineStatus, Payload, Reply, RoomKey, SendCode, ServerParamsCode,
};

use crate::support::{Stage, session};

const MOMENT: Duration = Duration::from_micros(1);
/// The deadline of a question.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Send,
    Broadcast,
    Status,
    Params,
    ToAppServer,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::Send, Self::Broadcast, Self::Status, Self::Params, Self::ToAppServer];

    fn answered(self) -> (Self, u32) {
        match self {
            Self::Send | Self::ToAppServer => (self, SendCode::Ok.code()),
            Self::Broadcast => (self, BroadcastCode::Ok.code()),
            Self::Status => (self, OnlineStatus::Online.code()),
            Self::Params => (self, ServerParamsCode::Ok.code()),
        }
    }

    /// The result of a question that may have arrived.
    fn unknown(self) -> (Self, u32) {
        match self {
            Self::Status => (self, OnlineStatus::Unreachable.code()),
            _ => (self, SendCode::Timeout.code()),
        }
    }

    /// The result of a question that never left.
    fn not_sent(self) -> (Self, u32) {
        match self {
            Self::Status => (self, OnlineStatus::Unreachable.code()),
            _ => (self, SendCode::Broken.code()),
        }
    }
}

/// An engine in a room, with params for its app server.
struct Asking {
    stage: Stage,
    room: RoomKey,
}

impl Asking {
    fn new() -> Self {
        let mut stage = Stage::logged_in();
        let room = stage.joined("room");
        let mut asking = Self { stage, room };
        asking.ask(Kind::Params);
        let [(_, ticket)] = asking.asked()[..] else { panic!("one question") };
        asking.answer(Kind::Params, ticket);
        asking.results();
        asking
    }

    fn ask(&mut self, kind: Kind) {
        let (engine, now) = (&mut self.stage.engine, self.stage.now);
        let payload = Payload::text("hi");
        match kind {
            Kind::Send => drop(self.stage.sends("hi")),
            Kind::Broadcast => {
                engine.send_room_message(now, self.room, payload).expect("accepted");
            }
            Kind::Status => engine.get_peer_online_status(now, "bob"),
            Kind::Params => engine.set_server_params(now, "signature", "http://app.example/"),
            Kind::ToAppServer => {
                engine.send_server_message(now, payload).expect("accepted");
            }
        }
        self.stage.drain();
    }

    /// Questions that went out since the last call, with their numbers on the wire.
    fn asked(&mut self) -> Vec<(Kind, u64)> {
        let question = |frame| match frame {
            Frame::Send { id, .. } => Some((Kind::Send, id.0)),
            Frame::Broadcast { id, .. } => Some((Kind::Broadcast, id.0)),
            Frame::StatusQuery { query, .. } => Some((Kind::Status, query)),
            Frame::SetServerParams(set) => Some((Kind::Params, set.ticket)),
            Frame::ServerSend { id, .. } => Some((Kind::ToAppServer, id.0)),
            _ => None,
        };
        self.stage.sent_frames().into_iter().filter_map(question).collect()
    }

    fn answer(&mut self, kind: Kind, number: u64) {
        let id = MessageId(number);
        self.stage.receives(match kind {
            Kind::Send => Frame::SendResults { code: SendCode::Ok, ids: vec![id] },
            Kind::Broadcast => {
                let room = rts_proto::RoomId::new("room").expect("well formed");
                Frame::BroadcastResults { room, code: BroadcastCode::Ok, ids: vec![id] }
            }
            Kind::Status => Frame::StatusAnswer { query: number, status: OnlineStatus::Online },
            Kind::Params => {
                Frame::ServerParamsAnswer { ticket: number, code: ServerParamsCode::Ok }
            }
            Kind::ToAppServer => {
                Frame::ServerSendResult { id, code: SendCode::Ok, reply: Reply::default() }
            }
        });
    }

    /// Results since the last call, in any order.
    fn results(&mut self) -> Vec<(Kind, u32)> {
        let result = |event| match event {
            Event::MessageSendResult { code, .. } => Some((Kind::Send, code.code())),
            Event::Room { event: RoomEvent::MessageSendResult { code, .. }, .. } => {
                Some((Kind::Broadcast, code.code()))
            }
            Event::PeerOnlineStatus { status, .. } => Some((Kind::Status, status.code())),
            Event::ServerParamsSetResult(code) => Some((Kind::Params, code.code())),
            Event::ServerMessageSendResult { code, .. } => Some((Kind::ToAppServer, code.code())),
            _ => None,
        };
        let events = std::mem::take(&mut self.stage.events);
        let mut results: Vec<_> = events.into_iter().filter_map(result).collect();
        results.sort_unstable();
        results
    }

    /// Time passes on a link with answered pings.
    fn pass(&mut self, time: Duration) {
        self.stage.receives(Frame::Pong);
        self.stage.pass(time);
    }

    /// The link is lost.
    fn lose_link(&mut self) {
        self.stage.input(Input::Disconnected(self.stage.link));
    }

    fn come_back(&mut self, answer: Accepted) {
        let connects = self.stage.connects;
        self.stage.input(Input::Disconnected(self.stage.link));
        while self.stage.connects == connects {
            let at = self.stage.drain().expect("it comes back");
            self.stage.pass(at.since(self.stage.now));
        }
        self.stage.input(Input::Connected(self.stage.link));
        self.stage.sent_frames();
        self.stage.welcomed(answer);
    }
}

#[test]
fn duplicate_answer_is_ignored() {
    for kind in Kind::ALL {
        let mut asking = Asking::new();
        assert_eq!(asking.stage.engine.open_questions(), 0);
        for _ in 0..2 {
            asking.ask(kind);
            assert_eq!(asking.stage.engine.open_questions(), 1);
            let [(asked, number)] = asking.asked()[..] else { panic!("one question") };
            assert_eq!(asked, kind);
            asking.answer(kind, number);
            assert_eq!(asking.results(), [kind.answered()]);
            asking.answer(kind, number);
            assert_eq!(asking.results(), []);
            assert_eq!(asking.stage.engine.open_questions(), 0);
        }
    }
}

#[test]
fn unanswered_question_is_unknown_after_10_seconds() {
    for kind in Kind::ALL {
        let mut asking = Asking::new();
        asking.ask(kind);
        asking.pass(TIMEOUT / 2);
        asking.ask(kind);
        for _ in 0..2 {
            asking.pass(TIMEOUT / 2 - MOMENT);
            assert_eq!(asking.results(), [], "{kind:?}");
            asking.pass(MOMENT);
            assert_eq!(asking.results(), [kind.unknown()]);
        }
        // The server may still answer, and the answer is ignored.
        for (kind, number) in asking.asked() {
            asking.answer(kind, number);
        }
        assert_eq!(asking.results(), []);
    }
}

#[test]
fn unsent_question_times_out_as_not_sent() {
    for kind in Kind::ALL {
        for other in Kind::ALL {
            let mut asking = Asking::new();
            asking.lose_link();
            asking.ask(other);
            asking.stage.pass(2 * MOMENT);
            // A frame in the middle of the window is taken back as well as the first one.
            asking.ask(kind);
            asking.stage.pass(TIMEOUT - MOMENT);
            assert_eq!(asking.results(), [other.not_sent()], "{kind:?}");
            asking.ask(other);
            asking.stage.pass(MOMENT);
            assert_eq!(asking.results(), [kind.not_sent()]);
            // The server has the Join and the params.
            asking.come_back(Accepted { resumed: true, received: 2, ..session(1) });
            let [(asked, _)] = asking.asked()[..] else { panic!("the third question") };
            assert_eq!(asked, other);
        }
    }
}

#[test]
fn lost_session_makes_sent_questions_unknown_only() {
    for kind in [Kind::Send, Kind::Broadcast, Kind::ToAppServer] {
        let mut asking = Asking::new();
        asking.ask(kind);
        let [left] = asking.asked()[..] else { panic!("one question") };
        asking.lose_link();
        asking.ask(kind);
        asking.come_back(session(2));
        assert_eq!(asking.results(), [kind.unknown()]);
        let mut asked = asking.asked();
        asked.retain(|(asked, _)| *asked == kind);
        let [sent] = asked[..] else { panic!("{asked:?}") };
        assert!(sent != left);
    }
    // These are asked again, because a later answer is as good.
    for kind in [Kind::Status, Kind::Params] {
        let mut asking = Asking::new();
        asking.ask(kind);
        let [left] = asking.asked()[..] else { panic!("one question") };
        asking.come_back(session(2));
        assert_eq!(asking.results(), []);
        assert_eq!(asking.asked().iter().filter(|asked| **asked == left).count(), 1);
        asking.answer(left.0, left.1);
        assert_eq!(asking.results(), [kind.answered()]);
    }
}

#[test]
fn a_logout_answers_everything() {
    for kind in Kind::ALL {
        let mut asking = Asking::new();
        asking.ask(kind);
        asking.lose_link();
        asking.ask(kind);
        asking.stage.engine.logout(asking.stage.now);
        asking.stage.drain();
        let mut results = [kind.unknown(), kind.not_sent()];
        results.sort_unstable();
        assert_eq!(asking.results(), results);
        assert_eq!(asking.stage.engine.open_questions(), 0);
    }
}

#[test]
fn opens_128_queries_and_answers_one_more_at_once() {
    let mut asking = Asking::new();
    // The second round shows that answers make space for others, and that other questions do not
    // count.
    for _ in 0..2 {
        asking.ask(Kind::Send);
        for _ in 0..OPEN_QUERIES_MAX {
            asking.ask(Kind::Status);
        }
        assert_eq!(asking.results(), []);
        asking.ask(Kind::Status);
        assert_eq!(asking.results(), [Kind::Status.unknown()]);
        for (kind, number) in asking.asked() {
            asking.answer(kind, number);
        }
        assert_eq!(asking.results().len(), OPEN_QUERIES_MAX + 1);
    }
}
