//! Stories of the shards of three nodes.

use rts_proto::UserId;
use rts_proto::server::{Config, Server};

use super::*;
use crate::testing::member;
use crate::view::{MemberState, ViewId};

const NOW: Instant = Instant::from_millis(7);

/// Node 2 has two shards, and joins.
fn view() -> View {
    let joins = Member { shards: 2, state: MemberState::Joining, ..member("b", 2) };
    View::first(ViewId(1), 7, vec![member("a", 1), joins, member("c", 3)]).expect("a valid view")
}

fn map(view: &View, own: u64) -> ShardMap {
    ShardMap::of(view, Incarnation(own)).expect("it is a member")
}

fn shard(node: usize, number: usize) -> ShardId {
    ShardId::of_node(NodeNumber::new(node).expect("valid"), number).expect("valid")
}

fn put_out(uid: &str) -> Vec<Entry> {
    let app_id = "5c9a1b0e7f3d42681a2b3c4d".parse().expect("valid");
    let room = rts_proto::RoomId::new("r").expect("valid");
    vec![Entry::InApp(app_id), Entry::PutOut { room, uid: UserId::new(uid).expect("valid") }]
}

#[test]
fn table_has_all_members_and_those_that_are_up_are_homes() {
    let view = view();
    let map = map(&view, 2);
    let nodes: Vec<_> = map.table().nodes().map(|(node, count)| (node.number(), count)).collect();
    assert_eq!(nodes, [(0, 1), (1, 2), (2, 1)]);
    assert_eq!(map.table().epoch(), view.epoch().0);
    for (slot, home) in Slot::all().zip(map.table().home_nodes()) {
        let member = &view.members()[Homes::of(&view).home(slot)];
        assert_eq!(view.number(member.incarnation).map(usize::from), Some(home.number()));
        assert_ne!(home.number(), 1, "it joins");
    }
}

#[test]
fn placements_are_of_the_own_shards_with_the_seed_of_the_cluster() {
    let view = view();
    let placements: Vec<_> = map(&view, 2).placements().collect();
    let own: Vec<_> = placements.iter().map(Placement::own).collect();
    assert_eq!(own, [shard(1, 0), shard(1, 1)]);
    assert!(placements.iter().all(|own| (own.count(), own.seed()) == (2, view.seed())));
    assert!(ShardMap::of(&view, Incarnation(4)).is_none(), "it is no member");
}

#[test]
fn entries_go_from_a_shard_of_a_node_to_one_of_another_node() {
    let view = view();
    let (sender, receiver) = (map(&view, 1), map(&view, 2));
    assert!(sender.is_own(shard(0, 0)) && !sender.is_own(shard(1, 0)));
    let sent = sender.outgoing(shard(0, 0), shard(1, 1), put_out("u"), NOW);
    let (to, pieces) = sent.expect("it is a member");
    assert_eq!((to, pieces.len()), (Incarnation(2), 1));
    let route = Route::read(&pieces[0]).expect("a piece");
    let arrived = receiver.incoming(Incarnation(1), route, pieces[0].clone(), NOW);
    assert_eq!(arrived, Ok(Some((1, Input::Peer(shard(0, 0), put_out("u"))))));
}

#[test]
fn entries_to_and_from_a_node_that_is_not_in_the_view_are_dropped() {
    let view = view();
    let (to, pieces) =
        map(&view, 1).outgoing(shard(0, 0), shard(1, 0), put_out("u"), NOW).expect("b");
    let rest = view.members().iter().filter(|member| member.incarnation != to).cloned().collect();
    let next = view.next(ViewId(2), rest).expect("a valid view");
    assert_eq!(map(&next, 1).outgoing(shard(0, 0), shard(1, 0), put_out("u"), NOW), None);
    let route = Route::read(&pieces[0]).expect("a piece");
    assert_eq!(map(&next, 3).incoming(to, route, pieces[0].clone(), NOW), Ok(None));
}

#[test]
fn malformed_piece_is_refused() {
    let (map, route) = (map(&view(), 1), Route::new(0, 0).expect("valid"));
    let piece = Bytes::from_static(&[0xFF]);
    assert_eq!(map.incoming(Incarnation(2), route, piece, NOW), Err(WireError::Malformed));
}

#[test]
fn all_shards_of_a_congested_node_are_congested() {
    let map = map(&view(), 1);
    let inputs: Vec<_> = map.congested(Incarnation(2), true).collect();
    let expected = [0, 1].map(|number| Input::PeerCongested(shard(1, number), true));
    assert_eq!(inputs, expected);
    assert_eq!(map.congested(Incarnation(9), true).count(), 0);
}

#[test]
fn view_is_served_when_each_shard_serves_it() {
    let map = map(&view(), 2);
    assert_eq!(map.served([Some(1), Some(1)]), Some(Epoch(1)));
    assert_eq!(map.served([Some(1), None]), None);
    assert_eq!(map.served([Some(0), Some(1)]), None);
}

#[test]
fn shards_of_the_only_member_serve_its_first_view_and_the_next_one_without_others() {
    let first = View::first(ViewId(1), 7, vec![Member { shards: 1, ..member("a", 1) }]);
    let first = first.expect("a valid view");
    let map_of_first = map(&first, 1);
    let placement = map_of_first.placements().next().expect("one shard");
    let mut config = Config::default();
    (config.placement, config.joins_cluster) = (placement, map_of_first.joins());
    config.homes = Some(map_of_first.table().clone());
    let mut server = Server::new(config, 1);
    server.handle_input(NOW, Input::Tick);
    assert_eq!(map_of_first.served([server.served_epoch()]), Some(Epoch(1)));
    let draining = Member { state: MemberState::Draining, ..member("a", 1) };
    let next = first.next(ViewId(2), vec![draining]).expect("a valid view");
    server.handle_input(NOW, map(&next, 1).homes_changed(NOW));
    server.handle_input(NOW, Input::Tick);
    assert_eq!(map(&next, 1).served([server.served_epoch()]), Some(Epoch(2)));
    assert_eq!((map_of_first.joins(), map(&next, 1).joins()), (false, true));
}
