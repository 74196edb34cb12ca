//! Bytes on their way to each receiver (§5.6), counted on lanes by a hash of the receiver's id.

use crate::Instant;
use crate::limits::{FLIGHT_BYTES_MAX, FLIGHT_WAIT};
use crate::planted::{Bug, planted};

/// A lane that counts the bytes to some receivers. Receivers that share a lane wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane(u8);

/// The lanes of a set fit into one word of bits.
const LANES: usize = 64;

impl Lane {
    pub(crate) fn of(uid: &str) -> Self {
        // FNV-1a: its upper bits depend on every byte.
        let hash = uid.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self((hash >> 58) as u8)
    }
}

/// Lanes with a message that waits. Later messages to the same receiver must not overtake it.
#[derive(Default)]
pub(crate) struct Held(u64);

impl Held {
    pub(crate) fn add(&mut self, lane: Lane) {
        self.0 |= 1 << lane.0;
    }

    fn has(&self, lane: Lane) -> bool {
        self.0 & (1 << lane.0) != 0
    }
}

/// The bytes that one message adds to its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Departure {
    pub(super) lane: Lane,
    /// 0 until the message is in the window.
    pub(super) frame_bytes: usize,
}

/// Bytes of reliable messages without a result that are, or were, in the window.
#[derive(Debug)]
pub(super) struct Flights {
    lanes: [Flight; LANES],
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    bytes: usize,
    /// When a message last arrived, or the first one left.
    moved: Instant,
}

impl Flights {
    pub(super) fn new() -> Self {
        Self { lanes: [Flight { bytes: 0, moved: Instant::ORIGIN }; LANES] }
    }

    /// The moment until which a message waits for earlier ones. The wait ends when a receiver does
    /// not respond: the server then decides what happens to the messages.
    pub(super) fn hold(
        &self,
        now: Instant,
        lane: Lane,
        frame_bytes: usize,
        held: &Held,
    ) -> Option<Instant> {
        let flight = self.lanes.get(usize::from(lane.0))?;
        let until = flight.moved + FLIGHT_WAIT;
        let is_over = flight.bytes > 0 && flight.bytes + frame_bytes > FLIGHT_BYTES_MAX;
        let is_held = (is_over || held.has(lane)) && !planted(Bug::LanesIgnored);
        (is_held && until > now).then_some(until)
    }

    pub(super) fn depart(&mut self, now: Instant, lane: Lane, frame_bytes: usize) {
        let Some(flight) = self.lanes.get_mut(usize::from(lane.0)) else { return };
        if flight.bytes == 0 {
            flight.moved = now;
        }
        flight.bytes += frame_bytes;
    }

    /// A message has its result. `arrived` is set when the message arrived.
    pub(super) fn end(&mut self, ended: Departure, arrived: Option<Instant>) {
        let Some(flight) = self.lanes.get_mut(usize::from(ended.lane.0)) else { return };
        if !planted(Bug::LaneNotFreed) {
            flight.bytes -= ended.frame_bytes;
        }
        if let Some(now) = arrived {
            flight.moved = now;
        }
    }

    /// On a new link, the wait starts again.
    pub(super) fn restart(&mut self, now: Instant) {
        for flight in &mut self.lanes {
            flight.moved = now;
        }
    }

    /// Bytes on all lanes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.lanes.iter().map(|flight| flight.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_millis(10_000);
    const FULL: usize = 512 * 1_024;

    fn bob() -> Lane {
        Lane::of("bob")
    }

    fn with_bytes_to_bob(bytes: usize) -> Flights {
        let mut flights = Flights::new();
        flights.depart(START, bob(), bytes);
        flights
    }

    fn is_held(flights: &Flights, now: Instant, frame_bytes: usize) -> bool {
        flights.hold(now, bob(), frame_bytes, &Held::default()).is_some()
    }

    #[test]
    fn lane_carries_half_a_mebibyte_and_not_one_byte_more() {
        let flights = with_bytes_to_bob(FULL - 100);
        assert!(!is_held(&flights, START, 100));
        assert!(is_held(&flights, START, 101));
    }

    #[test]
    fn a_frame_of_any_length_may_go_alone() {
        assert!(!is_held(&Flights::new(), START, FULL + 1));
    }

    #[test]
    fn lane_waits_6_seconds_for_a_silent_receiver() {
        let flights = with_bytes_to_bob(FULL);
        let until = Instant::from_millis(16_000);
        assert_eq!(flights.hold(START, bob(), 1, &Held::default()), Some(until));
        assert!(is_held(&flights, Instant::from_micros(15_999_999), 1));
        assert!(!is_held(&flights, until, 1));
    }

    #[test]
    fn arrival_extends_the_wait_and_failure_does_not() {
        let later = Instant::from_millis(10_500);
        let first = Departure { lane: bob(), frame_bytes: 1 };
        let mut flights = with_bytes_to_bob(FULL + 1);
        flights.end(first, None);
        let hold = |flights: &Flights| flights.hold(later, bob(), 1, &Held::default());
        assert_eq!(hold(&flights), Some(Instant::from_millis(16_000)));
        flights.depart(START, bob(), 1);
        flights.end(first, Some(later));
        assert_eq!(hold(&flights), Some(Instant::from_millis(16_500)));
        flights.end(first, Some(later));
        assert_eq!(hold(&flights), None);
    }

    #[test]
    fn waiting_frame_is_not_overtaken_on_its_lane() {
        let mut held = Held::default();
        held.add(bob());
        let flights = with_bytes_to_bob(1);
        assert!(flights.hold(START, bob(), 1, &held).is_some());
        let other = (0..).map(|n: u32| Lane::of(&alloc::format!("user{n}")));
        let other = other.into_iter().find(|lane| *lane != bob()).expect("another lane");
        assert_eq!(flights.hold(START, other, 1, &held), None);
    }
}
