//! Questions that are open: each gets exactly one answer, or its deadline.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::backlog::Departure;
use crate::limits::{CLIENT_WINDOW_MESSAGES_MAX, OPEN_SEND_BYTES_MAX, OPEN_SENDS_MAX};
use crate::planted::{Bug, planted};
use crate::{Instant, MessageId, RoomKey};

/// What an answer is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    /// A message to a user.
    Send(MessageId),
    /// A broadcast, by its number on the wire: handles of one room may follow each other, and each
    /// counts its messages from 1.
    Broadcast(u64),
    /// A status query, by its number on the wire.
    Status(u64),
    /// Params for the app's server, by their ticket.
    ServerParams(u64),
    /// A message to the app's server.
    ServerSend(MessageId),
}

impl Question {
    /// A send counts among those that an engine takes (`OPEN_SENDS_MAX`).
    fn is_send(self) -> bool {
        match self {
            Self::Send(_) | Self::Broadcast(_) | Self::ServerSend(_) => true,
            Self::Status(_) | Self::ServerParams(_) => false,
        }
    }
}

/// Who waits for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    Send(Departure),
    Broadcast { room: RoomKey, id: MessageId },
    Status { uid: String },
    ServerParams,
    ServerSend,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    open: BTreeMap<Question, Open>,
    deadlines: BTreeSet<(Instant, Question)>,
    statuses: usize,
    sends: usize,
    send_bytes: usize,
}

#[derive(Debug)]
struct Open {
    deadline: Instant,
    asker: Asker,
    payload_bytes: usize,
}

impl Pending {
    /// Whether the engine takes one more send with so much payload. Queries have bounds of their
    /// own.
    pub(super) fn has_room(&self, payload_bytes: usize) -> bool {
        let most = match planted(Bug::WindowIsTheStore) {
            true => CLIENT_WINDOW_MESSAGES_MAX,
            false => OPEN_SENDS_MAX,
        };
        self.sends < most && self.send_bytes + payload_bytes <= OPEN_SEND_BYTES_MAX
            || planted(Bug::OpenSendsUnbounded)
    }

    /// `payload_bytes` is 0 for what is no send.
    pub(super) fn open(
        &mut self,
        question: Question,
        asker: Asker,
        deadline: Instant,
        payload_bytes: usize,
    ) {
        self.statuses += usize::from(matches!(question, Question::Status(_)));
        self.sends += usize::from(question.is_send());
        self.send_bytes += payload_bytes;
        let is_broadcast = matches!(question, Question::Broadcast(_));
        if !(is_broadcast && planted(Bug::BroadcastDeadlineNotArmed)) {
            self.deadlines.insert((deadline, question));
        }
        self.open.insert(question, Open { deadline, asker, payload_bytes });
    }

    /// Takes the question off the list; `None` when it was answered before.
    pub(super) fn close(&mut self, question: Question) -> Option<Asker> {
        let Open { deadline, asker, payload_bytes } = self.open.remove(&question)?;
        self.statuses -= usize::from(matches!(question, Question::Status(_)));
        self.sends -= usize::from(question.is_send());
        self.send_bytes -= payload_bytes;
        self.deadlines.remove(&(deadline, question));
        Some(asker)
    }

    /// A message goes into the window.
    pub(super) fn departs(&mut self, id: MessageId, frame_bytes: usize) {
        if let Some(Open { asker: Asker::Send(departure), .. }) =
            self.open.get_mut(&Question::Send(id))
        {
            departure.frame_bytes = frame_bytes;
        }
    }

    /// What never left is out of the window again: what it had added to its lane.
    pub(super) fn comes_back(&mut self, question: Question) -> Option<Departure> {
        match self.open.get_mut(&question) {
            Some(Open { asker: Asker::Send(departure), .. }) => {
                let was = *departure;
                departure.frame_bytes = 0;
                Some(was)
            }
            _ => None,
        }
    }

    pub(super) fn is_open(&self, question: Question) -> bool {
        self.open.contains_key(&question)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// A question whose deadline has come.
    pub(super) fn due(&self, now: Instant) -> Option<Question> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, q)| *q)
    }

    /// All open questions, in the order of their numbers.
    pub(super) fn questions(&self) -> Vec<Question> {
        self.open.keys().copied().collect()
    }

    /// The open questions that wait for this room handle.
    pub(super) fn of_room(&self, key: RoomKey) -> Vec<Question> {
        self.open
            .iter()
            .filter(|(_, open)| matches!(open.asker, Asker::Broadcast { room, .. } if room == key))
            .map(|(question, _)| *question)
            .collect()
    }

    /// The open status queries: their numbers, and whom they ask about.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (u64, &str)> {
        self.open.iter().filter_map(|(question, open)| match (question, &open.asker) {
            (Question::Status(number), Asker::Status { uid }) => Some((*number, uid.as_str())),
            _ => None,
        })
    }

    pub(super) fn status_count(&self) -> usize {
        self.statuses
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}
