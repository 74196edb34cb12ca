//! The driver's side of an engine: inputs go in, outputs come out.

use super::engine::Client;
use super::io::{Input, Output};
use super::timer::Timer;
use crate::{Disconnect, Instant, LinkId};

impl Client {
    /// Handles an input. A `now` before the latest one counts as the latest one.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.shared.advance(now);
        if let Some(observer) = &mut self.observer {
            observer.input(self.shared.now(), &input);
        }
        match input {
            Input::Tick => self.fire_timers(),
            Input::Connected(link) => self.connection.connected(link, &mut self.shared),
            Input::Received(link, bytes) => self.link_received(link, bytes),
            Input::Disconnected(link) => self.link_disconnected(link),
            Input::NetworkChanged => self.connection.network_changed(&mut self.shared),
        }
    }

    /// The next output. [`Output::Wait`] ends a drain.
    pub fn poll_output(&mut self) -> Output {
        let output = match self.shared.take_output() {
            Some(output) => output,
            None => Output::Wait(self.next_timer().map(|(deadline, _)| deadline)),
        };
        if let Some(observer) = &mut self.observer {
            observer.output(&output);
        }
        output
    }

    /// Ends, because every handler moves its own deadline.
    fn fire_timers(&mut self) {
        while let Some((deadline, timer)) = self.next_timer() {
            if deadline > self.shared.now() {
                return;
            }
            match timer {
                Timer::Flush => self.connection.acknowledge(&mut self.shared),
                Timer::Pace => self.release(),
                Timer::Answer => self.answers_overdue(),
                Timer::Heartbeat => self.connection.send_heartbeat(&mut self.shared),
                Timer::Unanswered | Timer::Probe | Timer::Connect => self.link_timed_out(timer),
                Timer::Login => self.login_unanswered(),
                Timer::Backoff => self.connection.connect(&mut self.shared),
                Timer::Silence => self.silence_goes_on(),
            }
        }
    }

    fn link_disconnected(&mut self, link: LinkId) {
        if self.connection.disconnected(link) {
            self.link_lost(Disconnect::Broken);
        }
    }

    /// Silence reached a mark of the timeline. The first mark also means that an open link is dead.
    fn silence_goes_on(&mut self) {
        self.connection.report_silence(&mut self.shared);
        if self.connection.is_online() {
            self.link_timed_out(Timer::Silence);
        }
    }
}
