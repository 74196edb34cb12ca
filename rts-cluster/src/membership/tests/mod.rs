//! Stories and the law of the membership, in a world of nodes.

mod amnesia;
mod bus_away;
mod exhaustive;
mod joining;
mod two;
pub(crate) mod world;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::limits::LEASE;
use crate::node::Input;
use crate::view::{MemberState, ViewId};
use world::{Fault, World, ms};

pub(crate) fn cluster(nodes: u64) -> World {
    let mut world = World::new(1);
    (0..nodes).for_each(|name| world.start(name));
    world.pass(10_000);
    assert!(world.is_whole(), "{:?}", world.register);
    world
}

#[test]
fn one_node_listens_and_then_acts_alone() {
    let mut world = World::new(1);
    world.start(0);
    world.pass(1_499);
    assert_eq!(world.acting(), [0; 0]);
    world.pass(1_000);
    assert_eq!(world.acting(), [0]);
}

#[test]
fn no_second_cluster_is_founded_when_the_register_is_removed() {
    let mut world = cluster(3);
    world.register = None;
    world.start(3);
    world.pass(10_000);
    assert_eq!(world.acting(), [0, 1, 2]);
    assert!(world.nodes[&0].is_foreign);
}

#[test]
fn value_that_was_restored_with_another_revision_is_built_upon() {
    let mut world = cluster(2);
    let (revision, view) = world.register.take().expect("a view");
    world.register = Some((Revision(revision.0 + 7), view));
    world.start(2);
    world.pass(10_000);
    assert!(world.is_whole(), "{}", world.summary());
}

#[test]
fn nodes_that_start_together_form_one_view() {
    for nodes in 1..=5 {
        cluster(nodes);
    }
}

#[test]
fn silent_node_is_frozen_before_it_is_removed() {
    let mut world = cluster(3);
    (world.one_side, world.partition_until) = ([2].into(), world.now + ms(60_000));
    world.pass(4_000);
    assert_eq!(world.acting(), [0, 1, 2], "its lease goes on");
    world.pass_until_frozen(2);
    assert_eq!(world.members(), 3);
    world.pass(1_600);
    assert_eq!((world.members(), world.acting()), (2, vec![0, 1]));
}

#[test]
fn node_that_was_cut_off_for_long_joins_anew() {
    let mut world = cluster(3);
    (world.one_side, world.partition_until) = ([2].into(), world.now + ms(40_000));
    world.pass(60_000);
    assert!(world.is_whole());
    assert_eq!(world.nodes[&2].incarnation(), Incarnation(4), "it started anew");
}

#[test]
fn short_silence_changes_nothing() {
    let mut world = cluster(3);
    let views = world.history.len();
    (world.one_side, world.partition_until) = ([2].into(), world.now + ms(60_000));
    world.pass_until_frozen(2);
    world.partition_until = world.now;
    world.pass(1_000);
    assert_eq!(world.acting(), [0, 1, 2]);
    assert_eq!(world.history.len(), views);
}

#[test]
fn certified_death_is_settled_at_once() {
    for nodes in 2..=5 {
        let mut world = cluster(nodes);
        world.crash(0);
        world.certify();
        world.pass(1_500);
        assert_eq!(world.members() as u64, nodes - 1);
        assert_eq!(world.acting().len() as u64, nodes - 1);
    }
}

#[test]
fn minority_acts_no_more() {
    let mut world = cluster(5);
    world.crash(0);
    world.crash(1);
    world.crash(2);
    world.pass(20_000);
    assert_eq!(world.acting(), [0; 0]);
}

#[test]
fn cluster_whose_nodes_have_all_ended_starts_again() {
    let mut world = cluster(3);
    (0..3).for_each(|name| world.crash(name));
    world.start(0);
    world.pass(20_000);
    assert_eq!(world.acting(), [0; 0], "the two others may still act somewhere");
    world.start(2);
    world.pass(10_000);
    assert!(world.is_whole());
    assert_eq!(world.acting(), [0, 2], "the first one alone is no majority");
    let epochs: Vec<u64> = world.history.iter().map(|view| view.epoch().0).collect();
    assert!(epochs.is_sorted_by(|one, other| one < other), "{epochs:?}");
}

#[test]
fn leaving_node_acts_no_more_and_is_removed() {
    let mut world = cluster(3);
    world.input(1, Input::Wish(Wish::Leave));
    assert_eq!(world.acting(), [0, 2]);
    world.pass(2_000);
    let (_, view) = world.register.clone().expect("a view");
    assert!(view.member(Incarnation(2)).is_none());
}

#[test]
fn leaving_cannot_be_taken_back() {
    let mut world = cluster(3);
    world.input(1, Input::Wish(Wish::Leave));
    world.input(1, Input::Wish(Wish::Be(MemberState::Up)));
    assert_eq!(world.acting(), [0, 2]);
    world.pass(2_000);
    let (_, view) = world.register.clone().expect("a view");
    assert!(view.member(Incarnation(2)).is_none());
}

#[test]
fn removed_node_that_missed_two_views_knows_that_it_was_removed() {
    let mut world = cluster(4);
    (world.one_side, world.partition_until) = ([3].into(), world.now + ms(60_000));
    world.pass(7_000);
    world.input(2, Input::Wish(Wish::Be(MemberState::Draining)));
    world.pass(2_000);
    world.partition_until = world.now;
    world.pass(1_500);
    assert!(!world.nodes[&3].is_foreign, "the register is right");
    world.pass(10_000);
    assert_eq!((world.members(), world.acting()), (4, vec![0, 1, 2, 3]));
}

#[test]
fn members_come_and_change_after_all_shards_serve_the_view_and_go_before() {
    let mut world = cluster(3);
    world.break_it(Fault::ServeLate { ms: 60_000 });
    world.input(2, Input::Wish(Wish::Be(MemberState::Draining)));
    world.pass(2_000);
    let views = world.history.len();
    world.start(3);
    world.input(1, Input::Wish(Wish::Be(MemberState::Draining)));
    world.pass(2_000);
    assert_eq!(world.history.len(), views, "nothing is added or changed");
    world.crash(0);
    world.certify();
    world.pass(2_000);
    assert_eq!((world.history.len(), world.members()), (views + 1, 2));
    world.heal();
    world.pass(120_000);
    assert_eq!((world.members(), world.acting()), (4, vec![0, 1, 2, 3]));
}

#[test]
fn draining_member_stays_and_comes_back() {
    let mut world = cluster(3);
    for state in [MemberState::Draining, MemberState::Up] {
        world.input(1, Input::Wish(Wish::Be(state)));
        world.pass(2_000);
        let (_, view) = world.register.clone().expect("a view");
        assert_eq!(view.member(Incarnation(2)).map(|member| member.state), Some(state));
        assert_eq!(world.acting(), [0, 1, 2]);
    }
}

#[test]
fn members_act_again_soon_after_a_view_change() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        (0..2).for_each(|name| world.start(name));
        world.pass(10_000);
        let views = world.history.len();
        world.start(2);
        let mut frozen = [0; 2];
        for _ in 0..2_000 {
            world.pass(1);
            let acting = world.acting();
            (0..2)
                .filter(|name| !acting.contains(name))
                .for_each(|name| frozen[name as usize] += 1);
        }
        assert_eq!(world.history.len(), views + 2);
        assert!(frozen.iter().all(|millis| *millis < 100), "seed {seed}: {frozen:?}");
    }
}

#[test]
fn nobody_joins_while_a_removed_node_may_act_in_an_older_view() {
    let mut world = cluster(3);
    // The first node does not hear the second one for so long that it votes to remove it.
    world.apart = Some([0, 1]);
    world.pass(6_000);
    // The third one leaves. It has granted the second one something, which does not hear of the
    // change, and starts again at once.
    (world.one_side, world.partition_until) = ([1].into(), world.now + ms(60_000));
    world.input(2, Input::Wish(Wish::Leave));
    while world.nodes[&2].incarnation() == Incarnation(3) {
        world.pass(10);
    }
    world.pass(1_000);
    assert!(world.acting().contains(&1), "it acts in the view of three");
    let has_joined = |world: &World| world.nodes[&2].node.view().is_some();
    assert!(!has_joined(&world));
    world.pass(5_000);
    assert!(has_joined(&world));
}

#[test]
fn later_view_does_not_shorten_the_wait_for_a_removed_node() {
    let mut world = cluster(3);
    let (now, view) = (world.now, world.nodes[&0].node.view().expect("a view").clone());
    let membership = world.nodes.get_mut(&0).expect("it runs").node.membership_mut();
    // The last beat of the third one does not tell that it has the view from which it is removed.
    let mut removed = membership.peers.last(Incarnation(3)).expect("a beat").clone();
    (removed.view, removed.number) = (None, removed.number + 1);
    membership.handle(now, super::Input::Beat(removed));
    let two = view.members()[..2].to_vec();
    let next = view.next(ViewId(1), two.clone()).expect("a valid view");
    let after = next.next(ViewId(2), two).expect("a valid view");
    membership.take(Revision(100), next);
    membership.take(Revision(101), after);
    let waits = std::iter::from_fn(|| match membership.poll() {
        Output::Wait(_) => None,
        Output::View { serve_after, .. } => Some(Some(serve_after)),
        _ => Some(None),
    });
    assert_eq!(waits.flatten().collect::<Vec<_>>(), [now + LEASE; 2]);
}

#[test]
fn node_that_cannot_send_grants_the_others() {
    let mut world = cluster(3);
    world.break_it(Fault::RegisterDown { ms: 60_000 });
    world.input(0, Input::BusDown);
    let pieces = vec![Bytes::from_static(b"a piece")];
    world.input(0, Input::Entries { to: Incarnation(2), pieces });
    world.pass(6_000);
    let first = world.nodes[&0].membership();
    assert_eq!(first.peers.echoes(world.now, first.view(), &[]).len(), 2);
}

#[test]
fn register_that_went_back_is_reported_and_not_believed() {
    let mut world = cluster(3);
    let old = world.history[0].clone();
    world.register = Some((Revision(1), old));
    world.nodes.get_mut(&1).expect("a node").node.membership_mut().register.must_read();
    world.pass(2_000);
    assert!(world.nodes[&1].is_foreign);
    assert_eq!(world.acting(), [0, 1, 2]);
}

pub(crate) fn fault() -> impl Strategy<Value = Fault> {
    let node = || 0..4_u64;
    let time = || prop_oneof![0..2_000_u64, 4_000..8_000_u64, 0..30_000_u64];
    prop_oneof![
        3 => node().prop_map(Fault::Start),
        2 => (node(), any::<bool>())
            .prop_map(|(node, is_certified)| Fault::Crash { node, is_certified }),
        3 => (node(), time()).prop_map(|(node, ms)| Fault::Pause { node, ms }),
        3 => (proptest::collection::btree_set(node(), 1..3), time())
            .prop_map(|(one_side, ms)| Fault::Partition { one_side, ms }),
        2 => time().prop_map(|ms| Fault::RegisterDown { ms }),
        2 => (0..9_u64).prop_map(|of_10| Fault::Lose { of_10 }),
        2 => (0..9_u64).prop_map(|of_10| Fault::Disturb { of_10 }),
        1 => node().prop_map(Fault::Leave),
        1 => (node(), time()).prop_map(|(node, ms)| Fault::Close { node, ms }),
        2 => time().prop_map(|ms| Fault::ServeLate { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever happens, nobody serves what a removed node may still serve, and no view that adds
    /// or changes a member follows one that a member has yet to serve. When the faults are over,
    /// all running nodes form one view.
    #[test]
    fn removed_nodes_act_no_more_and_the_cluster_heals(
        seed in any::<u64>(),
        nodes in 1..5_u64,
        faults in proptest::collection::vec((fault(), 0..8_000_u64), 1..12),
    ) {
        let mut world = World::new(seed);
        (0..nodes).for_each(|name| world.start(name));
        world.pass(5_000);
        for (fault, pause) in faults {
            world.break_it(fault);
            world.pass(pause);
        }
        world.heal();
        world.pass(90_000);
        prop_assert!(world.is_whole(), "{}", world.summary());
    }
}
