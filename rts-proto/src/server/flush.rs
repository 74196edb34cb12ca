//! The end of a burst: what a session gets goes out together, one acknowledgement, results in
//! batches (§4.4, §5.8). An acknowledgement for which nobody waits goes with the next results, or
//! on its own a little later.

use alloc::vec::Vec;

use bytes::Bytes;

use super::session::{Outcome, Session, SessionNumber};
use super::{Output, Server};
use crate::limits::{ACK_DELAY, FRAME_BYTES_MAX, ID_BYTES_MAX};
use crate::wire::{self, Frame};
use crate::{Instant, MessageId};

/// A burst of unreliable messages has as many results as frames fit into it: more than one frame
/// of results may hold (§1.2).
const RESULTS_PER_FRAME_MAX: usize = 4_096;
/// The longest varint of 64 bits.
const NUMBER_BYTES_MAX: usize = 10;
const _: () =
    assert!(RESULTS_PER_FRAME_MAX * NUMBER_BYTES_MAX + ID_BYTES_MAX + 32 < FRAME_BYTES_MAX);

/// A session that owed an acknowledgement, and is looked at again. All wait equally long, so they
/// are due in the order in which they came.
#[derive(Debug)]
pub(super) struct LateAck {
    pub(super) due: Instant,
    number: SessionNumber,
    /// What the other side had been told then.
    told: u64,
}

/// Sessions that owe an acknowledgement or results, or have something in their window that was not
/// sent, and since when.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    numbers: Vec<SessionNumber>,
    pub(super) since: Option<Instant>,
}

impl Dirty {
    pub(super) fn add(&mut self, now: Instant, number: SessionNumber, session: &mut Session) {
        if !core::mem::replace(&mut session.is_dirty, true) {
            self.numbers.push(number);
            self.since.get_or_insert(now);
        }
    }
}

impl Server {
    pub(super) fn mark_dirty(&mut self, now: Instant, number: SessionNumber) {
        if let Some(session) = self.sessions.get_mut(number) {
            self.dirty.add(now, number, session);
        }
    }

    /// A sequenced frame of this session was counted. Nobody waits for its acknowledgement.
    pub(super) fn owe_ack(&mut self, now: Instant, number: SessionNumber) {
        let Some(session) = self.sessions.get_mut(number) else { return };
        if session.channel.owes_much() {
            self.dirty.add(now, number, session);
        } else if !core::mem::replace(&mut session.has_late_ack, true) {
            let (due, told) = (now + ACK_DELAY, session.channel.told());
            self.late_acks.push_back(LateAck { due, number, told });
        }
    }

    /// Acknowledges what has waited for company long enough.
    pub(super) fn late_acks_due(&mut self, now: Instant) {
        while self.late_acks.front().is_some_and(|ack| ack.due <= now)
            && let Some(LateAck { number, told, .. }) = self.late_acks.pop_front()
        {
            let Some(session) = self.sessions.get_mut(number) else { continue };
            session.has_late_ack = false;
            if !session.channel.owes_ack() {
                continue;
            }
            if session.channel.told() == told {
                self.dirty.add(now, number, session);
            } else {
                // Something was acknowledged in the meantime: what is owed now is younger.
                self.owe_ack(now, number);
            }
        }
    }

    /// Sends what is owed. Ending a session that has no room for its results makes results for
    /// others, so this goes on until there are none; each round ends at least one session.
    pub(super) fn flush(&mut self, now: Instant) {
        while !self.dirty.numbers.is_empty() {
            let mut numbers = core::mem::take(&mut self.dirty.numbers);
            for number in numbers.drain(..) {
                let Some(session) = self.sessions.get_mut(number) else { continue };
                session.is_dirty = false;
                if let Some(link) = session.link
                    && let Some(received) = session.channel.take_ack()
                {
                    let ack = Frame::Ack { received }.encode();
                    self.outputs.push_back(Output::Transmit(link, ack));
                }
                if !session.push_outcomes() {
                    self.overrun.add(number, session);
                }
                self.bundler.transmit(session, &mut self.outputs);
            }
            self.bundler.forget();
            // Nothing owes anything now: the list's memory serves again.
            self.dirty.numbers = numbers;
            self.end_overrun(now);
        }
        self.send_pongs();
        self.dirty.since = None;
    }

    fn send_pongs(&mut self) {
        for number in self.pongs.drain(..) {
            let link = self.sessions.get(number).and_then(|session| session.link);
            if let Some(link) = link.filter(|link| !self.congested.contains(link)) {
                self.outputs.push_back(Output::Transmit(link, Frame::Pong.encode()));
            }
        }
    }
}

impl Session {
    /// Puts the results into the window; false when there is no room for all.
    pub(super) fn push_outcomes(&mut self) -> bool {
        let outcomes = core::mem::take(&mut self.outcomes);
        let runs = outcomes.chunk_by(Outcome::goes_with);
        let mut batches = runs.flat_map(|run| run.chunks(RESULTS_PER_FRAME_MAX));
        batches.all(|batch| self.push(results(batch), None))
    }
}

impl Outcome {
    fn goes_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Send(code, _), Self::Send(other, _)) => code == other,
            (Self::Broadcast(room, code, _), Self::Broadcast(other_room, other, _)) => {
                room == other_room && code == other
            }
            (Self::Send(..), Self::Broadcast(..)) | (Self::Broadcast(..), Self::Send(..)) => false,
        }
    }

    fn id(&self) -> MessageId {
        match self {
            Self::Send(_, id) | Self::Broadcast(_, _, id) => *id,
        }
    }
}

/// One frame for outcomes that go together.
fn results(batch: &[Outcome]) -> Bytes {
    let ids = batch.iter().map(Outcome::id);
    match &batch[0] {
        Outcome::Send(code, _) => wire::send_results(*code, ids),
        Outcome::Broadcast(room, code, _) => wire::broadcast_results(room, *code, ids),
    }
}
