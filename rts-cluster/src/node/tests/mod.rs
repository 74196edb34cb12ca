//! Stories and the law of a node.

mod traffic;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::limits::TRUNK_ENTRIES_MAX;
use crate::membership::tests::world::{Fault, World};
use crate::membership::tests::{cluster, fault};
use crate::membership::{Question, Wish};
use crate::testing::{beat, cluster_name, member};
use crate::view::MemberState;
use traffic::{Traffic, piece};

impl Node {
    pub(crate) fn membership(&self) -> &Membership {
        &self.membership
    }

    pub(crate) fn membership_mut(&mut self) -> &mut Membership {
        &mut self.membership
    }
}

fn route() -> Route {
    Route::new(0, 0).expect("valid numbers")
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// All outputs but the last, which is a wait.
fn outputs(node: &mut Node) -> Vec<Output> {
    let is_wait = |output: &Output| matches!(output, Output::Wait(_));
    std::iter::from_fn(|| Some(node.poll()).filter(|output| !is_wait(output))).collect()
}

/// A packet from a node with this incarnation.
fn from(incarnation: u64, kind: Kind) -> Packet {
    let (from, to) = (Incarnation(incarnation), Some(Incarnation(1)));
    Packet { cluster: cluster_name(), from, to, kind }
}

fn ack(ack: u64) -> Kind {
    Kind::Trunk(trunk::Packet::Ack { ack })
}

fn batch(entries: Vec<Bytes>) -> Kind {
    Kind::Trunk(trunk::Packet::Batch { first: 0, ack: 0, entries })
}

/// What a member of a cluster of two says of a packet of the other one, which has incarnation 2.
fn dropped(packet: Packet) -> Dropped {
    let mut world = cluster(2);
    let node = &mut world.nodes.get_mut(&0).expect("it runs").node;
    node.handle(world.now, Input::Packet(packet.encode()));
    assert_eq!(outputs(node), []);
    node.dropped()
}

#[test]
fn packets_that_are_not_for_this_node_are_dropped_and_counted() {
    let none = dropped(from(2, ack(0)));
    let other_cluster = ClusterName::new("other").expect("a valid name");
    let packet = Packet { cluster: other_cluster, ..from(2, ack(0)) };
    assert_eq!(dropped(packet).other_cluster, none.other_cluster + 1);
    let packet = Packet { to: Some(Incarnation(9)), ..from(2, ack(0)) };
    assert_eq!(dropped(packet).for_other_node, none.for_other_node + 1);
    let packet = Packet { to: None, ..from(2, ack(0)) };
    assert_eq!(dropped(packet).malformed, none.malformed + 1);
    assert_eq!(dropped(from(9, ack(0))).unknown_sender, none.unknown_sender + 1);
    assert_eq!(dropped(from(2, ack(1))).never_sent, none.never_sent + 1);
    assert_eq!(dropped(from(1, ack(1))), none, "its own packet");
}

#[test]
fn entries_of_shards_that_do_not_exist_are_dropped_and_counted() {
    for (from_shard, to_shard) in [(1, 0), (0, 1)] {
        let route = Route::new(from_shard, to_shard).expect("valid numbers");
        assert_eq!(dropped(from(2, batch(vec![piece(0, route)]))).bad_entries, 1);
    }
    assert_eq!(dropped(from(2, batch(vec![Bytes::from_static(&[0xFF])]))).bad_entries, 1);
}

#[test]
fn malformed_packets_and_unknown_kinds_are_counted() {
    let mut node = Node::new(cluster_name(), member("a", 1), 7);
    node.handle(at(0), Input::Packet(Bytes::from_static(&[0xFF])));
    let mut unknown = from(2, ack(0)).encode().to_vec();
    // The tag of the acknowledgement becomes that of a field that does not exist.
    let tag = unknown.iter().position(|byte| *byte == 5 << 3 | 2).expect("it has one");
    unknown[tag] = 15 << 3 | 2;
    node.handle(at(0), Input::Packet(unknown.into()));
    let expected = Dropped { malformed: 1, unknown_kind: 1, ..Dropped::default() };
    assert_eq!(node.dropped(), expected);
}

#[test]
fn nothing_is_sent_before_the_bus_is_up_and_after_it_is_down() {
    let mut node = Node::new(cluster_name(), member("a", 1), 7);
    let is_sent = |output: &Output| matches!(output, Output::Send { .. });
    node.handle(at(0), Input::Tick);
    assert!(!outputs(&mut node).iter().any(is_sent));
    node.handle(at(1_000), Input::Read(Question(1), None));
    assert!(!outputs(&mut node).iter().any(is_sent));
    node.handle(at(1_000), Input::BusUp);
    node.handle(at(1_500), Input::Tick);
    assert!(outputs(&mut node).iter().any(is_sent), "a beat");
    node.handle(at(1_001), Input::BusDown);
    node.handle(at(5_000), Input::Tick);
    assert!(!outputs(&mut node).iter().any(is_sent));
}

#[test]
fn entries_to_a_node_that_is_not_in_the_view_come_back() {
    let mut world = cluster(1);
    let node = &mut world.nodes.get_mut(&0).expect("it runs").node;
    let (to, pieces) = (Incarnation(9), vec![piece(0, route()), piece(1, route())]);
    node.handle(world.now, Input::Entries { to, pieces: pieces.clone() });
    assert_eq!(outputs(node), [Output::NotSent { to, pieces }]);
}

#[test]
fn entries_of_a_burst_arrive_at_once() {
    let mut traffic = Traffic::new(cluster(2));
    traffic.send(0, 1, 1_000);
    traffic.pass(10);
    assert_eq!(traffic.received(0, 1), 1_000);
}

#[test]
fn entries_over_a_bus_that_was_down_arrive_when_it_is_up() {
    let mut traffic = Traffic::new(cluster(2));
    traffic.world.input(0, Input::BusDown);
    traffic.send(0, 1, 3);
    traffic.pass(1_000);
    assert_eq!(traffic.received(0, 1), 0);
    traffic.world.input(0, Input::BusUp);
    traffic.pass(10);
    assert_eq!(traffic.received(0, 1), 3);
}

#[test]
fn entries_to_a_node_that_joins_are_not_lost() {
    let mut world = cluster(2);
    world.start(2);
    let mut traffic = Traffic::new(world);
    // Each node sends as soon as it knows the new one, which may not know it yet.
    for _ in 0..500 {
        (0..2).for_each(|node| traffic.send(node, 2, 1));
        (0..2).for_each(|node| traffic.send(2, node, 1));
        traffic.pass(10);
    }
    traffic.pass(100);
    assert!(traffic.received(0, 2) > 200 && traffic.received(2, 1) > 200);
    traffic.check_all_arrived();
}

#[test]
fn node_gets_what_it_missed_as_soon_as_it_has_a_lease() {
    let mut traffic = Traffic::new(cluster(3));
    // The others do not hear it. It hears them.
    traffic.world.input(2, Input::BusDown);
    traffic.world.pass_until_frozen(2);
    traffic.send(0, 2, 5);
    traffic.pass(10);
    let node = &traffic.world.nodes[&2].node;
    assert!(node.dropped().without_lease > 0, "{:?}", node.dropped());
    assert_eq!(traffic.received(0, 2), 0);
    traffic.world.input(2, Input::BusUp);
    // What it votes for is sent at once.
    traffic.world.input(2, Input::Wish(Wish::Be(MemberState::Draining)));
    while !traffic.world.acting().contains(&2) {
        traffic.pass(1);
    }
    traffic.pass(20);
    assert_eq!(traffic.received(0, 2), 5);
}

#[test]
fn node_without_a_lease_sends_and_takes_nothing() {
    let mut traffic = Traffic::new(cluster(3));
    traffic.world.break_it(Fault::Partition { one_side: [2].into(), ms: 6_000 });
    traffic.world.pass_until_frozen(2);
    let now = traffic.world.now;
    let node = &mut traffic.world.nodes.get_mut(&2).expect("it runs").node;
    let pieces = vec![piece(0, route())];
    node.handle(now, Input::Entries { to: Incarnation(1), pieces });
    assert_eq!(outputs(node), []);
    let to = Some(Incarnation(3));
    let packet = Packet { to, ..from(1, batch(vec![piece(0, route())])) };
    let before = node.dropped().without_lease;
    node.handle(now, Input::Packet(packet.encode()));
    assert_eq!(outputs(node), []);
    assert_eq!(node.dropped().without_lease, before + 1);
}

#[test]
fn what_a_dead_node_has_not_acknowledged_is_given_back() {
    let mut traffic = Traffic::new(cluster(3));
    traffic.send(0, 2, 5);
    traffic.pass(100);
    traffic.world.crash(2);
    let pieces: Vec<_> = (5..7).map(|number| piece(number, route())).collect();
    let (node, to) = (0, Incarnation(3));
    traffic.world.input(node, Input::Entries { to, pieces: pieces.clone() });
    traffic.world.certify();
    traffic.world.pass(2_000);
    let of_node = traffic.world.log.iter().filter(|(at, _)| *at == Incarnation(1));
    let given_back = of_node.filter_map(|(_, output)| match output {
        Output::PeerGone { node: Incarnation(3), given_back } => Some(given_back.clone()),
        _ => None,
    });
    let unknown = trunk::GivenBack { unknown: pieces, not_sent: vec![] };
    assert_eq!(given_back.collect::<Vec<_>>(), [unknown]);
}

#[test]
fn full_trunk_is_congested_and_loses_nothing() {
    let mut traffic = Traffic::new(cluster(2));
    let half = TRUNK_ENTRIES_MAX as u64 / 2;
    traffic.world.input(0, Input::BusDown);
    traffic.send(0, 1, half);
    assert!(traffic.congestion.is_empty());
    traffic.send(0, 1, 1);
    assert_eq!(traffic.congestion, [true]);
    // More than the trunk takes.
    traffic.send(0, 1, 2 * half);
    let now = traffic.world.now;
    let figures: Vec<_> = traffic.world.nodes[&0].node.trunks(now).collect();
    let [trunk] = &figures[..] else { panic!("{figures:?}") };
    assert_eq!((trunk.entries as u64, trunk.is_congested), (3 * half + 1, true));
    assert!(trunk.bytes > trunk.entries && trunk.silent_for.is_some(), "{trunk:?}");
    traffic.world.input(0, Input::BusUp);
    traffic.pass(2_000);
    assert_eq!(traffic.congestion, [true, false]);
    traffic.check_all_arrived();
}

#[test]
fn node_that_gets_beats_but_acknowledges_nothing_is_removed() {
    let mut traffic = Traffic::new(cluster(3));
    let removed = traffic.world.nodes[&2].incarnation();
    traffic.world.break_it(Fault::Close { node: 2, ms: 60_000 });
    traffic.send(0, 2, 1);
    traffic.pass(12_000);
    let has =
        |world: &World| world.nodes[&0].node.view().map(|view| view.member(removed).is_some());
    assert_eq!(has(&traffic.world), Some(true), "for one of three only");
    traffic.send(1, 2, 1);
    traffic.pass(12_000);
    assert_eq!(has(&traffic.world), Some(false));
}

#[test]
fn node_that_acknowledges_nothing_is_frozen_before_it_is_removed() {
    let mut traffic = Traffic::new(cluster(3));
    traffic.world.break_it(Fault::Close { node: 2, ms: 60_000 });
    (0..2).for_each(|node| traffic.send(node, 2, 1));
    let views = traffic.world.history.len();
    while traffic.world.history.len() == views {
        traffic.pass(1);
    }
    // It does not hear of it.
    traffic.world.break_it(Fault::Partition { one_side: [2].into(), ms: 60_000 });
    traffic.pass(1_000);
    assert_eq!(traffic.world.acting(), [0, 1]);
}

#[test]
fn node_that_acknowledges_again_is_granted_again() {
    let mut traffic = Traffic::new(cluster(2));
    traffic.world.break_it(Fault::Close { node: 1, ms: 7_000 });
    traffic.send(0, 1, 1);
    let views = traffic.world.history.len();
    for _ in 0..60 {
        traffic.pass(500);
        assert_eq!(traffic.world.acting(), [0, 1]);
    }
    assert_eq!((traffic.received(0, 1), traffic.world.history.len()), (1, views));
}

#[test]
fn one_of_two_nodes_ends_if_it_acknowledges_nothing() {
    let mut traffic = Traffic::new(cluster(2));
    let before = [0, 1].map(|name| traffic.world.nodes[&name].incarnation());
    traffic.world.break_it(Fault::Close { node: 1, ms: 36_000 });
    traffic.send(0, 1, 1);
    traffic.pass(45_000);
    let after = [0, 1].map(|name| traffic.world.nodes[&name].incarnation());
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1], after[1]);
    assert!(traffic.world.is_whole(), "{}", traffic.world.summary());
}

#[test]
fn node_ends_if_the_others_do_not_remove_one_that_acknowledges_nothing() {
    let mut traffic = Traffic::new(cluster(3));
    let before = [0, 1, 2].map(|name| traffic.world.nodes[&name].incarnation());
    traffic.world.break_it(Fault::Close { node: 2, ms: 120_000 });
    traffic.send(0, 2, 1);
    traffic.pass(44_000);
    let now = |world: &World| [0, 1, 2].map(|name| world.nodes[&name].incarnation());
    assert_eq!(now(&traffic.world), before);
    traffic.pass(6_000);
    let after = now(&traffic.world);
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1..], before[1..]);
}

#[test]
fn node_that_has_left_wants_nothing() {
    let mut world = cluster(1);
    let node = &mut world.nodes.get_mut(&0).expect("it runs").node;
    node.handle(world.now, Input::Wish(Wish::Leave));
    let is_end = |output: &Output| matches!(output, Output::Ended(_));
    assert!(outputs(node).last().is_some_and(is_end));
    node.handle(world.now, Input::Tick);
    assert_eq!(node.poll(), Output::Wait(NEVER));
}

#[test]
fn node_that_nobody_answers_wants_another_connection() {
    let mut world = cluster(2);
    let (now, node) = (world.now, &mut world.nodes.get_mut(&0).expect("it runs").node);
    let mut is_unheard = |millis: u64| {
        node.handle(now + Duration::from_millis(millis), Input::Tick);
        outputs(node).contains(&Output::Unheard)
    };
    assert!(!is_unheard(900), "its last beat was answered less than 500 ms ago");
    assert!(is_unheard(1_500));
    assert!(!is_unheard(4_400), "now it waits for twice the time");
    assert!(is_unheard(4_500));
    let mut alone = cluster(1);
    let (now, node) = (alone.now, &mut alone.nodes.get_mut(&0).expect("it runs").node);
    node.handle(now + Duration::from_secs(60), Input::Tick);
    assert!(!outputs(node).contains(&Output::Unheard), "nobody could answer");
}

#[test]
fn node_without_a_bus_wants_no_other_connection() {
    let mut world = cluster(2);
    let (now, node) = (world.now, &mut world.nodes.get_mut(&0).expect("it runs").node);
    node.handle(now, Input::BusDown);
    node.handle(now + Duration::from_secs(4), Input::Tick);
    assert!(!outputs(node).contains(&Output::Unheard));
    node.handle(now + Duration::from_secs(4), Input::BusUp);
    assert!(!outputs(node).contains(&Output::Unheard), "it counts from then on");
}

#[test]
fn namesake_is_reported_once() {
    let mut world = cluster(1);
    let (now, node) = (world.now, &mut world.nodes.get_mut(&0).expect("it runs").node);
    let mut reported = |name: &str, number: u64| {
        let beat = Beat { number, wish: Wish::Leave, ..beat(member(name, 99)) };
        let packet = Packet { to: None, ..from(99, Kind::Beat(beat)) };
        node.handle(now, Input::Packet(packet.encode()));
        outputs(node).contains(&Output::Namesake(Incarnation(99)))
    };
    assert!(!reported("n1", 1));
    assert!(reported("n0", 2));
    assert!(!reported("n0", 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens to the bus, the register and the nodes: entries between two living
    /// incarnations arrive once and in order, and none comes from a node that is gone.
    #[test]
    fn entries_arrive_once_and_in_order(
        seed in any::<u64>(),
        nodes in 2..5_u64,
        steps in proptest::collection::vec(
            (fault(), 0..8_000_u64, proptest::collection::vec((0..4_u64, 0..4_u64, 1..20_u64), 0..6)),
            1..10,
        ),
    ) {
        let mut world = World::new(seed);
        (0..nodes).for_each(|name| world.start(name));
        let mut traffic = Traffic::new(world);
        traffic.pass(5_000);
        for (fault, pause, sends) in steps {
            traffic.world.break_it(fault);
            for (from, to, count) in sends {
                if from != to {
                    traffic.send(from, to, count);
                }
                traffic.pass(pause / 6);
            }
            traffic.pass(pause);
        }
        traffic.world.heal();
        traffic.pass(90_000);
        prop_assert!(traffic.world.is_whole(), "{}", traffic.world.summary());
        traffic.check_all_arrived();
    }
}
