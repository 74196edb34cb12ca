//! Links that change what passes over them.

use bytes::Bytes;
use fastrand::Rng;
use rts_testkit::Person;

/// Of so many bytes some are changed.
const OF_BYTES: u32 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Flips {
    /// Whose links they are.
    pub(crate) people: Vec<Person>,
    /// How many bytes of a million are changed.
    per_million: u32,
    random: Rng,
}

impl Flips {
    pub(crate) fn new(people: Vec<Person>, per_million: u32, seed: u64) -> Self {
        Self { people, per_million, random: Rng::with_seed(seed) }
    }

    /// Changes bytes of these people's links, in either direction: half of those that change get
    /// one bit flipped, the others any value.
    pub(crate) fn pass(&mut self, who: Person, bytes: Bytes) -> Bytes {
        if !self.people.contains(&who) {
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
