//! Questions that are open: each gets exactly one answer, or its deadline.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

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

/// Who waits for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    Send,
    Broadcast { room: RoomKey, id: MessageId },
    Status { uid: String },
    ServerParams,
    ServerSend,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    open: BTreeMap<Question, (Instant, Asker)>,
    deadlines: BTreeSet<(Instant, Question)>,
    statuses: usize,
}

impl Pending {
    pub(super) fn open(&mut self, question: Question, asker: Asker, deadline: Instant) {
        self.statuses += usize::from(matches!(question, Question::Status(_)));
        let is_broadcast = matches!(question, Question::Broadcast(_));
        if !(is_broadcast && planted(Bug::BroadcastDeadlineNotArmed)) {
            self.deadlines.insert((deadline, question));
        }
        self.open.insert(question, (deadline, asker));
    }

    /// Takes the question off the list; `None` when it was answered before.
    pub(super) fn close(&mut self, question: Question) -> Option<Asker> {
        let (deadline, asker) = self.open.remove(&question)?;
        self.statuses -= usize::from(matches!(question, Question::Status(_)));
        self.deadlines.remove(&(deadline, question));
        Some(asker)
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
            .filter(
                |(_, (_, asker))| matches!(asker, Asker::Broadcast { room, .. } if *room == key),
            )
            .map(|(question, _)| *question)
            .collect()
    }

    /// The open status queries: their numbers, and whom they ask about.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (u64, &str)> {
        self.open.iter().filter_map(|(question, (_, asker))| match (question, asker) {
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
