//! Entries between shards arrive late, in their order, and mailboxes are full at times. Whatever
//! happens meanwhile, a user has at most one session, every send has one result and every join and
//! leave one answer, messages arrive in order, and nothing of a user remains when all is over.

use proptest::prelude::*;
use rts_proto::MessageConfig;

use crate::events::{AGAIN, Event, USERS, event};
use crate::seers::{Asked, Seers};
use crate::world::World;

const SHARDS: usize = 3;

/// An event, entries that arrive, a mailbox that becomes full or is full no more, homes that move,
/// or a shard that learns of it.
#[derive(Clone, Debug)]
enum Step {
    Event(Event),
    Deliver(usize, usize),
    Congest(usize, usize, bool),
    MoveHomes(u64),
    GiveHomes(usize),
}

fn step(event: impl Strategy<Value = Event>) -> impl Strategy<Value = Step> {
    let pair = || (0..SHARDS, 1..SHARDS).prop_map(|(from, by)| (from, (from + by) % SHARDS));
    prop_oneof![
        10 => event.prop_map(Step::Event),
        10 => pair().prop_map(|(from, to)| Step::Deliver(from, to)),
        1 => (pair(), any::<bool>()).prop_map(|((from, to), on)| Step::Congest(from, to, on)),
    ]
}

/// A step of a cluster whose homes move.
fn moving_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => step(event()),
        1 => any::<u64>().prop_map(Step::MoveHomes),
        3 => (0..SHARDS).prop_map(Step::GiveHomes),
    ]
}

fn is_send(event: &Event) -> bool {
    matches!(event, Event::Send(..) | Event::Broadcast(..))
}

/// The joins and leaves of an event with this id.
fn asked(event: &Event, id: u64) -> Vec<Asked> {
    match event {
        Event::Join(..) => vec![Asked::Join(id)],
        Event::Leave(..) => vec![Asked::Leave(id)],
        Event::JoinAndLeave(..) => {
            vec![Asked::Join(id), Asked::Join(id + AGAIN), Asked::Leave(id)]
        }
        _ => Vec::new(),
    }
}

proptest! {
    #[test]
    fn late_entries_of_a_node_lose_double_and_leave_nothing(
        steps in prop::collection::vec(step(event()), 1..150),
    ) {
        check(World::new(SHARDS), &steps)?;
    }

    #[test]
    fn late_entries_of_a_cluster_lose_double_and_leave_nothing(
        shape in prop::sample::select(vec![vec![1, 1, 1], vec![2, 1], vec![1, 2]]),
        steps in prop::collection::vec(step(event()), 1..150),
    ) {
        let mut world = World::cluster(&shape);
        world.resumes_there = false;
        check(world, &steps)?;
    }

    #[test]
    fn late_entries_and_moving_homes_of_a_cluster_lose_double_and_leave_nothing(
        shape in prop::sample::select(vec![vec![1, 1, 1], vec![2, 1], vec![1, 2]]),
        steps in prop::collection::vec(moving_step(), 1..150),
    ) {
        let mut world = World::cluster(&shape);
        world.resumes_there = false;
        check(world, &steps)?;
    }
}

fn check(mut world: World, steps: &[Step]) -> Result<(), TestCaseError> {
    (world.node.holds_entries, world.node.holds_homes) = (true, true);
    let mut seers = Seers::default();
    let (mut sends, mut questions) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Event(event) => {
                if let Some(sender) = world.sender(event) {
                    let id = world.next_id();
                    sends.extend(is_send(event).then_some((sender, id)));
                    questions.extend(asked(event, id).into_iter().map(|asked| (sender, asked)));
                }
                seers.see(&world.happens(event))?;
            }
            Step::Congest(from, to, on) => world.node.congest(*from, *to, *on),
            Step::Deliver(from, to) => {
                world.node.deliver(*from, *to);
                seers.see(&world.happens(&Event::Wait(0)))?;
            }
            Step::MoveHomes(_) if !world.node.homes_are_settled() => {}
            Step::MoveHomes(seed) => {
                world.node.move_homes(*seed);
            }
            Step::GiveHomes(shard) => {
                world.node.give_homes(*shard);
                seers.see(&world.happens(&Event::Wait(0)))?;
            }
        }
    }
    world.node.give_all_homes();
    world.node.holds_entries = false;
    for (from, by) in (0..SHARDS).flat_map(|from| (1..SHARDS).map(move |by| (from, by))) {
        world.node.congest(from, (from + by) % SHARDS, false);
    }
    seers.see(&world.happens(&Event::Wait(0)))?;
    // Users without a link come back. The messages to their former sessions have a result then.
    for who in world.without_link() {
        seers.see(&world.happens(&Event::LogIn(who)))?;
    }
    for _ in 0..3 {
        seers.see(&world.happens(&Event::Wait(0)))?;
    }
    seers.agree()?;
    for (session, id) in sends {
        if world.is_up(session) {
            prop_assert!(seers.results.contains(&id), "no result of {id}");
        }
    }
    for (session, asked) in questions {
        if world.is_up(session) {
            prop_assert!(seers.answers.contains(&asked), "no answer to {asked:?}");
        }
    }
    world.leaves_nothing()
}

#[test]
fn late_messages_of_every_config_have_a_result() {
    for config in [
        MessageConfig::ReliableOrdered,
        MessageConfig::UnreliableOrdered,
        MessageConfig::UnreliableUnordered,
    ] {
        let mut world = World::new(SHARDS);
        let mut seers = Seers::default();
        for who in 0..USERS {
            world.happens(&Event::LogIn(who));
        }
        world.node.holds_entries = true;
        let mut ids = Vec::new();
        for to in 1..USERS {
            ids.push(world.next_id());
            seers.see(&world.happens(&Event::Send(0, to, config))).expect("lawful");
        }
        world.node.holds_entries = false;
        seers.see(&world.happens(&Event::Wait(0))).expect("lawful");
        assert_eq!(seers.results.into_iter().collect::<Vec<_>>(), ids, "{config:?}");
    }
}
