//! The pace of frames that have waited. It follows an estimate of the server's rates.

use crate::Instant;
use crate::client::questions::Question;
use crate::limits::STATUS_QUERIES_PER_SECOND;
use crate::rate::TokenBucket;
use crate::wire::Accepted;

/// §4.9: after a reconnect, frames that waited go out at the server's rates. Otherwise every frame
/// goes out at once and the server enforces its rates. The buckets are counted in both cases.
#[derive(Debug)]
pub(super) struct Pace {
    buckets: Buckets,
    is_on: bool,
    /// When the first frame of the window may go out, if it is held back.
    ready_at: Option<Instant>,
}

impl Pace {
    pub(super) fn new(accepted: &Accepted, now: Instant) -> Self {
        Self { buckets: Buckets::new(accepted, now), is_on: false, ready_at: None }
    }

    /// The pace of a following session. The server remembers the used-up rates, and so does the
    /// engine.
    pub(super) fn followed_by(&self, accepted: &Accepted, now: Instant) -> Self {
        let fresh = Buckets::new(accepted, now);
        Self { buckets: self.buckets.or_of_other_rates(fresh), is_on: false, ready_at: None }
    }

    /// Whether frames are spread over time.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn set_on(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    /// No frame of the window is held back.
    pub(super) fn nothing_waits(&mut self) {
        self.ready_at = None;
    }

    pub(super) fn ready_at(&self) -> Option<Instant> {
        self.ready_at
    }

    /// The amounts that may go out now; `None`, which is no limit, while the pace is off.
    pub(super) fn budget(&self) -> Option<Budget> {
        self.is_on.then(|| Budget { left: self.buckets.clone(), server_sends_wait: None })
    }

    /// Whether the first frame of the window may be sent now. If not, [`ready_at`](Self::ready_at)
    /// returns the moment at which it may.
    pub(super) fn lets_pass(&mut self, question: Question, now: Instant) -> bool {
        let Some(bucket) = self.buckets.of(question) else { return true };
        if bucket.take(now) || !self.is_on {
            self.ready_at = None;
            return true;
        }
        self.ready_at = Some(bucket.ready_at());
        false
    }
}

/// The amounts of each kind that may go out now.
#[derive(Debug)]
pub(super) struct Budget {
    left: Buckets,
    /// The moment until which a message to the app server waits. Server params wait behind it,
    /// because they change its destination.
    server_sends_wait: Option<Instant>,
}

impl Budget {
    /// Takes the question's share, or returns when there is one.
    pub(super) fn spend(&mut self, question: Question, now: Instant) -> Result<(), Instant> {
        if matches!(question, Question::ServerParams(_)) {
            return self.server_sends_wait.map_or(Ok(()), Err);
        }
        let Some(bucket) = self.left.of(question) else { return Ok(()) };
        if bucket.take(now) {
            return Ok(());
        }
        let until = bucket.ready_at();
        if matches!(question, Question::ServerSend(_)) {
            self.server_sends_wait = Some(until);
        }
        Err(until)
    }
}

/// The rates of the server.
#[derive(Clone, Debug)]
struct Buckets {
    sends: TokenBucket,
    broadcasts: TokenBucket,
    statuses: TokenBucket,
    server_sends: TokenBucket,
}

impl Buckets {
    fn new(accepted: &Accepted, now: Instant) -> Self {
        Self {
            sends: TokenBucket::cautious(accepted.sends_per_second, now),
            broadcasts: TokenBucket::cautious(accepted.broadcasts_per_second, now),
            statuses: TokenBucket::cautious(STATUS_QUERIES_PER_SECOND, now),
            server_sends: TokenBucket::cautious(accepted.server_sends_per_second, now),
        }
    }

    fn or_of_other_rates(&self, fresh: Self) -> Self {
        Self {
            sends: self.sends.or_of_another_rate(fresh.sends),
            broadcasts: self.broadcasts.or_of_another_rate(fresh.broadcasts),
            statuses: self.statuses.or_of_another_rate(fresh.statuses),
            server_sends: self.server_sends.or_of_another_rate(fresh.server_sends),
        }
    }

    fn of(&mut self, question: Question) -> Option<&mut TokenBucket> {
        match question {
            Question::Send(_) => Some(&mut self.sends),
            Question::Broadcast(_) => Some(&mut self.broadcasts),
            Question::Status(_) => Some(&mut self.statuses),
            Question::ServerSend(_) => Some(&mut self.server_sends),
            // These are few, and far below their rate at the server.
            Question::ServerParams(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageId;
    use crate::client::connection::testing;

    const NOW: Instant = Instant::from_millis(1_000);
    const SEND: Question = Question::Send(MessageId(1));
    const SERVER_SEND: Question = Question::ServerSend(MessageId(2));

    /// A server with this rate of messages to users, and 2 a second to the app server.
    fn accepted(sends_per_second: u32) -> Accepted {
        Accepted { sends_per_second, server_sends_per_second: 2, ..testing::accepted() }
    }

    fn pace(is_on: bool) -> Pace {
        let mut pace = Pace::new(&accepted(4), NOW);
        pace.set_on(is_on);
        pace
    }

    fn passed(pace: &mut Pace) -> usize {
        (0..100).take_while(|_| pace.lets_pass(SEND, NOW)).count()
    }

    #[test]
    fn pace_allows_half_a_second_then_the_rate() {
        let mut pace = pace(true);
        assert_eq!(passed(&mut pace), 2);
        assert_eq!(pace.ready_at(), Some(Instant::from_millis(1_250)));
        assert!(pace.lets_pass(SEND, Instant::from_millis(1_250)));
        assert_eq!(pace.ready_at(), None);
    }

    #[test]
    fn disabled_pace_counts_but_delays_nothing() {
        let mut pace = pace(false);
        assert_eq!(passed(&mut pace), 100);
        pace.set_on(true);
        assert_eq!(passed(&mut pace), 0);
    }

    #[test]
    fn each_kind_has_a_rate_of_its_own() {
        let mut pace = pace(true);
        passed(&mut pace);
        assert!(pace.lets_pass(Question::Broadcast(1), NOW));
        assert!(pace.lets_pass(Question::Status(1), NOW));
        assert!(pace.lets_pass(Question::ServerParams(1), NOW));
    }

    #[test]
    fn next_session_keeps_used_rates_unless_the_rate_changes() {
        let mut before = pace(true);
        passed(&mut before);
        let mut same = before.followed_by(&accepted(4), NOW);
        same.set_on(true);
        assert_eq!(passed(&mut same), 0);
        let mut other = before.followed_by(&accepted(8), NOW);
        other.set_on(true);
        assert_eq!(passed(&mut other), 4);
    }

    #[test]
    fn budget_takes_no_tokens_of_the_pace() {
        let pace = pace(true);
        let mut budget = pace.budget().expect("the pace is on");
        assert_eq!(budget.spend(SEND, NOW), Ok(()));
        assert_eq!(budget.spend(SEND, NOW), Ok(()));
        assert_eq!(budget.spend(SEND, NOW), Err(Instant::from_millis(1_250)));
        assert_eq!(pace.budget().expect("the pace is on").spend(SEND, NOW), Ok(()));
    }

    #[test]
    fn server_params_do_not_overtake_waiting_server_messages() {
        let mut budget = pace(true).budget().expect("the pace is on");
        assert_eq!(budget.spend(Question::ServerParams(1), NOW), Ok(()));
        assert_eq!(budget.spend(SERVER_SEND, NOW), Ok(()));
        let until = budget.spend(SERVER_SEND, NOW);
        assert!(until.is_err());
        assert_eq!(budget.spend(Question::ServerParams(1), NOW), until);
    }
}
