//! A link with a dead uplink is given up in time, even if frames still arrive over it (§2.5, §2.6).

use std::collections::BTreeMap;
use std::time::Duration;

use rts_proto::client::Event;
use rts_proto::limits::PAYLOAD_BYTES_MAX;
use rts_proto::{Instant, UserId};
use rts_testkit::EngineIndex;

use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::plan::{Step, Weather};
use crate::trace::{Call, Entry, Line, Phase};

/// After a login of at least this age, a lost link is followed by an attempt at once.
const SETTLED_AFTER: Duration = Duration::from_secs(15);
/// A Ping leaves within 5 s, or 5 s after the last frame before it, and waits 10 s for its Pong.
const FOUND_AFTER: Duration = Duration::from_secs(21);
/// The time in which received frames are acknowledged, without the network's delays.
const ACK_WITHIN: Duration = Duration::from_millis(500);
/// The time that a frame waits for its acknowledgement: 10 s, and a margin.
const UNACKNOWLEDGED_AFTER: Duration = Duration::from_millis(10_500);
/// Up to this number of open sends, and of their bytes, no send waits for the server's rate or for
/// its receiver.
const FEW: usize = 40;
const FEW_BYTES: usize = 100_000;
/// The longest time for which earlier delays of the network still affect frames in transit.
const WEATHER_LASTS: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct DeadEnd {
    since: Instant,
    /// The time of the first frame on the dead uplink that needs an acknowledgement.
    said: Option<Instant>,
}

/// The longest delay from one side to the other.
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
    ends: BTreeMap<EngineIndex, DeadEnd>,
    /// The time at which each engine asked for its newest link.
    dialled: BTreeMap<EngineIndex, Instant>,
    /// The network's longest delay now, the longest before, and the time of the change.
    takes: Takes,
    /// Whether the network had a narrow link. Such a link may be silent for minutes without being
    /// dead.
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
