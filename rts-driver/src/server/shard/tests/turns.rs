//! Whose turn it is when many want something: nobody keeps others waiting.

use super::*;
use crate::link::LAYERED_READ_BYTES;
use crate::testing::HAS_THREADS;

/// What a turn takes at most, written out: these tests are what holds the reactor to it.
const LINKS_PER_TURN: usize = 32;
const LINKS_BEFORE_LOGIN_PER_TURN: usize = 16;
const INPUT_BYTES_PER_TURN: usize = 262_144;
const INPUT_FRAMES_PER_TURN: usize = 1_024;
const FRAMES_PER_READING: usize = 64;
const WRITES_PER_TURN: usize = 32;

/// So many who have logged in, and then were quiet while somebody else was not.
fn quiet_users(turned: &mut Turned, somebody: &mut Pipe, count: usize) -> Peers {
    let mut peers: Peers = (0..count).map(|n| turned.log_in(&format!("u{n}"))).collect();
    turned.turn_until_quiet();
    peers.iter_mut().for_each(|peer| drop(read_all(peer)));
    somebody.write(&question());
    turned.turn_until_quiet();
    peers
}

/// How many of them have an answer.
fn answered(peers: &mut [Pipe]) -> usize {
    peers.iter_mut().map(|peer| answers(read_all(peer))).sum()
}

#[test]
fn a_turn_hears_so_many_links_and_the_next_one_those_behind_them() {
    let (mut turned, mut alice) = Turned::with_user(CAPACITY);
    let mut peers = quiet_users(&mut turned, &mut alice, LINKS_PER_TURN + 1);
    peers.iter_mut().for_each(|peer| peer.write(&question()));
    let (behind, first) = peers.split_last_mut().expect("some");
    turned.turn();
    assert_eq!(answered(first), LINKS_PER_TURN);
    assert_eq!(answers(read_all(behind)), 0);
    turned.turn();
    assert_eq!(answers(read_all(behind)), 1);
}

#[test]
fn a_turn_takes_so_many_bytes_and_the_next_one_those_behind_them() {
    const LINKS: usize = INPUT_BYTES_PER_TURN / READ_BYTES;
    let (mut turned, mut alice) = Turned::with_user(CAPACITY);
    let mut peers = quiet_users(&mut turned, &mut alice, LINKS + 1);
    let (behind, first) = peers.split_last_mut().expect("some");
    first.iter_mut().for_each(|peer| peer.write(&one_reading(1)));
    behind.write(&question());
    turned.turn();
    assert_eq!(answered(first), LINKS);
    assert_eq!(answers(read_all(behind)), 0);
    turned.turn();
    assert_eq!(answers(read_all(behind)), 1);
}

/// Short frames cost the core as much as long ones: 350,000 of them fit into what is read in a
/// turn.
#[test]
fn links_with_many_frames_leave_others_their_turn() {
    const FLOODERS: usize = 20;
    const FLOOD: usize = 1_000;
    let (mut turned, mut honest) = Turned::with_user(CAPACITY);
    let mut flooders: Vec<_> = (0..FLOODERS).map(|n| turned.log_in(&format!("f{n}"))).collect();
    turned.turn_until_quiet();
    for flooder in &mut flooders {
        read_all(flooder);
        flooder.write(&question().repeat(FLOOD));
    }
    honest.write(&question());
    let mut stranger = turned.accept(CAPACITY);
    stranger.write(&hello());
    let turns = (1..).find(|_| {
        turned.turn();
        answers(read_all(&mut honest)) == 1
    });
    let answered: Vec<_> = flooders.iter_mut().map(|peer| answers(read_all(peer))).collect();
    let together = FRAMES_PER_READING * FLOODERS;
    assert_eq!(turns, Some(together.div_ceil(INPUT_FRAMES_PER_TURN)), "they were ready before it");
    assert!(answered.iter().all(|count| *count <= 2 * FRAMES_PER_READING), "{answered:?}");
    turned.turn();
    turned.turn();
    assert!(hears_something(&mut stranger), "somebody gets in all the same");
    turned.turn_until_quiet();
    for (peer, before) in flooders.iter_mut().zip(answered) {
        assert_eq!(before + answers(read_all(peer)), FLOOD, "nothing is lost");
    }
}

#[test]
fn strangers_come_behind_those_who_have_logged_in() {
    let (mut turned, mut alice) = Turned::with_user(CAPACITY);
    let mut strangers: Vec<_> = (0..100).map(|_| turned.accept(CAPACITY)).collect();
    turned.turn_until_quiet();
    strangers.iter_mut().for_each(|stranger| stranger.write(&hello()));
    alice.write(&question());
    turned.turn();
    assert_eq!(answers(read_all(&mut alice)), 1, "she was ready behind them");
    let greeted = strangers.iter_mut().map(hears_something).filter(|heard| *heard).count();
    assert_eq!(greeted, LINKS_BEFORE_LOGIN_PER_TURN);
    turned.turn_until_quiet();
    let greeted_later = strangers.iter_mut().map(hears_something).filter(|heard| *heard).count();
    assert_eq!(greeted + greeted_later, 100);
}

/// What opens a link of [`upgraded`].
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: rts.v1\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn upgraded() -> Acceptor {
    Acceptor::web_socket("/", Origins::Any)
}

/// So many ended up with something to hear.
fn heard(peers: &mut [Pipe]) -> usize {
    peers.iter_mut().filter_map(|peer| (!read_all(peer).is_empty()).then_some(())).count()
}

/// A signature for TLS costs as much as many messages.
#[test]
fn handshakes_get_on_beside_the_turns_and_not_in_them() {
    let (mut turned, mut alice) = Turned::with_user(CAPACITY);
    let mut strangers: Vec<_> =
        (0..20).map(|_| turned.accept_with(CAPACITY, &upgraded())).collect();
    strangers.iter_mut().for_each(|stranger| stranger.write(REQUEST));
    turned.turn_until_quiet();
    assert_eq!(heard(&mut strangers), 0, "no thread has worked for them");
    for expected in [1, 1] {
        turned.handshakes.run_once();
        assert_eq!(heard(&mut strangers), expected);
        alice.write(&question());
        turned.turn_until_quiet();
        assert_eq!(answers(read_all(&mut alice)), 1);
    }
}

/// And messages do not wait for any of them, nor does a handshake that has begun.
#[test]
fn handshakes_of_all_networks_begin_at_a_rate_and_the_others_wait_for_their_turn() {
    const AT_ONCE: usize = 5;
    let start = std::time::Instant::now();
    let (mut turned, mut alice) = Turned::with_user(CAPACITY);
    let limits = LinkLimits { handshakes_per_second: 1, ..LinkLimits::default() };
    turned.shard.set_link_limits(limits);
    let mut silent: Vec<_> = (0..20).map(|_| turned.accept_with(CAPACITY, &upgraded())).collect();
    let work = |turned: &mut Turned| {
        for _ in 0..40 {
            turned.turn_until_quiet();
            turned.handshakes.run_once();
        }
        turned.turn_until_quiet();
    };
    work(&mut turned);
    let mut strangers: Vec<_> =
        (0..20).map(|_| turned.accept_with(CAPACITY, &upgraded())).collect();
    let (first, rest) = REQUEST.split_at(50);
    strangers.iter_mut().for_each(|stranger| stranger.write(first));
    work(&mut turned);
    strangers.iter_mut().for_each(|stranger| stranger.write(rest));
    work(&mut turned);
    let begun = heard(&mut strangers);
    let more_at_most = 1 + start.elapsed().as_secs() as usize;
    assert!((AT_ONCE..=AT_ONCE + more_at_most).contains(&begun), "{begun} have begun");
    assert_eq!(heard(&mut silent), 0);
    alice.write(&question());
    turned.turn();
    assert_eq!(answers(read_all(&mut alice)), 1);

    turned.shard.set_link_limits(LinkLimits::default());
    work(&mut turned);
    assert_eq!(heard(&mut strangers), 20 - begun, "they waited, and none is lost");
}

#[test]
fn handshakes_of_exempt_addresses_begin_at_any_rate() {
    let mut turned = Turned::new();
    turned.shard.set_link_limits(LinkLimits {
        handshakes_per_second: 1,
        is_exempt: Arc::new(|ip| ip.is_loopback()),
        ..LinkLimits::default()
    });
    let mut peers: Vec<_> = (0..20).map(|_| turned.accept_with(CAPACITY, &upgraded())).collect();
    peers.iter_mut().for_each(|peer| peer.write(REQUEST));
    for _ in 0..20 {
        turned.turn_until_quiet();
        turned.handshakes.run_once();
    }
    turned.turn_until_quiet();
    assert_eq!(heard(&mut peers), 20);
}

#[test]
fn a_link_that_got_on_is_served_like_any_other() {
    let mut turned = Turned::new();
    let mut peer = turned.accept_with(CAPACITY, &upgraded());
    turned.turn_until_quiet();
    // Nothing has come, so it waits for no thread but for bytes; and they come a few at a time.
    for part in REQUEST.chunks(50) {
        turned.handshakes.run_once();
        peer.write(part);
        turned.turn_until_quiet();
    }
    turned.handshakes.run_once();
    assert!(hears_something(&mut peer), "its WebSocket is open");
    // What came before the link was back is not forgotten.
    let masked = [&[0x82, 0x80 | hello().len() as u8, 0, 0, 0, 0][..], &hello()].concat();
    peer.write(&masked);
    turned.turn_until_quiet();
    assert!(hears_something(&mut peer), "and its Hello is answered");
    assert_eq!(turned.shard.stats().links_before_login, 1);
}

#[test]
fn people_get_in_also_when_the_system_has_no_thread_to_give() {
    HAS_THREADS.set(false);
    let mut turned = Turned::new();
    let mut peers: Vec<_> = (0..2).map(|_| turned.accept_with(CAPACITY, &upgraded())).collect();
    peers.iter_mut().for_each(|peer| peer.write(REQUEST));
    turned.turn_until_quiet();
    assert_eq!(heard(&mut peers), 2);
}

#[test]
fn what_ends_a_link_ends_it_also_while_it_waits_for_its_handshake() {
    let mut turned = Turned::new();
    let mut peers: Vec<_> = (0..3).map(|_| turned.accept_with(CAPACITY, &upgraded())).collect();
    peers.iter_mut().for_each(|peer| peer.write(REQUEST));
    turned.turn_until_quiet();
    turned.handshakes.run_once();
    turned.shard.shutdown(Duration::ZERO);
    turned.turn_until_quiet();
    assert_eq!(turned.shard.stats().links, 0);
    assert!(turned.shard.shared.admission().is_empty(), "its place is free");
    turned.handshakes.run_once();
    assert_eq!(heard(&mut peers[1..]), 0, "nothing is done for who is gone");
}

#[test]
fn a_reactor_that_ends_takes_the_links_with_it_that_wait_for_their_handshakes() {
    for works in [false, true] {
        let mut turned = Turned::new();
        let mut peer = turned.accept_with(CAPACITY, &upgraded());
        peer.write(REQUEST);
        turned.turn_until_quiet();
        let Turned { shard, reactor, handshakes } = turned;
        if works {
            handshakes.run_once();
        }
        drop(reactor);
        assert_eq!(shard.stats().links, 0);
        assert!(shard.shared.admission().is_empty());
        read_all(&mut peer);
        let mut context = Context::from_waker(Waker::noop());
        let end = peer.poll_read(&mut context, &mut [0]);
        assert!(matches!(end, Poll::Ready(Ok(0))), "{end:?}");
    }
}

/// What a large room still waits for does not keep others waiting.
#[test]
fn what_many_get_is_written_a_few_in_each_turn_and_what_is_asked_meanwhile_first() {
    const MEMBERS: usize = 5 * WRITES_PER_TURN;
    let (mut turned, mut alice) = Turned::with_user(CAPACITY);
    let mut members: Vec<_> = (0..MEMBERS).map(|n| turned.log_in(&format!("m{n}"))).collect();
    turned.turn_until_quiet();
    let join = |ticket| {
        let room = "room".parse().expect("well formed");
        Frame::Join { room, ticket, business_id: None }.encode()
    };
    for member in &mut members {
        member.write(&join(1));
        turned.turn_until_quiet();
    }
    members.iter_mut().for_each(|member| drop(read_all(member)));
    let mut guest = turned.log_in("guest");
    turned.turn_until_quiet();
    guest.write(&join(1));
    turned.turn();
    let at_once = heard(&mut members);
    assert!((1..WRITES_PER_TURN).contains(&at_once), "the guest itself is one: {at_once}");
    alice.write(&question());
    turned.turn();
    assert_eq!(answers(read_all(&mut alice)), 1);
    turned.turn_until_quiet();
    assert_eq!(heard(&mut members), MEMBERS - at_once, "everybody is told once");
}

/// Who has little to say is heard before who floods.
#[test]
fn who_was_quiet_is_heard_before_who_has_said_much() {
    let (mut turned, mut honest) = Turned::with_user(CAPACITY);
    let mut flooders: Vec<_> =
        (0..4 * LINKS_PER_TURN).map(|n| turned.log_in(&format!("f{n}"))).collect();
    turned.turn_until_quiet();
    for flooder in &mut flooders {
        read_all(flooder);
        flooder.write(&question().repeat(2_000));
    }
    turned.turn_until_quiet();
    honest.write(&question());
    turned.turn();
    assert_eq!(answers(read_all(&mut honest)), 1, "in the next turn, however many flood");
}

/// They need not flood: who says something in every turn comes behind who does not.
#[test]
fn who_was_quiet_is_heard_before_those_who_speak_in_every_turn() {
    let (mut turned, mut alice) = Turned::with_user(CAPACITY);
    let mut honest = quiet_users(&mut turned, &mut alice, 1);
    let mut talkers: Peers =
        (0..2 * LINKS_PER_TURN).map(|n| turned.log_in(&format!("t{n}"))).collect();
    turned.turn_until_quiet();
    for _ in 0..4 {
        talkers.iter_mut().for_each(|talker| talker.write(&question()));
        turned.turn();
    }
    talkers.iter_mut().for_each(|talker| talker.write(&question()));
    honest[0].write(&question());
    turned.turn();
    assert_eq!(answered(&mut honest), 1, "it was ready behind them");
}

/// A WebSocket's pings hold no frames for the core, and cost time all the same.
#[test]
fn what_holds_no_frames_has_its_bound_in_a_turn_too() {
    const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];
    const FLOODERS: usize = 10;
    let mut turned = Turned::new();
    let mut flooders: Vec<_> = (0..FLOODERS)
        .map(|number| {
            let mut peer = turned.accept_with(CAPACITY, &upgraded());
            peer.write(REQUEST);
            turned.turn_until_quiet();
            turned.handshakes.run_once();
            turned.turn_until_quiet();
            let frames = [hello(), login(&format!("f{number}"))].concat();
            assert!(frames.len() < 126, "a short message");
            peer.write(&[&[0x82, 0x80 | frames.len() as u8, 0, 0, 0, 0], &frames[..]].concat());
            turned.turn_until_quiet();
            assert!(!read_all(&mut peer).is_empty(), "it is logged in");
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
        turned.turn();
        // One of those that were quiet, and one of those that were not.
        assert!((1..=2).contains(&answered()), "in turn {turn}");
    }
    turned.turn_until_quiet();
    answered();
    assert_eq!(pong_bytes, [2 * PINGS; FLOODERS]);
}
