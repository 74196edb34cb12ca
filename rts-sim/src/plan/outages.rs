//! What the nodes of a cluster cannot reach for a while: the bus, the register, each other. And
//! wall clocks that are wrong, and a register that loses what it has acknowledged.

use std::time::Duration;

use fastrand::Rng;

use super::Step;
use crate::swarm::Swarm;

/// One run in this many has outages of these kinds.
const OUTAGES_IN: u32 = 3;
/// The most outages of one run.
const OUTAGES_MAX: usize = 3;
/// One run in this many has a register that forgets.
const FORGETS_IN: u32 = 24;
/// The most changes that it forgets.
const FORGOTTEN_MAX: usize = 3;
/// A connection to the bus that is made again at once, as by a slow consumer whom NATS cuts off.
const BLIP_MS: u64 = 300;

/// The outages of a seed. Draws from a stream of its own.
pub(super) fn steps(seed: u64, swarm: &Swarm) -> Vec<(Duration, Step)> {
    let mut rng = Rng::with_seed(seed.rotate_left(8) ^ 0x0A7A_0A7A_0A7A_0A7A);
    let mut steps = Vec::new();
    if swarm.faults == 0 {
        return steps;
    }
    if rng.u32(0..FORGETS_IN) == 0 {
        forgets(&mut rng, swarm, &mut steps);
    }
    if rng.u32(0..OUTAGES_IN) > 0 {
        return steps;
    }
    for _ in 0..rng.usize(1..=OUTAGES_MAX) {
        outage(&mut rng, swarm, &mut steps);
    }
    steps
}

fn outage(rng: &mut Rng, swarm: &Swarm, steps: &mut Vec<(Duration, Step)>) {
    let millis = u64::try_from(swarm.duration.as_millis()).unwrap_or(u64::MAX);
    let at = Duration::from_millis(rng.u64(0..millis));
    let nodes = swarm.shape.nodes;
    let (node, other) = (rng.usize(0..nodes), rng.usize(0..nodes));
    let ms = [rng.u64(0..2_000), rng.u64(3_000..8_000), rng.u64(0..24_000)][rng.usize(0..3)];
    let until = at + Duration::from_millis(ms);
    match rng.u32(0..7) {
        0 | 1 => {
            steps.push((at, Step::BusAway { is_up: false }));
            steps.push((until, Step::BusAway { is_up: true }));
        }
        2 => steps.push((at, Step::RegisterAway { node, ms })),
        3 => steps.push((at, Step::NodesMute { nodes: 1 << node, ms })),
        4 => {
            // A second partition begins before the first one is over.
            let soon = at + Duration::from_millis(rng.u64(0..=ms));
            let more = rng.u64(0..10_000);
            steps.push((at, Step::NodesPart { one_side: 1 << node, ms }));
            steps.push((
                soon,
                match rng.bool() {
                    true => Step::NodesPart { one_side: 1 << other, ms: more },
                    false => Step::NodesMute { nodes: 1 << other, ms: more },
                },
            ));
        }
        5 => {
            let seconds = [-3_600, -120, -2, 2, 120, 3_600][rng.usize(0..6)];
            steps.push((at, Step::NodeWallJump { node, seconds }));
        }
        _ => {
            let back = at + Duration::from_millis(rng.u64(0..BLIP_MS));
            steps.push((at, Step::NodeBus { node, is_up: false }));
            steps.push((back, Step::NodeBus { node, is_up: true }));
        }
    }
}

/// The register forgets the last changes, mostly soon after a node was lost.
fn forgets(rng: &mut Rng, swarm: &Swarm, steps: &mut Vec<(Duration, Step)>) {
    let millis = u64::try_from(swarm.duration.as_millis()).unwrap_or(u64::MAX);
    let at = Duration::from_millis(rng.u64(0..millis));
    let node = rng.usize(0..swarm.shape.nodes);
    if rng.bool() {
        steps.push((at, Step::NodeCrashes { node, is_certified: rng.bool() }));
        steps.push((at + Duration::from_millis(rng.u64(0..20_000)), Step::NodeStarts { node }));
    }
    let after = at + Duration::from_millis(rng.u64(0..10_000));
    steps.push((after, Step::RegisterForgets { changes: rng.usize(1..=FORGOTTEN_MAX) }));
}
