//! What happens to the nodes of a cluster.

use std::time::Duration;

use fastrand::Rng;

use super::{Attack, Step};
use crate::swarm::Swarm;

/// The nodes that may join the first ones.
const MORE_NODES: usize = 2;
/// The most events of one run, each with its end.
const EVENTS_MAX: usize = 10;

/// Whether the core lacks this in a cluster: each shard lets logins of one user in by its own count
/// (§3.9).
pub(super) fn is_missing(step: &Step) -> bool {
    matches!(step, Step::Attack { how: Attack::ManyLogins, .. })
}

/// The events of a seed. Draws from a stream of its own.
pub(super) fn steps(seed: u64, swarm: &Swarm) -> Vec<(Duration, Step)> {
    let mut rng = Rng::with_seed(seed.rotate_left(48) ^ 0x0DE5_0DE5_0DE5_0DE5);
    let mut steps = Vec::new();
    if swarm.faults == 0 {
        return steps;
    }
    for _ in 0..rng.usize(0..EVENTS_MAX) {
        event(&mut rng, swarm, &mut steps);
    }
    steps
}

fn event(rng: &mut Rng, swarm: &Swarm, steps: &mut Vec<(Duration, Step)>) {
    let millis = u64::try_from(swarm.duration.as_millis()).unwrap_or(u64::MAX);
    let at = Duration::from_millis(rng.u64(0..millis));
    let nodes = swarm.shape.nodes;
    let node = rng.usize(0..nodes + MORE_NODES);
    let ms = [rng.u64(0..2_000), rng.u64(3_000..8_000), rng.u64(0..30_000)][rng.usize(0..3)];
    let until = at + Duration::from_millis(ms);
    match rng.u32(0..6) {
        0 => steps.push((at, Step::NodeStarts { node: nodes + rng.usize(0..MORE_NODES) })),
        1 => steps.push((at, Step::RegisterDown { ms })),
        2 => steps.push((at, Step::NodePauses { node, ms })),
        3 => {
            steps.push((at, Step::NodeBus { node, is_up: false }));
            steps.push((until, Step::NodeBus { node, is_up: true }));
        }
        4 => steps.push((at, Step::NodesPart { one_side: 1 << node, ms })),
        _ => {
            steps.push((at, Step::NodeCrashes { node, is_certified: rng.bool() }));
            steps.push((until, Step::NodeStarts { node }));
        }
    }
}
