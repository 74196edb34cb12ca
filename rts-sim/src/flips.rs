//! Links that change bytes in transit.

use bytes::Bytes;
use fastrand::Rng;
use rts_testkit::EngineIndex;

/// The base of the rate of changes: `per_million` of this number of bytes.
const OF_BYTES: u32 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Flips {
    /// The engines whose links change bytes.
    pub(crate) engines: Vec<EngineIndex>,
    /// The number of bytes of a million that change.
    per_million: u32,
    random: Rng,
}

impl Flips {
    pub(crate) fn new(engines: Vec<EngineIndex>, per_million: u32, seed: u64) -> Self {
        Self { engines, per_million, random: Rng::with_seed(seed) }
    }

    /// Changes bytes on these engines' links, in either direction. Half of the changed bytes get
    /// one bit flipped, the others a random value.
    pub(crate) fn pass(&mut self, who: EngineIndex, bytes: Bytes) -> Bytes {
        if !self.engines.contains(&who) {
            return bytes;
        }
        let mut changed = bytes.to_vec();
        for byte in &mut changed {
            if self.random.u32(0..OF_BYTES) < self.per_million {
                let is_bit = self.random.bool();
                *byte =
                    if is_bit { *byte ^ 1 << self.random.u32(0..8) } else { self.random.u8(..) };
            }
        }
        changed.into()
    }
}
