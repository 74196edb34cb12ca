//! Stories of nodes that join, and of the beats of strangers.

use std::collections::BTreeSet;

use super::cluster;
use crate::limits::{BEAT, BEAT_LIST_MAX};
use crate::membership::{self, *};
use crate::node::Input;
use crate::testing::{beat, member};
use crate::view::{Incarnation, View, ViewId};

#[test]
fn second_node_of_a_name_does_not_join() {
    let mut world = cluster(2);
    world.add(7, member("n0", 99));
    world.input(7, Input::BusUp);
    world.pass(10_000);
    assert_eq!(world.acting(), [0, 1]);
}

#[test]
fn dead_node_whose_last_beat_asked_to_join_becomes_a_member_at_most_once() {
    for millis in (0..2_000).step_by(50) {
        let mut world = cluster(2);
        world.crash(1);
        world.start(1);
        // The second life ends while it joins, and the third one is there at once.
        world.pass(millis);
        world.crash(1);
        world.start(1);
        world.pass(15_000);
        assert!(world.is_whole(), "{}", world.summary());
        let has_joined = |incarnation: u64| {
            let is_member = |view: &View| view.member(Incarnation(incarnation)).is_some();
            world.history.windows(2).filter(|two| !is_member(&two[0]) && is_member(&two[1])).count()
        };
        let times: Vec<_> = (1..=world.incarnations()).map(has_joined).collect();
        assert!(times.iter().all(|times| *times <= 1), "after {millis} ms: {times:?}");
    }
}

#[test]
fn nobody_votes_for_a_node_that_asked_to_join_and_died() {
    let mut world = cluster(2);
    let node = world.nodes.get_mut(&0).expect("it runs").node.membership_mut();
    let joiner = Incarnation(9);
    node.handle(world.now, membership::Input::Beat(beat(member("c", joiner.0))));
    assert!(matches!(node.votes.all(), [Change::Add(_)]), "{:?}", node.votes);
    node.handle(world.now, membership::Input::Dead(joiner));
    assert_eq!(node.votes.all(), []);
}

#[test]
fn beat_has_room_for_members_beside_many_strangers() {
    let mut world = cluster(1);
    let last = Incarnation(1 << 40);
    world.add(1, member("z", last.0));
    world.connect(1);
    world.pass(10_000);
    assert_eq!(world.acting(), [0, 1], "{}", world.summary());
    let now = world.now;
    let node = world.nodes.get_mut(&0).expect("it runs").node.membership_mut();
    for stranger in 0..2 * BEAT_LIST_MAX as u64 {
        let stranger = member(&format!("s{stranger}"), 1_000 + stranger);
        node.handle(now, membership::Input::Beat(beat(stranger)));
    }
    while !matches!(node.poll(), Output::Wait(_)) {}
    node.handle(now + BEAT, membership::Input::Tick);
    let beat = loop {
        match node.poll() {
            Output::Beat(beat) => break beat,
            Output::Wait(_) => panic!("no beat"),
            _ => {}
        }
    };
    assert_eq!(beat.echoes.len(), BEAT_LIST_MAX);
    assert_eq!(beat.echoes[0].of, last, "the other member");
    assert!(beat.votes.len() <= BEAT_LIST_MAX, "{}", beat.votes.len());
}

/// How a node ends that reads these views while it waits to join.
fn ended_after(views: &[View]) -> Option<Ended> {
    let mut node = Membership::new(member("z", 99), 7);
    let mut ended = None;
    for (at, view) in (0..).step_by(1_000).map(Instant::from_millis).zip(views) {
        node.handle(at, membership::Input::Tick);
        loop {
            match node.poll() {
                Output::Read(question) => {
                    let found = Some((Revision(1), view.clone()));
                    node.handle(at, membership::Input::Read(question, found));
                }
                Output::Ended(why) => ended = Some(why),
                Output::Wait(_) => break,
                _ => {}
            }
        }
    }
    ended
}

#[test]
fn node_that_waits_while_more_views_pass_than_removals_are_known_ends() {
    let mut views = vec![View::first(ViewId(1), 7, vec![member("a", 1)]).expect("a valid view")];
    for number in 2..=66_u64 {
        let last = views.last().expect("it has one");
        let next = last.next(ViewId(number.into()), vec![member("a", 1)]).expect("a valid view");
        views.push(next);
    }
    assert_eq!(ended_after(&[views[0].clone(), views[64].clone()]), None);
    assert_eq!(ended_after(&[views[0].clone(), views[65].clone()]), Some(Ended::Overtaken));
    assert_eq!(ended_after(&[views[1].clone(), views[65].clone()]), None);
    // The others may have added it again.
    let members = vec![member("a", 1), member("z", 99)];
    let again = views[64].next(ViewId(100), members.clone()).expect("a valid view");
    assert_eq!(ended_after(&[views[0].clone(), again]), Some(Ended::Overtaken));
    // A member may see any number of views.
    let first = views[0].next(ViewId(101), members.clone()).expect("a valid view");
    let mut all = vec![views[0].clone(), first];
    for number in 102..200_u64 {
        let last = all.last().expect("it has one");
        all.push(last.next(ViewId(number.into()), members.clone()).expect("a valid view"));
    }
    let mut node = Membership::new(member("z", 99), 7);
    for view in &all {
        node.read(Some((Revision(1), view.clone())));
    }
    assert_eq!(node.view(), all.last());
}

#[test]
fn node_does_not_ask_to_join_before_it_has_read_the_register() {
    let mut node = Membership::new(member("z", 99), 7);
    let mut has_beat = |millis: u64, input| {
        node.handle(Instant::from_millis(millis), input);
        let outputs = std::iter::from_fn(|| Some(node.poll()));
        let mut outputs = outputs.take_while(|output| !matches!(output, Output::Wait(_)));
        outputs.any(|output| matches!(output, Output::Beat(_)))
    };
    assert!(!has_beat(0, membership::Input::Tick));
    assert!(!has_beat(1_000, membership::Input::ReadFailed(Question(1))));
    assert!(!has_beat(2_000, membership::Input::Tick));
    assert!(has_beat(3_000, membership::Input::Read(Question(2), None)));
}

#[test]
fn beats_take_turns_to_name_many_dead_nodes() {
    let mut node = Membership::new(member("a", 1), 7);
    let count = BEAT_LIST_MAX as u64 + 2;
    let dead: BTreeSet<_> = (100..100 + count).map(Incarnation).collect();
    dead.iter().for_each(|dead| node.handle(Instant::ORIGIN, membership::Input::Dead(*dead)));
    node.register.must_read();
    node.handle(Instant::ORIGIN, membership::Input::Read(Question(1), None));
    let mut named = BTreeSet::new();
    for number in 0..3 {
        node.handle(Instant::from_millis(500 * number), membership::Input::Tick);
        while let output @ (Output::Beat(_) | Output::Read(_)) = node.poll() {
            if let Output::Beat(beat) = output {
                assert!(beat.dead.len() <= BEAT_LIST_MAX, "{}", beat.dead.len());
                named.extend(beat.dead);
            }
        }
    }
    assert_eq!(named, dead);
}
