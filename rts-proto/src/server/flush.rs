//! The end of a burst: one acknowledgement a session, and results in batches (§4.4, §5.8). An acknowledgement for which
//! nobody waits goes with the next results, or on its own a little later.

use alloc::vec::Vec;

use super::Server;
use super::session::{Outcome, SessionNumber};
use crate::Instant;
use crate::limits::{ACK_DELAY, FRAME_BYTES_MAX, ID_BYTES_MAX};
use crate::wire::Frame;

/// A burst of unreliable messages has as many results as frames fit into it: more than one frame
/// of results may hold (§1.2).
const RESULTS_PER_FRAME_MAX: usize = 4_096;
/// The longest varint of 64 bits.
const NUMBER_BYTES_MAX: usize = 10;
const _: () =
    assert!(RESULTS_PER_FRAME_MAX * NUMBER_BYTES_MAX + ID_BYTES_MAX + 32 < FRAME_BYTES_MAX);

/// A session that owed an acknowledgement, and is looked at again. All wait equally long, so they are due in the order in
/// which they came.
#[derive(Debug)]
pub(super) struct LateAck {
    pub(super) due: Instant,
    number: SessionNumber,
    /// What the other side had been told then.
    told: u64,
}

impl Server {
    pub(super) fn mark_dirty(&mut self, now: Instant, number: SessionNumber) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        if !core::mem::replace(&mut session.is_dirty, true) {
            self.dirty.push(number);
            self.flush_due.get_or_insert(now);
        }
    }

    /// A sequenced frame of this session was counted. Nobody waits for its acknowledgement.
    pub(super) fn owe_ack(&mut self, now: Instant, number: SessionNumber) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        if session.channel.owes_much() {
            self.mark_dirty(now, number);
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
            let Some(session) = self.sessions.get_mut(&number) else { continue };
            session.has_late_ack = false;
            if !session.channel.owes_ack() {
                continue;
            }
            if session.channel.told() == told {
                self.mark_dirty(now, number);
            } else {
                // Something was acknowledged in the meantime: what is owed now is younger.
                self.owe_ack(now, number);
            }
        }
    }

    /// Sends what is owed. Ending a session that has no room for its results makes results for
    /// others, so this goes on until there are none; each round ends at least one session.
    pub(super) fn flush(&mut self, now: Instant) {
        while !self.dirty.is_empty() {
            for number in core::mem::take(&mut self.dirty) {
                let Some(session) = self.sessions.get_mut(&number) else { continue };
                session.is_dirty = false;
                if let Some(link) = session.link
                    && let Some(received) = session.channel.take_ack()
                {
                    self.transmit(link, Frame::Ack { received });
                }
                self.flush_outcomes(number);
            }
            self.end_overrun(now);
        }
        self.flush_due = None;
    }

    pub(super) fn flush_outcomes(&mut self, number: SessionNumber) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        let outcomes = core::mem::take(&mut session.outcomes);
        let mut rest = outcomes.as_slice();
        while let Some(first) = rest.first() {
            let together = rest.iter().take_while(|outcome| outcome.goes_with(first));
            let run = together.take(RESULTS_PER_FRAME_MAX).count();
            let (batch, after) = rest.split_at(run);
            self.push_frame(number, results(first, batch));
            rest = after;
        }
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
}

/// One frame for outcomes that go with `first`.
fn results(first: &Outcome, batch: &[Outcome]) -> Frame {
    let ids: Vec<_> = batch
        .iter()
        .map(|outcome| match outcome {
            Outcome::Send(_, id) | Outcome::Broadcast(_, _, id) => *id,
        })
        .collect();
    match first {
        Outcome::Send(code, _) => Frame::SendResults { code: *code, ids },
        Outcome::Broadcast(room, code, _) => {
            Frame::BroadcastResults { room: room.clone(), code: *code, ids }
        }
    }
}
