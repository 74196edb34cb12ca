//! How fast what has waited goes out: at the rates of the server, to the best of our knowledge.

use crate::Instant;
use crate::client::questions::Question;
use crate::limits::STATUS_QUERIES_PER_SECOND;
use crate::rate::TokenBucket;
use crate::wire::Accepted;

/// §4.9: after a return, what waited goes out at the server's rates. Otherwise everything goes out
/// at once and the server judges; the buckets are filled all the same, so that they know.
#[derive(Debug)]
pub(super) struct Pace {
    buckets: Buckets,
    is_on: bool,
    /// When the frame that is held back in the window may go out.
    ready_at: Option<Instant>,
}

impl Pace {
    pub(super) fn new(accepted: &Accepted, now: Instant) -> Self {
        Self { buckets: Buckets::new(accepted, now), is_on: false, ready_at: None }
    }

    /// The server remembers what was used of the rates, and so do we.
    pub(super) fn followed_by(&self, accepted: &Accepted, now: Instant) -> Self {
        let fresh = Buckets::new(accepted, now);
        Self { buckets: self.buckets.or_of_other_rates(fresh), is_on: false, ready_at: None }
    }

    /// Whether what goes out is spread over time.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn set_on(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    /// Nothing is held back in the window.
    pub(super) fn nothing_waits(&mut self) {
        self.ready_at = None;
    }

    pub(super) fn ready_at(&self) -> Option<Instant> {
        self.ready_at
    }

    /// How much may go at this moment; no limit while the pace is off.
    pub(super) fn budget(&self) -> Option<Budget> {
        self.is_on.then(|| Budget { left: self.buckets.clone(), server_sends_wait: None })
    }

    /// Whether the first frame of the window may go out now. Otherwise [`ready_at`](Self::ready_at)
    /// says when.
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

/// How much of each kind may go at this moment.
#[derive(Debug)]
pub(super) struct Budget {
    left: Buckets,
    /// Until when a message to the app's server waits. Server params wait behind it, since they
    /// change where it goes.
    server_sends_wait: Option<Instant>,
}

impl Budget {
    /// Otherwise when there will be one more.
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

/// What the server's rates let pass.
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
            // Few, and their rate at the server is far from reached.
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

    /// A server with this rate of messages to users, and 2 a second to the app's server.
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
    fn half_a_seconds_worth_passes_and_the_next_at_its_rate() {
        let mut pace = pace(true);
        assert_eq!(passed(&mut pace), 2);
        assert_eq!(pace.ready_at(), Some(Instant::from_millis(1_250)));
        assert!(pace.lets_pass(SEND, Instant::from_millis(1_250)));
        assert_eq!(pace.ready_at(), None);
    }

    #[test]
    fn everything_passes_while_the_pace_is_off_and_is_counted() {
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
    fn another_session_remembers_what_was_used_unless_the_rate_is_another() {
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
    fn a_budget_spends_nothing_of_the_pace() {
        let pace = pace(true);
        let mut budget = pace.budget().expect("the pace is on");
        assert_eq!(budget.spend(SEND, NOW), Ok(()));
        assert_eq!(budget.spend(SEND, NOW), Ok(()));
        assert_eq!(budget.spend(SEND, NOW), Err(Instant::from_millis(1_250)));
        assert_eq!(pace.budget().expect("the pace is on").spend(SEND, NOW), Ok(()));
    }

    #[test]
    fn server_params_do_not_overtake_a_message_to_the_server_that_waits() {
        let mut budget = pace(true).budget().expect("the pace is on");
        assert_eq!(budget.spend(Question::ServerParams(1), NOW), Ok(()));
        assert_eq!(budget.spend(SERVER_SEND, NOW), Ok(()));
        let until = budget.spend(SERVER_SEND, NOW);
        assert!(until.is_err());
        assert_eq!(budget.spend(Question::ServerParams(1), NOW), until);
    }
}
