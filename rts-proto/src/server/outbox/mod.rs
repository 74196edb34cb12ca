//! All that goes out, in its order: broadcasts into windows first, then what else a session gets,
//! and at the end of a burst one acknowledgement, the results in batches (§4.4, §5.8) and the rest
//! of the window.
//!
//! Nothing reaches a session's window but through here. Whatever here puts something into a window,
//! sends it, or asks how full it is, settles broadcasts first, so no caller can forget to.
//! Acknowledging and resuming need not: they are about what is there already.

mod bundle;
mod fan_out;
mod flow;
mod ready;
mod results;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

pub(super) use fan_out::Audience;
pub(super) use flow::Flow;

use super::deadlines::Timer;
use super::io::Output;
use super::keys::{Origin, Outcome, SessionNumber};
use super::sessions::Sessions;
#[cfg(test)]
use crate::kept::Kept;
use crate::wire::Frame;
use crate::{Instant, LinkId, ProtocolError, SendCode};
use bundle::Bundler;
use fan_out::FanOut;
use ready::{LateAcks, ReadyQueue};

#[derive(Debug, Default)]
pub(super) struct Outbox {
    outputs: VecDeque<Output>,
    fan_out: FanOut,
    ready: ReadyQueue,
    late_acks: LateAcks,
    bundler: Bundler,
    /// Sessions whose pings are answered with the next flush.
    pongs: Vec<SessionNumber>,
    /// Whom an acknowledgement is news for, while it is read.
    acknowledged: Vec<Origin>,
    /// Sessions that did not get what they must, to be ended when the input is handled: we may be in
    /// the middle of a fan-out.
    overrun: Vec<SessionNumber>,
}

impl Outbox {
    /// Asks something of the world that does not touch a link.
    pub(super) fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Puts a frame into a session's window; false when it has no room, or there is no session. The
    /// frame goes out with all others of the burst.
    pub(super) fn push(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        frame: Bytes,
        origin: Option<Origin>,
    ) -> bool {
        self.settle(sessions, now);
        let Some(session) = sessions.get_mut(number) else { return false };
        let has_room = session.flow.push(frame, origin);
        self.ready.add(now, number, &mut session.flow);
        has_room
    }

    /// Puts a frame into the window of a session that must get it. One that has no room for it has
    /// lost something, and is over (§6.8).
    pub(super) fn push_or_end(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        frame: Bytes,
    ) {
        self.settle(sessions, now);
        let Some(session) = sessions.get_mut(number) else { return };
        if session.flow.push(frame, None) {
            self.ready.add(now, number, &mut session.flow);
        } else {
            self.overrun_by(number, &mut session.flow);
        }
    }

    /// Takes a broadcast to all of an audience but its sender.
    pub(super) fn broadcast(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        from: SessionNumber,
        frame: Bytes,
        audience: Audience,
        members: impl Iterator<Item = SessionNumber>,
    ) {
        if !self.fan_out.takes(audience, &frame) {
            self.settle(sessions, now);
            self.fan_out.begin(audience, members);
        }
        self.fan_out.add(from, frame);
    }

    /// Puts what was broadcast into the windows of the members.
    #[inline]
    pub(super) fn settle(&mut self, sessions: &mut Sessions, now: Instant) {
        // Asked for each frame, and mostly there are none.
        if !self.fan_out.is_empty() {
            self.fan_out_now(sessions, now);
        }
    }

    fn fan_out_now(&mut self, sessions: &mut Sessions, now: Instant) {
        let mut fan_out = core::mem::take(&mut self.fan_out);
        let all = fan_out.joined();
        for member in fan_out.members() {
            let Some(session) = sessions.get_mut(member) else { continue };
            if fan_out.push_to(member, &mut session.flow, &all) {
                self.ready.add(now, member, &mut session.flow);
            } else {
                self.overrun_by(member, &mut session.flow);
            }
        }
        fan_out.clear();
        self.fan_out = fan_out;
    }

    /// Sends a frame that is not sequenced, behind all that the session gets before it.
    pub(super) fn transmit(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        link: LinkId,
        session: Option<SessionNumber>,
        frame: Bytes,
    ) {
        if let Some(number) = session {
            self.settle(sessions, now);
            if let Some(session) = sessions.get_mut(number)
                && let Some(link) = session.link()
            {
                self.bundler.transmit(link, &mut session.flow, &mut self.outputs);
                self.bundler.forget();
            }
        }
        self.put(Output::Transmit(link, frame));
    }

    /// Bytes that a session has not acknowledged.
    pub(super) fn unacked_bytes(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
    ) -> Option<usize> {
        self.settle(sessions, now);
        Some(sessions.get(number)?.flow.unacked_bytes())
    }

    /// Counts a sequenced frame of a session, which is owed an acknowledgement.
    pub(super) fn count_frame(
        &mut self,
        now: Instant,
        number: SessionNumber,
        flow: &mut Flow,
    ) -> Result<(), ProtocolError> {
        flow.count_frame()?;
        self.owe_ack(now, number, flow);
        Ok(())
    }

    /// Nobody waits for this acknowledgement, so it may wait for company.
    fn owe_ack(&mut self, now: Instant, number: SessionNumber, flow: &mut Flow) {
        if flow.owes_much() {
            self.ready.add(now, number, flow);
        } else {
            self.late_acks.add(now, number, flow);
        }
    }

    /// Acknowledges what has waited for company long enough.
    #[inline]
    pub(super) fn late_acks_due(&mut self, sessions: &mut Sessions, now: Instant) {
        while let Some((number, told)) = self.late_acks.pop_due(now) {
            let Some(session) = sessions.get_mut(number) else { continue };
            let flow = &mut session.flow;
            flow.set_late_ack(false);
            if !flow.owes_ack() {
                continue;
            }
            if flow.told() == told {
                self.ready.add(now, number, flow);
            } else {
                // Something was acknowledged in the meantime: what is owed now is younger.
                self.owe_ack(now, number, flow);
            }
        }
    }

    /// §5.4: what the receiver has is a result for its sender.
    pub(super) fn acknowledge(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        received: u64,
    ) -> Result<(), ProtocolError> {
        self.tell_of(sessions, now, number, |flow, news| flow.acknowledge(received, news))
    }

    /// §4.9: a new link goes on with the session, whose client has `received` frames. How many go
    /// out again.
    pub(super) fn resume(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        received: u64,
    ) -> Result<u32, ProtocolError> {
        self.tell_of(sessions, now, number, |flow, news| flow.resume(received, news))
    }

    /// Tells the senders of what a session has by now, as `read` finds it.
    #[inline]
    fn tell_of<T: Default>(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        read: impl FnOnce(&mut Flow, &mut Vec<Origin>) -> Result<T, ProtocolError>,
    ) -> Result<T, ProtocolError> {
        let Some(session) = sessions.get_mut(number) else { return Ok(T::default()) };
        let found = read(&mut session.flow, &mut self.acknowledged)?;
        // Nobody waits for what the members of a room acknowledge.
        if !self.acknowledged.is_empty() {
            self.tell_acknowledged(sessions, now);
        }
        Ok(found)
    }

    fn tell_acknowledged(&mut self, sessions: &mut Sessions, now: Instant) {
        let mut origins = core::mem::take(&mut self.acknowledged);
        for origin in origins.drain(..) {
            let outcome = Outcome::Send(SendCode::Ok, origin.id);
            self.add_outcome(sessions, now, origin.session, outcome);
        }
        // Its memory serves again.
        self.acknowledged = origins;
    }

    /// A session is over: nobody will acknowledge what is in its window (§5.4).
    pub(super) fn end(&mut self, sessions: &mut Sessions, now: Instant, flow: Flow) {
        for origin in flow.into_origins() {
            let outcome = Outcome::Send(SendCode::Timeout, origin.id);
            self.add_outcome(sessions, now, origin.session, outcome);
        }
    }

    /// A result for a session that may be gone by now.
    pub(super) fn add_outcome(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
        outcome: Outcome,
    ) {
        if let Some(session) = sessions.get_mut(number) {
            session.flow.add_outcome(outcome);
            self.ready.add(now, number, &mut session.flow);
        }
    }

    /// Puts a session's results into its window, since something else has to come after them.
    pub(super) fn push_outcomes(
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

    /// §2.5: one answer for all pings of a burst.
    pub(super) fn answer_ping(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
    ) {
        let Some(session) = sessions.get_mut(number) else { return };
        if self.pongs.last() != Some(&number) && session.flow.take_pong(now) {
            self.pongs.push(number);
            self.ready.add(now, number, &mut session.flow);
        }
    }

    /// The session has something to send, such as all of its window after a resume.
    pub(super) fn make_ready(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
    ) {
        if let Some(session) = sessions.get_mut(number) {
            self.ready.add(now, number, &mut session.flow);
        }
    }

    /// Sends what the ready sessions owe. The caller ends those that are overrun, which makes
    /// results for others, and comes back until nobody is ready.
    pub(super) fn flush(&mut self, sessions: &mut Sessions, now: Instant) {
        self.settle(sessions, now);
        let mut numbers = self.ready.take();
        for number in numbers.drain(..) {
            let Some(session) = sessions.get_mut(number) else { continue };
            let link = session.link();
            let flow = &mut session.flow;
            flow.set_ready(false);
            if let Some(link) = link
                && let Some(received) = flow.take_ack()
            {
                self.outputs.push_back(Output::Transmit(link, Frame::Ack { received }.encode()));
            }
            if !flow.push_outcomes() {
                self.overrun_by(number, flow);
            }
            if let Some(link) = link {
                self.bundler.transmit(link, flow, &mut self.outputs);
            }
        }
        self.bundler.forget();
        self.ready.give_back(numbers);
    }

    /// The burst is over, and nobody is ready any more.
    pub(super) fn end_burst(
        &mut self,
        sessions: &Sessions,
        mut is_read: impl FnMut(LinkId) -> bool,
    ) {
        for number in self.pongs.drain(..) {
            let link = sessions.get(number).and_then(|session| session.link());
            if let Some(link) = link.filter(|link| is_read(*link)) {
                self.outputs.push_back(Output::Transmit(link, Frame::Pong.encode()));
            }
        }
        self.ready.end_burst();
    }

    /// Nobody has anything to send at the end of the burst.
    pub(super) fn is_flushed(&self) -> bool {
        self.ready.is_empty()
    }

    fn overrun_by(&mut self, number: SessionNumber, flow: &mut Flow) {
        if !flow.set_lost() {
            self.overrun.push(number);
        }
    }

    /// A session that did not get something that it must: it is over.
    pub(super) fn pop_overrun(&mut self) -> Option<SessionNumber> {
        self.overrun.pop()
    }

    /// The first moment at which there is something to do here.
    pub(super) fn next_timer(&self) -> Option<(Instant, Timer)> {
        let flush = self.ready.since().map(|since| (since, Timer::Flush));
        let late_ack = self.late_acks.next_due().map(|due| (due, Timer::Acknowledge));
        [flush, late_ack].into_iter().flatten().min()
    }

    /// What is kept here, and how much of it.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { outputs, fan_out, ready, late_acks, bundler, pongs, acknowledged, overrun } =
            self;
        alloc::vec![
            ("outputs", outputs.len()),
            ("broadcasts", fan_out.len()),
            ("ready sessions", ready.len()),
            ("late acknowledgements", late_acks.len()),
            ("bundles", bundler.len()),
            ("pongs", pongs.len()),
            ("acknowledged sends", acknowledged.len()),
            ("overrun sessions", overrun.len()),
        ]
    }
}

#[cfg(test)]
mod tests;
