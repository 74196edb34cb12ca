//! Users of a cluster whose links go to other nodes while they talk, so that their sessions move.

use std::time::Duration;

use fastrand::Rng;
use rts_proto::MessageConfig;

use super::{Command, Slot, Step, TokenKind};
use crate::swarm::Swarm;

/// The most journeys of one run.
const JOURNEYS_MAX: usize = 40;
/// What a user, and its peer, say around a journey.
const SAID_MAX: usize = 16;
/// How long before a journey it is said, and for how long.
const BEFORE: Duration = Duration::from_millis(60);
const TALKS_MS: u64 = 1_500;

/// The journeys of a seed. Draws from a stream of its own.
pub(super) fn steps(seed: u64, swarm: &Swarm) -> Vec<(Duration, Step)> {
    let mut rng = Rng::with_seed(seed.rotate_left(24) ^ 0x70E7_70E7_70E7_70E7);
    let mut steps = Vec::new();
    if swarm.faults == 0 || rng.u32(0..4) == 0 {
        return steps;
    }
    for _ in 0..rng.usize(0..JOURNEYS_MAX) {
        journey(&mut rng, swarm, &mut steps);
    }
    steps
}

fn journey(rng: &mut Rng, swarm: &Swarm, steps: &mut Vec<(Duration, Step)>) {
    let millis = u64::try_from(swarm.duration.as_millis()).unwrap_or(u64::MAX);
    let at = BEFORE + Duration::from_millis(rng.u64(0..millis));
    let soon = |rng: &mut Rng, ms: u64| at + Duration::from_millis(rng.u64(0..ms));
    let who = rng.usize(0..swarm.engines.len());
    let (app, user) = swarm.engines[who];
    let peers: Vec<Slot> =
        (0..swarm.engines.len()).filter(|other| swarm.engines[*other].0 == app).collect();
    let peer = rng.choice(peers).unwrap_or(who);
    talk(rng, at, (who, swarm.engines[peer].1), steps);
    talk(rng, at, (peer, user), steps);
    let node = rng.usize(0..swarm.shape.nodes);
    steps.push((at, Step::Hop { who, node }));
    match rng.u32(0..16) {
        0..5 => {
            let one_side = 1 << rng.usize(0..swarm.shape.nodes);
            let ms = rng.u64(100..3_000);
            steps.push((at.saturating_sub(BEFORE), Step::NodesPart { one_side, ms }));
        }
        5..7 => {
            let (again, node) = (soon(rng, 2_000), rng.usize(0..swarm.shape.nodes));
            steps.push((again, Step::Hop { who, node }));
        }
        7 | 8 => {
            let command = Command::Kick { room: 0, user };
            steps.push((soon(rng, 300), Step::Command { app, command }));
        }
        9 => {
            let command = Command::Disconnect { user };
            steps.push((soon(rng, 300), Step::Command { app, command }));
            steps.push((soon(rng, 20_000), Step::Login { who, token: TokenKind::Good }));
        }
        10 => {
            let rivals = (0..swarm.engines.len())
                .filter(|other| *other != who && swarm.engines[*other] == (app, user));
            for rival in rivals {
                steps.push((at, Step::Logout { who: rival }));
                steps.push((soon(rng, 300), Step::Login { who: rival, token: TokenKind::Good }));
            }
        }
        11 => {
            let node = rng.usize(0..swarm.shape.nodes);
            steps.push((soon(rng, 300), Step::NodeCrashes { node, is_certified: rng.bool() }));
            steps.push((soon(rng, 6_000), Step::NodeStarts { node }));
        }
        12 => {
            let (node, ms) = (rng.usize(0..swarm.shape.nodes), rng.u64(0..6_000));
            steps.push((soon(rng, 100), Step::NodePauses { node, ms }));
        }
        _ => {}
    }
}

/// Messages to a user and broadcasts in the first room, at about the moment of a journey.
fn talk(rng: &mut Rng, at: Duration, (who, to): (Slot, usize), steps: &mut Vec<(Duration, Step)>) {
    let begin = at.saturating_sub(BEFORE);
    let config = MessageConfig::ReliableOrdered;
    for _ in 0..rng.usize(0..SAID_MAX) {
        let ms = if rng.bool() { rng.u64(0..150) } else { rng.u64(0..TALKS_MS) };
        let step = match rng.bool() {
            true => Step::Send { who, to, bytes: 40, is_binary: false, config },
            false => Step::Broadcast { who, room: 0, bytes: 40, is_binary: false },
        };
        steps.push((begin + Duration::from_millis(ms), step));
    }
}
