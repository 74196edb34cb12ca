//! Stories and the law of clusters of two nodes, in which the arbiter votes too.

use proptest::prelude::*;

use super::cluster;
use super::world::{Fault, World, ms};
use crate::membership::{Input, Membership, Output, Question, Wish};
use crate::node;
use crate::view::Incarnation;

#[test]
fn survivor_of_two_goes_on_when_the_other_machine_is_lost() {
    for lost in 0..2 {
        let mut world = cluster(2);
        world.crash(lost);
        world.pass(6_500);
        assert_eq!((world.acting(), world.members()), (vec![1 - lost], 1));
        world.pass(60_000);
        assert_eq!(world.acting(), [1 - lost]);
    }
}

#[test]
fn of_two_that_do_not_hear_each_other_one_goes_on() {
    let mut world = cluster(2);
    (world.one_side, world.partition_until) = ([0].into(), world.now + ms(120_000));
    // That never both act in rival views is checked at every step.
    world.pass(7_000);
    assert_eq!((world.acting().len(), world.members()), (1, 1));
    world.pass(60_000);
    assert_eq!(world.acting().len(), 1);
    world.partition_until = world.now;
    world.pass(10_000);
    assert!(world.is_whole(), "{}", world.summary());
}

#[test]
fn two_without_the_arbiter_are_frozen_until_it_is_back() {
    let mut world = cluster(2);
    world.break_it(Fault::RegisterDown { ms: 15_000 });
    world.crash(1);
    world.pass(15_000);
    assert_eq!(world.acting(), [0; 0]);
    world.pass(2_000);
    assert_eq!(world.acting(), [0]);
}

/// The servers of the bus lose each other. The arbiter is back when they have elected a leader.
#[test]
fn two_go_on_that_hear_each_other_again_before_the_arbiter_is_back() {
    let mut world = cluster(2);
    let views = world.history.len();
    (world.one_side, world.partition_until) = ([0].into(), world.now + ms(12_000));
    world.break_it(Fault::RegisterDown { ms: 14_000 });
    world.pass(11_000);
    assert_eq!(world.acting(), [0; 0]);
    world.pass(2_500);
    assert_eq!(world.acting(), [0, 1]);
    world.pass(10_000);
    assert_eq!(world.history.len(), views);
}

#[test]
fn node_against_which_the_arbiter_has_voted_ends() {
    let mut world = cluster(2);
    let view = world.nodes[&0].node.view().expect("a view").id();
    world.votes.insert(view, Incarnation(1));
    (world.one_side, world.partition_until) = ([0].into(), world.now + ms(60_000));
    // The other one is paused, and changes nothing.
    world.break_it(Fault::Pause { node: 1, ms: 60_000 });
    world.pass(7_000);
    assert_ne!(world.nodes[&0].incarnation(), Incarnation(1));
    assert_eq!(world.members(), 2);
}

#[test]
fn lost_change_by_a_vote_of_the_arbiter_lets_the_other_one_not_act() {
    let mut world = cluster(2);
    (world.one_side, world.partition_until) = ([0].into(), world.now + ms(60_000));
    let views = world.history.len();
    while world.history.len() == views {
        world.pass(1);
    }
    let [survivor] = world.history[views].members() else { panic!("it is alone") };
    let survivor = survivor.incarnation.0 - 1;
    world.pass(5);
    world.forget_last_change();
    world.pass(30_000);
    assert_eq!(world.acting(), [survivor]);
}

/// The outputs before the next wait.
fn outputs(membership: &mut Membership) -> Vec<Output> {
    let outputs = std::iter::from_fn(|| match membership.poll() {
        Output::Wait(_) => None,
        output => Some(output),
    });
    outputs.collect()
}

#[test]
fn arbiter_is_asked_in_views_of_two_members_alone_and_not_by_one_that_leaves() {
    let is_asked = |nodes: u64, wish: Option<Wish>| {
        let mut world = cluster(nodes);
        let (mut now, register) = (world.now, world.register.clone());
        let membership = world.nodes.get_mut(&0).expect("it runs").node.membership_mut();
        wish.into_iter().for_each(|wish| membership.handle(now, Input::Wish(wish)));
        let (mut has_read, mut is_asked) = (false, false);
        // All others are silent. It is frozen, and reads the register first.
        for _ in 0..60 {
            now = now + ms(100);
            membership.handle(now, Input::Tick);
            for output in outputs(membership) {
                is_asked |= matches!(output, Output::Vote { .. });
                if let Output::Read(question) = output {
                    has_read = true;
                    membership.handle(now, Input::Read(question, register.clone()));
                }
            }
        }
        assert!(has_read);
        is_asked
    };
    assert!(is_asked(2, None));
    assert!(!is_asked(3, None));
    assert!(!is_asked(2, Some(Wish::Leave)));
}

#[test]
fn vote_that_was_not_asked_for_does_not_count() {
    let mut world = cluster(2);
    let now = world.now;
    let membership = world.nodes.get_mut(&0).expect("it runs").node.membership_mut();
    membership.handle(now, Input::Voted(Question(1), Some(Incarnation(1))));
    assert!(membership.may_act(now));
}

#[test]
fn vote_counts_in_its_view_only() {
    let mut world = cluster(2);
    let first = world.nodes.get_mut(&0).expect("it runs").node.membership_mut();
    first.arbiter_voted(Incarnation(2));
    world.start(2);
    world.pass(5_000);
    assert!(world.is_whole());
    world.crash(1);
    world.break_it(Fault::Pause { node: 2, ms: 30_000 });
    world.pass(7_000);
    assert_eq!(world.members(), 3, "it is one of three that votes");
}

#[test]
fn removal_of_one_that_leaves_or_is_dead_needs_no_vote_of_the_arbiter() {
    for goes in 0..2 {
        let mut world = cluster(2);
        world.input(goes, node::Input::Wish(Wish::Leave));
        world.pass(2_000);
        assert!(world.votes.is_empty(), "{:?}", world.votes);
        let mut world = cluster(2);
        world.crash(goes);
        world.certify();
        world.pass(2_000);
        assert_eq!((world.members(), world.votes.len()), (1, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// One of two nodes goes on when the machine of the other is lost, or when they do not hear
    /// each other, also if the register is down meanwhile.
    #[test]
    fn one_of_two_goes_on(
        seed in any::<u64>(),
        lost in proptest::option::of(0..2_u64),
        before_ms in 0..1_000_u64,
        down_ms in 0..20_000_u64,
    ) {
        let mut world = World::new(seed);
        (0..2).for_each(|name| world.start(name));
        world.pass(10_000 + before_ms);
        prop_assert!(world.is_whole(), "{}", world.summary());
        world.break_it(Fault::RegisterDown { ms: down_ms });
        match lost {
            Some(lost) => world.crash(lost),
            None => world.break_it(Fault::Partition { one_side: [0].into(), ms: 90_000 }),
        }
        world.pass(7_500.max(down_ms + 2_000));
        let acting = world.acting();
        prop_assert_eq!(acting.len(), 1, "{}", world.summary());
        prop_assert!(lost.is_none_or(|lost| acting == [1 - lost]));
        world.pass(60_000);
        prop_assert_eq!(world.acting(), acting);
    }
}
