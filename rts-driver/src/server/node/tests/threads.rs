//! The threads of shards: those that cannot start, those that end, and those that die.

use futures_lite::future::block_on;
use rts_proto::server::Observe;

use super::*;
use crate::testing::TASK_THREADS;
use crate::testing::lines::Lines;

fn node_of(count: usize, core: impl Fn(Config) -> Server) -> Node<Still> {
    let config = |placement| {
        let mut config = Config::default();
        config.placement = placement;
        config
    };
    let servers = Placement::of_node(count, 1).map(|placement| core(config(placement))).collect();
    Node::with_poster(servers, Arc::new(Anybody), Arc::new(NoAppServers))
}

fn plain(config: Config) -> Server {
    Server::new(config, 1)
}

#[test]
fn shard_without_a_thread_ends_those_of_the_others() {
    let node = node_of(3, plain);
    TASK_THREADS.set(2);
    let served = block_on(node.serve((), Acceptor::plain()));
    TASK_THREADS.set(usize::MAX);
    let error = served.expect_err("no third thread").to_string();
    assert!(error.starts_with("shard 2 has no thread: "), "{error}");
    let may_start = |shard: &Arc<Shared<Still>>| shard.arrivals.claim_reactor().is_some();
    assert!(node.inner.shards.iter().all(may_start), "a reactor is left");
}

/// Two runtimes may serve a node. While the threads of one end, the other one may start new ones.
#[test]
fn ending_threads_leave_the_reactors_that_followed_them() {
    let node = node_of(2, plain);
    let shards = &node.inner.shards;
    let mut threads = ShardThreads::new(&node.first().common.ended);
    for shard in shards.iter() {
        let claimed = shard.arrivals.claim_reactor().expect("the node is new");
        threads.add(shard, claimed, std::thread::spawn(|| ()));
        drop(shard.reactor_ended());
    }
    assert!(shards[0].arrivals.claim_reactor().is_some(), "the first one has ended");
    let lines = Lines::default();
    lines.clone().collect("error", || drop(threads));
    assert!(!shards[0].arrivals.is_stopped(), "the second reactor is stopped");
    assert_eq!(lines.take(), [""; 0]);
}

/// Panics at each command.
struct PanicsOfCommands;

impl Observe for PanicsOfCommands {
    fn command(&mut self, _: Instant, _: &Command<'_>) {
        panic!("on purpose");
    }
}

#[test]
fn shutdown_does_not_call_the_core_of_a_dead_shard() {
    let node = node_of(2, |config| match config.placement.own() {
        ShardId::FIRST => Server::observed(config, 1, Box::new(PanicsOfCommands)),
        _ => plain(config),
    });
    let [first, second] = &node.inner.shards[..] else { panic!("two shards") };
    assert!(first.arrivals.claim_reactor().is_some(), "the node is new");
    drop(first.arrivals.reactor_ended(true));
    let (near, mut far) = pipe(CAPACITY);
    let peer = ([127, 0, 0, 1], 1).into();
    let guard = node.first().common.gate.admit(peer, None).expect("a place");
    let link = Arriving::Here(Link::new(near, Acceptor::plain().layers()));
    second.add_accepted(ResumeKey([0; 16]), peer, link, guard);
    assert!(second.arrivals.claim_reactor().is_some(), "the node is new");
    let mut reactor = Box::pin(Reactor::new(second, 2).run());
    let mut turn_until_quiet = || {
        let mut context = Context::from_waker(Waker::noop());
        (0..TURNS_MAX).for_each(|_| assert!(reactor.as_mut().poll(&mut context).is_pending()));
    };
    turn_until_quiet();
    node.shutdown(Duration::ZERO);
    turn_until_quiet();
    read_all(&mut far);
    assert!(is_closed(&mut far));
}
