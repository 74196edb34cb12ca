//! Actions of the engines whose links change bytes.

use std::time::Duration;

use super::draw::Draw;
use super::{Act, Step};
use crate::swarm::Harm;

/// The most actions of one engine.
const ACTS_MAX: usize = 300;

impl Draw<'_> {
    pub(super) fn harmed(&mut self, harm: Harm) {
        for number in 0..harm.engines {
            self.steps.push((Duration::ZERO, Step::Harmed { number, act: Act::Login }));
            for _ in 0..self.rng.usize(20..ACTS_MAX) {
                let at = self.moment();
                let act = match self.rng.u32(0..20) {
                    // A changed frame may have logged the engine out.
                    0..3 => Act::Login,
                    3..5 => Act::Join,
                    5 => Act::Leave,
                    6 => Act::Status,
                    7..12 => Act::Broadcast { bytes: self.size() },
                    _ => Act::Send { bytes: self.size() },
                };
                self.steps.push((at, Step::Harmed { number, act }));
            }
        }
    }
}
