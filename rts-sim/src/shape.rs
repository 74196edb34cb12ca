//! The shape of the server: its nodes and shards, and the mailboxes between shards of a node.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use rts_testkit::World;

/// The shards of a server with more than one.
const SEVERAL: RangeInclusive<usize> = 2..=4;
/// One run in this many has a cluster.
const CLUSTER_IN: u32 = 4;
/// The nodes of a cluster, and the shards of each.
const NODES: RangeInclusive<usize> = 2..=4;
const SHARDS_OF_NODE: RangeInclusive<usize> = 1..=2;
/// The longest time that an entry is under way.
pub(crate) const UNDER_WAY_MAX: Duration = Duration::from_secs(1);
/// The longest time that an entry is under way over a bus that loses packets.
const OVER_BUS_MAX: Duration = Duration::from_secs(10);
/// The same over one that loses very many, or is very slow.
const OVER_BAD_BUS_MAX: Duration = Duration::from_secs(30);
/// One cluster in this many has a bus that loses as much as it can, and one in as many a bus with
/// the longest delays.
const WORSE_IN: u32 = 12;
const LOST_OF_100_MAX: u32 = 30;
const TAIL_MAX: Duration = Duration::from_secs(10);
/// The most packets of a hundred that any other bus loses.
const USUAL_LOST_OF_100_MAX: u32 = 10;
/// How much the clock of a node may be fast or slow.
const DRIFT_PPM_MAX: u32 = 200;
/// The entries at which a mailbox is congested, in runs without congestion.
const ENTRIES_MAX: usize = 65_536;

/// Overrides the size of the server that a seed draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// The number of nodes; 1 is a server in no cluster.
    pub nodes: Option<usize>,
    /// The number of shards of each node.
    pub shards: Option<usize>,
}

/// The nodes and shards of the server, and the delays between shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The number of nodes. One node is in no cluster.
    pub nodes: usize,
    /// The number of shards of each node.
    pub shards: usize,
    /// The longest usual delay of a mailbox.
    pub delay: Duration,
    /// The longest delay of few entries.
    pub tail: Duration,
    /// The entries at which a mailbox is congested.
    pub entries_max: usize,
    /// The bus between the nodes of a cluster.
    pub bus: Bus,
    /// The number of links of a hundred that go to any node.
    pub roaming_of_100: u32,
    /// By how many parts of a million the clocks of nodes may be fast or slow.
    pub drift_ppm: u32,
}

/// What the bus between the nodes of a cluster does with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bus {
    /// The number of packets of a hundred that are lost.
    pub lost_of_100: u32,
    /// The number of packets of a hundred that arrive twice.
    pub doubled_of_100: u32,
    /// The longest usual delay.
    pub jitter: Duration,
    /// The longest delay of few packets.
    pub tail: Duration,
    /// The longest time for which a new subscription gets nothing.
    pub interest: Duration,
}

impl Bus {
    const FAIR: Self = Self {
        lost_of_100: 0,
        doubled_of_100: 0,
        jitter: Duration::from_millis(1),
        tail: Duration::from_millis(20),
        interest: Duration::ZERO,
    };

    fn draw(rng: &mut Rng) -> Self {
        Self {
            lost_of_100: [0, 0, 1, 5, 10][rng.usize(0..5)],
            doubled_of_100: [0, 0, 5, 50][rng.usize(0..4)],
            jitter: Duration::from_millis([0, 1, 5, 50][rng.usize(0..4)]),
            tail: Duration::from_millis([0, 20, 200, 1_000][rng.usize(0..4)]),
            interest: Duration::ZERO,
        }
    }

    /// Some of the drawn ones are worse. No earlier draw depends on this one.
    fn worsened(self, rng: &mut Rng) -> Self {
        let (is_lossy, is_slow) = (rng.u32(0..WORSE_IN) == 0, rng.u32(0..WORSE_IN) == 0);
        let interest_ms = [0, 0, 100, 1_000][rng.usize(0..4)];
        Self {
            lost_of_100: if is_lossy { LOST_OF_100_MAX } else { self.lost_of_100 },
            tail: if is_slow { TAIL_MAX } else { self.tail },
            interest: Duration::from_millis(interest_ms),
            ..self
        }
    }
}

impl Shape {
    /// The shape of a seed. A seed that draws one shard has the run of a simulator without shards:
    /// no other draw depends on this one. A seed that draws no cluster has the run of a simulator
    /// without clusters.
    pub(crate) fn draw(seed: u64, size: Size) -> Self {
        let mut of_cluster = Rng::with_seed(seed.rotate_left(16) ^ 0xC1C1_C1C1_C1C1_C1C1);
        let is_cluster = of_cluster.u32(0..CLUSTER_IN) == 0;
        let (nodes, of_node) = (of_cluster.usize(NODES), of_cluster.usize(SHARDS_OF_NODE));
        let nodes = size.nodes.unwrap_or(if is_cluster { nodes } else { 1 });
        let bus = Bus::draw(&mut of_cluster);
        let roaming_of_100 = [0, 0, 10, 100][of_cluster.usize(0..4)];
        let bus = bus.worsened(&mut of_cluster);
        let drift_ppm = if of_cluster.bool() { DRIFT_PPM_MAX } else { 0 };
        // A stream of its own.
        let mut rng = Rng::with_seed(seed.rotate_left(32) ^ 0x5AAD_5AAD_5AAD_5AAD);
        let drawn = if rng.bool() { 1 } else { rng.usize(SEVERAL) };
        let delay_micros = [0, 100, 1_000, 5_000, 30_000][rng.usize(0..5)];
        let tail_millis = [0, 10, 100, UNDER_WAY_MAX.as_millis() as u64][rng.usize(0..4)];
        let is_narrow = rng.u32(0..3) == 0;
        let drawn = if nodes > 1 { of_node } else { drawn };
        Self {
            nodes,
            shards: size.shards.unwrap_or(drawn),
            delay: Duration::from_micros(delay_micros),
            tail: Duration::from_millis(tail_millis),
            entries_max: if is_narrow { rng.usize(2..200) } else { ENTRIES_MAX },
            bus,
            roaming_of_100,
            drift_ppm,
        }
    }

    /// Whether entries are under way between shards.
    pub(crate) fn has_mailboxes(&self) -> bool {
        self.nodes * self.shards > 1
    }

    /// Whether the server is a cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        self.nodes > 1
    }

    /// The longest time for which what one shard has sent another is under way. A trunk sends again
    /// what the bus has lost.
    pub(crate) fn under_way_max(&self) -> Duration {
        match self.is_cluster() {
            true if self.is_bus_bad() => OVER_BAD_BUS_MAX,
            true => OVER_BUS_MAX,
            false => UNDER_WAY_MAX,
        }
    }

    /// Whether the bus loses or delays packets until requests time out.
    pub(crate) fn is_bus_bad(&self) -> bool {
        let is_lossy = self.bus.lost_of_100 > USUAL_LOST_OF_100_MAX;
        self.is_cluster() && (is_lossy || self.bus.tail > UNDER_WAY_MAX)
    }

    pub(crate) fn set(&self, world: &mut World) {
        let mailboxes = &mut world.mailboxes;
        mailboxes.delay = self.delay;
        mailboxes.tail = self.tail;
        mailboxes.entries_max = self.entries_max;
        if let Some(nodes) = world.nodes() {
            nodes.bus.lost_of_100 = self.bus.lost_of_100;
            nodes.bus.doubled_of_100 = self.bus.doubled_of_100;
            nodes.bus.jitter = self.bus.jitter;
            nodes.bus.tail = self.bus.tail;
            nodes.bus.interest = self.bus.interest;
            nodes.roaming_of_100 = self.roaming_of_100;
        }
    }

    /// The same shards, with a bus that loses and delays no more than a lease stands, and mailboxes
    /// that have space. Links go to the nodes of their
    /// engines.
    pub(crate) fn calmed(self) -> Self {
        let bus = Bus {
            lost_of_100: self.bus.lost_of_100.min(USUAL_LOST_OF_100_MAX),
            tail: self.bus.tail.min(UNDER_WAY_MAX),
            ..self.bus
        };
        Self { entries_max: ENTRIES_MAX, roaming_of_100: 0, bus, ..self }
    }

    /// The same shards, with a bus and mailboxes that are fast and have space.
    pub(crate) fn healed(self) -> Self {
        let (delay, tail) = (Duration::from_millis(1), Duration::from_millis(20));
        Self { delay, tail, entries_max: ENTRIES_MAX, bus: Bus::FAIR, ..self }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, shards, delay, tail, entries_max, bus, roaming_of_100, drift_ppm } = self;
        if self.is_cluster() {
            let Bus { lost_of_100, doubled_of_100, jitter, tail, interest } = bus;
            write!(
                f,
                "a bus that loses {lost_of_100} % and doubles {doubled_of_100} %, and takes up to \
                 {jitter:?}, now and then up to {tail:?}, and forwards to new subscriptions after \
                 up to {interest:?}; {roaming_of_100} % of links go to any node; {nodes} nodes whose \
                 clocks drift by up to {drift_ppm} ppm, with "
            )?;
        }
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
