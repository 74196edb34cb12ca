//! Links counted by network or site.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::server::token_bucket::{Rate, TokenBucket};

/// The number of entries at which a sweep is due. It forgets entries without links whose rate is
/// unused and which are not known.
const FIRST_SWEEP: usize = 1_024;
/// The time for which a network or site stays known after a logged-in user was last seen there.
/// Most users return within an hour.
pub(super) const KNOWN: Duration = Duration::from_secs(3_600);
/// Entries above which entries without links are no longer known.
const KNOWN_MAX: usize = 100_000;

/// The limits of one key: a network or a site.
#[derive(Clone, Copy)]
pub(super) struct UsageLimits {
    pub(super) links_max: usize,
    pub(super) before_login_max: usize,
    /// The rate at which the key may open links.
    pub(super) rate: Option<Rate>,
}

/// The use of one network or site.
#[derive(Default)]
struct Usage {
    links: usize,
    before_login: usize,
    opened: TokenBucket,
    /// When a logged-in user was last seen here. `None` while one is here.
    known_at: Option<Instant>,
}

impl Usage {
    fn is_known(&self, now: Instant) -> bool {
        let lately = |at| now.saturating_duration_since(at) < KNOWN;
        self.links > self.before_login || self.known_at.is_some_and(lately)
    }

    fn is_idle(&mut self, limits: &UsageLimits, now: Instant) -> bool {
        self.links == 0 && limits.rate.is_none_or(|rate| self.opened.is_full(rate, now))
    }
}

pub(super) struct UsageBy<K> {
    /// The map hashes with a secret, because an attacker who chooses addresses must not be able to
    /// make them collide.
    by_key: HashMap<K, Usage>,
    /// The number of entries at which the next sweep is due.
    sweep_at: usize,
}

impl<K> Default for UsageBy<K> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), sweep_at: FIRST_SWEEP }
    }
}

impl<K: Copy + Eq + Hash + fmt::Display> UsageBy<K> {
    /// Whether there is room for one more link, or why not.
    pub(super) fn check(
        &mut self,
        key: K,
        limits: &UsageLimits,
        now: Instant,
    ) -> Result<(), String> {
        let Some(usage) = self.by_key.get_mut(&key) else { return Ok(()) };
        if usage.links >= limits.links_max {
            return Err(format!("{} are from {key} already", usage.links));
        }
        if usage.before_login >= limits.before_login_max {
            let count = usage.before_login;
            return Err(format!("{count} are from {key} already that have not logged in"));
        }
        match limits.rate {
            Some(rate) if !usage.opened.has_token(rate, now) => {
                Err(format!("{key} opens more than {} a second", rate.per_second))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a link before login.
    pub(super) fn admit(&mut self, key: K, limits: &UsageLimits, now: Instant) {
        self.sweep(limits, now);
        let usage = self.by_key.entry(key).or_default();
        usage.links += 1;
        usage.before_login += 1;
        if limits.rate.is_some() {
            usage.opened.take_one();
        }
    }

    pub(super) fn logged_in(&mut self, key: K) {
        if let Some(usage) = self.by_key.get_mut(&key) {
            usage.before_login -= 1;
        }
    }

    pub(super) fn release(
        &mut self,
        key: K,
        is_before_login: bool,
        limits: &UsageLimits,
        now: Instant,
    ) {
        let Some(usage) = self.by_key.get_mut(&key) else { return };
        usage.links -= 1;
        if is_before_login {
            usage.before_login -= 1;
        } else {
            usage.known_at = Some(now);
        }
        // With a rate, the opened links are remembered for a while.
        if limits.rate.is_none() && usage.links == 0 && !usage.is_known(now) {
            self.by_key.remove(&key);
        }
    }

    /// Whether a logged-in user is here, or was here lately.
    pub(super) fn is_known(&self, key: K, now: Instant) -> bool {
        self.by_key.get(&key).is_some_and(|usage| usage.is_known(now))
    }

    /// Forgets entries that have no use any more. This is rare enough to cost each link little.
    fn sweep(&mut self, limits: &UsageLimits, now: Instant) {
        if self.by_key.len() < self.sweep_at {
            return;
        }
        self.by_key.retain(|_, usage| usage.is_known(now) || !usage.is_idle(limits, now));
        if self.by_key.len() > KNOWN_MAX {
            self.by_key.retain(|_, usage| !usage.is_idle(limits, now));
        }
        self.sweep_at = (2 * self.by_key.len()).max(FIRST_SWEEP);
    }
}

#[cfg(test)]
impl<K> UsageBy<K> {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: UsageLimits =
        UsageLimits { links_max: usize::MAX, before_login_max: usize::MAX, rate: None };

    /// A user logs in and leaves.
    fn visit(usage: &mut UsageBy<usize>, key: usize, now: Instant) {
        usage.admit(key, &CAPS, now);
        usage.logged_in(key);
        usage.release(key, false, &CAPS, now);
    }

    #[test]
    fn network_stays_known_for_an_hour_after_the_last_user() {
        let (mut usage, start) = (UsageBy::default(), Instant::now());
        usage.admit(1, &CAPS, start);
        assert!(!usage.is_known(1, start));
        usage.logged_in(1);
        let gone = start + 2 * KNOWN;
        assert!(usage.is_known(1, gone));
        usage.release(1, false, &CAPS, gone);
        assert!(usage.is_known(1, gone + KNOWN - Duration::from_nanos(1)));
        assert!(!usage.is_known(1, gone + KNOWN));
    }

    #[test]
    fn network_without_a_login_is_not_known() {
        let (mut usage, now) = (UsageBy::default(), Instant::now());
        usage.admit(1, &CAPS, now);
        usage.release(1, true, &CAPS, now);
        assert!(!usage.is_known(1, now));
        assert_eq!(usage.len(), 0);
    }

    #[test]
    fn forgets_networks_that_are_no_longer_known() {
        let (mut usage, start) = (UsageBy::default(), Instant::now());
        (0..10 * FIRST_SWEEP).for_each(|key| visit(&mut usage, key, start));
        assert_eq!(usage.len(), 10 * FIRST_SWEEP);
        (0..10 * FIRST_SWEEP).for_each(|key| visit(&mut usage, 20_000 + key, start + KNOWN));
        assert_eq!(usage.len(), 10 * FIRST_SWEEP, "all were known within the last hour");
    }

    /// A user with a good token may log in from all networks of a site.
    #[test]
    fn beyond_the_bound_only_networks_with_links_are_known() {
        let (mut usage, now) = (UsageBy::default(), Instant::now());
        usage.admit(0, &CAPS, now);
        usage.logged_in(0);
        (1..2 * KNOWN_MAX).for_each(|key| visit(&mut usage, key, now));
        assert!(usage.len() <= 2 * KNOWN_MAX, "{}", usage.len());
        assert!(usage.is_known(0, now));
        assert!(!usage.is_known(1, now));
    }
}
