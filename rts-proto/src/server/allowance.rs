//! A user's rates, and what is left of them (§8.3).

use alloc::boxed::Box;

use super::config::Config;
use super::io::UsedRates;
use crate::Instant;
use crate::limits::REFUSAL_NOTICE_EVERY;
use crate::limits::{JOINS_BURST_MIN, MEMBER_LIST_BYTES_BURST, MEMBER_LIST_BYTES_PER_SECOND};
use crate::rate::TokenBucket;

/// What a user does at a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paced {
    Send,
    Broadcast,
    ServerSend,
    ServerParams,
    StatusQuery,
    Join,
}

/// The rates of a user. They belong to its session while there is one, and outlive it.
#[derive(Debug)]
pub(super) struct Allowance {
    sends: TokenBucket,
    broadcasts: TokenBucket,
    server_sends: TokenBucket,
    /// Counted apart, so that setting params takes nothing from later messages.
    server_params: TokenBucket,
    statuses: TokenBucket,
    joins: TokenBucket,
    /// Bytes of join answers, which list members.
    member_lists: TokenBucket,
    /// When a refusal for this user was last logged.
    refusal_logged_at: Option<Instant>,
}

impl Allowance {
    pub(super) fn full(config: &Config, now: Instant) -> Self {
        let joins = config.joins_per_second;
        let list_bytes = if joins == 0 { 0 } else { MEMBER_LIST_BYTES_PER_SECOND };
        Self {
            sends: TokenBucket::new(config.sends_per_second, now),
            broadcasts: TokenBucket::new(config.broadcasts_per_second, now),
            server_sends: TokenBucket::new(config.server_sends_per_second, now),
            server_params: TokenBucket::new(config.server_sends_per_second, now),
            statuses: TokenBucket::new(config.status_queries_per_second, now),
            joins: TokenBucket::with_burst(joins, joins.max(JOINS_BURST_MIN), now),
            member_lists: TokenBucket::with_burst(list_bytes, MEMBER_LIST_BYTES_BURST, now),
            refusal_logged_at: None,
        }
    }

    /// Takes one event's worth. False when the rate is used up.
    #[inline]
    pub(super) fn take(&mut self, paced: Paced, now: Instant) -> bool {
        let bucket = match paced {
            Paced::Send => &mut self.sends,
            Paced::Broadcast => &mut self.broadcasts,
            Paced::ServerSend => &mut self.server_sends,
            Paced::ServerParams => &mut self.server_params,
            Paced::StatusQuery => &mut self.statuses,
            Paced::Join => &mut self.joins,
        };
        bucket.take(now)
    }

    /// Gives back a join that was taken in vain.
    pub(super) fn give_back_join(&mut self, now: Instant) {
        self.joins.give_back(now);
    }

    /// When a list of members of this length can be taken. A moment up to now means at once.
    pub(super) fn member_list_at(&self, bytes_len: usize) -> Instant {
        let worth = u32::try_from(bytes_len).expect("not longer than a frame");
        self.member_lists.ready_for(worth)
    }

    /// Takes a list of members of this length. When the budget is too small, takes nothing and
    /// returns the moment when it will be sufficient.
    pub(super) fn take_member_list(
        &mut self,
        bytes_len: usize,
        now: Instant,
    ) -> Result<(), Instant> {
        let worth = u32::try_from(bytes_len).expect("not longer than a frame");
        match self.member_lists.take_many(worth, now) {
            true => Ok(()),
            false => Err(self.member_lists.ready_for(worth)),
        }
    }

    /// When all rates are full again.
    pub(super) fn full_at(&self) -> Instant {
        self.buckets().map(TokenBucket::full_at).into_iter().max().unwrap_or_default()
    }

    /// What is used up of the rates, for another shard; `None` if they are full.
    pub(super) fn used(&self, now: Instant) -> Option<Box<UsedRates>> {
        let used = self.buckets().map(|bucket| bucket.used(now));
        used.iter().any(|used| *used > 0).then(|| Box::new(UsedRates(used)))
    }

    /// Rates of which this is used up.
    pub(super) fn with_used(config: &Config, now: Instant, used: &UsedRates) -> Self {
        let mut allowance = Self::full(config, now);
        let buckets = allowance.buckets_mut();
        buckets.into_iter().zip(used.0).for_each(|(bucket, used)| bucket.set_used(used));
        allowance
    }

    /// All rates, in the order of [`UsedRates`].
    fn buckets(&self) -> [&TokenBucket; 7] {
        let Self { sends, broadcasts, server_sends, server_params, .. } = self;
        let Self { statuses, joins, member_lists, .. } = self;
        [sends, broadcasts, server_sends, server_params, statuses, joins, member_lists]
    }

    fn buckets_mut(&mut self) -> [&mut TokenBucket; 7] {
        let Self {
            sends,
            broadcasts,
            server_sends,
            server_params,
            statuses,
            joins,
            member_lists,
            refusal_logged_at: _,
        } = self;
        [sends, broadcasts, server_sends, server_params, statuses, joins, member_lists]
    }

    /// Whether to log this refusal. Notices for one user are rate-limited.
    pub(super) fn may_log_refusal(&mut self, now: Instant) -> bool {
        let is_due = self.refusal_logged_at.is_none_or(|at| now.since(at) >= REFUSAL_NOTICE_EVERY);
        if is_due {
            self.refusal_logged_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_up_rates_are_the_same_in_another_shard_whose_clock_differs() {
        let config = Config::default();
        let mut allowance = Allowance::full(&config, Instant::ORIGIN);
        assert_eq!(allowance.used(Instant::ORIGIN), None);
        assert!(allowance.take(Paced::Join, Instant::ORIGIN));
        assert!(allowance.take(Paced::Send, Instant::ORIGIN));
        let (here, there) = (Instant::from_micros(1_000), Instant::from_millis(77_000));
        let used = allowance.used(here).expect("something");
        let moved = Allowance::with_used(&config, there, &used);
        assert_eq!(moved.full_at().since(there), allowance.full_at().since(here));
        assert_eq!(moved.used(there), Some(used));
        assert_eq!(moved.used(there + (moved.full_at().since(there))), None);
        let too_much = Allowance::with_used(&config, there, &UsedRates([u64::MAX; 7]));
        assert!(!{ too_much }.take(Paced::Send, there));
    }

    #[test]
    fn allowance_is_full_with_its_slowest_rate() {
        let config = Config::default();
        let mut allowance = Allowance::full(&config, Instant::ORIGIN);
        assert_eq!(allowance.full_at(), Instant::ORIGIN);
        assert!(allowance.take(Paced::Send, Instant::ORIGIN));
        let after_one_send = allowance.full_at();
        assert!(after_one_send > Instant::ORIGIN);
        let second = MEMBER_LIST_BYTES_PER_SECOND as usize;
        assert_eq!(allowance.take_member_list(second, Instant::ORIGIN), Ok(()));
        assert_eq!(allowance.full_at(), Instant::from_millis(1_000));
    }

    #[test]
    fn each_rate_is_taken_by_its_own_events() {
        use Paced::{Broadcast, Join, Send, ServerParams, ServerSend, StatusQuery};
        let config = Config {
            sends_per_second: 1,
            broadcasts_per_second: 2,
            server_sends_per_second: 3,
            status_queries_per_second: 4,
            joins_per_second: JOINS_BURST_MIN + 1,
            ..Config::default()
        };
        let mut allowance = Allowance::full(&config, Instant::ORIGIN);
        let limits = [Send, Broadcast, ServerSend, ServerParams, StatusQuery, Join]
            .map(|paced| (0..).take_while(|_| allowance.take(paced, Instant::ORIGIN)).count());
        assert_eq!(limits, [1, 2, 3, 3, 4, JOINS_BURST_MIN as usize + 1]);
    }

    #[test]
    fn member_list_over_the_budget_takes_nothing() {
        let mut allowance = Allowance::full(&Config::default(), Instant::ORIGIN);
        let (all, second) =
            (MEMBER_LIST_BYTES_BURST as usize, MEMBER_LIST_BYTES_PER_SECOND as usize);
        assert_eq!(allowance.take_member_list(all, Instant::ORIGIN), Ok(()));
        for _ in 0..2 {
            let sufficient = Err(Instant::from_millis(1_000));
            assert_eq!(allowance.take_member_list(second, Instant::ORIGIN), sufficient);
        }
        assert_eq!(allowance.take_member_list(second, Instant::from_millis(1_000)), Ok(()));
    }

    #[test]
    fn refusals_are_logged_at_a_limited_rate() {
        let mut allowance = Allowance::full(&Config::default(), Instant::ORIGIN);
        assert!(allowance.may_log_refusal(Instant::ORIGIN));
        let next = Instant::ORIGIN + REFUSAL_NOTICE_EVERY;
        assert!(!allowance.may_log_refusal(Instant::from_micros(next.as_micros() - 1)));
        assert!(allowance.may_log_refusal(next));
        assert!(!allowance.may_log_refusal(next));
    }
}
