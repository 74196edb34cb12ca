//! The shape of the server: its shards, and the mailboxes between them.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use rts_testkit::Mailboxes;

/// The shards of a server with more than one.
const SEVERAL: RangeInclusive<usize> = 2..=4;
/// The longest time that an entry is under way.
pub(crate) const UNDER_WAY_MAX: Duration = Duration::from_secs(1);
/// The entries at which a mailbox is congested, in runs without congestion.
const ENTRIES_MAX: usize = 65_536;

/// The shards of the server, and the delays between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The number of shards.
    pub shards: usize,
    /// The longest usual delay of a mailbox.
    pub delay: Duration,
    /// The longest delay of few entries.
    pub tail: Duration,
    /// The entries at which a mailbox is congested.
    pub entries_max: usize,
}

impl Shape {
    /// The shape of a seed. A seed that draws one shard has the run of a simulator without shards:
    /// no other draw depends on this one. `shards` overrides the drawn number.
    pub(crate) fn draw(seed: u64, shards: Option<usize>) -> Self {
        // A stream of its own.
        let mut rng = Rng::with_seed(seed.rotate_left(32) ^ 0x5AAD_5AAD_5AAD_5AAD);
        let drawn = if rng.bool() { 1 } else { rng.usize(SEVERAL) };
        let delay_micros = [0, 100, 1_000, 5_000, 30_000][rng.usize(0..5)];
        let tail_millis = [0, 10, 100, UNDER_WAY_MAX.as_millis() as u64][rng.usize(0..4)];
        let is_narrow = rng.u32(0..3) == 0;
        Self {
            shards: shards.unwrap_or(drawn),
            delay: Duration::from_micros(delay_micros),
            tail: Duration::from_millis(tail_millis),
            entries_max: if is_narrow { rng.usize(2..200) } else { ENTRIES_MAX },
        }
    }

    /// Whether entries are under way between shards.
    pub(crate) fn has_mailboxes(&self) -> bool {
        self.shards > 1
    }

    pub(crate) fn set(&self, mailboxes: &mut Mailboxes) {
        mailboxes.delay = self.delay;
        mailboxes.tail = self.tail;
        mailboxes.entries_max = self.entries_max;
    }

    /// The same shards, with mailboxes that are fast and have space.
    pub(crate) fn healed(self) -> Self {
        let (delay, tail) = (Duration::from_millis(1), Duration::from_millis(20));
        Self { delay, tail, entries_max: ENTRIES_MAX, ..self }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shards, delay, tail, entries_max } = self;
        if !self.has_mailboxes() {
            return write!(f, "1 shard");
        }
        write!(
            f,
            "{shards} shards, whose mailboxes take up to {delay:?}, now and then up to {tail:?}, \
             and hold {entries_max} entries"
        )
    }
}
