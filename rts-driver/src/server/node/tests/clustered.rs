//! Two nodes of a cluster, which the test connects, with a clock that the test moves.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;

use rts_engine::Clock;
use rts_proto::limits::SESSION_GRACE;
use rts_proto::server::{Entry, HomeTable, NodeNumber, PostProgress};
use rts_proto::{CallId, OnlineStatus};

use super::several::frames;
use super::*;
use crate::server::hooks::SendToNodes;

/// What the shards of a node gave to the hook.
#[derive(Default)]
struct Nodes {
    sent: Mutex<VecDeque<(ShardId, ShardId, Vec<Entry>)>>,
    served: Mutex<Vec<u64>>,
}

impl SendToNodes for Nodes {
    fn send(&self, from: ShardId, to: ShardId, entries: Vec<Entry>, _now: Instant) {
        self.sent.lock().expect("no panic").push_back((from, to, entries));
    }

    fn all_serve(&self, epoch: u64) {
        self.served.lock().expect("no panic").push(epoch);
    }
}

/// A node of a cluster, and its reactors.
struct Member {
    node: Node<Still>,
    nodes: Arc<Nodes>,
    reactors: Vec<Pin<Box<dyn Future<Output = ()>>>>,
}

/// Nodes with the same clock.
struct Cluster {
    members: Vec<Member>,
    clock: Arc<AtomicU64>,
}

const SECOND: u64 = 1_000_000;

fn number(node: usize) -> NodeNumber {
    NodeNumber::new(node).expect("few nodes")
}

fn shard(node: usize, shard: usize) -> ShardId {
    ShardId::of_node(number(node), shard).expect("few shards")
}

/// The homes in nodes with these numbers of shards. Node 0 is the home of all.
fn homes(epoch: u64, shape: &[usize]) -> HomeTable {
    let nodes = shape.iter().enumerate().map(|(node, count)| (number(node), *count));
    HomeTable::new(epoch, nodes, |_| number(0)).expect("valid")
}

impl Cluster {
    /// Nodes with these numbers of shards, which may act.
    fn new(shape: &[usize]) -> Self {
        Self::with(shape, &Config::default())
    }

    fn with_reports(shape: &[usize]) -> Self {
        let mut config = Config::default();
        config.reported_apps = [app_id()].into();
        Self::with(shape, &config)
    }

    fn with(shape: &[usize], config: &Config) -> Self {
        let clock = Arc::new(AtomicU64::new(SECOND));
        let member = |(of, count): (usize, &usize)| {
            let server = |own| {
                let mut config = config.clone();
                config.status_queries_per_second = 0;
                config.homes = Some(homes(1, shape));
                config.placement = Placement::new(shard(of, own), *count, 1).expect("valid");
                Server::new(config, 1)
            };
            let nodes = Arc::new(Nodes::default());
            let node = Node::<Still>::in_cluster_with(
                Clock::manual(Arc::clone(&clock)),
                (0..*count).map(server).collect(),
                &(Arc::new(Anybody) as Arc<dyn Authenticate>),
                &(Arc::new(NoAppServers) as Arc<dyn PostToAppServer>),
                &(Arc::clone(&nodes) as Arc<dyn SendToNodes>),
            );
            let reactor = |shard: &Arc<Shared<Still>>| {
                assert!(shard.arrivals.claim_reactor().is_some(), "the node is new");
                let reactor: Pin<Box<dyn Future<Output = ()>>> =
                    Box::pin(Reactor::new(shard, *count).run());
                reactor
            };
            let reactors = node.inner.shards.iter().map(reactor).collect();
            Member { node, nodes, reactors }
        };
        let members = shape.iter().enumerate().map(member).collect();
        let mut cluster = Self { members, clock };
        (0..shape.len()).for_each(|node| cluster.lease(node, 1_000));
        cluster.run();
        cluster
    }

    /// From now on, the node may act for this number of seconds.
    fn lease(&self, node: usize, seconds: u64) {
        let until = self.clock.load(Ordering::SeqCst) + seconds * SECOND;
        self.members[node].node.set_lease_until(Instant::from_micros(until));
    }

    fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds * SECOND, Ordering::SeqCst);
    }

    /// Makes turns, and carries entries, until nothing is left to do.
    fn run(&mut self) {
        for _ in 0..TURNS_MAX {
            for node in 0..self.members.len() {
                self.turn(node);
                let sent = std::mem::take(&mut *self.sent(node));
                for (from, to, entries) in sent {
                    let receiver = &self.members[to.node().number()].node;
                    receiver.receive(to, Input::Peer(from, entries));
                }
            }
        }
    }

    fn turn(&mut self, node: usize) {
        let member = &mut self.members[node];
        member.node.wake_all();
        for reactor in &mut member.reactors {
            let polled = reactor.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        }
    }

    fn sent(&self, node: usize) -> MutexGuard<'_, VecDeque<(ShardId, ShardId, Vec<Entry>)>> {
        self.members[node].nodes.sent.lock().expect("no panic")
    }

    fn served(&self, node: usize) -> Vec<u64> {
        self.members[node].nodes.served.lock().expect("no panic").clone()
    }

    fn accept(&self, node: usize) -> Pipe {
        let (near, far) = pipe(CAPACITY);
        let peer = ([127, 0, 0, 1], 1).into();
        let accepted = self.members[node].node.link_accepted(near, peer, &Acceptor::plain());
        accepted.expect("random numbers");
        far
    }

    fn log_in(&mut self, node: usize, uid: &str) -> Pipe {
        let mut peer = self.accept(node);
        peer.write(&[hello(), login(uid)].concat());
        self.run();
        assert!(frames(&mut peer).iter().any(|frame| matches!(frame, Frame::LoginAnswer(_))));
        peer
    }

    fn status(&self, node: usize, uid: &str) -> OnlineStatus {
        self.members[node].node.online_status(&app_id(), &uid.parse().expect("well formed"))
    }
}

fn message(id: u64, to: &str) -> Bytes {
    let to = Bytes::copy_from_slice(to.as_bytes());
    let (payload, config) = (Payload::text("hello"), MessageConfig::ReliableOrdered);
    Frame::Send { id: MessageId(id), to, payload, config }.encode()
}

#[test]
fn message_crosses_nodes_of_one_shard_and_of_several() {
    for shape in [[1, 1], [2, 1], [1, 2]] {
        let mut cluster = Cluster::new(&shape);
        let (mut alice, mut bob) = (cluster.log_in(0, "alice"), cluster.log_in(1, "bob"));
        alice.write(&message(1, "bob"));
        cluster.run();
        let delivered = frames(&mut bob);
        let is_delivery = |frame: &Frame| matches!(frame, Frame::Delivery { .. });
        assert_eq!(delivered.iter().filter(|frame| is_delivery(frame)).count(), 1, "{shape:?}");
        bob.write(&Frame::Ack { received: 1 }.encode());
        cluster.run();
        let ok = Frame::SendResults { code: SendCode::Ok, ids: [MessageId(1)].into() };
        assert!(frames(&mut alice).contains(&ok), "{shape:?}");
    }
}

#[test]
fn node_acts_only_before_the_end_of_its_lease() {
    let mut cluster = Cluster::new(&[1, 1]);
    let mut alice = cluster.log_in(0, "alice");
    cluster.lease(0, 5);
    cluster.pass(4);
    alice.write(&question());
    cluster.run();
    assert_eq!(answers(read_all(&mut alice)), 1);
    cluster.pass(1);
    alice.write(&question());
    cluster.run();
    assert!(!cluster.members[0].node.may_act() && cluster.members[1].node.may_act());
    assert_eq!(answers(read_all(&mut alice)), 0);
    cluster.lease(0, 5);
    cluster.run();
    assert_eq!(answers(read_all(&mut alice)), 1, "nothing is lost");
}

#[test]
fn no_time_passes_in_a_frozen_node() {
    let mut cluster = Cluster::new(&[1, 1]);
    let mut alice = cluster.log_in(0, "alice");
    cluster.members[0].node.set_lease(None);
    let moment = cluster.members[0].node.now();
    cluster.pass(100 * SESSION_GRACE.as_secs());
    cluster.run();
    assert_eq!(cluster.members[0].node.now(), moment);
    cluster.lease(0, 5);
    alice.write(&question());
    cluster.run();
    assert_eq!(answers(read_all(&mut alice)), 1);
    assert_eq!(cluster.status(0, "alice"), OnlineStatus::Online);
}

#[test]
fn frozen_node_takes_no_entries_and_keeps_them_in_order() {
    let mut cluster = Cluster::new(&[1, 1]);
    let (mut alice, mut bob) = (cluster.log_in(0, "alice"), cluster.log_in(1, "bob"));
    frames(&mut bob);
    cluster.members[1].node.set_lease(None);
    for id in 1..=3 {
        alice.write(&message(id, "bob"));
        cluster.run();
    }
    assert_eq!(frames(&mut bob), []);
    cluster.lease(1, 5);
    cluster.run();
    let delivered = frames(&mut bob);
    let sequenced = delivered.iter().filter(|frame| matches!(frame, Frame::Delivery { .. }));
    assert_eq!(sequenced.count(), 3);
}

/// A turn calls the core, which takes time. What it wants written must not go out after the lease.
#[test]
fn lease_that_ends_in_a_turn_holds_back_what_the_turn_would_write() {
    struct Slow(Arc<AtomicU64>);
    impl Watch for Slow {
        fn happened(&self, _: ShardId, _: AppId, _: Report) {
            self.0.fetch_add(10 * SECOND, Ordering::SeqCst);
        }
    }
    let mut cluster = Cluster::with_reports(&[1, 1]);
    let watcher = Arc::new(Slow(Arc::clone(&cluster.clock)));
    cluster.members[0].node.watch(watcher);
    cluster.lease(0, 5);
    let mut alice = cluster.accept(0);
    alice.write(&[hello(), login("alice")].concat());
    cluster.run();
    assert!(!cluster.members[0].node.may_act());
    let accepted = |frame: &Frame| matches!(frame, Frame::LoginAnswer(_));
    assert!(!frames(&mut alice).iter().any(accepted));
    cluster.lease(0, 5);
    cluster.run();
    assert!(frames(&mut alice).iter().any(accepted));
}

#[test]
fn answer_of_an_app_server_waits_for_the_lease() {
    let mut cluster = Cluster::new(&[1, 1]);
    cluster.members[0].node.set_lease(None);
    let shared = Arc::clone(cluster.members[0].node.first());
    shared.post_progressed(CallId(7), PostProgress::NotReached);
    cluster.turn(0);
    let mut waiting = Vec::new();
    shared.outside.as_ref().expect("a cluster").take(&mut |input| waiting.push(input));
    assert_eq!(waiting, [Input::AppServerReplied(CallId(7), PostProgress::NotReached)]);
}

#[test]
fn embedder_learns_when_all_shards_serve_a_table() {
    let mut cluster = Cluster::new(&[2, 1]);
    assert_eq!((cluster.served(0), cluster.served(1)), (vec![1], vec![1]));
    let change = |cluster: &Cluster, node: usize, own: usize| {
        let table = Box::new(homes(2, &[2, 1]));
        let input = Input::HomesChanged { table, serve_after: Instant::ORIGIN };
        cluster.members[node].node.receive(shard(node, own), input);
    };
    change(&cluster, 0, 0);
    change(&cluster, 1, 0);
    cluster.run();
    assert_eq!((cluster.served(0), cluster.served(1)), (vec![1], vec![1]));
    change(&cluster, 0, 1);
    cluster.run();
    assert_eq!((cluster.served(0), cluster.served(1)), (vec![1, 2], vec![1, 2]));
}

#[test]
fn congested_shard_of_another_node_gets_no_messages() {
    let mut cluster = Cluster::new(&[1, 1]);
    let mut bob = cluster.log_in(1, "bob");
    let busy = |is_busy| Input::PeerCongested(shard(0, 0), is_busy);
    for (is_busy, reaches) in [(true, false), (false, true)] {
        cluster.members[1].node.receive(shard(1, 0), busy(is_busy));
        cluster.run();
        bob.write(&message(1, "nobody"));
        cluster.turn(1);
        let of_messages = |(_, _, entries): &(_, _, Vec<Entry>)| {
            entries.iter().any(|entry| matches!(entry, Entry::Deliver(_)))
        };
        assert_eq!(cluster.sent(1).iter().any(of_messages), reaches, "{is_busy}");
        cluster.run();
    }
}

#[test]
fn frozen_node_that_shuts_down_closes_its_links() {
    let mut cluster = Cluster::new(&[1, 1]);
    let mut alice = cluster.log_in(0, "alice");
    cluster.members[0].node.set_lease(None);
    cluster.run();
    assert_eq!(cluster.members[0].node.open_links(), 1);
    cluster.members[0].node.shutdown(Duration::ZERO);
    cluster.run();
    assert_eq!(cluster.members[0].node.open_links(), 0);
    assert!(is_closed(&mut alice));
}

/// Shards of other nodes count on what a shard does, also on the only one of its node.
#[test]
fn panic_on_entries_of_another_node_ends_the_node() {
    struct Panics;
    impl Watch for Panics {
        fn happened(&self, _: ShardId, _: AppId, _: Report) {
            panic!("on purpose");
        }
    }
    let mut cluster = Cluster::with_reports(&[1, 1]);
    cluster.members[0].node.watch(Arc::new(Panics));
    let mut bob = cluster.log_in(1, "bob");
    let room = "lobby".parse().expect("well formed");
    bob.write(&Frame::Join { room, ticket: 1, business_id: None }.encode());
    let ended = catch_unwind(AssertUnwindSafe(|| cluster.run()));
    assert!(ended.is_err(), "the panic leaves the reactor");
    let mut failed = Box::pin(cluster.members[0].node.failed());
    let polled = failed.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(shard(0, 0)));
}
