//! A shard and its reactor, turn by turn, over pipes in memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::*;
use crate::link::READ_BYTES;
use crate::server::handshakes::HandshakePool;
use crate::testing::{Pipe, Still, pipe};
use rts_proto::limits::{FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN};
use rts_proto::server::{Config, Credentials, Input, Report, Server, Verdict};
use rts_proto::wire::{Decoder, Frame, Login, VERSION};
use rts_proto::{CloseCode, LinkId, MessageConfig, MessageId, Payload, SendCode};
use rts_stream::Origins;

mod clustered;
mod decisions;
mod places;
mod several;
mod threads;
mod turns;

/// Turns after which all work is done.
const TURNS_MAX: usize = 64;

/// Bytes that a link holds, if the test needs no smaller bound.
const CAPACITY: usize = 1_048_576;

/// A shard and its reactor. The test makes every turn.
struct SteppedShard {
    node: Node<Still>,
    reactor: Pin<Box<dyn Future<Output = ()>>>,
    /// The pool of handshakes. No thread works for it; the test does.
    handshakes: Arc<HandshakePool<Still>>,
}

/// The client ends of links.
type Peers = Vec<Pipe>;

struct Anybody;

impl Authenticate for Anybody {
    fn authenticate(&self, _: &Credentials) -> Verdict {
        Verdict::Accept { claim: 1, issued_at: 0 }
    }
}

impl SteppedShard {
    fn new() -> Self {
        let mut config = Config::default();
        config.reported_apps = [app_id()].into();
        config.status_queries_per_second = 0;
        Self::with(config, Arc::new(Anybody))
    }

    fn with(config: Config, authenticator: Arc<dyn Authenticate>) -> Self {
        let node = Node::<Still>::new(Server::new(config, 1), authenticator);
        assert!(node.first().arrivals.claim_reactor().is_some(), "the node is new");
        let reactor = Reactor::new(node.first(), 1);
        let handshakes = reactor.handshakes();
        Self { node, reactor: Box::pin(reactor.run()), handshakes }
    }

    /// A shard, and the client end of a link on which alice has logged in.
    fn with_user(capacity: usize) -> (Self, Pipe) {
        let mut stepped = Self::new();
        let mut peer = stepped.accept(capacity);
        peer.write(&[hello(), login("alice")].concat());
        stepped.turn_until_quiet();
        read_all(&mut peer);
        (stepped, peer)
    }

    /// The client end of a new link. The login is complete after some turns.
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
        let peer = ([127, 0, 0, 1], 1).into();
        self.node.link_accepted(near, peer, acceptor).expect("random numbers");
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

/// A query that always gets an answer.
fn question() -> Bytes {
    Frame::StatusQuery { query: 1, uid: Bytes::from_static(b"alice") }.encode()
}

/// The number of answers.
fn answers(heard: Vec<u8>) -> usize {
    let mut decoder = Decoder::new();
    decoder.push(heard.into());
    let frames = std::iter::from_fn(|| decoder.next(FRAME_BYTES_MAX).expect("whole frames"));
    frames.filter(|frame| matches!(frame, Frame::StatusAnswer { .. })).count()
}

/// As many bytes as one read takes: this number of queries, and then a frame that the server skips.
fn one_reading(questions: usize) -> Vec<u8> {
    /// The length of the frame, the frame's kind, which is 512, and the length of its content.
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

fn has_received(far: &mut Pipe) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(far.poll_read(&mut context, &mut [0; 64]), Poll::Ready(Ok(1..)))
}

#[test]
fn steady_new_links_do_not_delay_others() {
    let mut stepped = SteppedShard::new();
    let mut peer = stepped.accept(CAPACITY);
    stepped.turn_until_quiet();
    let mut others = Peers::new();
    for turn in 0..=TURNS_MAX {
        others.push(stepped.accept(CAPACITY));
        stepped.turn();
        if turn == 0 {
            peer.write(&hello());
        }
    }
    assert!(has_received(&mut peer), "no turn for the link during {TURNS_MAX} new links");
}

#[test]
fn dropped_reactor_leaves_no_links() {
    for turns in 0..TURNS_MAX {
        let mut stepped = SteppedShard::new();
        let mut peer = stepped.accept(CAPACITY);
        peer.write(&hello());
        for turn in 0..turns {
            if turn == turns / 2 {
                drop(std::mem::replace(&mut peer, pipe(1).0));
            }
            stepped.turn();
        }
        let SteppedShard { node, reactor, .. } = stepped;
        drop(reactor);
        assert_eq!(node.stats().links, 0, "after {turns} turns");
    }
}

#[test]
fn reports_panicked_reactor_but_not_a_dropped_one() {
    for panics in [false, true] {
        let SteppedShard { node, reactor, .. } = SteppedShard::new();
        let mut failed = Box::pin(node.failed());
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
fn answers_all_queries_before_the_end_of_a_link() {
    let (mut stepped, mut peer) = SteppedShard::with_user(CAPACITY);
    // More answers than one turn writes, so that the link becomes ready while there is more to
    // read.
    let questions = [300, 300, 300, 0];
    for questions in questions {
        peer.write(&one_reading(questions));
    }
    peer.write(&question());
    let mut context = Context::from_waker(Waker::noop());
    assert!(peer.poll_shutdown(&mut context).is_ready());
    stepped.turn_until_quiet();
    assert_eq!(answers(read_all(&mut peer)), questions.iter().sum::<usize>() + 1);
}

#[test]
fn next_turn_waits_for_the_end_of_one_turn() {
    let mut stepped = SteppedShard::new();
    stepped.turn_until_quiet();
    let node = stepped.node.clone();
    let mut waits = Box::pin(node.next_turn());
    let mut context = Context::from_waker(Waker::noop());
    assert!(waits.as_mut().poll(&mut context).is_pending());
    stepped.turn();
    assert!(waits.as_mut().poll(&mut context).is_ready(), "the next turn completes the wait");
}

/// §12.3: layers send no other frame.
#[test]
fn link_behind_proxy_header_ends_with_close_frame() {
    let mut stepped = SteppedShard::new();
    let mut peer = stepped.accept(CAPACITY);
    peer.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 7600\r\n");
    peer.write(&hello());
    stepped.turn_until_quiet();
    let mut decoder = Decoder::new();
    decoder.push(read_all(&mut peer).into());
    let close = decoder.next(FRAME_BYTES_MAX_BEFORE_LOGIN);
    let Ok(Some(Frame::Close { code, reason, retry_after_ms: 0 })) = close else {
        panic!("{close:?}")
    };
    assert_eq!(CloseCode::from_code(code), CloseCode::BadFrame);
    assert!(reason.starts_with(b"a PROXY header"));
}

/// §2.7: the peer can no longer acknowledge frames. Frames that it did not get are sent again after
/// a resume.
#[test]
fn half_close_by_the_peer_ends_the_link() {
    const NARROW: usize = 256;
    let (mut stepped, mut peer) = SteppedShard::with_user(NARROW);
    let questions = question().repeat(NARROW / question().len());
    for _ in 0..4 {
        peer.write(&questions);
        stepped.turn_until_quiet();
    }
    assert_eq!(stepped.node.stats().links, 1, "the link stays while its output waits");
    let mut context = Context::from_waker(Waker::noop());
    assert!(peer.poll_shutdown(&mut context).is_ready());
    stepped.turn_until_quiet();
    assert_eq!(stepped.node.stats().links, 0);
    assert_eq!(read_all(&mut peer).len(), NARROW, "only the bytes written before the end");
    let end = peer.poll_read(&mut context, &mut [0]);
    assert!(matches!(end, Poll::Ready(Ok(0))), "{end:?}");
}

/// The results of messages among the received frames.
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

/// Unreliable messages and pongs are not kept for a client that does not read. Its link stays.
#[test]
fn slow_reader_gets_a_megabyte_until_it_reads() {
    let (mut stepped, mut alice) = SteppedShard::with_user(CAPACITY);
    let mut bob = stepped.log_in("bob");
    stepped.turn_until_quiet();
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
        stepped.turn_until_quiet();
        match results(read_all(&mut alice))[..] {
            [SendCode::Ok] => handed_over += 60_000,
            [SendCode::Broken] => break,
            ref other => panic!("{other:?}"),
        }
        bob.write(&Frame::Ping.encode());
    }
    // The pipe also holds bytes that are written already.
    assert!((CAPACITY..CAPACITY + 1_048_576).contains(&handed_over), "{handed_over} bytes");
    assert_eq!(stepped.node.stats().links, 2);

    while !read_all(&mut bob).is_empty() {
        stepped.turn_until_quiet();
    }
    alice.write(&message(10));
    stepped.turn_until_quiet();
    assert_eq!(results(read_all(&mut alice)), [SendCode::Ok]);
    assert!(has_received(&mut bob));
}

struct Panics;

impl Watch for Panics {
    fn happened(&self, _: ShardId, _: AppId, report: Report) {
        panic!("of {report:?}");
    }
}

#[test]
fn panicking_command_keeps_the_output_of_others() {
    let (mut stepped, mut alice) = SteppedShard::with_user(CAPACITY);
    let sent = stepped.node.commands().shard(ShardId::FIRST, |server, now| {
        let (from, to) = (UserId::new("bob"), UserId::new("alice"));
        let (from, to) = (from.expect("well formed"), to.expect("well formed"));
        server.unicast(now, &app_id(), from, &to, Payload::text("hello"))
    });
    assert!(sent.is_ok(), "{sent:?}");
    stepped.node.watch(Arc::new(Panics));
    let carol = catch_unwind(AssertUnwindSafe(|| {
        stepped.node.commands().shard(ShardId::FIRST, |server, now| {
            let link = LinkId(1_000);
            server.handle_input(now, Input::Accepted(link, ResumeKey([0; 16])));
            server.handle_input(now, Input::Received(link, hello()));
            server.handle_input(now, Input::Received(link, login("carol")));
        });
    }));
    assert!(carol.is_err(), "the watcher panicked on carol's login");
    stepped.turn_until_quiet();
    assert!(has_received(&mut alice), "alice's message is lost");
}
