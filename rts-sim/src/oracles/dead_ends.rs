//! A link over which nothing gets to the server any more is given up in time, whatever still comes
//! from there (§2.5, §2.6).

use std::collections::BTreeMap;
use std::time::Duration;

use rts_proto::client::Event;
use rts_proto::limits::PAYLOAD_BYTES_MAX;
use rts_proto::{Instant, UserId};
use rts_testkit::Person;

use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::plan::{Step, Weather};
use crate::trace::{Call, Entry, Line, Phase};

/// A login that lasts so long at least is followed by an attempt at once when its link is given up.
const SETTLED_AFTER: Duration = Duration::from_secs(15);
/// A Ping goes out within 5 s, or 5 s after the last word before it, and waits 10 s for its Pong.
const FOUND_AFTER: Duration = Duration::from_secs(21);
/// What has arrived is acknowledged within so long, beside what the network takes.
const ACK_WITHIN: Duration = Duration::from_millis(500);
/// A frame waits 10 s for its acknowledgement.
const UNACKNOWLEDGED_AFTER: Duration = Duration::from_millis(10_500);
/// With so few sends and bytes open none waits for the server's rate, or for its receiver.
const FEW: usize = 40;
const FEW_BYTES: usize = 100_000;
/// What the network was told of its delays holds for what it carries by then: for so long at most.
const WEATHER_LASTS: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct DeadEnd {
    since: Instant,
    /// When something was said into it that wants an acknowledgement.
    said: Option<Instant>,
}

/// The longest way from one side to the other.
#[derive(Debug)]
struct Takes {
    now: Duration,
    before: Duration,
    changed: Instant,
}

impl Default for Takes {
    fn default() -> Self {
        let fair = longest(&Weather::FAIR);
        Self { now: fair, before: fair, changed: Instant::ORIGIN }
    }
}

impl Takes {
    fn at_most(&self, now: Instant) -> Duration {
        let is_new = now.since(self.changed) < WEATHER_LASTS;
        if is_new { self.now.max(self.before) } else { self.now }
    }
}

fn longest(weather: &Weather) -> Duration {
    Duration::from_millis(weather.latency_ms + weather.jitter_ms)
}

#[derive(Debug, Default)]
pub(super) struct DeadEnds {
    ends: BTreeMap<Person, DeadEnd>,
    /// When each engine called for its newest link.
    dialled: BTreeMap<Person, Instant>,
    /// The longest that the network takes now, what it was before, and since when.
    takes: Takes,
    /// A narrow link says nothing for minutes and is not dead.
    was_narrow: bool,
}

impl Oracle for DeadEnds {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        let now = line.at;
        for (who, end) in &self.ends {
            let silent = now.since(end.since) <= FOUND_AFTER;
            let said = end.said.is_none_or(|at| now.since(at) <= UNACKNOWLEDGED_AFTER);
            ensure(silent && said, || {
                format!("I43: #{who} keeps to a link whose way up is dead: {end:?}")
            })?;
        }
        match &line.entry {
            Entry::WayUpDead { who } => {
                let is_settled =
                    self.dialled.get(who).is_some_and(|at| now.since(*at) >= SETTLED_AFTER);
                let engine = &model.engines[*who];
                let is_up = engine.login.live().is_some() && engine.is_up();
                if is_settled && is_up && !engine.is_frozen && !self.was_narrow {
                    self.ends.entry(*who).or_insert(DeadEnd { since: now, said: None });
                }
            }
            Entry::Call { who, call, .. } => match call {
                Call::Logout | Call::Destroy => drop(self.ends.remove(who)),
                Call::Send { to, bytes, config, .. }
                    if config.is_reliable()
                        && *bytes <= PAYLOAD_BYTES_MAX
                        && UserId::new(to).is_ok() =>
                {
                    let engine = &model.engines[*who];
                    let on_its_way = ACK_WITHIN + self.takes.at_most(now);
                    if let Some(end) = self.ends.get_mut(who)
                        && now.since(end.since) >= on_its_way
                        && engine.open.len() < FEW
                        && engine.open_bytes < FEW_BYTES
                    {
                        end.said.get_or_insert(now);
                    }
                }
                _ => {}
            },
            Entry::Dialled { who } => {
                self.ends.remove(who);
                self.dialled.insert(*who, now);
            }
            Entry::Event { who, event: Event::Logout(_) | Event::LoginResult { .. } }
            | Entry::Frozen { who, .. }
            | Entry::Closed { who, .. } => drop(self.ends.remove(who)),
            Entry::Fault(Step::Weather(Weather { bytes_per_second: 1.., .. })) => {
                self.was_narrow = true;
                self.ends.clear();
            }
            Entry::Fault(Step::Weather(weather)) => {
                let before = self.takes.at_most(now);
                self.takes = Takes { now: longest(weather), before, changed: now };
            }
            Entry::Fault(Step::Unstick) | Entry::Phase(Phase::Healing) => self.ends.clear(),
            _ => {}
        }
        Ok(())
    }
}
