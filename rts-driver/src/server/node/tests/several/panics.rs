//! Panics that end a shard: on entries, on commands, and at the end of a burst. Without other
//! shards, they are contained.

use std::sync::atomic::AtomicBool;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use super::*;

struct PanicsOfRooms;

impl Watch for PanicsOfRooms {
    fn happened(&self, _: ShardId, _: AppId, report: Report) {
        assert!(!matches!(report, Report::RoomCreated { .. }), "on purpose");
    }
}

#[test]
fn panic_on_entries_of_another_shard_ends_the_shard() {
    let mut two = Two::new();
    let mut peer = two.accept(&Acceptor::plain());
    peer.write(&[hello(), login(&user_of(0))].concat());
    two.turn_until_quiet();
    two.node.watch(Arc::new(PanicsOfRooms));
    let rooms = (0..).map(|number| format!("r{number}").parse::<RoomId>().expect("well formed"));
    let room = rooms.into_iter().find(|room| placement(0).of_room(&app_id(), room).number() == 1);
    let room = room.expect("hashes reach both");
    peer.write(&Frame::Join { room, ticket: 1, business_id: None }.encode());
    assert_eq!(two.failed(), None);
    let ended = catch_unwind(AssertUnwindSafe(|| two.turn_until_quiet()));
    assert!(ended.is_err(), "the panic leaves the reactor");
    assert_eq!(two.failed(), Some(1));
}

struct PanicsOfUsers;

impl Watch for PanicsOfUsers {
    fn happened(&self, _: ShardId, _: AppId, report: Report) {
        assert!(!matches!(report, Report::UserOffline { .. }), "on purpose");
    }
}

/// A session without a client ends at the end of the burst that begins it.
fn without_grace() -> Config {
    let mut config = Config::default();
    config.session_grace = Duration::ZERO;
    config.reported_apps = [app_id()].into();
    config
}

#[test]
fn panic_at_the_end_of_a_burst_ends_the_shard() {
    let mut two = Two::with_config(Arc::new(Anybody), without_grace());
    two.node.watch(Arc::new(PanicsOfUsers));
    let mut peer = two.accept(&Acceptor::plain());
    peer.write(&[hello(), login(&user_of(0))].concat());
    let ended = catch_unwind(AssertUnwindSafe(|| two.turn_until_quiet()));
    assert!(ended.is_err(), "the panic leaves the reactor");
    assert_eq!(two.failed(), Some(0));
}

/// A login over a link that only the core knows.
fn command_login(node: &Node<Still>, uid: &str) -> bool {
    let command = || {
        node.commands().shard(ShardId::FIRST, |server, now| {
            let link = LinkId(1_000);
            server.handle_input(now, Input::Accepted(link, ResumeKey([0; 16])));
            server.handle_input(now, Input::Received(link, hello()));
            server.handle_input(now, Input::Received(link, login(uid)));
        });
    };
    catch_unwind(AssertUnwindSafe(command)).is_ok()
}

#[test]
fn panic_at_the_end_of_a_commands_burst_ends_the_shard() {
    let mut two = Two::with_config(Arc::new(Anybody), without_grace());
    let mut peers = [two.accept(&Acceptor::plain()), two.accept(&Acceptor::plain())];
    two.turn_until_quiet();
    two.node.watch(Arc::new(PanicsOfUsers));
    let mut not_taken = two.accept(&Acceptor::plain());
    assert!(!command_login(&two.node, &user_of(0)), "the panic goes on to the caller");
    assert_eq!(two.failed(), Some(0));
    assert!(is_closed(&mut not_taken), "the reactor has not taken it");
    let mut context = Context::from_waker(Waker::noop());
    assert!(two.reactors[0].as_mut().poll(&mut context).is_ready(), "the reactor goes on");
    assert!(two.node.inner.shards[0].arrivals.claim_reactor().is_none(), "its state has a gap");
    assert!(two.reactors[1].as_mut().poll(&mut context).is_pending());
    drop(two.reactors.remove(0));
    assert_eq!(peers.each_mut().map(is_closed), [true, false]);
    assert_eq!(two.node.open_links(), 1);
}

#[test]
fn panicking_command_ends_one_of_several_shards() {
    let two = Two::new();
    let command = || two.node.commands().shard(ShardId::FIRST, |_, _| panic!("on purpose"));
    assert!(catch_unwind(AssertUnwindSafe(command)).is_err());
    assert_eq!(two.failed(), Some(0));
}

#[test]
fn only_shard_contains_a_panic_at_the_end_of_a_commands_burst() {
    let mut stepped = SteppedShard::with(without_grace(), Arc::new(Anybody));
    stepped.node.watch(Arc::new(PanicsOfUsers));
    assert!(command_login(&stepped.node, "alice"), "the command itself did not panic");
    let mut failed = Box::pin(stepped.node.failed());
    assert!(failed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(failed);
    stepped.turn_until_quiet();
}

/// Gives a command that panics when the reactor asks for the level of the log: after it has read
/// its links, and before it calls the core.
struct FailsTheShard {
    node: Node<Still>,
    has_failed: AtomicBool,
}

impl Subscriber for FailsTheShard {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            let command =
                || self.node.commands().shard(ShardId::FIRST, |_, _| panic!("on purpose"));
            assert!(catch_unwind(AssertUnwindSafe(command)).is_err());
        }
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn reactor_does_not_call_a_core_that_a_command_has_failed() {
    let mut two = Two::new();
    let mut peer = two.accept(&Acceptor::plain());
    peer.write(&[hello(), login(&user_of(0))].concat());
    two.turn_until_quiet();
    peer.write(&question());
    read_all(&mut peer);
    let subscriber = FailsTheShard { node: two.node.clone(), has_failed: AtomicBool::new(false) };
    tracing::subscriber::with_default(subscriber, || two.turn());
    assert_eq!(two.failed(), Some(0));
    assert_eq!(answers(read_all(&mut peer)), 0);
}
