//! The steps of a change, and what is lost in it.

use super::*;
use crate::server::placement::NodeNumber;

const NOW: Instant = Instant::ORIGIN;

fn shard(node: usize) -> ShardId {
    ShardId::of_node(NodeNumber::new(node).expect("valid"), 0).expect("valid")
}

/// Nodes of one shard each. The first one of them is the home of all.
fn table(epoch: u64, nodes: &[usize]) -> HomeTable {
    let nodes: Vec<_> = nodes.iter().map(|node| shard(*node).node()).collect();
    let counts = nodes.iter().map(|node| (*node, 1));
    HomeTable::new(epoch, counts, |_| nodes[0]).expect("valid")
}

/// Shard 1 of a cluster of three, with the table of epoch 1.
fn changes() -> Changes {
    Changes::new(shard(1), table(1, &[0, 1, 2]), false)
}

/// The number of shards that the table lacks.
fn add(changes: &mut Changes, table: HomeTable) -> Option<usize> {
    changes.add(table, NOW).map(|removed| removed.len())
}

const STEPS: [HomesStep; 3] = [HomesStep::Switched, HomesStep::HandedOver, HomesStep::Settled];

/// This shard takes all steps of a change, each when the others have taken the one before.
fn take_all(changes: &mut Changes, others: &[usize], epoch: u64) {
    for step in STEPS {
        assert_eq!(changes.next(NOW, false), Some(Next::Take(step)));
        for other in others {
            assert_eq!(changes.next(NOW, false), None, "a shard is missing");
            changes.reached(shard(*other), epoch, step);
        }
    }
}

#[test]
fn each_step_waits_for_all_shards_to_take_the_one_before() {
    let mut changes = changes();
    assert_eq!(changes.next(NOW, false), None);
    assert_eq!(add(&mut changes, table(2, &[1, 0, 2])), Some(0));
    assert!(!changes.is_unserved(7), "it has not begun");
    take_all(&mut changes, &[0, 2], 2);
    assert!(changes.is_unserved(7) && changes.served_epoch() == Some(1));
    assert_eq!(changes.next(NOW, false), Some(Next::Serve));
    changes.end();
    assert!(!changes.is_unserved(7) && !changes.is_changing());
    assert_eq!(changes.served_epoch(), Some(2));
}

#[test]
fn a_name_whose_home_stays_is_served_all_the_time() {
    let mut changes = Changes::new(shard(0), table(1, &[0, 1]), false);
    add(&mut changes, table(2, &[0, 1, 2]));
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Switched)));
    assert!(!changes.is_unserved(7));
}

#[test]
fn a_shard_that_joins_serves_when_it_has_taken_all_steps() {
    let mut changes = Changes::new(shard(2), table(5, &[0, 2]), true);
    assert!(changes.has_news() && changes.served_epoch().is_none());
    take_all(&mut changes, &[0], 5);
    assert_eq!(changes.next(NOW, false), Some(Next::Serve));
    changes.end();
    assert_eq!(changes.served_epoch(), Some(5));
}

#[test]
fn a_removed_node_is_not_awaited_and_what_it_knew_comes_with_the_next_change() {
    let mut changes = changes();
    add(&mut changes, table(2, &[1, 0, 2]));
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Switched)));
    assert_eq!(add(&mut changes, table(3, &[1, 2])), Some(1));
    STEPS.into_iter().for_each(|step| changes.reached(shard(2), 2, step));
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::HandedOver)));
    assert!(!changes.is_lost(7), "that comes with the next table");
    // It does not serve what node 0 may have kept for itself.
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Switched)));
    assert!(changes.is_unserved(7) && changes.is_lost(7) && changes.is_partial(7));
    assert_eq!(changes.former_home(7), Some(shard(1)));
    assert_eq!(changes.others(), [shard(2)]);
}

#[test]
fn shards_agree_what_is_lost_if_only_one_knew_of_the_last_step_of_a_removed_node() {
    let knows = [true, false].map(|knows_of_last_step| {
        let mut changes = Changes::new(shard(2), table(1, &[0, 1, 2]), false);
        add(&mut changes, table(2, &[1, 0, 2]));
        assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Switched)));
        for step in STEPS {
            changes.reached(shard(1), 2, step);
            if knows_of_last_step || step != HomesStep::Settled {
                changes.reached(shard(0), 2, step);
            }
        }
        while let Some(next) = changes.next(NOW, false) {
            if next == Next::Serve {
                changes.end();
            }
        }
        assert_eq!(changes.is_changing(), !knows_of_last_step);
        add(&mut changes, table(3, &[1, 2]));
        while changes.table().epoch() < 3 {
            changes.next(NOW, false);
        }
        assert!(changes.is_lost(7), "node 0 was its home two tables ago");
        changes.is_answer_lost(7)
    });
    assert_eq!(knows, [false, true], "who has served has all answers");
}

#[test]
fn what_a_home_knows_is_whole_if_it_has_served_since() {
    let mut changes = changes();
    add(&mut changes, table(2, &[1, 0, 2]));
    take_all(&mut changes, &[0, 2], 2);
    changes.end();
    add(&mut changes, table(3, &[1, 2]));
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Switched)));
    assert!(changes.is_lost(7) && changes.is_unserved(7) && !changes.is_partial(7));
}

#[test]
fn nothing_is_lost_with_a_node_that_gave_up_its_homes_long_ago() {
    let mut changes = changes();
    for (epoch, nodes) in [(2, &[1, 0, 2][..]), (3, &[1, 0, 2, 3])] {
        let others: Vec<_> = nodes.iter().copied().filter(|node| *node != 1).collect();
        add(&mut changes, table(epoch, nodes));
        take_all(&mut changes, &others, epoch);
        changes.end();
    }
    add(&mut changes, table(4, &[1, 2, 3]));
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Switched)));
    assert!(!changes.is_lost(7) && !changes.is_unserved(7));
}

#[test]
fn no_home_decides_before_the_moment_of_the_table() {
    let later = NOW + core::time::Duration::from_secs(5);
    let mut changes = changes();
    changes.add(table(2, &[1, 2]), later);
    take_all(&mut changes, &[2], 2);
    assert_eq!(changes.next(NOW, false), Some(Next::Wait(later)));
    assert_eq!(changes.next(NOW, false), None, "it waits once");
    changes.look_again();
    assert!(changes.has_news());
    assert_eq!(changes.next(later, false), Some(Next::Serve));
}

#[test]
fn a_shard_does_not_settle_without_what_a_removed_node_has_sent_it() {
    for has_handed_over in [false, true] {
        let mut changes = changes();
        add(&mut changes, table(2, &[1, 0, 2]));
        STEPS.into_iter().for_each(|step| changes.reached(shard(2), 2, step));
        changes.reached(shard(0), 2, HomesStep::Switched);
        if has_handed_over {
            changes.reached(shard(0), 2, HomesStep::HandedOver);
        }
        add(&mut changes, table(3, &[1, 2]));
        assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Switched)));
        assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::HandedOver)));
        let next = if has_handed_over { HomesStep::Settled } else { HomesStep::Switched };
        assert_eq!(changes.next(NOW, false), Some(Next::Take(next)));
    }
}

#[test]
fn a_shard_does_not_serve_while_another_one_has_a_later_table() {
    let mut changes = changes();
    add(&mut changes, table(2, &[1, 0, 2]));
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Switched)));
    STEPS.into_iter().for_each(|step| changes.reached(shard(0), 2, step));
    changes.reached(shard(2), 3, HomesStep::Switched);
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::HandedOver)));
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Settled)));
    assert_eq!(changes.next(NOW, false), None);
    add(&mut changes, table(3, &[1, 2]));
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Switched)));
}

#[test]
fn a_table_is_taken_once_and_in_order() {
    let mut changes = changes();
    assert!(add(&mut changes, table(1, &[1, 2])).is_none());
    assert!(add(&mut changes, table(3, &[1, 2, 0])).is_some());
    assert!(add(&mut changes, table(2, &[1, 2, 0])).is_none());
    assert!(!changes.is_ahead(shard(2)));
    changes.reached(shard(2), 3, HomesStep::Switched);
    assert!(changes.is_ahead(shard(2)));
    assert_eq!(changes.next(NOW, false), Some(Next::Take(HomesStep::Switched)));
    assert!(!changes.is_ahead(shard(2)));
}
