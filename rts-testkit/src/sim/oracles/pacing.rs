//! Attempts to connect are paced, those of one engine and those of all together (I44).
//!
//! The waits before attempts are random parts of 0, 0.5, 1, 2, 4, and then always 5 s, and begin anew after a login that lasted 5 s
//! (`docs/protocol.md` §8.2). No number of attempts is impossible, so the bounds are those that chance does not reach in all
//! the runs that will ever be played. They were found by drawing a hundred thousand clients that fail at once, each time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rts_proto::Instant;

use super::{Violation, ensure};
use crate::Person;
use crate::sim::model::Model;

/// One engine: 7 was the most in a second, and 11 have a chance of 1 in 10^11.
const IN_A_SECOND_MAX: usize = 10;
const A_SECOND: Duration = Duration::from_secs(1);
/// 21 was the most, without a login that lasts.
const IN_A_WHILE_MAX: usize = 40;
const A_WHILE: Duration = Duration::from_secs(20);
/// From the one after these on, all waits are random parts of 5 s: the call, and the five shorter waits.
const SHORT_WAITS: u32 = 6;

/// N engines that fail at once make 2.9 N attempts in the first second, with a standard deviation of 0.65 times the root of N. What is
/// added is more than six of these for 200 engines.
fn all_in_a_second_max(engines: usize) -> usize {
    3 * engines + 40
}

/// Those that have failed for long make 0.41 N attempts in any second, with 0.58 times the root of N: six of these for 200 engines.
fn all_in_a_later_second_max(engines: usize) -> usize {
    engines / 2 + 30
}

#[derive(Debug, Default)]
pub(super) struct Pacing {
    engines: BTreeMap<Person, Attempts>,
    /// Those of the last second, and whether each was a late one.
    all: VecDeque<(Instant, Person, bool)>,
}

#[derive(Debug, Default)]
struct Attempts {
    last: VecDeque<Instant>,
    /// While its application knows that there is no link: no login began the waits anew.
    while_down: u32,
}

impl Pacing {
    /// The application has called for a link, or need not: what was before does not count.
    pub(super) fn begins_anew(&mut self, who: Person) {
        self.engines.remove(&who);
        self.all.retain(|(_, other, _)| *other != who);
    }

    /// The application was told that there is a link.
    pub(super) fn is_up(&mut self, who: Person) {
        self.engines.entry(who).or_default().while_down = 0;
    }

    pub(super) fn dialled(
        &mut self,
        model: &Model,
        now: Instant,
        who: Person,
    ) -> Result<(), Violation> {
        let attempts = self.engines.entry(who).or_default();
        attempts.while_down += u32::from(!model.engines[who].is_up());
        let is_late = attempts.dialled(now, who)?;
        self.all.push_back((now, who, is_late));
        while self.all.front().is_some_and(|(at, ..)| now.since(*at) >= A_SECOND) {
            self.all.pop_front();
        }
        let engines = model.engines.iter().filter(|engine| !engine.is_destroyed).count();
        let all = self.all.len();
        ensure(all <= all_in_a_second_max(engines), || {
            format!("I44: {all} attempts of {engines} engines to connect in the second to {now}")
        })?;
        let late = self.all.iter().filter(|(.., is_late)| *is_late).count();
        ensure(late <= all_in_a_later_second_max(engines), || {
            format!(
                "I44: {late} attempts of {engines} engines that fail since long in the second to {now}"
            )
        })
    }
}

impl Attempts {
    /// Whether it came after a wait that is a part of the longest.
    fn dialled(&mut self, now: Instant, who: Person) -> Result<bool, Violation> {
        self.last.push_back(now);
        for (max, time) in [(IN_A_SECOND_MAX, A_SECOND), (IN_A_WHILE_MAX, A_WHILE)] {
            let before = self.last.len().checked_sub(max + 1).map(|index| self.last[index]);
            ensure(before.is_none_or(|before| now.since(before) >= time), || {
                format!("I44: #{who} tried to connect more than {max} times in {time:?}, to {now}")
            })?;
        }
        if self.last.len() > IN_A_WHILE_MAX {
            self.last.pop_front();
        }
        Ok(self.while_down > SHORT_WAITS)
    }
}
