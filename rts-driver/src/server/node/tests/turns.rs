//! Fairness between links: no link makes others wait.

use super::*;
use crate::link::LAYERED_READ_BYTES;
use crate::testing::HAS_THREADS;

/// The bounds of a turn, written out: these tests hold the reactor to them.
const LINKS_PER_TURN: usize = 32;
const LINKS_BEFORE_LOGIN_PER_TURN: usize = 16;
const INPUT_BYTES_PER_TURN: usize = 262_144;
const INPUT_FRAMES_PER_TURN: usize = 1_024;
const FRAMES_PER_READING: usize = 64;
const WRITES_PER_TURN: usize = 32;

/// This number of logged-in users, which were quiet in a turn in which `somebody` was not.
fn quiet_users(stepped: &mut SteppedShard, somebody: &mut Pipe, count: usize) -> Peers {
    let mut peers: Peers = (0..count).map(|n| stepped.log_in(&format!("u{n}"))).collect();
    stepped.turn_until_quiet();
    peers.iter_mut().for_each(|peer| drop(read_all(peer)));
    somebody.write(&question());
    stepped.turn_until_quiet();
    peers
}

/// The number of answers to these peers.
fn answered(peers: &mut [Pipe]) -> usize {
    peers.iter_mut().map(|peer| answers(read_all(peer))).sum()
}

#[test]
fn turn_reads_bounded_number_of_links() {
    let (mut stepped, mut alice) = SteppedShard::with_user(CAPACITY);
    let mut peers = quiet_users(&mut stepped, &mut alice, LINKS_PER_TURN + 1);
    peers.iter_mut().for_each(|peer| peer.write(&question()));
    let (behind, first) = peers.split_last_mut().expect("some");
    stepped.turn();
    assert_eq!(answered(first), LINKS_PER_TURN);
    assert_eq!(answers(read_all(behind)), 0);
    stepped.turn();
    assert_eq!(answers(read_all(behind)), 1);
}

#[test]
fn turn_reads_bounded_number_of_bytes() {
    const LINKS: usize = INPUT_BYTES_PER_TURN / READ_BYTES;
    let (mut stepped, mut alice) = SteppedShard::with_user(CAPACITY);
    let mut peers = quiet_users(&mut stepped, &mut alice, LINKS + 1);
    let (behind, first) = peers.split_last_mut().expect("some");
    first.iter_mut().for_each(|peer| peer.write(&one_reading(1)));
    behind.write(&question());
    stepped.turn();
    assert_eq!(answered(first), LINKS);
    assert_eq!(answers(read_all(behind)), 0);
    stepped.turn();
    assert_eq!(answers(read_all(behind)), 1);
}

/// Short frames cost the core as much as long ones, and one turn could read 350,000 of them.
#[test]
fn links_with_many_frames_do_not_delay_others() {
    const FLOODERS: usize = 20;
    const FLOOD: usize = 1_000;
    let (mut stepped, mut honest) = SteppedShard::with_user(CAPACITY);
    let mut flooders: Vec<_> = (0..FLOODERS).map(|n| stepped.log_in(&format!("f{n}"))).collect();
    stepped.turn_until_quiet();
    for flooder in &mut flooders {
        read_all(flooder);
        flooder.write(&question().repeat(FLOOD));
    }
    honest.write(&question());
    let mut stranger = stepped.accept(CAPACITY);
    stranger.write(&hello());
    let turns = (1..).find(|_| {
        stepped.turn();
        answers(read_all(&mut honest)) == 1
    });
    let answered: Vec<_> = flooders.iter_mut().map(|peer| answers(read_all(peer))).collect();
    let together = FRAMES_PER_READING * FLOODERS;
    assert_eq!(
        turns,
        Some(together.div_ceil(INPUT_FRAMES_PER_TURN)),
        "the flooders were ready first"
    );
    assert!(answered.iter().all(|count| *count <= 2 * FRAMES_PER_READING), "{answered:?}");
    stepped.turn();
    stepped.turn();
    assert!(has_received(&mut stranger), "the new link is served");
    stepped.turn_until_quiet();
    for (peer, before) in flooders.iter_mut().zip(answered) {
        assert_eq!(before + answers(read_all(peer)), FLOOD, "every query is answered");
    }
}

#[test]
fn links_before_login_come_after_users() {
    let (mut stepped, mut alice) = SteppedShard::with_user(CAPACITY);
    let mut strangers: Vec<_> = (0..100).map(|_| stepped.accept(CAPACITY)).collect();
    stepped.turn_until_quiet();
    strangers.iter_mut().for_each(|stranger| stranger.write(&hello()));
    alice.write(&question());
    stepped.turn();
    assert_eq!(answers(read_all(&mut alice)), 1, "alice became ready last");
    let greeted = strangers.iter_mut().map(has_received).filter(|heard| *heard).count();
    assert_eq!(greeted, LINKS_BEFORE_LOGIN_PER_TURN);
    stepped.turn_until_quiet();
    let greeted_later = strangers.iter_mut().map(has_received).filter(|heard| *heard).count();
    assert_eq!(greeted + greeted_later, 100);
}

/// Opens a link of [`upgraded`].
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: rts.v1\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn upgraded() -> Acceptor {
    Acceptor::web_socket("/", Origins::Any)
}

/// The number of peers that received something.
fn heard(peers: &mut [Pipe]) -> usize {
    peers.iter_mut().filter_map(|peer| (!read_all(peer).is_empty()).then_some(())).count()
}

/// A signature for TLS costs as much as many messages.
#[test]
fn handshakes_run_outside_of_turns() {
    let (mut stepped, mut alice) = SteppedShard::with_user(CAPACITY);
    let mut strangers: Vec<_> =
        (0..20).map(|_| stepped.accept_with(CAPACITY, &upgraded())).collect();
    strangers.iter_mut().for_each(|stranger| stranger.write(REQUEST));
    stepped.turn_until_quiet();
    assert_eq!(heard(&mut strangers), 0, "no thread has run");
    for expected in [1, 1] {
        stepped.handshakes.run_once();
        assert_eq!(heard(&mut strangers), expected);
        alice.write(&question());
        stepped.turn_until_quiet();
        assert_eq!(answers(read_all(&mut alice)), 1);
    }
}

/// Messages do not wait for handshakes, nor does a handshake that has begun.
#[test]
fn handshakes_beyond_the_rate_wait() {
    const AT_ONCE: usize = 5;
    let start = std::time::Instant::now();
    let (mut stepped, mut alice) = SteppedShard::with_user(CAPACITY);
    let limits = LinkLimits { handshakes_per_second: 1, ..LinkLimits::default() };
    stepped.node.set_link_limits(limits);
    let mut silent: Vec<_> = (0..20).map(|_| stepped.accept_with(CAPACITY, &upgraded())).collect();
    let work = |stepped: &mut SteppedShard| {
        for _ in 0..40 {
            stepped.turn_until_quiet();
            stepped.handshakes.run_once();
        }
        stepped.turn_until_quiet();
    };
    work(&mut stepped);
    let mut strangers: Vec<_> =
        (0..20).map(|_| stepped.accept_with(CAPACITY, &upgraded())).collect();
    let (first, rest) = REQUEST.split_at(50);
    strangers.iter_mut().for_each(|stranger| stranger.write(first));
    work(&mut stepped);
    strangers.iter_mut().for_each(|stranger| stranger.write(rest));
    work(&mut stepped);
    let begun = heard(&mut strangers);
    let more_at_most = 1 + start.elapsed().as_secs() as usize;
    assert!((AT_ONCE..=AT_ONCE + more_at_most).contains(&begun), "{begun} have begun");
    assert_eq!(heard(&mut silent), 0);
    alice.write(&question());
    stepped.turn();
    assert_eq!(answers(read_all(&mut alice)), 1);

    stepped.node.set_link_limits(LinkLimits::default());
    work(&mut stepped);
    assert_eq!(heard(&mut strangers), 20 - begun, "every waiting handshake completes");
}

#[test]
fn handshakes_of_exempt_addresses_ignore_the_rate() {
    let mut stepped = SteppedShard::new();
    stepped.node.set_link_limits(LinkLimits {
        handshakes_per_second: 1,
        is_exempt: Arc::new(|ip| ip.is_loopback()),
        ..LinkLimits::default()
    });
    let mut peers: Vec<_> = (0..20).map(|_| stepped.accept_with(CAPACITY, &upgraded())).collect();
    peers.iter_mut().for_each(|peer| peer.write(REQUEST));
    for _ in 0..20 {
        stepped.turn_until_quiet();
        stepped.handshakes.run_once();
    }
    stepped.turn_until_quiet();
    assert_eq!(heard(&mut peers), 20);
}

#[test]
fn link_is_served_after_its_handshake() {
    let mut stepped = SteppedShard::new();
    let mut peer = stepped.accept_with(CAPACITY, &upgraded());
    stepped.turn_until_quiet();
    // The link has received no bytes, so it waits for bytes and not for a thread. Then bytes arrive
    // a few at a time.
    for part in REQUEST.chunks(50) {
        stepped.handshakes.run_once();
        peer.write(part);
        stepped.turn_until_quiet();
    }
    stepped.handshakes.run_once();
    assert!(has_received(&mut peer), "the WebSocket is open");
    // Bytes that arrive before the link is back are kept.
    let masked = [&[0x82, 0x80 | hello().len() as u8, 0, 0, 0, 0][..], &hello()].concat();
    peer.write(&masked);
    stepped.turn_until_quiet();
    assert!(has_received(&mut peer), "the Hello is answered");
    assert_eq!(stepped.node.stats().links_before_login, 1);
}

#[test]
fn handshakes_succeed_without_threads() {
    HAS_THREADS.set(false);
    let mut stepped = SteppedShard::new();
    let mut peers: Vec<_> = (0..2).map(|_| stepped.accept_with(CAPACITY, &upgraded())).collect();
    peers.iter_mut().for_each(|peer| peer.write(REQUEST));
    stepped.turn_until_quiet();
    assert_eq!(heard(&mut peers), 2);
}

#[test]
fn shutdown_ends_links_that_wait_for_a_handshake() {
    let mut stepped = SteppedShard::new();
    let mut peers: Vec<_> = (0..3).map(|_| stepped.accept_with(CAPACITY, &upgraded())).collect();
    peers.iter_mut().for_each(|peer| peer.write(REQUEST));
    stepped.turn_until_quiet();
    stepped.handshakes.run_once();
    stepped.node.shutdown(Duration::ZERO);
    stepped.turn_until_quiet();
    assert_eq!(stepped.node.stats().links, 0);
    assert!(stepped.node.first().common.gate.is_empty(), "the places are free");
    stepped.handshakes.run_once();
    assert_eq!(heard(&mut peers[1..]), 0, "closed links get nothing");
}

#[test]
fn dropped_reactor_closes_links_in_handshake() {
    for works in [false, true] {
        let mut stepped = SteppedShard::new();
        let mut peer = stepped.accept_with(CAPACITY, &upgraded());
        peer.write(REQUEST);
        stepped.turn_until_quiet();
        let SteppedShard { node, reactor, handshakes } = stepped;
        if works {
            handshakes.run_once();
        }
        drop(reactor);
        assert_eq!(node.stats().links, 0);
        assert!(node.first().common.gate.is_empty());
        read_all(&mut peer);
        let mut context = Context::from_waker(Waker::noop());
        let end = peer.poll_read(&mut context, &mut [0]);
        assert!(matches!(end, Poll::Ready(Ok(0))), "{end:?}");
    }
}

/// Pending output to a large room does not delay others.
#[test]
fn output_to_large_rooms_does_not_delay_answers() {
    const MEMBERS: usize = 5 * WRITES_PER_TURN;
    let (mut stepped, mut alice) = SteppedShard::with_user(CAPACITY);
    let mut members: Vec<_> = (0..MEMBERS).map(|n| stepped.log_in(&format!("m{n}"))).collect();
    stepped.turn_until_quiet();
    let join = |ticket| {
        let room = "room".parse().expect("well formed");
        Frame::Join { room, ticket, business_id: None }.encode()
    };
    for member in &mut members {
        member.write(&join(1));
        stepped.turn_until_quiet();
    }
    members.iter_mut().for_each(|member| drop(read_all(member)));
    let mut guest = stepped.log_in("guest");
    stepped.turn_until_quiet();
    guest.write(&join(1));
    stepped.turn();
    let at_once = heard(&mut members);
    assert!(
        (1..WRITES_PER_TURN).contains(&at_once),
        "members written to at once, the guest not counted: {at_once}"
    );
    alice.write(&question());
    stepped.turn();
    assert_eq!(answers(read_all(&mut alice)), 1);
    stepped.turn_until_quiet();
    assert_eq!(heard(&mut members), MEMBERS - at_once, "every member is notified once");
}

/// A user with few messages comes before users who flood.
#[test]
fn quiet_link_comes_before_flooding_ones() {
    let (mut stepped, mut honest) = SteppedShard::with_user(CAPACITY);
    let mut flooders: Vec<_> =
        (0..4 * LINKS_PER_TURN).map(|n| stepped.log_in(&format!("f{n}"))).collect();
    stepped.turn_until_quiet();
    for flooder in &mut flooders {
        read_all(flooder);
        flooder.write(&question().repeat(2_000));
    }
    stepped.turn_until_quiet();
    honest.write(&question());
    stepped.turn();
    assert_eq!(answers(read_all(&mut honest)), 1, "the answer comes in the next turn");
}

/// Even without a flood, a link that sends in every turn comes after a quiet one.
#[test]
fn quiet_link_comes_before_those_of_every_turn() {
    let (mut stepped, mut alice) = SteppedShard::with_user(CAPACITY);
    let mut honest = quiet_users(&mut stepped, &mut alice, 1);
    let mut talkers: Peers =
        (0..2 * LINKS_PER_TURN).map(|n| stepped.log_in(&format!("t{n}"))).collect();
    stepped.turn_until_quiet();
    for _ in 0..4 {
        talkers.iter_mut().for_each(|talker| talker.write(&question()));
        stepped.turn();
    }
    talkers.iter_mut().for_each(|talker| talker.write(&question()));
    honest[0].write(&question());
    stepped.turn();
    assert_eq!(answered(&mut honest), 1, "the quiet link became ready last");
}

/// A WebSocket's pings contain no frames for the core, but they cost time.
#[test]
fn turn_bounds_input_without_frames() {
    const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];
    const FLOODERS: usize = 10;
    let mut stepped = SteppedShard::new();
    let mut flooders: Vec<_> = (0..FLOODERS)
        .map(|number| {
            let mut peer = stepped.accept_with(CAPACITY, &upgraded());
            peer.write(REQUEST);
            stepped.turn_until_quiet();
            stepped.handshakes.run_once();
            stepped.turn_until_quiet();
            let frames = [hello(), login(&format!("f{number}"))].concat();
            assert!(frames.len() < 126, "a short message");
            peer.write(&[&[0x82, 0x80 | frames.len() as u8, 0, 0, 0, 0], &frames[..]].concat());
            stepped.turn_until_quiet();
            assert!(!read_all(&mut peer).is_empty(), "the login was answered");
            peer
        })
        .collect();
    const PINGS: usize = 3 * LAYERED_READ_BYTES / PING.len();
    flooders.iter_mut().for_each(|flooder| flooder.write(&PING.repeat(PINGS)));
    let mut pong_bytes = [0; FLOODERS];
    let mut answered = || {
        let heard = flooders.iter_mut().map(|peer| read_all(peer).len());
        let heard = heard.zip(&mut pong_bytes).filter(|(bytes, _)| *bytes > 0);
        heard.map(|(bytes, sum)| *sum += bytes).count()
    };
    for turn in 0..3 {
        stepped.turn();
        // One quiet link, and one busy link.
        assert!((1..=2).contains(&answered()), "in turn {turn}");
    }
    stepped.turn_until_quiet();
    answered();
    assert_eq!(pong_bytes, [2 * PINGS; FLOODERS]);
}
