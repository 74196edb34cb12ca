//! Nodes join a cluster and crash, and entries arrive late. Whatever happens, a user has at most
//! one session, no send has two results, messages arrive in order, all see a room's broadcasts in
//! one order, and when all is over the cluster works: everybody reaches everybody.

use std::time::Duration;

use proptest::prelude::*;
use rts_proto::MessageConfig;
use rts_proto::limits::SESSION_GRACE;

use crate::events::{Event, ROOMS, USERS, event};
use crate::seers::Seers;
use crate::world::{Seen, World};

#[derive(Clone, Debug)]
enum Step {
    Event(Event),
    /// The oldest entries from one shard to another arrive. Of all that are under way, counted
    /// round and round.
    Deliver(usize),
    /// A shard gets its next table, of those that have one coming.
    GiveHomes(usize),
    MoveHomes(u64),
    AddNode(usize),
    /// One of the nodes, with the milliseconds for which it may still have acted.
    RemoveNode(usize, u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => event().prop_map(Step::Event),
        80 => (0..60_usize).prop_map(Step::Deliver),
        12 => (0..60_usize).prop_map(Step::GiveHomes),
        8 => any::<u64>().prop_map(Step::MoveHomes),
        4 => (1..=2_usize).prop_map(Step::AddNode),
        6 => (0..60_usize, any::<u64>(), prop_oneof![Just(0), Just(1_500)])
            .prop_map(|(node, seed, acts)| Step::RemoveNode(node, seed, acts)),
    ]
}

/// More nodes at once than here add nothing.
const NODES_MAX: usize = 5;

proptest! {
    #[test]
    fn cluster_whose_nodes_come_and_go_keeps_its_promises(
        shape in prop::collection::vec(1_usize..=2, 1..=3),
        is_late in any::<bool>(),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut world = World::cluster(&shape);
        world.resumes_there = false;
        (world.node.holds_entries, world.node.holds_homes) = (is_late, is_late);
        let mut seers = Seers::default();
        for step in &steps {
            seers.see(&take(&mut world, step))?;
        }
        settle(&mut world, &mut seers)?;
        everybody_reaches_everybody(&mut world, &mut seers)?;
        world.leaves_nothing()?;
    }
}

fn take(world: &mut World, step: &Step) -> Seen {
    let nodes = world.node.nodes();
    let is_settled = world.node.homes_are_settled();
    match step {
        Step::Event(event) => return world.happens(event),
        Step::Deliver(which) => world.node.deliver_any(*which),
        Step::GiveHomes(which) => world.node.give_homes_to_any(*which),
        Step::MoveHomes(seed) if is_settled => world.node.move_homes(*seed),
        Step::AddNode(shards) if is_settled && nodes < NODES_MAX => world.node.add_node(*shards),
        Step::RemoveNode(node, seed, acts) if nodes > 1 => {
            world.node.remove_node(node % nodes, *seed, Duration::from_millis(*acts));
        }
        Step::MoveHomes(_) | Step::AddNode(_) | Step::RemoveNode(..) => {}
    }
    world.happens(&Event::Wait(0))
}

/// Everything arrives, and what a crash has left behind is over.
fn settle(world: &mut World, seers: &mut Seers) -> Result<(), TestCaseError> {
    world.node.give_all_homes();
    (world.node.holds_entries, world.node.holds_homes) = (false, false);
    wait_for_the_grace(world, seers)?;
    seers.agree()?;
    world.is_at_rest()
}

/// In steps: a client that is heard keeps its session.
fn wait_for_the_grace(world: &mut World, seers: &mut Seers) -> Result<(), TestCaseError> {
    for _ in 0..4 {
        let wait = SESSION_GRACE / 3;
        seers.see(&world.happens(&Event::Wait(wait.as_millis() as u64)))?;
    }
    Ok(())
}

fn everybody_reaches_everybody(world: &mut World, seers: &mut Seers) -> Result<(), TestCaseError> {
    for who in 0..USERS {
        seers.see(&world.happens(&Event::LogIn(who)))?;
    }
    // Memberships of former sessions end.
    wait_for_the_grace(world, seers)?;
    for room in 0..ROOMS {
        for who in 0..4 {
            seers.see(&world.happens(&Event::Join(who, room)))?;
        }
    }
    for from in 0..USERS {
        seers.see(&world.happens(&Event::Wait(2_000)))?;
        for to in 0..2 {
            let id = world.next_id();
            let send = Event::Send(from, to, MessageConfig::ReliableOrdered);
            seers.see(&world.happens(&send))?;
            prop_assert!(seers.has_arrived(to, id), "{from} to {to}");
        }
    }
    for room in 0..ROOMS {
        seers.see(&world.happens(&Event::Wait(2_000)))?;
        let id = world.next_id();
        seers.see(&world.happens(&Event::Broadcast(0, room)))?;
        for who in 1..4 {
            prop_assert!(seers.has_seen(who, room, id), "{who} in {room}");
        }
    }
    seers.agree()
}
