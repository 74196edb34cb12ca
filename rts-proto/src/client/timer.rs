//! Everything that happens because time passed.

use super::Client;
use super::connection::Link;
use super::login::Login;
use crate::Instant;

/// Why an engine wants to be woken. Deadlines are worked out from the state each time, so none can
/// be left over from an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A burst of input is over: acknowledge it.
    Flush,
    /// A frame that was held back, for the server's rate or for its receiver, may go out.
    Pace,
    /// A send, broadcast or query has waited long enough.
    Answer,
    /// Nothing was sent for a while, or nothing shows that what was sent arrives.
    Heartbeat,
    /// The server has not answered what was sent: the link is dead, whatever arrives.
    Unanswered,
    /// The changed network has not shown that it carries the link.
    Probe,
    /// Connecting takes too long.
    Connect,
    /// The answer to a login takes too long.
    Login,
    /// The wait before the next attempt is over.
    Backoff,
    /// Silence is to be reported; the first time, the link is dead.
    Silence,
}

impl Client {
    pub(super) fn next_timer(&self) -> Option<(Instant, Timer)> {
        let parameters = &self.parameters;
        let of_link = match &self.link {
            Link::None => None,
            Link::Waiting { until } => Some((*until, Timer::Backoff)),
            Link::Connecting { since, .. } => {
                Some((*since + parameters.connect_timeout, Timer::Connect))
            }
            Link::Greeting(greeting) => {
                Some((greeting.since + parameters.login_timeout, Timer::Login))
            }
            Link::Online(online) => {
                let heartbeat = online.heartbeat_due(parameters.heartbeat);
                let unanswered = online
                    .unanswered_since()
                    .map(|since| (since + parameters.reconnecting_after, Timer::Unanswered));
                let probe = online.probe_until.map(|until| (until, Timer::Probe));
                earliest([Some((heartbeat, Timer::Heartbeat)), unanswered, probe])
            }
        };
        let of_session = match (&self.login, &self.link) {
            (Login::LoggedIn { session, .. }, Link::Online(_)) => earliest([
                session.ack_due().map(|due| (due, Timer::Flush)),
                session.ready_at().map(|ready| (ready, Timer::Pace)),
            ]),
            _ => None,
        };
        let silence = match self.login {
            Login::LoggingIn(_) | Login::LoggedIn { .. } => {
                self.timeline.next_mark(parameters).map(|mark| (mark, Timer::Silence))
            }
            Login::Idle | Login::TokenRejected { .. } => None,
        };
        let answer = self.pending.next_deadline().map(|deadline| (deadline, Timer::Answer));
        earliest([of_link, of_session, silence, answer])
    }

    /// Every handler moves its own deadline, so this ends.
    pub(super) fn fire_timers(&mut self, now: Instant) {
        while let Some((deadline, timer)) = self.next_timer() {
            if deadline > now {
                return;
            }
            match timer {
                Timer::Flush => self.acknowledge(now),
                Timer::Pace => self.release(now),
                Timer::Answer => self.answers_overdue(now),
                Timer::Heartbeat => self.send_heartbeat(now),
                Timer::Unanswered | Timer::Probe | Timer::Connect => self.link_timed_out(now),
                Timer::Login => self.login_unanswered(now),
                Timer::Backoff => self.connect(now),
                Timer::Silence => self.silence_goes_on(now),
            }
        }
    }
}

fn earliest<const N: usize>(timers: [Option<(Instant, Timer)>; N]) -> Option<(Instant, Timer)> {
    timers.into_iter().flatten().min()
}
