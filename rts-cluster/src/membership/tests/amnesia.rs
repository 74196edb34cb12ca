//! Stories and the law of a register that loses a change which it has acknowledged.

use proptest::prelude::*;

use super::world::{Fault, World, ms};
use super::{cluster, fault};
use crate::membership::{Beat, Change, Echo, Input, Membership, Output, Revision, Wish};
use crate::node;
use crate::testing::{beat, member};
use crate::view::{Epoch, Incarnation, View, ViewId, ViewRef};

impl World {
    /// Passes time until the register has another view.
    fn pass_until_changed(&mut self) {
        let views = self.history.len();
        while self.history.len() == views {
            self.pass(1);
        }
    }

    /// Passes time until a node has another view. Returns the node.
    fn pass_until_taken(&mut self) -> u64 {
        let (_, register) = self.register.clone().expect("a view");
        loop {
            let has_it = |name: &&u64| self.nodes[name].node.view() == Some(&register);
            if let Some(name) = self.nodes.keys().find(has_it) {
                return *name;
            }
            self.pass(1);
        }
    }
}

#[test]
fn removed_node_does_not_act_by_the_grants_of_a_rival_view() {
    let mut world = cluster(3);
    (world.one_side, world.partition_until) = ([2].into(), world.now + ms(60_000));
    world.pass_until_changed();
    let first = world.pass_until_taken();
    let second = 1 - first;
    assert_ne!(world.nodes[&second].node.view(), world.nodes[&first].node.view());
    // The register loses the view. The others learn that one of them has it, and remove that one.
    world.forget_last_change();
    world.pass(20);
    world.partition_until = world.now;
    world.break_it(Fault::Pause { node: first, ms: 9_000 });
    world.pass_until_changed();
    world.pass(1_000);
    assert_eq!(world.acting(), [second, 2]);
    let view = |name| world.nodes[&name].node.view().map(View::epoch);
    assert_eq!(view(first), view(second), "two views of one number");
    world.break_it(Fault::RegisterDown { ms: 60_000 });
    world.pass(9_000);
    assert!(world.nodes[&first].paused_until < world.now);
    assert_eq!(world.acting(), [second, 2]);
}

#[test]
fn node_that_freezes_in_a_lost_view_tells_it() {
    let mut world = cluster(1);
    world.start(1);
    while world.acting() != [0, 1] {
        world.pass(1);
    }
    // The wish of the new member to be up has changed the view once more, or will.
    world.pass(1_000);
    world.forget_last_change();
    world.crash(0);
    world.pass(4_000);
    assert_eq!((world.acting(), world.nodes[&1].is_foreign), (vec![1], false));
    world.pass_until_frozen(1);
    world.pass(10);
    assert!(world.nodes[&1].is_foreign);
}

#[test]
fn half_of_the_members_before_do_not_act_in_the_next_view_nor_change_it() {
    let mut world = cluster(4);
    world.crash(3);
    world.pass_until_changed();
    world.break_it(Fault::Pause { node: 2, ms: 12_000 });
    let views = world.history.len();
    world.pass(11_000);
    // The two are a majority of the view, and vote to remove the third one. But the two others of
    // the view before may have another one.
    assert_eq!((world.acting(), world.history.len()), (vec![], views));
    world.pass(60_000);
    assert!(world.is_whole(), "{}", world.summary());
}

#[test]
fn members_act_again_a_lease_after_they_know_the_others_dead() {
    let mut world = cluster(4);
    world.crash(3);
    world.pass_until_changed();
    world.crash(2);
    world.pass(10_000);
    assert_eq!(world.acting(), [0; 0]);
    world.certify();
    world.pass(4_900);
    assert_eq!(world.acting(), [0; 0]);
    world.pass(2_000);
    assert_eq!(world.acting(), [0, 1]);
}

#[test]
fn successor_of_dead_members_waits_for_their_grants_to_end() {
    let mut world = cluster(1);
    world.crash(0);
    world.start(0);
    world.pass(4_999);
    assert_eq!(world.acting(), [0; 0]);
    world.pass(1_000);
    assert_eq!(world.acting(), [0]);
}

#[test]
fn nobody_succeeds_dead_members_while_it_hears_one_of_a_lost_view() {
    let mut world = cluster(1);
    world.start(1);
    world.pass_until_changed();
    while !world.acting().contains(&1) {
        world.pass(1);
    }
    // The register loses all that made it a member, and the other one dies.
    world.register = Some((Revision(1), world.history[0].clone()));
    world.crash(0);
    world.start(0);
    world.pass(20_000);
    assert_eq!(world.acting(), [0; 0]);
    // It ends, frozen for too long.
    world.pass(30_000);
    assert!(world.is_whole(), "{}", world.summary());
}

fn beat_of_second(view: Option<ViewRef>, echoes: Vec<Echo>, votes: Vec<Change>) -> Beat {
    Beat { view, number: 1_000, echoes, votes, ..beat(member("n1", 2)) }
}

/// A member of three that has heard nothing of the third one for long, and a beat of the second
/// one, which grants it something and votes to remove the third one. What does the first one do?
fn after_beat(in_view: impl Fn(ViewRef) -> ViewRef) -> Vec<Output> {
    let mut world = cluster(3);
    world.apart = Some([0, 2]);
    world.pass(6_000);
    world.break_it(Fault::Pause { node: 1, ms: 60_000 });
    world.pass(6_000);
    let now = world.now;
    let membership = first(&mut world);
    assert_eq!((membership.may_act(now), membership.view().is_some()), (false, true));
    let echoes = vec![Echo { of: Incarnation(1), number: membership.beats }];
    let votes = vec![Change::Remove(Incarnation(3))];
    let beat = beat_of_second(membership.view_ref().map(in_view), echoes, votes);
    after_beats(&mut world, vec![beat])
}

#[test]
fn grants_and_votes_of_a_rival_view_do_not_count() {
    let is_lease = |output: &Output| *output == Output::Lease(true);
    let same = after_beat(|view| view);
    assert!(same.iter().any(is_lease) && same.iter().any(is_cas), "{same:?}");
    let rival = after_beat(|view| ViewRef { id: ViewId(1), ..view });
    assert!(!rival.iter().any(is_lease) && !rival.iter().any(is_cas), "{rival:?}");
}

/// What the first member does after these beats. If it reads the register, that has not changed.
fn after_beats(world: &mut World, beats: Vec<Beat>) -> Vec<Output> {
    let (now, register) = (world.now, world.register.clone());
    let membership = first(world);
    beats.into_iter().for_each(|beat| membership.handle(now, Input::Beat(beat)));
    let mut outputs = Vec::new();
    loop {
        let output = membership.poll();
        match output {
            Output::Wait(_) => return outputs,
            Output::Read(question) => {
                membership.handle(now, Input::Read(question, register.clone()));
            }
            _ => {}
        }
        outputs.push(output);
    }
}

/// The membership of the first node.
fn first(world: &mut World) -> &mut Membership {
    world.nodes.get_mut(&0).expect("it runs").node.membership_mut()
}

fn is_cas(output: &Output) -> bool {
    matches!(output, Output::Cas(..))
}

#[test]
fn vote_of_a_rival_view_for_its_own_node_does_not_count() {
    let is_removed = |in_view: fn(ViewRef) -> ViewRef| {
        let mut world = cluster(3);
        let votes = vec![Change::Remove(Incarnation(2))];
        let view = first(&mut world).view_ref();
        let beat = beat_of_second(view.map(in_view), vec![], votes);
        let beat = Beat { wish: Wish::Leave, ..beat };
        after_beats(&mut world, vec![beat]).iter().any(is_cas)
    };
    assert!(is_removed(|view| view));
    assert!(!is_removed(|view| ViewRef { id: ViewId(1), ..view }));
}

#[test]
fn view_does_not_change_while_a_member_has_a_rival_view() {
    let changes = |of_third: fn(ViewRef) -> ViewRef| {
        let mut world = cluster(4);
        let view = first(&mut world).view_ref();
        let third = beat_of_second(view.map(of_third), vec![], vec![]);
        let third = Beat { node: member("n2", 3), ..third };
        let dead = Incarnation(4);
        let second = beat_of_second(view, vec![], vec![Change::Remove(dead)]);
        let second = Beat { dead: vec![dead], ..second };
        after_beats(&mut world, vec![third, second]).iter().any(is_cas)
    };
    assert!(changes(|view| view));
    assert!(!changes(|view| ViewRef { id: ViewId(1), ..view }));
}

#[test]
fn node_that_hears_of_a_rival_view_reads_the_register() {
    let reads = |in_view: fn(ViewRef) -> ViewRef| {
        let mut world = cluster(3);
        let view = first(&mut world).view_ref();
        let beat = beat_of_second(view.map(in_view), vec![], vec![]);
        let outputs = after_beats(&mut world, vec![beat]);
        outputs.iter().any(|output| matches!(output, Output::Read(_)))
    };
    assert!(!reads(|view| view));
    assert!(reads(|view| ViewRef { id: ViewId(1), ..view }));
    assert!(!reads(|view| ViewRef { epoch: Epoch(view.epoch.0 - 1), id: ViewId(1) }));
}

#[test]
fn node_that_leaves_grants_nothing_in_a_later_view() {
    let mut world = cluster(3);
    world.input(1, node::Input::Wish(Wish::Leave));
    let now = world.now;
    let (revision, view) = world.register.clone().expect("a view");
    let membership = world.nodes.get_mut(&1).expect("it runs").node.membership_mut();
    let echoes = |membership: &mut Membership| {
        membership.next_beat = now;
        membership.handle(now, Input::Tick);
        std::iter::from_fn(|| Some(membership.poll())).find_map(|output| match output {
            Output::Beat(beat) => Some(beat.echoes.len()),
            Output::Wait(_) => panic!("no beat"),
            _ => None,
        })
    };
    assert_eq!(echoes(membership), Some(2), "its view is still the same");
    let next = view.next(ViewId(7), view.members()[1..].to_vec()).expect("a valid view");
    membership.take(revision, next);
    assert_eq!(echoes(membership), Some(0));
}

/// A fault, also of a register that loses what it has acknowledged.
fn forgetful_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![3 => fault(), 1 => Just(Fault::Forget)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens, and whatever changes the register loses: nodes that act do not act in
    /// views that exclude each other.
    #[test]
    fn nodes_do_not_act_in_rival_views(
        seed in any::<u64>(),
        nodes in 1..6_u64,
        faults in proptest::collection::vec((forgetful_fault(), 0..8_000_u64), 1..24),
    ) {
        let mut world = World::new(seed);
        (0..nodes).for_each(|name| world.start(name));
        world.pass(5_000);
        for (fault, pause) in faults {
            world.break_it(fault);
            world.pass(pause);
        }
        world.heal();
        world.pass(30_000);
    }
}
