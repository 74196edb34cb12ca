//! Whether sent frames arrive: heartbeats, and frames without an answer.

use crate::Instant;
use crate::client::parameters::{Parameters, Timing};
use crate::client::timer::{Deadline, Timer, earliest};
use crate::planted::{Bug, planted};

/// The frames that an open link has sent, and the signs that they arrived.
#[derive(Debug)]
pub(super) struct Liveness {
    last_sent: Instant,
    /// When the first Ping without a Pong went out. A Pong answers all Pings before it.
    ping_since: Option<Instant>,
    /// Since when sequenced frames wait without an Ack for any of them.
    ack_since: Option<Instant>,
    /// Since when nothing confirmed that sent frames arrive, although some were sent.
    unconfirmed_since: Option<Instant>,
    /// The deadline by which the link must bring bytes after a network change.
    probe_until: Option<Instant>,
}

impl Liveness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last_sent: now,
            ping_since: None,
            ack_since: None,
            unconfirmed_since: None,
            probe_until: None,
        }
    }

    pub(super) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
        self.unconfirmed_since.get_or_insert(now);
    }

    pub(super) fn sequenced_sent(&mut self, now: Instant) {
        self.sent(now);
        self.ack_since.get_or_insert(now);
    }

    pub(super) fn ping_sent(&mut self, now: Instant) {
        self.sent(now);
        self.ping_since.get_or_insert(now);
    }

    /// Counts a heartbeat as sent although it was not.
    pub(super) fn skip_heartbeat(&mut self, now: Instant) {
        self.last_sent = now;
        self.unconfirmed_since = None;
    }

    /// The link must bring bytes until this moment, because the network changed.
    pub(super) fn probe(&mut self, until: Instant) {
        self.probe_until = Some(until);
    }

    pub(super) fn bytes_received(&mut self) {
        self.probe_until = None;
    }

    pub(super) fn pong_received(&mut self) {
        self.ping_since = None;
        self.unconfirmed_since = None;
    }

    /// `waiting`: whether some sent frames are still not acknowledged.
    pub(super) fn ack_received(&mut self, now: Instant, waiting: bool) {
        self.ack_since = waiting.then_some(now);
        // An earlier frame is acknowledged only now: the way to the server is slow, not dead.
        self.ping_since = self.ping_since.map(|_| now);
        self.unconfirmed_since = self.ack_since;
    }

    pub(super) fn next_timer(&self, parameters: &Parameters) -> Option<Deadline> {
        let unanswered = self
            .unanswered_since()
            .map(|since| (since + parameters.get(Timing::Reconnecting), Timer::Unanswered));
        let probe = self.probe_until.map(|until| (until, Timer::Probe));
        earliest([Some((self.heartbeat_due(parameters), Timer::Heartbeat)), unanswered, probe])
    }

    /// When the next Ping is due: one interval after the last frame was sent, or one interval after
    /// the first unconfirmed frame. There is no more than one unanswered Ping of the second kind.
    fn heartbeat_due(&self, parameters: &Parameters) -> Instant {
        let every = parameters.get(Timing::Heartbeat);
        let idle = self.last_sent + every;
        match (self.unconfirmed_since, self.ping_since) {
            (Some(since), None) => idle.min(since + every),
            _ => idle,
        }
    }

    /// The first moment since which a Ping has no Pong, or a sequenced frame no Ack.
    fn unanswered_since(&self) -> Option<Instant> {
        let ping = self.ping_since.filter(|_| !planted(Bug::PingUnansweredIgnored));
        let ack = self.ack_since.filter(|_| !planted(Bug::AckUnansweredIgnored));
        [ping, ack].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn next(liveness: &Liveness) -> Option<Deadline> {
        liveness.next_timer(&Parameters::default())
    }

    #[test]
    fn an_idle_link_pings_every_5_seconds() {
        let mut liveness = Liveness::new(at(0));
        assert_eq!(next(&liveness), Some((at(5), Timer::Heartbeat)));
        liveness.sent(at(4));
        liveness.pong_received();
        assert_eq!(next(&liveness), Some((at(9), Timer::Heartbeat)));
    }

    #[test]
    fn busy_link_pings_once_without_confirmation() {
        let mut liveness = Liveness::new(at(0));
        for second in 1..=5 {
            liveness.sent(at(second));
        }
        assert_eq!(next(&liveness), Some((at(6), Timer::Heartbeat)));
        liveness.ping_sent(at(6));
        assert_eq!(next(&liveness), Some((at(11), Timer::Heartbeat)));
    }

    #[test]
    fn missing_pong_ends_the_link_after_10_seconds() {
        let mut liveness = Liveness::new(at(0));
        liveness.ping_sent(at(5));
        liveness.ping_sent(at(14));
        assert_eq!(next(&liveness), Some((at(15), Timer::Unanswered)));
        liveness.pong_received();
        assert_eq!(next(&liveness), Some((at(19), Timer::Heartbeat)));
    }

    #[test]
    fn missing_ack_ends_the_link_after_10_seconds() {
        let mut liveness = Liveness::new(at(0));
        liveness.sequenced_sent(at(1));
        liveness.ping_sent(at(6));
        liveness.pong_received();
        liveness.sent(at(10));
        assert_eq!(next(&liveness), Some((at(11), Timer::Unanswered)));
        liveness.ack_received(at(10), false);
        assert_eq!(next(&liveness), Some((at(15), Timer::Heartbeat)));
    }

    #[test]
    fn ack_of_earlier_frames_extends_the_time_of_a_ping() {
        let mut liveness = Liveness::new(at(0));
        liveness.sequenced_sent(at(1));
        liveness.ping_sent(at(6));
        liveness.ack_received(at(9), true);
        liveness.sent(at(18));
        assert_eq!(next(&liveness), Some((at(19), Timer::Unanswered)));
    }

    #[test]
    fn network_change_probe_ends_with_any_received_byte() {
        let mut liveness = Liveness::new(at(0));
        liveness.probe(at(2));
        assert_eq!(next(&liveness), Some((at(2), Timer::Probe)));
        liveness.bytes_received();
        assert_eq!(next(&liveness), Some((at(5), Timer::Heartbeat)));
    }
}
