//! Two shards and their reactors: links move to the shard of their user, and entries go both ways.

use rts_proto::{MessageConfig, MessageId, Payload, RoomId};

use super::*;
use crate::testing::DETACHES;
use crate::testing::lines::Lines;

mod panics;

/// A node of two shards. The test makes the turns of both.
struct Two {
    node: Node<Still>,
    reactors: Vec<Pin<Box<dyn Future<Output = ()>>>>,
}

fn placement(own: usize) -> Placement {
    let own = ShardId::new(own).expect("valid");
    Placement::new(own, 2, 1).expect("valid")
}

impl Two {
    fn new() -> Self {
        Self::with(Arc::new(Anybody))
    }

    fn with(authenticator: Arc<dyn Authenticate>) -> Self {
        Self::with_config(authenticator, Config::default())
    }

    fn with_config(authenticator: Arc<dyn Authenticate>, config: Config) -> Self {
        let server = |own| {
            let mut config = config.clone();
            config.reported_apps = [app_id()].into();
            config.placement = placement(own);
            Server::new(config, 1)
        };
        let servers = vec![server(0), server(1)];
        let node = Node::<Still>::with_poster(servers, authenticator, Arc::new(NoAppServers));
        let reactor = |shard: &Arc<Shared<Still>>| {
            assert!(shard.arrivals.claim_reactor().is_some(), "the node is new");
            let reactor: Pin<Box<dyn Future<Output = ()>>> = Box::pin(Reactor::new(shard, 2).run());
            reactor
        };
        let reactors = node.inner.shards.iter().map(reactor).collect();
        Self { node, reactors }
    }

    fn accept(&self, acceptor: &Acceptor) -> Pipe {
        let (near, far) = pipe(CAPACITY);
        let peer = ([127, 0, 0, 1], 1).into();
        self.node.link_accepted(near, peer, acceptor).expect("random numbers");
        far
    }

    /// One turn of each reactor.
    fn turn(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        for reactor in &mut self.reactors {
            assert!(reactor.as_mut().poll(&mut context).is_pending());
        }
    }

    fn turn_until_quiet(&mut self) {
        (0..TURNS_MAX).for_each(|_| self.turn());
    }

    fn openings(&self) -> [usize; 2] {
        [0, 1].map(|shard| self.node.inner.shards[shard].openings.len())
    }

    fn has_links(&self) -> bool {
        !self.node.first().common.gate.is_empty()
    }

    /// The shard whose reactor has failed.
    fn failed(&self) -> Option<usize> {
        let mut failed = Box::pin(self.node.failed());
        match failed.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(shard) => Some(shard.number()),
            Poll::Pending => None,
        }
    }

    fn sessions(&self) -> [usize; 2] {
        let mut commands = self.node.commands();
        [0, 1].map(|shard| {
            let shard = ShardId::new(shard).expect("valid");
            commands.shard(shard, |server, _| server.stats().sessions)
        })
    }
}

/// A user of this shard.
fn user_of(shard: usize) -> String {
    let names = (0..).map(|number| format!("u{number}"));
    let is_there = |name: &String| placement(0).of_user(&app_id(), name).number() == shard;
    names.into_iter().find(is_there).expect("hashes reach both")
}

pub(super) fn frames(peer: &mut Pipe) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    decoder.push(read_all(peer).into());
    std::iter::from_fn(|| decoder.next(FRAME_BYTES_MAX).expect("well formed")).collect()
}

#[test]
fn every_link_reaches_the_shard_of_its_user_and_messages_reach_every_user() {
    let mut two = Two::new();
    let users = [user_of(0), user_of(1)];
    let mut peers: Vec<Pipe> = Vec::new();
    // Links alternate between the shards, so that each user is accepted at the other's shard too.
    for user in [&users[1], &users[0]] {
        let mut peer = two.accept(&Acceptor::plain());
        peer.write(&[hello(), login(user)].concat());
        peers.push(peer);
    }
    two.turn_until_quiet();
    assert_eq!(two.sessions(), [1, 1]);
    for peer in &mut peers {
        assert_eq!(frames(peer).len(), 2, "the Hello and the answer to the login");
    }
    let send = Frame::Send {
        id: MessageId(1),
        to: Bytes::copy_from_slice(users[0].as_bytes()),
        payload: Payload::text("hello"),
        config: MessageConfig::ReliableOrdered,
    };
    peers[0].write(&send.encode());
    two.turn_until_quiet();
    let delivered = frames(&mut peers[1]);
    assert!(matches!(&delivered[..], [Frame::Delivery { .. }]), "{delivered:?}");
    peers[1].write(&Frame::Ack { received: 1 }.encode());
    two.turn_until_quiet();
    let expected = Frame::SendResults { code: SendCode::Ok, ids: [MessageId(1)].into() };
    let results = frames(&mut peers[0]);
    assert!(results.contains(&expected), "{results:?}");
}

#[test]
fn bytes_behind_the_login_move_with_the_link() {
    for shard in [0, 1] {
        let mut two = Two::new();
        let mut peer = two.accept(&Acceptor::plain());
        // More than one reading gives the core, all sent before the answer to the login: a breach,
        // which the user's shard has to see.
        let pings: Vec<u8> = (0..200).flat_map(|_| Frame::Ping.encode()).collect();
        peer.write(&[&hello()[..], &login(&user_of(shard)), &pings].concat());
        two.turn_until_quiet();
        read_all(&mut peer);
        assert!(is_closed(&mut peer), "for a user of shard {shard}");
        assert_eq!((two.node.stats().links, two.sessions()), (0, [0, 0]));
    }
}

#[test]
fn link_that_ends_while_it_moves_leaves_nothing() {
    for turns in 0..8 {
        let mut two = Two::new();
        let mut peer = two.accept(&Acceptor::plain());
        peer.write(&[hello(), login(&user_of(1))].concat());
        (0..turns).for_each(|_| two.turn());
        drop(peer);
        two.turn_until_quiet();
        assert_eq!(two.node.stats().links, 0, "after {turns} turns");
        assert!(!two.has_links());
        assert_eq!(two.openings(), [0, 0]);
    }
}

#[test]
fn new_links_go_to_the_shard_with_the_fewest_openings() {
    let two = Two::new();
    let _peers: Vec<Pipe> = (0..10).map(|_| two.accept(&Acceptor::plain())).collect();
    assert_eq!(two.openings(), [5, 5]);
}

/// Otherwise one shard would make the handshakes of all clients that come one after the other.
#[test]
fn shards_with_as_many_openings_take_turns() {
    let mut two = Two::new();
    for expected in [[1, 0], [0, 1], [1, 0], [0, 1]] {
        let peer = two.accept(&Acceptor::plain());
        assert_eq!(two.openings(), expected);
        drop(peer);
        two.turn_until_quiet();
        assert_eq!(two.openings(), [0, 0]);
    }
}

/// Writes to a link in the moment in which the core asks about this user.
struct Writes {
    when: String,
    link: Arc<Mutex<Pipe>>,
    bytes: Vec<u8>,
}

impl Authenticate for Writes {
    fn authenticate(&self, credentials: &Credentials) -> Verdict {
        if credentials.uid.as_str() == self.when {
            self.link.lock().expect("no panic").write(&self.bytes);
        }
        Anybody.authenticate(credentials)
    }
}

/// Two readings of a link come to the core together, if the second one comes before the first is
/// answered. The first one moves the link.
#[test]
fn second_reading_in_a_turn_moves_with_the_link() {
    let link = Arc::new(Mutex::new(pipe(1).0));
    let mut two = Two::with(Arc::new(Writes {
        when: user_of(0),
        link: Arc::clone(&link),
        bytes: login(&user_of(1)).into(),
    }));
    let mut other = two.accept(&Acceptor::plain());
    let _of_second_shard = two.accept(&Acceptor::plain());
    *link.lock().expect("no panic") = two.accept(&Acceptor::plain());
    assert_eq!(two.openings(), [2, 1]);
    two.turn_until_quiet();
    other.write(&[hello(), login(&user_of(0))].concat());
    link.lock().expect("no panic").write(&hello());
    // The login comes while the core has the Hello, and is read at the end of the turn.
    two.turn();
    assert!(has_received(&mut other), "the other user is asked about in this turn");
    link.lock().expect("no panic").write(&question());
    two.turn_until_quiet();
    assert_eq!(answers(read_all(&mut link.lock().expect("no panic"))), 1);
    assert_eq!(two.sessions(), [1, 1]);
}

#[test]
fn link_that_cannot_leave_its_thread_is_dropped_and_logged() {
    let mut two = Two::new();
    let mut peer = two.accept(&Acceptor::plain());
    peer.write(&[hello(), login(&user_of(1))].concat());
    let lines = Lines::default();
    DETACHES.set(false);
    lines.clone().collect("warn", || two.turn_until_quiet());
    DETACHES.set(true);
    let lines = lines.take();
    assert!(matches!(&lines[..], [line] if line.contains("cannot move a link")), "{lines:?}");
    read_all(&mut peer);
    assert!(is_closed(&mut peer) && !two.has_links());
}

/// Ends the reactor of the last shard that has one by a panic.
fn break_last(two: &mut Two) {
    let reactor = two.reactors.pop().expect("it is there");
    let ended = catch_unwind(AssertUnwindSafe(move || {
        let _reactor = reactor;
        panic!("on purpose");
    }));
    assert!(ended.is_err());
}

#[test]
fn links_for_a_dead_shard_are_dropped() {
    let mut two = Two::new();
    let mut moves = two.accept(&Acceptor::plain());
    assert_eq!(two.failed(), None);
    break_last(&mut two);
    assert_eq!(two.failed(), Some(1));
    moves.write(&[hello(), login(&user_of(1))].concat());
    two.turn_until_quiet();
    read_all(&mut moves);
    assert!(is_closed(&mut moves), "its user belongs to the dead shard");
    let new_links: Vec<Pipe> = (0..3).map(|_| two.accept(&Acceptor::plain())).collect();
    two.turn_until_quiet();
    assert_eq!(two.openings(), [3, 0], "the dead shard with the fewest openings gets none");
    drop(new_links);
    two.turn_until_quiet();
    assert!(!two.has_links(), "nothing is left to wait for");
    assert!(two.node.inner.shards[1].arrivals.claim_reactor().is_none(), "its state has a gap");
    break_last(&mut two);
    assert!(is_closed(&mut two.accept(&Acceptor::plain())), "no shard can take it");
}

#[test]
fn full_mailbox_is_logged() {
    let mut config = Config::default();
    config.sends_per_second = 0;
    let mut two = Two::with_config(Arc::new(Anybody), config);
    let mut peer = two.accept(&Acceptor::plain());
    peer.write(&[hello(), login(&user_of(0))].concat());
    two.turn_until_quiet();
    read_all(&mut peer);
    let lines = Lines::default();
    lines.clone().collect("warn", || {
        // Only the first shard has turns, so the mailbox fills up.
        for id in 1..=160 {
            let to = user_of(1).into_bytes().into();
            let (payload, config) = (Payload::text("x".repeat(60_000)), MessageConfig::default());
            peer.write(&Frame::Send { id: MessageId(id), to, payload, config }.encode());
            let mut context = Context::from_waker(Waker::noop());
            assert!(two.reactors[0].as_mut().poll(&mut context).is_pending());
        }
    });
    let lines = lines.take();
    let is_it =
        |line: &String| line.contains("a shard does not keep up") && line.contains("shard=1");
    assert!(matches!(&lines[..], [line] if is_it(line)), "{lines:?}");
}

/// One that waited for the shards one after the other would take a turn of each in sequence.
#[test]
fn turns_of_all_shards_are_awaited_together() {
    let mut two = Two::new();
    two.turn_until_quiet();
    let node = two.node.clone();
    let mut waits = Box::pin(node.next_turn());
    let mut context = Context::from_waker(Waker::noop());
    assert!(waits.as_mut().poll(&mut context).is_pending());
    two.turn();
    assert!(waits.as_mut().poll(&mut context).is_ready());
}

#[test]
fn shutdown_closes_the_links_of_every_shard() {
    let mut two = Two::new();
    let mut peers: Vec<Pipe> = Vec::new();
    for user in [user_of(0), user_of(1)] {
        let mut peer = two.accept(&Acceptor::plain());
        peer.write(&[hello(), login(&user)].concat());
        peers.push(peer);
    }
    two.turn_until_quiet();
    two.node.shutdown(Duration::ZERO);
    two.turn_until_quiet();
    for peer in &mut peers {
        read_all(peer);
        assert!(is_closed(peer));
    }
    assert_eq!(two.node.stats().links, 0);
}

#[test]
#[should_panic(expected = "the cores are not all shards of one node")]
fn node_needs_every_shard_once() {
    let server = |own| {
        let mut config = Config::default();
        config.placement = placement(own);
        Server::new(config, 1)
    };
    let _ = Node::<Still>::with_poster(
        vec![server(0), server(0)],
        Arc::new(Anybody),
        Arc::new(NoAppServers),
    );
}
