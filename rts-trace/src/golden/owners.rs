//! The story of a shard in a cluster of two nodes: the home of alice, and the owner of bob. Every
//! entry about owners occurs.

use rts_proto::server::{
    AskedLogin, Candidate, Config, Deliveries, Denial, Entry, HomeTable, LeftBehind, NodeNumber,
    Ownership, PassedOn, Placement, Server, ShardId, Tenure, UsedRates,
};
use rts_proto::{Instant, LinkId, LoginId, MessageConfig, MessageId, RoomId, UserId};

use super::shard::{Shard, app, delivery, session, user};
use crate::Recorder;

const SEED: u64 = 3;

pub(super) fn node(number: usize) -> NodeNumber {
    NodeNumber::new(number).expect("few nodes")
}

fn own() -> ShardId {
    ShardId::of_node(node(1), 0).expect("a node has it")
}

fn placement() -> Placement {
    Placement::new(own(), 1, SEED).expect("the only shard")
}

fn homes() -> HomeTable {
    HomeTable::new(1, [(node(0), 1), (node(1), 1)], |slot| node(slot % 2)).expect("two nodes")
}

/// The number of the node of a room's home.
pub(super) fn home_of_room(room: &RoomId) -> usize {
    homes().of_room(&placement(), &app(), room).node().number()
}

/// A user whose home is in this node.
pub(super) fn user_of(number: usize, name: &str) -> UserId {
    let mut names = (0..).map(|count| user(&format!("{name}{count}")));
    let home = |uid: &UserId| homes().of_user(&placement(), &app(), uid.as_str()).node();
    names.find(|uid| home(uid) == node(number)).expect("hashes reach both nodes")
}

/// A shard of a cluster of two nodes.
pub(super) fn shard_of_two(recorder: Recorder) -> Shard {
    let mut config = Config::default();
    (config.placement, config.homes) = (placement(), Some(homes()));
    Shard {
        core: Server::observed(config, 7, Box::new(recorder)),
        now: Instant::from_millis(5),
        login: LoginId(0),
    }
}

pub(super) fn record(recorder: Recorder) {
    let mut shard = shard_of_two(recorder);
    home_of(&mut shard, &user_of(1, "alice"));
    owner_of(&mut shard, &user_of(0, "bob"), &user_of(1, "alice"));
}

/// A login of a shard of node 0.
pub(super) fn candidate(number: usize) -> Candidate {
    let shard = ShardId::of_node(node(0), number).expect("a node has it");
    Candidate { shard, login: LoginId(7), asked: asked(), resume: None }
}

fn asked() -> AskedLogin {
    AskedLogin { engine: 7, attempt: 2, claim: 0, clock: 1_800_000_000_000_000 }
}

pub(super) fn left(displaced: Option<u64>) -> LeftBehind {
    let room = RoomId::new("waits").expect("well formed");
    let used = Some(Box::new(UsedRates([1_000_000, 0, 0, 0, 0, 0, 0])));
    LeftBehind { displaced, orphans: vec![(room, 1)], used }
}

/// The other node owns alice, denies one login of this shard, and releases her for the next one.
fn home_of(shard: &mut Shard, alice: &UserId) {
    let ownership = |entry| [Entry::Ownership(entry)];
    let uid = || alice.clone();
    shard.hear(ownership(Ownership::Ask { uid: uid(), candidate: candidate(0) }));
    // The first grant of a table of epoch 1.
    let tenure = Tenure(1 << 40 | 1);
    shard.take_over(LinkId(1), alice);
    let denial = Denial::Overtaken;
    shard.hear(ownership(Ownership::Keep { uid: uid(), tenure, denial }));
    shard.take_over(LinkId(2), alice);
    let left = left(Some(1_600_000_000_000_000));
    shard.hear(ownership(Ownership::Release { uid: uid(), tenure, left, next: None }));
}

/// The number under which the latest login asks: the next one after that of its credentials.
fn asking(shard: &Shard) -> LoginId {
    LoginId(shard.login.0 + 1)
}

/// The other node is the home of bob.
fn owner_of(shard: &mut Shard, bob: &UserId, alice: &UserId) {
    let ownership = |entry| [Entry::Ownership(entry)];
    let uid = || bob.clone();
    for (link, denial) in [(3, Denial::Displaced), (4, Denial::NoGreaterClaim)] {
        shard.take_over(LinkId(link), bob);
        shard.hear(ownership(Ownership::Deny { uid: uid(), login: asking(shard), denial }));
    }
    shard.take_over(LinkId(5), bob);
    let tenure = Tenure(9);
    shard.hear(ownership(Ownership::Grant { uid: uid(), tenure, left: left(None) }));
    let mut deliveries = Deliveries::default();
    let config = MessageConfig::ReliableOrdered;
    deliveries.push(session(1), MessageId(1), config, bob, &delivery(alice, "hi bob"));
    let room = RoomId::new("waits").expect("well formed");
    shard.hear([
        Entry::PassedOn(PassedOn::Deliver(deliveries)),
        Entry::PassedOn(PassedOn::QueryStatus { session: session(1), query: 2, uid: uid() }),
        Entry::PassedOn(PassedOn::Orphan { room, uid: uid(), waits: false }),
    ]);
    let (login, resume) = (asked(), None);
    shard.hear(ownership(Ownership::Revoke { uid: uid(), tenure, login, resume }));
    // All that the session has sent has arrived, so the user is released.
    shard.hear([Entry::Fenced(1)]);
}
