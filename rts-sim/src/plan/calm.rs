//! Runs of a cluster in which nothing goes wrong: nodes drain, are taken back or start again, one
//! after the other, while users talk. Nobody may notice.

use std::time::Duration;

use fastrand::Rng;
use rts_proto::MessageConfig;

use super::{Step, TokenKind};
use crate::swarm::Swarm;

/// By then, all users are logged in and in the room.
const BEGINS: Duration = Duration::from_secs(8);
/// The longest time for which a node drains.
const DRAINS_MS: u64 = 40_000;
/// The time in which a node that starts again becomes a member and a home.
const JOINS: Duration = Duration::from_secs(15);
/// Messages and broadcasts in one second.
const SAID_MAX: u64 = 40;

/// The steps of a seed, and the time that they take. Draws from a stream of its own.
pub(super) fn steps(seed: u64, swarm: &Swarm) -> (Vec<(Duration, Step)>, Duration) {
    let mut rng = Rng::with_seed(seed.rotate_left(40) ^ 0xCA17_CA17_CA17_CA17);
    let mut steps = Vec::new();
    let engines = swarm.engines.len();
    for who in 0..engines {
        let at = Duration::from_millis(rng.u64(0..2_000));
        steps.push((at, Step::Login { who, token: TokenKind::Good }));
        steps.push((at + Duration::from_secs(2), Step::Join { who, room: 0 }));
    }
    let mut now = BEGINS;
    for _ in 0..rng.usize(1..=2) {
        for node in 0..swarm.shape.nodes {
            let links_per_second = [1, 5, 50][rng.usize(0..3)];
            let ms = rng.u64(0..DRAINS_MS);
            if rng.bool() {
                steps.push((now, Step::NodeDrains { node, links_per_second }));
                now += Duration::from_millis(ms);
                steps.push((now, Step::NodeReopens { node }));
            } else {
                // All links are closed, and what is late has come, long before that.
                let patience_ms = 90_000;
                steps.push((now, Step::NodeRetires { node, links_per_second, patience_ms }));
                now += Duration::from_millis(patience_ms);
                steps.push((now, Step::NodeStarts { node }));
            }
            now += JOINS;
        }
    }
    let millis = u64::try_from((now - BEGINS).as_millis()).unwrap_or(u64::MAX);
    let said = millis / 1_000 * rng.u64(1..SAID_MAX);
    for _ in 0..said.min(6_000) {
        let at = BEGINS + Duration::from_millis(rng.u64(0..millis));
        let (who, other) = (rng.usize(0..engines), rng.usize(0..engines));
        let step = match rng.u32(0..5) {
            0 => Step::Broadcast { who, room: 0, bytes: 40, is_binary: false },
            1 => Step::Status { who, of: swarm.engines[other].1 },
            _ => Step::Send {
                who,
                to: swarm.engines[other].1,
                bytes: 40,
                is_binary: false,
                config: MessageConfig::ReliableOrdered,
            },
        };
        steps.push((at, step));
    }
    (steps, now + Duration::from_secs(15))
}
