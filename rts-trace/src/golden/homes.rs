//! The story of a shard that joins a cluster: it becomes the home of a user and a room. Then
//! another node joins, and is the home of both.

use std::time::Duration;

use rts_proto::server::{
    Config, Deliveries, Entry, HomeTable, HomesStep, Input, LeftBehind, Moved, MovedMember,
    MovedOwner, PassedOn, Placement, Server, ShardId, Tenure,
};
use rts_proto::{Instant, LinkId, LoginId, MessageConfig, MessageId, RoomId, UserId};

use super::owners::{candidate, left, node};
use super::shard::{Shard, app, delivery, session, user};
use crate::Recorder;

const SEED: u64 = 3;
const STEPS: [HomesStep; 3] = [HomesStep::Switched, HomesStep::HandedOver, HomesStep::Settled];

fn shard(of_node: usize, number: usize) -> ShardId {
    ShardId::of_node(node(of_node), number).expect("a node has it")
}

fn placement() -> Placement {
    Placement::new(shard(1, 0), 1, SEED).expect("the only shard")
}

/// With the node that joins first.
fn homes() -> HomeTable {
    let home = |slot| node(slot % 2);
    HomeTable::new(1, [(node(0), 2), (node(1), 1)], home).expect("two nodes")
}

/// With the node that joins next. Half of what was at home in the first one is at home there.
fn next_homes() -> HomeTable {
    let home = |slot| node([0, 1, 0, 2][slot % 4]);
    let nodes = [(node(0), 2), (node(1), 1), (node(2), 1)];
    HomeTable::new(2, nodes, home).expect("three nodes")
}

/// A user whose home is in node 1, and then in node 2.
fn alice() -> UserId {
    let mut names = (0..).map(|count| user(&format!("alice{count}")));
    let home = |homes: HomeTable, uid: &UserId| homes.of_user(&placement(), &app(), uid.as_str());
    let moves =
        |uid: &UserId| (home(homes(), uid), home(next_homes(), uid)) == (shard(1, 0), shard(2, 0));
    names.find(moves).expect("hashes reach all nodes")
}

/// A room whose home is in node 1, and then in node 2.
fn room() -> RoomId {
    let mut names = (0..).map(|count| RoomId::new(&format!("room{count}")).expect("well formed"));
    let home = |homes: HomeTable, room: &RoomId| homes.of_room(&placement(), &app(), room);
    let moves = |room: &RoomId| {
        (home(homes(), room), home(next_homes(), room)) == (shard(1, 0), shard(2, 0))
    };
    names.find(moves).expect("hashes reach all nodes")
}

pub(super) fn record(recorder: Recorder) {
    let mut config = Config::default();
    (config.placement, config.homes) = (placement(), Some(homes()));
    config.joins_cluster = true;
    let mut shard = Shard {
        core: Server::observed(config, 7, Box::new(recorder)),
        now: Instant::from_millis(5),
        login: LoginId(0),
    };
    becomes_home(&mut shard);
    is_home_no_more(&mut shard);
}

fn moved(moved: Moved) -> Entry {
    Entry::Moved(Box::new(moved))
}

/// Alice is owned by one shard of node 0, and a login of the other one asks for her. What came for
/// her meanwhile waits.
fn becomes_home(shard: &mut Shard) {
    let [owner, other] = [0, 1].map(|number| self::shard(0, number));
    let [switched, handed_over, settled] = STEPS.map(|step| Entry::HomesReached { epoch: 1, step });
    for from in [owner, other] {
        shard.hear_from(from, [switched.clone()]);
    }
    shard.take_over(LinkId(1), &alice());
    let bob = user("bob");
    let tenure = Tenure(4);
    let owner_of_alice = MovedOwner { shard: owner, tenure, candidates: vec![candidate(1)] };
    let mut deliveries = Deliveries::default();
    let config = MessageConfig::ReliableOrdered;
    let frame = delivery(&bob, "hi alice");
    deliveries.push(session(1), MessageId(1), config, &alice(), &frame);
    let held = [
        PassedOn::Deliver(deliveries),
        PassedOn::QueryStatus { session: session(1), query: 2, uid: alice() },
        PassedOn::Orphan { room: room(), uid: alice(), waits: true },
    ];
    let owner_of_alice = Some(owner_of_alice);
    let left_by_alice = LeftBehind::default();
    let user = Moved::User { uid: alice(), owner: owner_of_alice, left: left_by_alice };
    let nobody = Moved::User { uid: self::user("carol"), owner: None, left: left(None) };
    let until = shard.now + Duration::from_secs(20);
    let members = Moved::Members {
        room: room(),
        used: 1_500_000,
        members: vec![
            (bob, MovedMember::Here(session(1))),
            (alice(), MovedMember::WaitsUntil(until)),
        ],
    };
    let all = [user].into_iter().chain(held.map(Moved::Held)).chain([nobody, members]);
    shard.hear_from(owner, all.map(moved).chain([handed_over.clone()]));
    shard.hear_from(other, [handed_over]);
    for from in [owner, other] {
        shard.hear_from(from, [settled.clone()]);
    }
    let uid = self::user("dave");
    shard.hear_from(owner, [Entry::Orphan { room: room(), uid, waits: true }]);
}

/// Node 2 joins, and gets what this shard knows.
fn is_home_no_more(shard: &mut Shard) {
    let (table, serve_after) = (Box::new(next_homes()), Instant::ORIGIN);
    shard.input(Input::HomesChanged { table, serve_after });
    for step in STEPS {
        for from in [self::shard(0, 0), self::shard(0, 1), self::shard(2, 0)] {
            shard.hear_from(from, [Entry::HomesReached { epoch: 2, step }]);
        }
    }
}
