//! Two shards and their reactors: links move to the shard of their user, and entries go both ways.

use super::*;

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
        let server = |own| {
            let mut config = Config::default();
            config.placement = placement(own);
            Server::new(config, 1)
        };
        let servers = vec![server(0), server(1)];
        let node = Node::<Still>::with_poster(servers, Arc::new(Anybody), Arc::new(NoAppServers));
        let reactor = |shard: &Arc<Shared<Still>>| {
            assert!(shard.claim_reactor(), "the node is new");
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

    fn turn_until_quiet(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..TURNS_MAX {
            for reactor in &mut self.reactors {
                assert!(reactor.as_mut().poll(&mut context).is_pending());
            }
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

fn frames(peer: &mut Pipe) -> Vec<Frame> {
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
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..turns {
            for reactor in &mut two.reactors {
                assert!(reactor.as_mut().poll(&mut context).is_pending());
            }
        }
        drop(peer);
        two.turn_until_quiet();
        assert_eq!(two.node.stats().links, 0, "after {turns} turns");
        assert!(two.node.first().common.gate.is_empty());
        assert!(two.node.inner.shards.iter().all(|shard| shard.openings.len() == 0));
    }
}

#[test]
fn new_links_go_to_the_shard_with_the_fewest_openings() {
    let two = Two::new();
    let _peers: Vec<Pipe> = (0..10).map(|_| two.accept(&Acceptor::plain())).collect();
    let openings: Vec<usize> =
        two.node.inner.shards.iter().map(|shard| shard.openings.len()).collect();
    assert_eq!(openings, [5, 5]);
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
