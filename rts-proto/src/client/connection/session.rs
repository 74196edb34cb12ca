//! The state that outlives a link: the session's numbers, and the frames that are not acknowledged.

use bytes::Bytes;

use super::backlog::Backlog;
use super::link::Online;
use super::pace::Pace;
use super::tag::Tag;
use crate::client::questions::{Carried, Question, Questions};
use crate::client::shared::Shared;
use crate::client::timer::{Deadline, Timer, earliest};
use crate::limits::{ACK_DELAY, CLIENT_WINDOW_JOINS_MAX, WINDOW_BYTES_MAX};
use crate::link::Channel;
use crate::planted::{Bug, planted};
use crate::wire::{Accepted, Resume, ResumeKey};
use crate::{Instant, ProtocolError};

pub(crate) struct Session {
    number: u64,
    key: ResumeKey,
    claim: u64,
    /// False once the server has refused to resume the session.
    resumable: bool,
    channel: Channel<Tag>,
    /// Frames that go into the channel when it has space.
    backlog: Backlog,
    /// When the acknowledgement of received frames must go out, unless it travels with another
    /// frame before.
    ack_due: Option<Instant>,
    pace: Pace,
}

impl Session {
    pub(super) fn new(accepted: &Accepted, now: Instant) -> Self {
        Self {
            number: accepted.session,
            key: accepted.key,
            claim: accepted.claim,
            resumable: true,
            channel: Channel::new(),
            backlog: Backlog::default(),
            ack_due: None,
            pace: Pace::new(accepted, now),
        }
    }

    /// The session that follows this one in the same login. The server remembers the used-up rates,
    /// and so does the engine.
    pub(super) fn followed_by(&self, accepted: &Accepted, now: Instant) -> Self {
        Self { pace: self.pace.followed_by(accepted, now), ..Self::new(accepted, now) }
    }

    /// The server resumed this session. Frames that it does not have go out again, at its rates.
    /// Returns the number of these.
    pub(super) fn resumed(&mut self, accepted: &Accepted) -> Result<u32, ProtocolError> {
        let frames_resent = self.channel.resume(accepted.received, drop)?;
        // It may have moved to another node, where it has another number.
        (self.number, self.key) = (accepted.session, accepted.key);
        self.ack_due = None;
        self.hold_back();
        self.pace.nothing_waits();
        Ok(frames_resent)
    }

    pub(super) fn claim(&self) -> u64 {
        self.claim
    }

    /// The request to resume this session on a new link.
    pub(super) fn resume(&self) -> Option<Resume> {
        self.resumable.then(|| Resume {
            session: self.number,
            key: self.key,
            received: self.channel.received()
                - u64::from(planted(Bug::ResumeCountsShort) && self.channel.received() > 0),
        })
    }

    pub(super) fn give_up_resuming(&mut self) {
        self.resumable = false;
    }

    /// The session ended: its frames, in order, that may be sent on another session.
    pub(crate) fn into_frames(self) -> impl Iterator<Item = Carried> {
        let in_window = self.channel.into_unacked().filter_map(|(frame, tag, may_have_left)| {
            let Tag::Question(question) = tag else { return None };
            Some(Carried { frame, question, may_have_left })
        });
        let never_moved = self.backlog.into_frames();
        in_window.chain(never_moved.map(|(frame, question)| Carried {
            frame,
            question,
            may_have_left: false,
        }))
    }

    // Sent.

    /// Queues a message or a query after earlier ones.
    pub(super) fn queue(&mut self, frame: Bytes, question: Question, questions: &Questions) {
        self.backlog.push(frame, question, questions);
    }

    /// Puts a frame into the window that does not wait behind others.
    pub(super) fn push(&mut self, frame: Bytes, tag: Tag) {
        self.channel.push(frame, tag);
    }

    /// Like [`push`](Self::push), for a Join. Joins may be many: false when the window has no
    /// space.
    pub(super) fn push_join(&mut self, frame: Bytes, ticket: u64) -> bool {
        let (frames_max, bytes_max) = (CLIENT_WINDOW_JOINS_MAX, WINDOW_BYTES_MAX);
        let has_room = self.channel.has_room(1, frame.len(), frames_max, bytes_max);
        if has_room {
            self.push(frame, Tag::Join(ticket));
        }
        has_room
    }

    /// Removes the question's frame if it waits to be transmitted.
    pub(super) fn take_back(&mut self, question: Question) -> bool {
        self.backlog.take_back(question) || self.take_back_of_window(Tag::Question(question))
    }

    /// Removes the Join with this ticket if it waits to be transmitted.
    pub(super) fn take_back_join(&mut self, ticket: u64) -> bool {
        self.take_back_of_window(Tag::Join(ticket))
    }

    fn take_back_of_window(&mut self, wanted: Tag) -> bool {
        self.channel.take_back(|tag| *tag == wanted).is_some()
    }

    /// Queued frames go out at the server's rates from now on.
    pub(super) fn hold_back(&mut self) {
        self.pace.set_on(true);
    }

    /// Sends as much as is allowed now: from the backlog through the window.
    pub(super) fn release(
        &mut self,
        online: &mut Online,
        questions: &mut Questions,
        shared: &mut Shared,
    ) {
        loop {
            self.advance(shared.now(), questions);
            let mut has_moved = false;
            while let Some(bytes) = self.next_transmit(shared.now()) {
                has_moved = true;
                online.transmit_sequenced(bytes, self.take_ack(), shared);
            }
            // Frames that left the window made space for the backlog.
            if !has_moved || self.backlog.is_empty() {
                return;
            }
        }
    }

    /// Moves frames from the backlog into the window. Once a frame has to wait, frames are paced.
    /// Then only frames that go out at once are moved, so that frames without a rate do not wait
    /// behind paced ones.
    fn advance(&mut self, now: Instant, questions: &mut Questions) {
        if self.pace.is_on() && self.channel.peek().is_some() {
            return self.backlog.waits_for_window();
        }
        self.backlog.advance(now, &mut self.channel, questions, self.pace.budget());
        if !self.backlog.is_empty() {
            self.hold_back();
        }
    }

    /// The next frame that may go out now.
    fn next_transmit(&mut self, now: Instant) -> Option<Bytes> {
        let Some(tag) = self.channel.peek() else {
            // Frames stay paced until the backlog is empty.
            self.pace.set_on(!self.backlog.is_empty());
            self.pace.nothing_waits();
            return None;
        };
        // Joins and leaves are few, and far below their rates at the server.
        if let Tag::Question(question) = *tag
            && !self.pace.lets_pass(question, now)
        {
            return None;
        }
        self.channel.transmit()
    }

    /// The server acknowledges this number of frames. True when it had acknowledged fewer before.
    pub(super) fn acknowledged(&mut self, received: u64) -> Result<bool, ProtocolError> {
        let mut is_new = false;
        self.channel.acknowledge(received, |_| is_new = true)?;
        Ok(is_new)
    }

    pub(super) fn awaits_ack(&self) -> bool {
        self.channel.awaits_ack()
    }

    // Received.

    /// Counts bytes of the server, before the frames in them.
    pub(super) fn count_bytes(&mut self, bytes: usize) {
        self.channel.count_bytes(bytes);
    }

    /// §4.4: whether the sender waits for the acknowledgement depends on the frame.
    pub(super) fn count_received(&mut self, now: Instant, is_awaited: bool) {
        self.channel.count_received();
        let is_urgent = is_awaited || self.channel.owes_much();
        let due = if is_urgent { now } else { now + ACK_DELAY };
        self.ack_due = Some(self.ack_due.map_or(due, |earlier| earlier.min(due)));
    }

    pub(super) fn take_ack(&mut self) -> Option<u64> {
        self.ack_due = None;
        self.channel.take_ack().filter(|_| !planted(Bug::AckNeverSent))
    }

    // State.

    /// The first deadline while the session has a link.
    pub(super) fn next_timer(&self) -> Option<Deadline> {
        earliest([
            self.ack_due.map(|due| (due, Timer::Flush)),
            self.ready_at().map(|ready| (ready, Timer::Pace)),
        ])
    }

    /// When a frame may go out that is held back for the server's rate or for its receiver.
    fn ready_at(&self) -> Option<Instant> {
        let paced = [self.pace.ready_at(), self.backlog.paced_until()];
        let paced = paced.into_iter().flatten().filter(|_| !planted(Bug::PaceNotRearmed));
        paced.chain(self.backlog.held_until()).min()
    }

    /// Bytes of frames that wait or are not acknowledged.
    pub(super) fn stored_bytes(&self) -> usize {
        self.channel.unacked_bytes() + self.backlog.bytes()
    }
}

#[cfg(test)]
mod tests;
