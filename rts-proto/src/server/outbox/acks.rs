//! Acknowledgements that the server owes, and results that those of clients cause (§4.4, §5.4).

use alloc::vec::Vec;

use super::{Flow, Outbox};
use crate::server::keys::{Origin, Outcome, SessionNumber};
use crate::server::sessions::Sessions;
use crate::{Instant, ProtocolError, SendCode};

impl Outbox {
    /// Counts a sequenced frame of a session. Its acknowledgement is owed from now on.
    pub(in crate::server) fn count_frame(
        &mut self,
        now: Instant,
        number: SessionNumber,
        flow: &mut Flow,
    ) -> Result<(), ProtocolError> {
        flow.count_frame()?;
        self.owe_ack(now, number, flow);
        Ok(())
    }

    /// The client does not wait for this acknowledgement, so it may be delayed.
    fn owe_ack(&mut self, now: Instant, number: SessionNumber, flow: &mut Flow) {
        if flow.owes_much() {
            self.ready.add(now, number, flow);
        } else {
            self.late_acks.add(now, number, flow);
        }
    }

    /// Sends the acknowledgements whose delay is over.
    #[inline]
    pub(in crate::server) fn late_acks_due(&mut self, sessions: &mut Sessions, now: Instant) {
        while let Some((number, last_ack)) = self.late_acks.pop_due(now) {
            let Some(session) = sessions.get_mut(number) else { continue };
            let flow = &mut session.flow;
            flow.set_late_ack(false);
            if !flow.owes_ack() {
                continue;
            }
            if flow.last_ack() == last_ack {
                self.ready.add(now, number, flow);
            } else {
                // A frame was acknowledged in the meantime: the owed acknowledgement is younger.
                self.owe_ack(now, number, flow);
            }
        }
    }

    /// §5.4: an acknowledgement of the receiver is a result for its sender.
    pub(in crate::server) fn acknowledge(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        received: u64,
    ) -> Result<(), ProtocolError> {
        self.send_results_of(sessions, now, number, |flow, news| flow.acknowledge(received, news))
    }

    /// §4.9: the session is resumed on a new link, and its client has `received` frames. Returns
    /// the number of frames that go out again.
    pub(in crate::server) fn resume(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        received: u64,
    ) -> Result<u32, ProtocolError> {
        self.send_results_of(sessions, now, number, |flow, news| flow.resume(received, news))
    }

    /// Sends results to the senders of the messages that `read` finds acknowledged.
    #[inline]
    fn send_results_of<T: Default>(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        read: impl FnOnce(&mut Flow, &mut Vec<Origin>) -> Result<T, ProtocolError>,
    ) -> Result<T, ProtocolError> {
        let Some(session) = sessions.get_mut(number) else { return Ok(T::default()) };
        let found = read(&mut session.flow, &mut self.acknowledged)?;
        // Broadcasts have no results at their acknowledgement, so mostly there are none.
        if !self.acknowledged.is_empty() {
            self.send_results(sessions, now);
        }
        Ok(found)
    }

    fn send_results(&mut self, sessions: &mut Sessions, now: Instant) {
        let mut origins = core::mem::take(&mut self.acknowledged);
        for origin in origins.drain(..) {
            let outcome = Outcome::Send(SendCode::Ok, origin.id);
            self.add_outcome(sessions, now, origin.session, outcome);
        }
        // The memory is used again.
        self.acknowledged = origins;
    }

    /// A session ended: the frames in its window are never acknowledged (§5.4).
    pub(in crate::server) fn end(&mut self, sessions: &mut Sessions, now: Instant, flow: Flow) {
        for origin in flow.into_origins() {
            let outcome = Outcome::Send(SendCode::Timeout, origin.id);
            self.add_outcome(sessions, now, origin.session, outcome);
        }
    }

    /// Adds a result. The session may have ended by now.
    pub(in crate::server) fn add_outcome(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        outcome: Outcome,
    ) {
        if let Some(session) = sessions.get_mut(number) {
            session.flow.add_outcome(outcome);
            self.ready.add(now, number, &mut session.flow);
        } else if let Some((shard, session)) = sessions.elsewhere(number) {
            self.ready.begin(now);
            self.peers.add_outcome(shard, session, outcome);
        }
    }

    /// Puts a session's results into its window, because another frame has to follow them.
    pub(in crate::server) fn push_outcomes(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
    ) {
        self.settle(sessions, now);
        let Some(session) = sessions.get_mut(number) else { return };
        if !session.flow.push_outcomes() {
            self.overrun_by(number, &mut session.flow);
        }
    }
}
