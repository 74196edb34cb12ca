//! Entries arrive in order and once, and congested mailboxes are reported to their senders.

use std::task::{Context, Poll};

use bytes::Bytes;
use futures_lite::future::block_on;
use rts_proto::server::{Deliveries, Moved, MovedMember, PassedOn, SessionNumber};
use rts_proto::{MessageConfig, MessageId, RoomId, UserId};

use super::burst::{BYTES_PER_TURN, ITEMS_PER_WEIGHT, WEIGHT_PER_TURN, weight};
use super::*;

fn shard(number: usize) -> ShardId {
    ShardId::new(number).expect("valid")
}

fn entry(number: u64) -> Entry {
    let session = SessionNumber::from_number(number).expect("not zero");
    Entry::Push { session, frame: Bytes::new() }
}

/// This many messages.
fn deliveries(count: usize) -> Deliveries {
    let session = SessionNumber::from_number(1).expect("not zero");
    let bob = UserId::new("bob").expect("valid");
    let mut deliveries = Deliveries::default();
    for id in (1..=count as u64).map(MessageId) {
        deliveries.push(session, id, MessageConfig::ReliableOrdered, &bob, b"frame");
    }
    deliveries
}

/// An entry with this many messages.
fn messages(count: usize) -> Entry {
    Entry::Deliver(deliveries(count))
}

fn mesh(shards: usize) -> (Mesh, Vec<Arc<ReadyQueue>>) {
    let ready: Vec<_> = (0..shards).map(|_| Arc::default()).collect();
    (Mesh::new(NodeNumber::ALONE, &ready), ready)
}

fn taken(mesh: &Mesh, own: usize) -> Vec<Input> {
    let mut inputs = Vec::new();
    while mesh.take(shard(own), &mut |input| inputs.push(input)) {}
    inputs
}

/// The inputs of one turn, and whether there are more.
fn taken_in_turn(mesh: &Mesh, own: usize) -> (Vec<Input>, bool) {
    let mut inputs = Vec::new();
    let has_more = mesh.take(shard(own), &mut |input| inputs.push(input));
    (inputs, has_more)
}

/// The sender and the number of each burst's first entry.
fn firsts(inputs: Vec<Input>) -> Vec<(usize, Entry)> {
    let first = |input| match input {
        Input::Peer(from, entries) => (from.number(), entries.into_iter().next().expect("one")),
        other => panic!("{other:?}"),
    };
    inputs.into_iter().map(first).collect()
}

fn is_notified(ready: &ReadyQueue) -> bool {
    block_on(std::future::poll_fn(|context: &mut Context<'_>| {
        Poll::Ready(ready.poll_ready(context, &mut VecDeque::new()).is_ready())
    }))
}

#[test]
fn entries_of_each_sender_come_in_their_order_and_once() {
    let (mesh, _ready) = mesh(3);
    for number in 1..=3 {
        mesh.send(shard(0), shard(2), vec![entry(number)]);
        mesh.send(shard(1), shard(2), vec![entry(10 * number), entry(10 * number + 1)]);
    }
    let of = |from, numbers: &[u64]| {
        Input::Peer(shard(from), numbers.iter().map(|number| entry(*number)).collect())
    };
    let first = [of(0, &[1]), of(1, &[10, 11]), of(0, &[2]), of(1, &[20, 21])];
    assert_eq!(taken(&mesh, 2), [&first[..], &[of(0, &[3]), of(1, &[30, 31])]].concat());
    assert_eq!(taken(&mesh, 2), []);
    assert_eq!(taken(&mesh, 0), []);
}

#[test]
fn receiver_is_woken_once_until_it_takes() {
    let (mesh, ready) = mesh(2);
    assert!(!is_notified(&ready[1]));
    mesh.send(shard(0), shard(1), vec![entry(1)]);
    assert!(is_notified(&ready[1]));
    mesh.send(shard(0), shard(1), vec![entry(2)]);
    assert!(!is_notified(&ready[1]) && !is_notified(&ready[0]));
    assert_eq!(taken(&mesh, 1).len(), 2);
    mesh.send(shard(0), shard(1), vec![entry(3)]);
    assert!(is_notified(&ready[1]));
}

/// A burst with the weight of a turn.
fn heavy(number: u64) -> Vec<Entry> {
    (0..WEIGHT_PER_TURN).map(|_| entry(number)).collect()
}

/// Entries for shard 1 that wait, in bursts of this length.
fn fill(mesh: &Mesh, bursts: usize, burst: usize) -> bool {
    let entries = || (1..=burst as u64).map(entry).collect();
    (0..bursts)
        .fold(false, |is_reported, _| mesh.send(shard(0), shard(1), entries()) || is_reported)
}

/// The entries that stay in a mailbox still count, and so do half of those that congested it.
#[test]
fn mailbox_is_congested_from_its_bound_to_half_of_it() {
    const BURST: usize = WEIGHT_PER_TURN;
    let (mesh, ready) = mesh(2);
    let full = CONGESTED_ENTRIES / BURST;
    assert!(!fill(&mesh, full - 1, BURST));
    assert!(fill(&mesh, 1, BURST));
    assert!(!fill(&mesh, 1, BURST), "reported once");
    for left in (CONGESTED_ENTRIES / 2 / BURST..=full).rev() {
        assert_eq!(mesh.next_relieved(shard(0)), None, "with more than {left} bursts left");
        assert!(!is_notified(&ready[0]));
        assert_eq!(taken_in_turn(&mesh, 1).0.len(), 1);
    }
    assert!(is_notified(&ready[0]));
    assert_eq!(mesh.next_relieved(shard(0)), Some(shard(1)));
    assert_eq!(mesh.next_relieved(shard(0)), None);
    assert!(!fill(&mesh, full / 2 - 1, BURST));
    assert!(fill(&mesh, 1, BURST), "congested again");
}

#[test]
fn each_message_of_an_entry_counts_in_the_bound() {
    let (mesh, _ready) = mesh(2);
    assert!(!mesh.send(shard(0), shard(1), vec![messages(CONGESTED_ENTRIES - 1)]));
    assert!(mesh.send(shard(0), shard(1), vec![messages(1)]));
    taken(&mesh, 1);
    assert_eq!(mesh.next_relieved(shard(0)), Some(shard(1)));
    assert!(!mesh.send(shard(0), shard(1), vec![messages(CONGESTED_ENTRIES - 1)]));
}

/// Otherwise the sender would send without bound to a receiver that is congested.
#[test]
fn receiver_that_is_congested_again_is_not_reported_as_relieved() {
    let (mesh, _ready) = mesh(2);
    assert!(fill(&mesh, 1, CONGESTED_ENTRIES));
    taken(&mesh, 1);
    assert!(!fill(&mesh, 1, CONGESTED_ENTRIES), "the sender knows it as congested");
    assert_eq!(mesh.next_relieved(shard(0)), None);
    taken(&mesh, 1);
    assert_eq!(mesh.next_relieved(shard(0)), Some(shard(1)));
}

#[test]
fn turn_ends_with_the_burst_that_reaches_its_weight() {
    let (mesh, ready) = mesh(3);
    for number in 1..=3 {
        mesh.send(shard(0), shard(2), heavy(number));
    }
    mesh.send(shard(1), shard(2), vec![entry(10)]);
    assert!(is_notified(&ready[2]));
    let turns = [
        (vec![(0, entry(1))], true),
        (vec![(1, entry(10)), (0, entry(2))], true),
        (vec![(0, entry(3))], false),
    ];
    for (expected, has_more) in turns {
        let (inputs, more) = taken_in_turn(&mesh, 2);
        assert_eq!((firsts(inputs), more), (expected, has_more));
    }
    assert!(!is_notified(&ready[2]));
    mesh.send(shard(0), shard(2), vec![entry(4)]);
    assert!(is_notified(&ready[2]));
}

/// Otherwise senders with low numbers, which always have mail, could keep a turn for themselves.
#[test]
fn senders_whose_bursts_fill_a_turn_take_turns() {
    let (mesh, _ready) = mesh(4);
    let mut sent = [0; 3];
    let mut send = |from: usize| {
        sent[from] += 1;
        mesh.send(shard(from), shard(3), heavy(sent[from]));
    };
    (0..3).for_each(&mut send);
    let mut senders = Vec::new();
    for _ in 0..6 {
        for (from, _) in firsts(taken_in_turn(&mesh, 3).0) {
            senders.push(from);
            send(from);
        }
    }
    assert_eq!(senders, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn entries_weigh_as_much_as_their_lists() {
    let session = SessionNumber::from_number(1).expect("not zero");
    let to_each = |sessions| Entry::PushToEach {
        sessions: vec![session; sessions],
        frames: vec![(None, Bytes::new()); ITEMS_PER_WEIGHT],
    };
    let weights = [entry(1), to_each(0), to_each(800), messages(3)].map(|entry| weight(&entry));
    assert_eq!(weights, [1, 2, 102, 3]);
    let members = |count| {
        let bob = UserId::new("bob").expect("valid");
        let members = vec![(bob, MovedMember::Here(session)); count];
        Moved::Members { room: RoomId::new("lobby").expect("valid"), used: 0, members }
    };
    let moved = [members(0), members(800), Moved::Held(PassedOn::Deliver(deliveries(3)))];
    assert_eq!(moved.map(|moved| weight(&Entry::Moved(Box::new(moved)))), [1, 101, 3]);
    let (mesh, _ready) = mesh(2);
    for _ in 0..2 {
        mesh.send(shard(0), shard(1), vec![to_each(ITEMS_PER_WEIGHT * WEIGHT_PER_TURN)]);
    }
    assert_eq!(taken_in_turn(&mesh, 1).0.len(), 1);
}

/// An entry with a frame of this many bytes.
fn push(bytes_len: usize) -> Entry {
    let session = SessionNumber::from_number(1).expect("not zero");
    Entry::Push { session, frame: vec![0; bytes_len].into() }
}

#[test]
fn many_bytes_congest_a_receiver_too() {
    let (mesh, _ready) = mesh(2);
    assert!(!mesh.send(shard(0), shard(1), vec![push(CONGESTED_BYTES - 1)]));
    assert!(mesh.send(shard(0), shard(1), vec![push(1)]));
}

/// Otherwise a turn would take all that congests a mailbox, from each sender, while links wait.
#[test]
fn turn_ends_with_the_burst_that_reaches_its_bytes() {
    let (mesh, _ready) = mesh(3);
    for from in [0, 1, 0, 1] {
        mesh.send(shard(from), shard(2), vec![push(BYTES_PER_TURN / 4), push(BYTES_PER_TURN / 4)]);
    }
    mesh.send(shard(0), shard(2), vec![push(BYTES_PER_TURN - 1)]);
    mesh.send(shard(1), shard(2), vec![push(1), push(1)]);
    mesh.send(shard(1), shard(2), vec![push(1)]);
    let senders = |inputs| firsts(inputs).into_iter().map(|(from, _)| from).collect::<Vec<_>>();
    for _ in 0..3 {
        let (inputs, more) = taken_in_turn(&mesh, 2);
        assert_eq!((senders(inputs), more), (vec![0, 1], true));
    }
    let (inputs, more) = taken_in_turn(&mesh, 2);
    assert_eq!((senders(inputs), more), (vec![1], false));
}

#[test]
fn threads_lose_and_swap_nothing() {
    const SENT: u64 = 20_000;
    let (mesh, _ready) = mesh(3);
    let mesh = &mesh;
    std::thread::scope(|scope| {
        for from in [0, 1] {
            scope.spawn(move || {
                for number in 1..=SENT {
                    mesh.send(shard(from), shard(2), vec![entry(number)]);
                }
            });
        }
        let mut last = [0, 0];
        while last != [SENT, SENT] {
            for input in taken(mesh, 2) {
                let Input::Peer(from, entries) = input else { continue };
                let next = last[from.number()] + 1;
                assert_eq!(entries, [entry(next)]);
                last[from.number()] = next;
            }
        }
    });
}

#[test]
fn turn_takes_a_bounded_weight_of_other_nodes_in_their_order() {
    let outside = Outside::default();
    let [half, congested] =
        [Input::Peer(shard(1), vec![messages(600)]), Input::PeerCongested(shard(1), true)];
    let all = [&half, &congested, &half, &half].map(Clone::clone);
    let wakes = all.clone().map(|input| outside.put(input));
    assert_eq!(wakes, [true, false, false, false], "once until it takes");
    let mut inputs = Vec::new();
    assert!(outside.take(&mut |input| inputs.push(input)));
    assert_eq!(inputs, all[..3], "the burst that reaches the bound is taken");
    assert!(!outside.take(&mut |input| inputs.push(input)));
    assert_eq!(inputs, all);
    assert!(outside.put(half));
}

#[test]
fn mailbox_of_other_nodes_is_full_at_its_bound() {
    let outside = Outside::default();
    let burst = |count| Input::Peer(shard(1), vec![messages(count)]);
    outside.put(burst(CONGESTED_ENTRIES - 1));
    assert!(!outside.is_full());
    outside.put(burst(1));
    assert!(outside.is_full());
    assert!(outside.take(&mut drop));
    assert!(!outside.is_full());
    assert!(!outside.take(&mut drop));
    let frame = |bytes| {
        let session = SessionNumber::from_number(1).expect("not zero");
        Input::Peer(shard(1), vec![Entry::Push { session, frame: vec![0; bytes].into() }])
    };
    outside.put(frame(CONGESTED_BYTES - 1));
    assert!(!outside.is_full());
    outside.put(frame(1));
    assert!(outside.is_full());
}
