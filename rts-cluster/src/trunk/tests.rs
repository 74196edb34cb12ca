use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::limits::{
    ACK_DELAY, ACK_ENTRIES_MAX, BATCH_BYTES_MAX, ENTRY_OVERHEAD_BYTES, NACK_EVERY, RESEND_AFTER,
    RESEND_AFTER_MAX, TRUNK_BYTES_MAX, TRUNK_ENTRIES_MAX,
};

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn entry(number: u64) -> Bytes {
    number.to_le_bytes().to_vec().into()
}

fn number(entry: &Bytes) -> u64 {
    u64::from_le_bytes(entry[..].try_into().expect("eight bytes"))
}

fn with_entries(count: u64) -> Trunk {
    let mut trunk = Trunk::new(TRUNK_BYTES_MAX);
    (0..count).for_each(|number| trunk.push(at(0), entry(number)).expect("there is room"));
    trunk
}

fn polled(trunk: &mut Trunk, now: Instant) -> Vec<Packet> {
    std::iter::from_fn(|| trunk.poll(now)).collect()
}

fn batch(first: u64, ack: u64, numbers: std::ops::Range<u64>) -> Packet {
    Packet::Batch { first, ack, entries: numbers.map(entry).collect() }
}

#[test]
fn entries_of_a_burst_share_a_batch_and_are_sent_once() {
    let mut trunk = with_entries(3);
    assert_eq!(polled(&mut trunk, at(0)), [batch(0, 0, 0..3)]);
    trunk.push(at(1), entry(3)).expect("there is room");
    assert_eq!(polled(&mut trunk, at(1)), [batch(3, 0, 3..4)]);
    assert_eq!(trunk.entries(), 4);
}

#[test]
fn batch_is_limited_to_the_byte() {
    let mut trunk = Trunk::new(TRUNK_BYTES_MAX);
    for len in [BATCH_BYTES_MAX - 1, 1, 1, BATCH_BYTES_MAX + 1, 1] {
        trunk.push(at(0), vec![0; len].into()).expect("there is room");
    }
    let firsts = polled(&mut trunk, at(0)).into_iter().map(|packet| match packet {
        Packet::Batch { first, entries, .. } => (first, entries.len()),
        other => panic!("no batch: {other:?}"),
    });
    assert_eq!(firsts.collect::<Vec<_>>(), [(0, 2), (2, 1), (3, 1), (4, 1)]);
}

#[test]
fn full_trunk_takes_entries_again_after_an_acknowledgement() {
    let mut trunk = with_entries(TRUNK_ENTRIES_MAX as u64);
    assert_eq!(trunk.push(at(0), entry(0)), Err(Full));
    polled(&mut trunk, at(0));
    assert_eq!(trunk.receive(at(1), Packet::Ack { ack: 1 }), Ok(vec![]));
    assert_eq!(trunk.push(at(1), entry(0)), Ok(()));
    assert_eq!(trunk.push(at(1), entry(0)), Err(Full));
}

#[test]
fn trunk_is_full_at_its_bytes() {
    let fits = vec![0; 1_000 - ENTRY_OVERHEAD_BYTES];
    let mut trunk = Trunk::new(1_000);
    assert_eq!(trunk.push(at(0), vec![0; fits.len() + 1].into()), Err(Full));
    assert_eq!(trunk.push(at(0), fits.into()), Ok(()));
    assert_eq!(trunk.push(at(0), Bytes::new()), Err(Full));
}

#[test]
fn silence_sends_again_with_growing_pauses() {
    let mut trunk = with_entries(2);
    let mut pause = RESEND_AFTER;
    let mut now = at(0);
    polled(&mut trunk, now);
    for _ in 0..5 {
        let due = trunk.deadline().expect("something is not acknowledged");
        assert_eq!(due.since(now), pause);
        now = due;
        assert_eq!(polled(&mut trunk, now), [batch(0, 0, 0..2)]);
        pause = (pause * 2).min(RESEND_AFTER_MAX);
    }
    assert_eq!(trunk.receive(now, Packet::Ack { ack: 1 }), Ok(vec![]));
    assert_eq!(trunk.deadline(), Some(now + RESEND_AFTER), "progress");
    assert_eq!(trunk.receive(now, Packet::Ack { ack: 2 }), Ok(vec![]));
    assert_eq!(trunk.deadline(), None);
    assert!(trunk.is_acknowledged());
}

#[test]
fn acknowledgement_waits_for_a_batch_but_not_for_long() {
    let mut trunk = with_entries(0);
    assert_eq!(trunk.receive(at(0), batch(0, 0, 0..1)), Ok(vec![entry(0)]));
    assert_eq!(polled(&mut trunk, at(0)), []);
    trunk.push(at(1), entry(7)).expect("there is room");
    assert_eq!(polled(&mut trunk, at(1)), [batch(0, 1, 7..8)]);
    trunk.receive(at(2), batch(1, 1, 1..2)).expect("a correct packet");
    let due = trunk.deadline().expect("an acknowledgement");
    assert_eq!(due, at(2) + ACK_DELAY);
    assert_eq!(polled(&mut trunk, due), [Packet::Ack { ack: 2 }]);
    trunk.receive(due, batch(2, 1, 0..ACK_ENTRIES_MAX)).expect("a correct packet");
    assert_eq!(polled(&mut trunk, due), [Packet::Ack { ack: 2 + ACK_ENTRIES_MAX }]);
}

#[test]
fn gap_is_reported_now_and_then_and_nothing_behind_it_is_taken() {
    let mut trunk = with_entries(0);
    assert_eq!(trunk.receive(at(1), batch(1, 0, 1..2)), Ok(vec![]));
    assert_eq!(polled(&mut trunk, at(1)), [Packet::Nack { expected: 0 }]);
    assert_eq!(trunk.receive(at(2), batch(2, 0, 2..3)), Ok(vec![]));
    assert_eq!(polled(&mut trunk, at(2)), []);
    let due = trunk.deadline().expect("another request");
    assert_eq!(due, at(1) + NACK_EVERY);
    assert_eq!(polled(&mut trunk, due), [Packet::Nack { expected: 0 }]);
    let all = trunk.receive(due, batch(0, 0, 0..3)).expect("a correct packet");
    assert_eq!(all.iter().map(number).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn request_sends_again_at_once_and_acknowledges() {
    let mut trunk = with_entries(3);
    polled(&mut trunk, at(0));
    trunk.receive(at(1), Packet::Nack { expected: 1 }).expect("a correct packet");
    assert_eq!(polled(&mut trunk, at(1)), [batch(1, 0, 1..3)]);
}

#[test]
fn working_bus_sends_again_at_once() {
    let mut trunk = with_entries(1);
    polled(&mut trunk, at(0));
    trunk.bus_is_up(at(1));
    assert_eq!(polled(&mut trunk, at(1)), [batch(0, 0, 0..1)]);
}

#[test]
fn repeated_entries_are_taken_once_and_acknowledged_at_once() {
    let mut trunk = with_entries(0);
    trunk.receive(at(0), batch(0, 0, 0..2)).expect("a correct packet");
    polled(&mut trunk, at(0) + ACK_DELAY);
    assert_eq!(trunk.receive(at(20), batch(0, 0, 0..3)), Ok(vec![entry(2)]));
    assert_eq!(polled(&mut trunk, at(20)), [Packet::Ack { ack: 3 }]);
    assert_eq!(trunk.receive(at(21), batch(0, 0, 0..3)), Ok(vec![]));
    assert_eq!(polled(&mut trunk, at(21)), [Packet::Ack { ack: 3 }]);
}

#[test]
fn acknowledgement_of_what_was_never_sent_is_refused() {
    let mut trunk = with_entries(2);
    let refused = Err(TrunkError::NeverSent { ack: 1, sent: 0 });
    assert_eq!(trunk.receive(at(0), Packet::Ack { ack: 1 }), refused);
    polled(&mut trunk, at(0));
    let refused = Err(TrunkError::NeverSent { ack: 3, sent: 2 });
    assert_eq!(trunk.receive(at(0), Packet::Nack { expected: 3 }), refused);
    assert_eq!(trunk.receive(at(0), batch(0, 3, 0..1)), refused);
    assert_eq!(trunk.receive(at(0), batch(0, 2, 0..1)), Ok(vec![entry(0)]));
    assert_eq!(trunk.receive(at(0), Packet::Ack { ack: 1 }), Ok(vec![]), "an old one");
    assert!(trunk.is_acknowledged());
}

#[test]
fn closed_trunk_gives_back_what_is_not_acknowledged() {
    let mut trunk = with_entries(3);
    polled(&mut trunk, at(0));
    trunk.receive(at(1), Packet::Ack { ack: 1 }).expect("a correct packet");
    trunk.bus_is_up(at(1));
    trunk.push(at(1), entry(3)).expect("there is room");
    let given_back = trunk.close();
    assert_eq!(given_back.unknown, [entry(1), entry(2)], "sent, also if they are due again");
    assert_eq!(given_back.not_sent, [entry(3)]);
}

/// What a bus does with a packet.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives { after_ms: u64 },
    ArrivesTwice { after_ms: [u64; 2] },
    IsLost,
}

fn fate() -> impl Strategy<Value = Fate> {
    let delay = || prop_oneof![4 => 0..5_u64, 1 => 0..400_u64];
    prop_oneof![
        5 => delay().prop_map(|after_ms| Fate::Arrives { after_ms }),
        2 => [delay(), delay()].prop_map(|after_ms| Fate::ArrivesTwice { after_ms }),
        2 => Just(Fate::IsLost),
    ]
}

/// Two ends, and the packets between them.
struct Line {
    now: Instant,
    ends: [Trunk; 2],
    pushed: [u64; 2],
    received: [u64; 2],
    /// When, to which end, what.
    under_way: Vec<(Instant, usize, Packet)>,
    fates: VecDeque<Fate>,
}

impl Line {
    fn new(fates: Vec<Fate>) -> Self {
        Self {
            now: at(0),
            ends: [with_entries(0), with_entries(0)],
            pushed: [0; 2],
            received: [0; 2],
            under_way: Vec::new(),
            fates: fates.into(),
        }
    }

    /// Adds entries at an end.
    fn push(&mut self, end: usize, count: u64) {
        for _ in 0..count {
            self.ends[end].push(self.now, entry(self.pushed[end])).expect("there is room");
            self.pushed[end] += 1;
        }
        self.send(end);
    }

    fn send(&mut self, end: usize) {
        while let Some(packet) = self.ends[end].poll(self.now) {
            let mut arrives = |after_ms, packet| {
                let when = self.now + Duration::from_millis(after_ms);
                self.under_way.push((when, 1 - end, packet));
            };
            match self.fates.pop_front() {
                None => arrives(1, packet),
                Some(Fate::Arrives { after_ms }) => arrives(after_ms, packet),
                Some(Fate::ArrivesTwice { after_ms: [one, other] }) => {
                    arrives(one, packet.clone());
                    arrives(other, packet);
                }
                Some(Fate::IsLost) => {}
            }
        }
    }

    /// Moves on to the next event before `end`. Returns whether there was one.
    fn step(&mut self, end: Instant) -> bool {
        let arrival = self.under_way.iter().map(|(when, ..)| *when).min();
        let deadlines = self.ends.iter().filter_map(Trunk::deadline);
        let Some(next) = arrival.into_iter().chain(deadlines).min().filter(|next| *next < end)
        else {
            return false;
        };
        self.now = self.now.max(next);
        let due = self.under_way.iter().position(|(when, ..)| *when <= self.now);
        if let Some(index) = due {
            let (_, to, packet) = self.under_way.remove(index);
            for entry in self.ends[to].receive(self.now, packet).expect("a correct packet") {
                assert_eq!(number(&entry), self.received[to], "in order, and once");
                self.received[to] += 1;
            }
        }
        (0..2).for_each(|end| self.send(end));
        true
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }
}

proptest! {
    /// Whatever the bus does for a while, all entries of both ends arrive once and in order, and
    /// soon after it works again nothing is left.
    #[test]
    fn entries_arrive_once_and_in_order(
        fates in proptest::collection::vec(fate(), 0..200),
        steps in proptest::collection::vec((0..2_usize, 0..200_u64, 0..300_u64), 1..20),
    ) {
        let mut line = Line::new(fates);
        for (end, count, pause_ms) in steps {
            line.push(end, count);
            line.pass(Duration::from_millis(pause_ms));
        }
        line.pass(Duration::from_secs(600));
        prop_assert!(line.fates.is_empty() || line.under_way.is_empty());
        prop_assert_eq!(line.received, [line.pushed[1], line.pushed[0]]);
        prop_assert!(line.ends.iter().all(Trunk::is_acknowledged));
        prop_assert_eq!(line.ends.each_ref().map(Trunk::deadline), [None, None]);
    }
}
