//! The places of links, and how long links keep a shard alive.

use super::*;

#[test]
fn login_frees_a_place_before_login() {
    let mut stepped = SteppedShard::new();
    let limits = LinkLimits { per_network_before_login_max: 1, ..LinkLimits::default() };
    stepped.node.set_link_limits(limits);
    let mut alice = stepped.accept(CAPACITY);
    assert!(is_closed(&mut stepped.accept(CAPACITY)), "alice has the place");
    alice.write(&[hello(), login("alice")].concat());
    stepped.turn_until_quiet();
    let mut second = stepped.accept(CAPACITY);
    assert!(!is_closed(&mut second));
    assert!(is_closed(&mut stepped.accept(CAPACITY)));
    drop(second);
    stepped.turn_until_quiet();
    assert!(!is_closed(&mut stepped.accept(CAPACITY)), "the place of the closed link is free");
}

#[test]
fn links_keep_a_shard_without_handles_alive() {
    for is_taken_in in [false, true] {
        let mut stepped = SteppedShard::new();
        let mut peer = stepped.log_in("alice");
        if is_taken_in {
            stepped.turn_until_quiet();
        }
        let SteppedShard { node, mut reactor, handshakes: _ } = stepped;
        let shared = Arc::downgrade(node.first());
        drop(node);
        let mut context = Context::from_waker(Waker::noop());
        let mut turn_until_quiet =
            || (0..TURNS_MAX).any(|_| reactor.as_mut().poll(&mut context).is_ready());
        assert!(!turn_until_quiet());
        read_all(&mut peer);
        peer.write(&question());
        assert!(!turn_until_quiet());
        assert_eq!(answers(read_all(&mut peer)), 1);
        drop(peer);
        assert!(turn_until_quiet(), "the reactor ends with its last link");
        assert!(shared.upgrade().is_none());
    }
}

#[test]
fn expected_connection_takes_no_place() {
    let mut stepped = SteppedShard::new();
    stepped.node.set_link_limits(LinkLimits { links_max: 1, ..LinkLimits::default() });
    let at = SocketAddr::from(([127, 0, 0, 1], 1));
    let expected = stepped.node.expect(at);
    assert!(is_closed(&mut stepped.accept(CAPACITY)));
    assert!(stepped.node.first().common.gate.is_empty());
    let mut second = stepped.accept(CAPACITY);
    stepped.turn_until_quiet();
    assert!(!is_closed(&mut second), "only one connection was expected");
    drop(expected);
    drop(second);
    stepped.turn_until_quiet();
    drop(stepped.node.expect(at));
    assert!(!is_closed(&mut stepped.accept(CAPACITY)), "the expectation has ended");
}
