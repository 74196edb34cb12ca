//! Nodes that drain, are taken back, or end when they are empty.

use std::time::Duration;

use fastrand::Rng;

use super::Step;
use crate::swarm::Swarm;

/// One run in this many has nodes that drain.
const DRAINS_IN: u32 = 3;
/// The most drains of one run.
const DRAINS_MAX: usize = 3;

/// The drains of a seed. Draws from a stream of its own.
pub(super) fn steps(seed: u64, swarm: &Swarm) -> Vec<(Duration, Step)> {
    let mut rng = Rng::with_seed(seed.rotate_left(56) ^ 0xD7A1_D7A1_D7A1_D7A1);
    let mut steps = Vec::new();
    if swarm.faults == 0 || rng.u32(0..DRAINS_IN) > 0 {
        return steps;
    }
    for _ in 0..rng.usize(1..=DRAINS_MAX) {
        drain(&mut rng, swarm, &mut steps);
    }
    steps
}

fn drain(rng: &mut Rng, swarm: &Swarm, steps: &mut Vec<(Duration, Step)>) {
    let millis = u64::try_from(swarm.duration.as_millis()).unwrap_or(u64::MAX);
    let at = Duration::from_millis(rng.u64(0..millis));
    let node = rng.usize(0..swarm.shape.nodes);
    let links_per_second = [1, 5, 20, 500][rng.usize(0..4)];
    let ms = [rng.u64(0..2_000), rng.u64(2_000..8_000), rng.u64(8_000..60_000)][rng.usize(0..3)];
    let until = at + Duration::from_millis(ms);
    if rng.bool() {
        steps.push((at, Step::NodeDrains { node, links_per_second }));
        steps.push((until, Step::NodeReopens { node }));
        return;
    }
    steps.push((at, Step::NodeRetires { node, links_per_second, patience_ms: ms }));
    // It may start again before it has ended, which has no effect. So it starts once more.
    let back = until + Duration::from_millis(rng.u64(0..20_000));
    steps.push((back, Step::NodeStarts { node }));
    steps.push((back + Duration::from_secs(15), Step::NodeStarts { node }));
}
