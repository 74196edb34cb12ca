//! Messages and queries that wait in the engine's own memory, behind the window of the wire.
//!
//! Three things hold a frame back. A full window (§4.6) holds back every frame. A receiver with
//! enough bytes on their way (§5.6) holds back messages to that receiver only. A used-up rate
//! (§4.9) holds back frames of that kind only, so that a few queries do not delay many messages.

use alloc::collections::VecDeque;

use bytes::Bytes;

use super::pace::Budget;
use super::tag::Tag;
use crate::Instant;
use crate::client::questions::{Held, Lane, Question, Questions};
use crate::limits::{CLIENT_WINDOW_MESSAGE_BYTES_MAX, CLIENT_WINDOW_MESSAGES_MAX};
use crate::link::Channel;
use crate::planted::{Bug, planted};

/// Frames that are not in the window yet, in the order of their calls.
#[derive(Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// When the first frame may go that only its receiver holds back.
    held_until: Option<Instant>,
    /// When the first frame may go that only the rate of its kind holds back.
    paced_until: Option<Instant>,
}

struct Waiting {
    frame: Bytes,
    question: Question,
    /// The lane of a message to a user.
    lane: Option<Lane>,
}

impl Backlog {
    pub(super) fn push(&mut self, frame: Bytes, question: Question, questions: &Questions) {
        let lane = questions.lane(question);
        self.bytes += frame.len();
        self.waiting.push_back(Waiting { frame, question, lane });
    }

    /// Moves as many frames into the window as the window, the lanes and `budget` allow.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        channel: &mut Channel<Tag>,
        questions: &mut Questions,
        mut budget: Option<Budget>,
    ) {
        self.waits_for_window();
        let mut held = Held::default();
        let mut index = usize::from(planted(Bug::BacklogOvertakes) && self.waiting.len() > 1);
        while let Some(Waiting { frame, question, lane }) = self.waiting.get(index) {
            if let Some(lane) = *lane
                && let Some(until) = questions.hold(now, lane, frame.len(), &held)
            {
                held.add(lane);
                self.held_until = earlier(self.held_until, until);
                index += 1;
                continue;
            }
            if let Some(budget) = &mut budget
                && let Err(until) = budget.spend(*question, now)
            {
                self.paced_until = earlier(self.paced_until, until);
                index += 1;
                continue;
            }
            let (frames_max, bytes_max) =
                (CLIENT_WINDOW_MESSAGES_MAX, CLIENT_WINDOW_MESSAGE_BYTES_MAX);
            if !channel.has_room(1, frame.len(), frames_max, bytes_max) {
                return;
            }
            let Some(Waiting { frame, question, .. }) = self.waiting.remove(index) else { return };
            self.bytes -= frame.len();
            questions.departs(question, frame.len(), now);
            channel.push(frame, Tag::Question(question));
        }
    }

    /// Sets no deadline: the frames in the window go first.
    pub(super) fn waits_for_window(&mut self) {
        (self.held_until, self.paced_until) = (None, None);
    }

    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    pub(super) fn paced_until(&self) -> Option<Instant> {
        self.paced_until
    }

    /// Removes the question's frame if it is in the backlog.
    pub(super) fn take_back(&mut self, wanted: Question) -> bool {
        let index = self.waiting.iter().position(|waiting| waiting.question == wanted);
        let taken = index.and_then(|index| self.waiting.remove(index));
        self.bytes -= taken.as_ref().map_or(0, |waiting| waiting.frame.len());
        taken.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn into_frames(self) -> impl Iterator<Item = (Bytes, Question)> {
        self.waiting.into_iter().map(|waiting| (waiting.frame, waiting.question))
    }
}

fn earlier(first: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(first.map_or(other, |first| first.min(other)))
}

#[cfg(test)]
mod tests;
