//! What is taken by whom: links counted by where they come from.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::bucket::{Bucket, Rate};

/// From so many on, those are forgotten that have no links, have used none of their rate, and are
/// not known.
const FIRST_SWEEP: usize = 1_024;
/// So long one is known from which somebody had logged in. People come back the next hour from
/// where they were.
pub(super) const KNOWN: Duration = Duration::from_secs(3_600);
/// If there are more, none is known any more that has no links.
const KNOWN_MAX: usize = 100_000;

/// Of one.
#[derive(Clone, Copy)]
pub(super) struct Caps {
    pub(super) links_max: usize,
    pub(super) before_login_max: usize,
    /// At which it may open links.
    pub(super) rate: Option<Rate>,
}

/// One network's, or site's.
#[derive(Default)]
struct Taken {
    links: usize,
    before_login: usize,
    opened: Bucket,
    /// When somebody was last seen here who had logged in, unless there is somebody now.
    known_at: Option<Instant>,
}

impl Taken {
    fn is_known(&self, now: Instant) -> bool {
        let lately = |at| now.saturating_duration_since(at) < KNOWN;
        self.links > self.before_login || self.known_at.is_some_and(lately)
    }

    fn rests(&mut self, caps: &Caps, now: Instant) -> bool {
        self.links == 0 && caps.rate.is_none_or(|rate| self.opened.is_full(rate, now))
    }
}

pub(super) struct TakenBy<K> {
    /// It hashes with a secret: an attacker who chooses addresses must not be able to make them
    /// collide.
    taken: HashMap<K, Taken>,
    /// The number at which the next sweep is due.
    sweep_at: usize,
}

impl<K> Default for TakenBy<K> {
    fn default() -> Self {
        Self { taken: HashMap::new(), sweep_at: FIRST_SWEEP }
    }
}

impl<K: Copy + Eq + Hash + fmt::Display> TakenBy<K> {
    /// Whether there is a place for one more, or why not.
    pub(super) fn check(&mut self, who: K, caps: &Caps, now: Instant) -> Result<(), String> {
        let Some(taken) = self.taken.get_mut(&who) else { return Ok(()) };
        if taken.links >= caps.links_max {
            return Err(format!("{} are from {who} already", taken.links));
        }
        if taken.before_login >= caps.before_login_max {
            let count = taken.before_login;
            return Err(format!("{count} are from {who} already that have not logged in"));
        }
        match caps.rate {
            Some(rate) if !taken.opened.has_room(rate, now) => {
                Err(format!("{who} opens more than {} a second", rate.per_second))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes a place before login.
    pub(super) fn take(&mut self, who: K, caps: &Caps, now: Instant) {
        self.sweep(caps, now);
        let taken = self.taken.entry(who).or_default();
        taken.links += 1;
        taken.before_login += 1;
        if caps.rate.is_some() {
            taken.opened.use_one();
        }
    }

    pub(super) fn logged_in(&mut self, who: K) {
        if let Some(taken) = self.taken.get_mut(&who) {
            taken.before_login -= 1;
        }
    }

    pub(super) fn give_back(&mut self, who: K, is_before_login: bool, caps: &Caps, now: Instant) {
        let Some(taken) = self.taken.get_mut(&who) else { return };
        taken.links -= 1;
        if is_before_login {
            taken.before_login -= 1;
        } else {
            taken.known_at = Some(now);
        }
        // With a rate, what was opened is remembered for a while.
        if caps.rate.is_none() && taken.links == 0 && !taken.is_known(now) {
            self.taken.remove(&who);
        }
    }

    /// Whether somebody is here who has logged in, or was lately.
    pub(super) fn is_known(&self, who: K, now: Instant) -> bool {
        self.taken.get(&who).is_some_and(|taken| taken.is_known(now))
    }

    /// Forgets those of whom there is nothing to know, so seldom that it costs each link little.
    fn sweep(&mut self, caps: &Caps, now: Instant) {
        if self.taken.len() < self.sweep_at {
            return;
        }
        self.taken.retain(|_, taken| taken.is_known(now) || !taken.rests(caps, now));
        if self.taken.len() > KNOWN_MAX {
            self.taken.retain(|_, taken| !taken.rests(caps, now));
        }
        self.sweep_at = (2 * self.taken.len()).max(FIRST_SWEEP);
    }
}

#[cfg(test)]
impl<K> TakenBy<K> {
    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: Caps = Caps { links_max: usize::MAX, before_login_max: usize::MAX, rate: None };

    /// Somebody logs in and goes again.
    fn visit(taken: &mut TakenBy<usize>, who: usize, now: Instant) {
        taken.take(who, &CAPS, now);
        taken.logged_in(who);
        taken.give_back(who, false, &CAPS, now);
    }

    #[test]
    fn one_is_known_from_a_login_until_an_hour_after_the_last_one_has_gone() {
        let (mut taken, start) = (TakenBy::default(), Instant::now());
        taken.take(1, &CAPS, start);
        assert!(!taken.is_known(1, start));
        taken.logged_in(1);
        let gone = start + 2 * KNOWN;
        assert!(taken.is_known(1, gone));
        taken.give_back(1, false, &CAPS, gone);
        assert!(taken.is_known(1, gone + KNOWN - Duration::from_nanos(1)));
        assert!(!taken.is_known(1, gone + KNOWN));
    }

    #[test]
    fn who_came_and_did_not_log_in_is_not_known() {
        let (mut taken, now) = (TakenBy::default(), Instant::now());
        taken.take(1, &CAPS, now);
        taken.give_back(1, true, &CAPS, now);
        assert!(!taken.is_known(1, now));
        assert_eq!(taken.len(), 0);
    }

    #[test]
    fn those_that_are_known_no_longer_are_forgotten() {
        let (mut taken, start) = (TakenBy::default(), Instant::now());
        (0..10 * FIRST_SWEEP).for_each(|who| visit(&mut taken, who, start));
        assert_eq!(taken.len(), 10 * FIRST_SWEEP);
        (0..10 * FIRST_SWEEP).for_each(|who| visit(&mut taken, 20_000 + who, start + KNOWN));
        assert_eq!(taken.len(), 10 * FIRST_SWEEP, "of the last hour");
    }

    /// A user whose token is good may log in from all networks of a site.
    #[test]
    fn so_many_are_known_and_of_more_only_those_that_have_links() {
        let (mut taken, now) = (TakenBy::default(), Instant::now());
        taken.take(0, &CAPS, now);
        taken.logged_in(0);
        (1..2 * KNOWN_MAX).for_each(|who| visit(&mut taken, who, now));
        assert!(taken.len() <= 2 * KNOWN_MAX, "{}", taken.len());
        assert!(taken.is_known(0, now));
        assert!(!taken.is_known(1, now));
    }
}
