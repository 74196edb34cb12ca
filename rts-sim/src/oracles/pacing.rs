//! Attempts to connect are paced, for each engine and for all engines together (I44).
//!
//! When an engine needs a link, its first attempt is at once. Before each further attempt there is
//! a wait, a random part of 0, 0.5, 1, 2, 4, and then always of 5 s. These begin anew after a login
//! that lasted 5 s (`docs/protocol.md` §8.2). So no number of attempts is impossible, and the
//! bounds are numbers that chance does not reach in practice. They come from a random sample of
//! 100,000 engines of which every attempt failed at once, which makes the most attempts.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rts_proto::Instant;
use rts_testkit::EngineIndex;

use super::{Violation, ensure};
use crate::model::Model;

/// The most attempts of one engine within a second. The largest number in the sample was 7; the
/// chance of 11 is 1 in 10^11.
const IN_A_SECOND_MAX: usize = 10;
const A_SECOND: Duration = Duration::from_secs(1);
/// The most attempts of one engine within 20 s in which no login lasts. The largest number in the
/// sample was 21.
const IN_A_WHILE_MAX: usize = 40;
const A_WHILE: Duration = Duration::from_secs(20);
/// The number of attempts before those that always wait for a part of 5 s: the first, and one after
/// each of the five shorter waits.
const EARLY_ATTEMPTS: u32 = 6;

/// The most attempts of all engines within a second. N engines whose first attempts fail make 2.9 N
/// in the first second, with a standard deviation of 0.65 times the root of N. The added 40 are
/// more than six standard deviations for 200 engines.
fn all_in_a_second_max(engines: usize) -> usize {
    3 * engines + 40
}

/// The most late attempts of all engines within a second. N engines whose waits are all parts of
/// 5 s make 0.41 N in any second, with a standard deviation of 0.58 times the root of N. The bound
/// is six standard deviations above that for 200 engines.
fn late_in_a_second_max(engines: usize) -> usize {
    engines / 2 + 30
}

#[derive(Debug, Default)]
pub(super) struct Pacing {
    engines: BTreeMap<EngineIndex, Attempts>,
    /// The attempts of all engines within the last second.
    recent: VecDeque<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    at: Instant,
    who: EngineIndex,
    /// Whether the attempt came after a wait of a part of 5 s.
    is_late: bool,
}

/// The attempts of one engine.
#[derive(Debug, Default)]
struct Attempts {
    /// The last attempts, as many as the longer bound needs.
    last: VecDeque<Instant>,
    /// The attempts since the application last knew of a link. No login since then has reset the
    /// waits.
    since_up: u32,
}

impl Pacing {
    /// The application called for a link, or needs none: earlier attempts do not count.
    pub(super) fn begins_anew(&mut self, who: EngineIndex) {
        self.engines.remove(&who);
        self.recent.retain(|attempt| attempt.who != who);
    }

    /// The application got the event that the link is up.
    pub(super) fn is_up(&mut self, who: EngineIndex) {
        self.engines.entry(who).or_default().since_up = 0;
    }

    pub(super) fn dialled(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
    ) -> Result<(), Violation> {
        let attempts = self.engines.entry(who).or_default();
        attempts.since_up += u32::from(!model.engines[who].is_up());
        let is_late = attempts.since_up > EARLY_ATTEMPTS;
        attempts.dialled(now, who)?;
        self.recent.push_back(Attempt { at: now, who, is_late });
        while self.recent.front().is_some_and(|attempt| now.since(attempt.at) >= A_SECOND) {
            self.recent.pop_front();
        }
        let engines = model.engines.iter().filter(|engine| !engine.is_destroyed).count();
        let all = self.recent.len();
        ensure(all <= all_in_a_second_max(engines), || {
            format!("I44: {all} attempts of {engines} engines to connect in the second to {now}")
        })?;
        let late = self.recent.iter().filter(|attempt| attempt.is_late).count();
        ensure(late <= late_in_a_second_max(engines), || {
            format!(
                "I44: {late} late attempts of {engines} engines to connect in the second to {now}"
            )
        })
    }
}

impl Attempts {
    fn dialled(&mut self, now: Instant, who: EngineIndex) -> Result<(), Violation> {
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
        Ok(())
    }
}
