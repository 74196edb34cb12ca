//! A shard and its reactor, turn by turn, over pipes in memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::*;
use crate::link::READ_BYTES;
use crate::runtime::Stream as _;
use crate::server::handshakes::HandshakePool;
use crate::testing::{Pipe, Still, pipe};
use rts_proto::limits::{FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN};
use rts_proto::server::{Config, Credentials, Input, Report, Server, Verdict};
use rts_proto::wire::{Decoder, Frame, Login, VERSION};
use rts_proto::{CloseCode, LinkId, MessageConfig, MessageId, Payload, SendCode};
use rts_stream::Origins;

mod decisions;
mod turns;

/// Turns after which nothing is left to do.
const TURNS_MAX: usize = 64;

/// Bytes that a link holds, if a test has no reason for less.
const CAPACITY: usize = 1_048_576;

/// A shard and its reactor, of which a test makes every turn.
struct Turned {
    shard: Shard<Still>,
    reactor: Pin<Box<dyn Future<Output = ()>>>,
    /// No thread works for them: a test does.
    handshakes: Arc<HandshakePool<Still>>,
}

/// The other ends of links that stay.
type Peers = Vec<Pipe>;

struct Anybody;

impl Authenticate for Anybody {
    fn authenticate(&self, _: &Credentials) -> Verdict {
        Verdict::Accept { claim: 1, issued_at: 0 }
    }
}

impl Turned {
    fn new() -> Self {
        let config = Config {
            reported_apps: [app_id()].into(),
            status_queries_per_second: 0,
            ..Config::default()
        };
        Self::with(config, Arc::new(Anybody))
    }

    fn with(config: Config, authenticator: Arc<dyn Authenticate>) -> Self {
        let shard = Shard::<Still>::new(Server::new(config, 1), authenticator);
        assert!(shard.shared.claim_reactor(), "the shard is new");
        let reactor = Reactor::new(&shard.shared);
        let handshakes = reactor.handshakes();
        Self { shard, reactor: Box::pin(reactor.run()), handshakes }
    }

    /// Beside it, the other end of a link on which alice has logged in.
    fn with_user(capacity: usize) -> (Self, Pipe) {
        let mut turned = Self::new();
        let mut peer = turned.accept(capacity);
        peer.write(&[hello(), login("alice")].concat());
        turned.turn_until_quiet();
        read_all(&mut peer);
        (turned, peer)
    }

    /// It has logged in after some turns.
    fn log_in(&self, uid: &str) -> Pipe {
        let mut peer = self.accept(CAPACITY);
        peer.write(&[hello(), login(uid)].concat());
        peer
    }

    fn accept(&self, capacity: usize) -> Pipe {
        self.accept_with(capacity, &Acceptor::plain())
    }

    fn accept_with(&self, capacity: usize, acceptor: &Acceptor) -> Pipe {
        let (near, far) = pipe(capacity);
        self.shard.link_accepted(near, ([127, 0, 0, 1], 1).into(), acceptor);
        far
    }

    fn turn(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        assert!(self.reactor.as_mut().poll(&mut context).is_pending());
    }

    fn turn_until_quiet(&mut self) {
        for _ in 0..TURNS_MAX {
            self.turn();
        }
    }
}

fn app_id() -> AppId {
    "123456781234567812345678".parse().expect("well formed")
}

fn hello() -> Bytes {
    Frame::Hello { version: VERSION, features: 0 }.encode()
}

fn login(uid: &str) -> Bytes {
    let login = Login {
        app_id: app_id(),
        uid: uid.parse().expect("well formed"),
        token: Bytes::new(),
        resume: None,
        claim: 0,
        engine: 0,
        attempt: 0,
    };
    Frame::Login(login).encode()
}

/// A question to which there is an answer in any case.
fn question() -> Bytes {
    Frame::StatusQuery { query: 1, uid: Bytes::from_static(b"alice") }.encode()
}

/// How many questions are answered.
fn answers(heard: Vec<u8>) -> usize {
    let mut decoder = Decoder::new();
    decoder.push(heard.into());
    let frames = std::iter::from_fn(|| decoder.next(FRAME_BYTES_MAX).expect("whole frames"));
    frames.filter(|frame| matches!(frame, Frame::StatusAnswer { .. })).count()
}

/// As much as is read in one go: so many questions, and then a frame that may be skipped.
fn one_reading(questions: usize) -> Vec<u8> {
    /// The length of the frame, and the frame's kind, which is 512, and the length of that.
    const HEAD_BYTES: usize = 3 + 2 + 3;
    let mut bytes = question().repeat(questions);
    let skipped_bytes = READ_BYTES - bytes.len() - HEAD_BYTES;
    for number in [HEAD_BYTES - 3 + skipped_bytes, 512 << 3 | 2, skipped_bytes] {
        let mut rest = number;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes.resize(READ_BYTES, 0);
    bytes
}

fn read_all(far: &mut Pipe) -> Vec<u8> {
    let mut context = Context::from_waker(Waker::noop());
    let (mut all, mut buffer) = (Vec::new(), [0; 65_536]);
    while let Poll::Ready(Ok(length @ 1..)) = far.poll_read(&mut context, &mut buffer) {
        all.extend_from_slice(&buffer[..length]);
    }
    all
}

fn is_closed(far: &mut Pipe) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(far.poll_read(&mut context, &mut [0]), Poll::Ready(Ok(0)))
}

fn hears_something(far: &mut Pipe) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(far.poll_read(&mut context, &mut [0; 64]), Poll::Ready(Ok(1..)))
}

#[test]
fn links_that_come_all_the_time_do_not_keep_the_others_waiting() {
    let mut turned = Turned::new();
    let mut peer = turned.accept(CAPACITY);
    turned.turn_until_quiet();
    let mut others = Peers::new();
    for turn in 0..=TURNS_MAX {
        others.push(turned.accept(CAPACITY));
        turned.turn();
        if turn == 0 {
            peer.write(&hello());
        }
    }
    assert!(hears_something(&mut peer), "{TURNS_MAX} others came, and its turn did not");
}

#[test]
fn a_reactor_that_ends_leaves_no_link_behind() {
    for turns in 0..TURNS_MAX {
        let mut turned = Turned::new();
        let mut peer = turned.accept(CAPACITY);
        peer.write(&hello());
        for turn in 0..turns {
            if turn == turns / 2 {
                drop(std::mem::replace(&mut peer, pipe(1).0));
            }
            turned.turn();
        }
        let Turned { shard, reactor, .. } = turned;
        drop(reactor);
        assert_eq!(shard.stats().links, 0, "after {turns} turns");
    }
}

#[test]
fn a_reactor_that_ends_by_a_panic_is_noticed_and_one_that_is_dropped_is_not() {
    for panics in [false, true] {
        let Turned { shard, reactor, .. } = Turned::new();
        let mut failed = Box::pin(shard.failed());
        let mut context = Context::from_waker(Waker::noop());
        assert!(failed.as_mut().poll(&mut context).is_pending());
        let ended = catch_unwind(AssertUnwindSafe(move || {
            let _reactor = reactor;
            assert!(!panics, "on purpose");
        }));
        assert_eq!(ended.is_err(), panics);
        assert_eq!(failed.as_mut().poll(&mut context).is_ready(), panics);
    }
}

#[test]
fn last_words_are_answered_although_the_end_comes_right_behind() {
    let (mut turned, mut peer) = Turned::with_user(CAPACITY);
    // More answers than are written in one go, so that the link rings while there is more to read.
    let questions = [300, 300, 300, 0];
    for questions in questions {
        peer.write(&one_reading(questions));
    }
    peer.write(&question());
    let mut context = Context::from_waker(Waker::noop());
    assert!(peer.poll_shutdown(&mut context).is_ready());
    turned.turn_until_quiet();
    assert_eq!(answers(read_all(&mut peer)), questions.iter().sum::<usize>() + 1);
}

#[test]
fn a_login_makes_room_for_the_next_stranger_of_its_network() {
    let mut turned = Turned::new();
    let limits = LinkLimits { per_network_before_login_max: 1, ..LinkLimits::default() };
    turned.shard.set_link_limits(limits);
    let mut alice = turned.accept(CAPACITY);
    assert!(is_closed(&mut turned.accept(CAPACITY)), "alice has the place");
    alice.write(&[hello(), login("alice")].concat());
    turned.turn_until_quiet();
    let mut second = turned.accept(CAPACITY);
    assert!(!is_closed(&mut second));
    assert!(is_closed(&mut turned.accept(CAPACITY)));
    drop(second);
    turned.turn_until_quiet();
    assert!(!is_closed(&mut turned.accept(CAPACITY)), "the place of one that went is free");
}

#[test]
fn a_connection_that_is_expected_is_accepted_and_closed_and_takes_no_place() {
    let mut turned = Turned::new();
    turned.shard.set_link_limits(LinkLimits { links_max: 1, ..LinkLimits::default() });
    let at = SocketAddr::from(([127, 0, 0, 1], 1));
    let expected = turned.shard.expect(at);
    assert!(is_closed(&mut turned.accept(CAPACITY)));
    assert!(turned.shard.shared.admission().is_empty());
    let mut second = turned.accept(CAPACITY);
    turned.turn_until_quiet();
    assert!(!is_closed(&mut second), "one was expected");
    drop(expected);
    drop(second);
    turned.turn_until_quiet();
    drop(turned.shard.expect(at));
    assert!(!is_closed(&mut turned.accept(CAPACITY)), "it is expected no more");
}

#[test]
fn who_waits_for_a_turn_learns_of_the_next_one() {
    let mut turned = Turned::new();
    turned.turn_until_quiet();
    let shard = turned.shard.clone();
    let mut waits = Box::pin(shard.turned());
    let mut context = Context::from_waker(Waker::noop());
    assert!(waits.as_mut().poll(&mut context).is_pending());
    turned.turn();
    assert!(waits.as_mut().poll(&mut context).is_ready(), "the reactor is woken for it");
}

/// §12.3: the layers know no frames but this one.
#[test]
fn what_a_link_behind_a_proxy_header_ends_with_is_a_close() {
    let mut turned = Turned::new();
    let mut peer = turned.accept(CAPACITY);
    peer.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 7600\r\n");
    peer.write(&hello());
    turned.turn_until_quiet();
    let mut decoder = Decoder::new();
    decoder.push(read_all(&mut peer).into());
    let close = decoder.next(FRAME_BYTES_MAX_BEFORE_LOGIN);
    let Ok(Some(Frame::Close { code, reason, retry_after_ms: 0 })) = close else {
        panic!("{close:?}")
    };
    assert_eq!(CloseCode::from_code(code), CloseCode::BadFrame);
    assert!(reason.starts_with(b"a PROXY header"));
}

/// §2.7: it cannot say any more that it has received something. What it did not get is sent again
/// after a resume.
#[test]
fn a_peer_that_stops_writing_has_ended_the_link_although_it_reads_on() {
    const NARROW: usize = 256;
    let (mut turned, mut peer) = Turned::with_user(NARROW);
    let questions = question().repeat(NARROW / question().len());
    for _ in 0..4 {
        peer.write(&questions);
        turned.turn_until_quiet();
    }
    assert_eq!(turned.shard.stats().links, 1, "it has much to write, and goes on");
    let mut context = Context::from_waker(Waker::noop());
    assert!(peer.poll_shutdown(&mut context).is_ready());
    turned.turn_until_quiet();
    assert_eq!(turned.shard.stats().links, 0);
    assert_eq!(read_all(&mut peer).len(), NARROW, "only what was written before");
    let end = peer.poll_read(&mut context, &mut [0]);
    assert!(matches!(end, Poll::Ready(Ok(0))), "{end:?}");
}

/// The results of messages in what was heard.
fn results(heard: Vec<u8>) -> Vec<SendCode> {
    let mut decoder = Decoder::new();
    decoder.push(heard.into());
    let frames = std::iter::from_fn(|| decoder.next(FRAME_BYTES_MAX).expect("whole frames"));
    let codes = frames.flat_map(|frame| match frame {
        Frame::SendResults { code, ids } => vec![code; ids.len()],
        _ => Vec::new(),
    });
    codes.collect()
}

/// Messages that are sent once and pongs are not kept for who does not read, and its link stays.
#[test]
fn who_does_not_read_gets_a_megabyte_and_then_nothing_more_until_it_reads() {
    let (mut turned, mut alice) = Turned::with_user(CAPACITY);
    let mut bob = turned.log_in("bob");
    turned.turn_until_quiet();
    read_all(&mut bob);
    let message = |length: usize| {
        let (id, to) = (MessageId(1), Bytes::from_static(b"bob"));
        let (payload, config) =
            (Payload::binary(vec![0; length]), MessageConfig::UnreliableOrdered);
        Frame::Send { id, to, payload, config }.encode()
    };
    let mut handed_over = 0;
    for _ in 0..90 {
        alice.write(&message(60_000));
        turned.turn_until_quiet();
        match results(read_all(&mut alice))[..] {
            [SendCode::Ok] => handed_over += 60_000,
            [SendCode::Broken] => break,
            ref other => panic!("{other:?}"),
        }
        bob.write(&Frame::Ping.encode());
    }
    // What the pipe holds is written already.
    assert!((CAPACITY..CAPACITY + 1_048_576).contains(&handed_over), "{handed_over} bytes");
    assert_eq!(turned.shard.stats().links, 2);

    while !read_all(&mut bob).is_empty() {
        turned.turn_until_quiet();
    }
    alice.write(&message(10));
    turned.turn_until_quiet();
    assert_eq!(results(read_all(&mut alice)), [SendCode::Ok]);
    assert!(hears_something(&mut bob));
}

struct Panics;

impl Watch for Panics {
    fn happened(&self, _: AppId, report: Report) {
        panic!("of {report:?}");
    }
}

#[test]
fn a_command_that_panics_takes_nothing_of_others_with_it() {
    let (mut turned, mut alice) = Turned::with_user(CAPACITY);
    let sent = turned.shard.command(|server, now| {
        let (from, to) = (UserId::new("bob"), UserId::new("alice"));
        let (from, to) = (from.expect("well formed"), to.expect("well formed"));
        server.unicast(now, &app_id(), from, &to, Payload::text("hello"))
    });
    assert!(sent.is_ok(), "{sent:?}");
    turned.shard.watch(Arc::new(Panics));
    let carol = catch_unwind(AssertUnwindSafe(|| {
        turned.shard.command(|server, now| {
            let link = LinkId(1_000);
            server.handle_input(now, Input::Accepted(link, ResumeKey([0; 16])));
            server.handle_input(now, Input::Received(link, hello()));
            server.handle_input(now, Input::Received(link, login("carol")));
        });
    }));
    assert!(carol.is_err(), "her coming was to be told");
    turned.turn_until_quiet();
    assert!(hears_something(&mut alice), "what was on its way to her is lost");
}
