//! The bus between the nodes of a cluster: it loses, doubles and delays packets.

use std::collections::BTreeMap;
use std::time::Duration;

use rts_cluster::view::Incarnation;
use rts_proto::Instant;

/// One packet in this many may take up to [`Bus::tail`].
const TAIL_IN: u32 = 64;

/// The bus between the nodes of a cluster. Changes of the settings apply to packets that are sent
/// afterwards.
///
/// What one node sends another one arrives in its order, but doubles come later. Packets of
/// different nodes overtake each other.
#[derive(Debug)]
pub struct Bus {
    random: fastrand::Rng,
    /// The shortest time of a packet.
    pub latency: Duration,
    /// The longest usual addition to it. Each one is drawn.
    pub jitter: Duration,
    /// The longest addition for the few packets that are late.
    pub tail: Duration,
    /// The number of packets of a hundred that are lost.
    pub lost_of_100: u32,
    /// The number of packets of a hundred that arrive twice.
    pub doubled_of_100: u32,
    /// The longest time after which a new subscription is known everywhere. Each one is drawn. What
    /// is sent to it before that is lost.
    pub interest: Duration,
    /// From when on packets reach a node.
    known: BTreeMap<Incarnation, Instant>,
    /// When the last packet from one node to another arrives.
    last: BTreeMap<(Incarnation, Incarnation), Instant>,
}

impl Bus {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            latency: Duration::from_micros(300),
            jitter: Duration::from_millis(1),
            tail: Duration::from_millis(20),
            lost_of_100: 0,
            doubled_of_100: 0,
            interest: Duration::ZERO,
            known: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    /// A node subscribes to what is sent to it.
    pub(super) fn subscribed(&mut self, now: Instant, node: Incarnation) {
        if !self.interest.is_zero() {
            let micros = u64::try_from(self.interest.as_micros()).unwrap_or(u64::MAX);
            let known = now + Duration::from_micros(self.random.u64(0..=micros));
            self.known.insert(node, known);
        }
    }

    /// When the copies of a packet arrive.
    pub(super) fn send(
        &mut self,
        now: Instant,
        from: Incarnation,
        to: Incarnation,
    ) -> impl Iterator<Item = Instant> + use<> {
        let is_unknown = self.known.get(&to).is_some_and(|known| now < *known);
        let is_lost = self.random.u32(0..100) < self.lost_of_100 || is_unknown;
        let is_doubled = self.random.u32(0..100) < self.doubled_of_100;
        let arrival = now + self.draw_time();
        let first = (!is_lost).then(|| {
            let last = self.last.entry((from, to)).or_insert(arrival);
            *last = (*last).max(arrival);
            *last
        });
        let second = (is_doubled && !is_lost).then(|| arrival + self.draw_time());
        first.into_iter().chain(second)
    }

    fn draw_time(&mut self) -> Duration {
        let is_late = self.random.u32(0..TAIL_IN) == 0;
        let longest = if is_late { self.tail.max(self.jitter) } else { self.jitter };
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        self.latency + Duration::from_micros(self.random.u64(0..=micros))
    }
}
