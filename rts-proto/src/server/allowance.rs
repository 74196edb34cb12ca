//! A user's rates, and what is left of them (§8.3).

use super::config::Config;
use crate::Instant;
use crate::limits::REFUSAL_NOTICE_EVERY;
use crate::limits::{JOINS_BURST_MIN, MEMBER_LIST_BYTES_BURST, MEMBER_LIST_BYTES_PER_SECOND};
use crate::rate::TokenBucket;

/// The rates of a user. They belong to its session while there is one, and outlive it.
#[derive(Debug)]
pub(super) struct Allowance {
    pub(super) sends: TokenBucket,
    pub(super) broadcasts: TokenBucket,
    pub(super) server_sends: TokenBucket,
    /// Counted apart, so that setting params takes nothing from later messages.
    pub(super) server_params: TokenBucket,
    pub(super) statuses: TokenBucket,
    pub(super) joins: TokenBucket,
    /// Bytes of join answers, which list members.
    pub(super) member_lists: TokenBucket,
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

    /// When all rates are full again.
    pub(super) fn full_at(&self) -> Instant {
        let Self { sends, broadcasts, server_sends, server_params, .. } = self;
        let Self { statuses, joins, member_lists, .. } = self;
        let buckets =
            [sends, broadcasts, server_sends, server_params, statuses, joins, member_lists];
        buckets.map(TokenBucket::full_at).into_iter().max().unwrap_or_default()
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
    fn allowance_is_full_with_its_slowest_rate() {
        let config = Config::default();
        let mut allowance = Allowance::full(&config, Instant::ORIGIN);
        assert_eq!(allowance.full_at(), Instant::ORIGIN);
        assert!(allowance.sends.take(Instant::ORIGIN));
        let after_one_send = allowance.full_at();
        assert!(after_one_send > Instant::ORIGIN);
        assert!(allowance.member_lists.take_many(MEMBER_LIST_BYTES_PER_SECOND, Instant::ORIGIN));
        assert_eq!(allowance.full_at(), Instant::from_millis(1_000));
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
