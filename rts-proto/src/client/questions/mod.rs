//! Open questions. Each gets exactly one answer, at its deadline at the latest.

mod lanes;
mod open;
mod outcome;
mod question;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

pub(super) use lanes::{Held, Lane};
pub(super) use outcome::Outcome;
pub(super) use question::{Answer, Question};

use super::error::SendError;
use super::parameters::Timing;
use super::rooms::Rooms;
use super::shared::Shared;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::{
    CLIENT_WINDOW_MESSAGES_MAX, OPEN_QUERIES_MAX, OPEN_SEND_BYTES_MAX, OPEN_SENDS_MAX,
};
use crate::planted::{Bug, planted};
use crate::{BroadcastCode, Instant, MessageId, RoomKey, SendCode};
use lanes::{Departure, Flights};
use open::Open;

/// Every accepted question, until its one result is called back. Questions are numbered here too.
#[derive(Debug)]
pub(super) struct Questions {
    open: Open<Asked>,
    statuses: usize,
    sends: usize,
    send_bytes: usize,
    /// The bytes of open sends to users, by lane.
    flights: Flights,
    /// The last id of messages to users and to the app server.
    last_message: MessageId,
    /// The last number of broadcasts, queries and tickets on the wire. This engine uses no number
    /// twice.
    last_number: u64,
}

#[derive(Debug)]
struct Asked {
    payload_bytes: usize,
    memo: Memo,
}

/// Data that the answer needs.
#[derive(Clone, Debug)]
enum Memo {
    Nothing,
    Send(Departure),
    Broadcast { room: RoomKey, id: MessageId },
    Status { uid: String },
}

impl Questions {
    pub(super) fn new() -> Self {
        Self {
            open: Open::new(),
            statuses: 0,
            sends: 0,
            send_bytes: 0,
            flights: Flights::new(),
            last_message: MessageId(0),
            last_number: 0,
        }
    }

    /// Messages to users and to the app server share one sequence of ids.
    pub(super) fn next_message_id(&mut self) -> Result<MessageId, SendError> {
        self.last_message = self.last_message.next().ok_or(SendError::NoMoreIds)?;
        Ok(self.last_message)
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn count_on_after(&mut self, last: MessageId) {
        self.last_message = last;
    }

    // Asking.

    /// Opens a send to a user. `None` when too many sends have no result.
    pub(super) fn ask_send(
        &mut self,
        id: MessageId,
        lane: Lane,
        payload_bytes: usize,
        shared: &Shared,
    ) -> Option<()> {
        let memo = Memo::Send(Departure { lane, frame_bytes: 0 });
        self.open_send(Question::Send(id), memo, payload_bytes, shared)
    }

    /// Like [`ask_send`](Self::ask_send), for a message to the app server.
    pub(super) fn ask_server_send(
        &mut self,
        id: MessageId,
        payload_bytes: usize,
        shared: &Shared,
    ) -> Option<()> {
        self.open_send(Question::ServerSend(id), Memo::Nothing, payload_bytes, shared)
    }

    /// Like [`ask_send`](Self::ask_send), for a broadcast. Returns its number on the wire.
    pub(super) fn ask_broadcast(
        &mut self,
        room: RoomKey,
        id: MessageId,
        payload_bytes: usize,
        shared: &Shared,
    ) -> Option<u64> {
        let number = self.next_number();
        let memo = Memo::Broadcast { room, id };
        self.open_send(Question::Broadcast(number), memo, payload_bytes, shared)?;
        Some(number)
    }

    /// Opens a status query and returns its number; `None` when too many are open.
    pub(super) fn ask_status(&mut self, uid: &str, shared: &Shared) -> Option<u64> {
        if self.statuses >= OPEN_QUERIES_MAX {
            return None;
        }
        let number = self.next_number();
        self.open(Question::Status(number), Memo::Status { uid: uid.into() }, 0, shared);
        Some(number)
    }

    /// Opens a call of `setServerParams` and returns its ticket.
    pub(super) fn ask_server_params(&mut self, shared: &Shared) -> u64 {
        let ticket = self.next_number();
        self.open(Question::ServerParams(ticket), Memo::Nothing, 0, shared);
        ticket
    }

    fn open_send(
        &mut self,
        question: Question,
        memo: Memo,
        payload_bytes: usize,
        shared: &Shared,
    ) -> Option<()> {
        self.has_room(payload_bytes).then(|| self.open(question, memo, payload_bytes, shared))
    }

    /// Whether the engine may open one more send with this much payload.
    fn has_room(&self, payload_bytes: usize) -> bool {
        let most = match planted(Bug::WindowIsTheStore) {
            true => CLIENT_WINDOW_MESSAGES_MAX,
            false => OPEN_SENDS_MAX,
        };
        self.sends < most && self.send_bytes + payload_bytes <= OPEN_SEND_BYTES_MAX
            || planted(Bug::OpenSendsUnbounded)
    }

    /// `payload_bytes` is 0 for questions that are not sends.
    fn open(&mut self, question: Question, memo: Memo, payload_bytes: usize, shared: &Shared) {
        let deadline = shared.now() + shared.parameters().get(Timing::Send);
        self.statuses += usize::from(matches!(question, Question::Status(_)));
        self.sends += usize::from(question.is_send());
        self.send_bytes += payload_bytes;
        let is_broadcast = matches!(question, Question::Broadcast(_));
        let is_armed = !(is_broadcast && planted(Bug::BroadcastDeadlineNotArmed));
        let asked = Asked { payload_bytes, memo };
        self.open.insert(question, is_armed.then_some(deadline), asked);
    }

    // Answering.

    /// Calls back the result of an open question. False when it was answered before.
    pub(super) fn answer(&mut self, answer: Answer, rooms: &Rooms, shared: &mut Shared) -> bool {
        let Some(outcome) = self.resolve(answer, shared.now()) else { return false };
        if let Outcome::Send(id, code) = outcome {
            let bug = if code == SendCode::Ok { Bug::Canary } else { Bug::ResultTwice };
            if planted(bug) {
                Outcome::Send(id, code).call_back(rooms, shared);
            }
        }
        outcome.call_back(rooms, shared);
        true
    }

    /// Answers an open broadcast of a handle that gets no events any more. Returns the result.
    pub(super) fn answer_silently(
        &mut self,
        answer: Answer,
        now: Instant,
    ) -> Option<(MessageId, BroadcastCode)> {
        match self.resolve(answer, now)? {
            Outcome::Broadcast(_, id, code) => Some((id, code)),
            Outcome::Send(..)
            | Outcome::Status(..)
            | Outcome::ServerParams(_)
            | Outcome::ServerSend(..) => None,
        }
    }

    /// Closes the question that is answered. `None` when it was answered before.
    fn resolve(&mut self, answer: Answer, now: Instant) -> Option<Outcome> {
        let memo = self.close(answer.question())?;
        if let Memo::Send(flight) = memo {
            let is_ok = matches!(answer, Answer::Send(_, SendCode::Ok));
            self.flights.end(flight, is_ok.then_some(now));
        }
        match (answer, memo) {
            (Answer::Send(id, code), _) => Some(Outcome::Send(id, code)),
            (Answer::Broadcast(_, code), Memo::Broadcast { room, id }) => {
                Some(Outcome::Broadcast(room, id, code))
            }
            (Answer::Status(_, status), Memo::Status { uid }) => Some(Outcome::Status(uid, status)),
            (Answer::ServerParams(_, code), _) => Some(Outcome::ServerParams(code)),
            (Answer::ServerSend(id, code, reply), _) => Some(Outcome::ServerSend(id, code, reply)),
            (Answer::Broadcast(..) | Answer::Status(..), _) => None,
        }
    }

    /// The session that carried these frames ended. Every send that may have left gets its result.
    /// Returns the frames that certainly did not leave. Status queries and server params stay open:
    /// they can be asked again.
    pub(super) fn settle(
        &mut self,
        frames: impl Iterator<Item = Carried>,
        rooms: &Rooms,
        shared: &mut Shared,
    ) -> Vec<(Bytes, Question)> {
        let mut unsent = Vec::new();
        let mut waiting = BTreeSet::new();
        for Carried { frame, question, may_have_left } in frames {
            if !may_have_left && !matches!(question, Question::Status(_)) {
                self.comes_back(question);
                waiting.insert(question);
                unsent.push((frame, question));
            }
        }
        for question in self.all() {
            let is_asked_again =
                matches!(question, Question::Status(_) | Question::ServerParams(_));
            if !waiting.contains(&question) && !is_asked_again {
                self.answer(question.unknown(), rooms, shared);
            }
        }
        unsent
    }

    fn close(&mut self, question: Question) -> Option<Memo> {
        let Asked { payload_bytes, memo } = self.open.remove(question)?;
        self.statuses -= usize::from(matches!(question, Question::Status(_)));
        self.sends -= usize::from(question.is_send());
        self.send_bytes -= payload_bytes;
        Some(memo)
    }

    // Flow control of frames in the window and in the backlog.

    /// The moment until which a message on this lane waits for earlier ones.
    pub(super) fn hold(
        &self,
        now: Instant,
        lane: Lane,
        frame_bytes: usize,
        held: &Held,
    ) -> Option<Instant> {
        self.flights.hold(now, lane, frame_bytes, held)
    }

    /// A frame goes into the window. A message to a user now counts as on its way.
    pub(super) fn departs(&mut self, question: Question, frame_bytes: usize, now: Instant) {
        let Question::Send(_) = question else { return };
        if let Some(Asked { memo: Memo::Send(departure), .. }) = self.open.get_mut(question) {
            departure.frame_bytes = frame_bytes;
            self.flights.depart(now, departure.lane, frame_bytes);
        }
    }

    /// A frame that never left is removed from the window.
    fn comes_back(&mut self, question: Question) {
        if let Some(Asked { memo: Memo::Send(departure), .. }) = self.open.get_mut(question) {
            self.flights.end(*departure, None);
            departure.frame_bytes = 0;
        }
    }

    /// On a new link, the wait for every receiver starts again.
    pub(super) fn restart_flights(&mut self, now: Instant) {
        self.flights.restart(now);
    }

    /// The lane of a message to a user.
    pub(super) fn lane(&self, question: Question) -> Option<Lane> {
        match self.open.get(question)?.memo {
            Memo::Send(departure) => Some(departure.lane),
            Memo::Nothing | Memo::Broadcast { .. } | Memo::Status { .. } => None,
        }
    }

    // State.

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.first_due().map(|(deadline, _)| deadline)
    }

    /// A question whose deadline has come.
    pub(super) fn due(&self, now: Instant) -> Option<Question> {
        self.open.first_due().filter(|(deadline, _)| *deadline <= now).map(|(_, due)| due)
    }

    pub(super) fn is_open(&self, question: Question) -> bool {
        self.open.get(question).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// All open questions, in the order of their numbers.
    pub(super) fn all(&self) -> Vec<Question> {
        self.open.iter().map(|(question, _)| question).collect()
    }

    /// The open broadcasts of this room handle.
    pub(super) fn of_room(&self, key: RoomKey) -> Vec<Question> {
        self.open
            .iter()
            .filter(|(_, asked)| matches!(asked.memo, Memo::Broadcast { room, .. } if room == key))
            .map(|(question, _)| question)
            .collect()
    }

    /// The open status queries: their numbers, and the queried users.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (u64, &str)> {
        self.open.iter().filter_map(|(question, asked)| match (question, &asked.memo) {
            (Question::Status(number), Memo::Status { uid }) => Some((number, uid.as_str())),
            _ => None,
        })
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { open, statuses, sends, send_bytes, flights, last_message: _, last_number: _ } =
            self;
        alloc::vec![
            ("open questions", open.len()),
            ("deadlines", open.deadlines()),
            ("status queries", *statuses),
            ("sends", *sends),
            ("bytes of sends", *send_bytes),
            ("bytes on their way", flights.bytes()),
        ]
    }
}

/// A frame of a session that ended.
pub(super) struct Carried {
    pub(super) frame: Bytes,
    pub(super) question: Question,
    pub(super) may_have_left: bool,
}
