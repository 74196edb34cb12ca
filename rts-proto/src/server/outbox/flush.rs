//! What goes out at the end of a burst.

use super::Outbox;
use crate::server::deadlines::Timer;
use crate::server::io::Output;
use crate::server::keys::SessionNumber;
use crate::server::sessions::Sessions;
use crate::wire::Frame;
use crate::{Instant, LinkId};

impl Outbox {
    /// §2.5: one answer to all pings of a burst.
    pub(in crate::server) fn answer_ping(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
    ) {
        let Some(session) = sessions.get_mut(number) else { return };
        if session.flow.add_pong(now) {
            self.pongs.push(number);
            self.ready.add(now, number, &mut session.flow);
        }
    }

    /// Marks the session as ready, for example with all of its window after a resume.
    pub(in crate::server) fn make_ready(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        number: SessionNumber,
    ) {
        if let Some(session) = sessions.get_mut(number) {
            self.ready.add(now, number, &mut session.flow);
        }
    }

    /// Sends what the ready sessions owe. The caller ends the overrun sessions, which makes results
    /// for others, and repeats this until no session is ready.
    pub(in crate::server) fn flush(&mut self, sessions: &mut Sessions, now: Instant) {
        self.settle(sessions, now);
        let mut numbers = self.ready.take();
        let mut bundling = self.bundler.begin();
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
            if !flow.push_outcomes() && !flow.set_lost() {
                self.overrun.push(number);
            }
            if let Some(link) = link {
                bundling.transmit(link, flow, &mut self.outputs);
            }
        }
        drop(bundling);
        self.ready.give_back(numbers);
    }

    /// The burst is over, and no session is ready.
    pub(in crate::server) fn end_burst(
        &mut self,
        sessions: &mut Sessions,
        mut is_read: impl FnMut(LinkId) -> bool,
    ) {
        for number in self.pongs.drain(..) {
            let Some(session) = sessions.get_mut(number) else { continue };
            session.flow.take_pong();
            if let Some(link) = session.link().filter(|link| is_read(*link)) {
                self.outputs.push_back(Output::Transmit(link, Frame::Pong.encode()));
            }
        }
        self.ready.end_burst();
        self.peers.end_burst(&mut self.outputs);
    }

    /// Whether no session has anything to send at the end of the burst.
    pub(in crate::server) fn is_flushed(&self) -> bool {
        self.ready.is_empty()
    }

    /// The first deadline of the outbox.
    pub(in crate::server) fn next_timer(&self) -> Option<(Instant, Timer)> {
        let flush = self.ready.since().map(|since| (since, Timer::Flush));
        let late_ack = self.late_acks.next_due().map(|due| (due, Timer::Acknowledge));
        [flush, late_ack].into_iter().flatten().min()
    }
}
