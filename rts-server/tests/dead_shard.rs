//! A shard that dies ends the server with an error that names the shard.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;
use std::time::Duration;

use rts_proto::server::{Command, Input, Observe, Output, Placement};
use rts_proto::{AppId, Instant};
use rts_server::{Config, DEV_APP_ID, DEV_APP_KEY, Server, ServerError, ShardCount};
use rts_token::{AppKey, Expiry, Token};
use rts_transport_tokio::{Event, LoginCode, MessageConfig, connect};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};

/// The time that a server gives its links to close after a failure.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

const NAMED: &str = "the server stops: shard 2 ended by a panic, which is a bug";

/// Panics when its shard gets an entry of another one, and at each later call of the core.
#[derive(Debug, Default)]
struct PanicsOfEntries {
    is_dead: bool,
}

impl Observe for PanicsOfEntries {
    fn input(&mut self, _now: Instant, input: &Input) {
        self.is_dead |= matches!(input, Input::Peer(..));
        assert!(!self.is_dead, "on purpose");
    }

    fn output(&mut self, output: &Output) {
        assert!(!self.is_dead, "a call of a dead shard: {output:?}");
    }

    fn command(&mut self, _now: Instant, command: &Command<'_>) {
        panic!("a command for a dead shard: {command:?}");
    }
}

/// Observes nothing.
struct Plain;

impl Observe for Plain {}

/// The other shards have sent it what is lost, so the server must not go on.
#[tokio::test]
async fn shard_that_dies_ends_the_server_with_an_error_that_names_it() {
    assert_eq!(error_of_dead_shard(Box::new(Plain)).await.to_string(), NAMED);
}

/// The number of links that are left is logged. No shard may be asked for that.
#[tokio::test]
async fn dead_shard_is_named_also_if_links_are_left_open() {
    let hangs = Hangs::default();
    tracing::subscriber::set_global_default(hangs.clone()).expect("no other subscriber");
    let begin = std::time::Instant::now();
    assert_eq!(error_of_dead_shard(Box::new(hangs)).await.to_string(), NAMED);
    assert!(begin.elapsed() >= CLOSE_PATIENCE, "no link was left open");
}

/// Holds up the reactor of a shard, with its links, when the server stops. As a subscriber it is
/// called without the lock of the shard, so that commands do not wait for the reactor.
#[derive(Clone, Debug, Default)]
struct Hangs(Arc<Hang>);

#[derive(Debug, Default)]
struct Hang {
    reactor: OnceLock<ThreadId>,
    is_due: AtomicBool,
}

impl Observe for Hangs {
    fn input(&mut self, _now: Instant, _input: &Input) {
        self.0.reactor.get_or_init(|| std::thread::current().id());
    }

    fn command(&mut self, _now: Instant, _command: &Command<'_>) {
        self.0.is_due.store(true, Ordering::Release);
    }
}

impl Subscriber for Hangs {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, of: &Metadata<'_>) -> bool {
        let is_reactor = self.0.reactor.get() == Some(&std::thread::current().id());
        if is_reactor && self.0.is_due.swap(false, Ordering::AcqRel) {
            std::thread::sleep(CLOSE_PATIENCE + Duration::from_secs(2));
        }
        *of.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The error of a server of three shards, the last of which dies of a message from a user of the
/// first. The observer is for the first one.
async fn error_of_dead_shard(of_first: Box<dyn Observe + Send>) -> ServerError {
    const DEAD: usize = 2;
    let mut config = Config::development("127.0.0.1:0".parse().expect("an address"));
    config.shards = ShardCount::new(3).expect("valid");
    let (mut found, mut of_first) = (None, Some(of_first));
    let server = Server::bind_observed(&config, |placement: Placement| {
        found = Some(placement);
        Ok::<_, io::Error>(match placement.own().number() {
            DEAD => Box::new(PanicsOfEntries::default()) as _,
            _ => of_first.take().unwrap_or(Box::new(Plain)),
        })
    });
    let server = server.await.expect("a listening server");
    let placement = found.expect("three shards");
    let app_id = AppId::new(DEV_APP_ID).expect("well formed");
    let user_of = |shard| {
        let names = (0..).map(|number| format!("u{number}"));
        let is_there = |name: &String| placement.of_user(&app_id, name).number() == shard;
        names.into_iter().find(is_there).expect("hashes reach all")
    };
    let engine = connect(&format!("rts://{}", server.local_addr()), DEV_APP_ID).expect("an engine");
    let mut events = engine.events();
    let (from, to) = (user_of(0), user_of(DEAD));
    let talks = async {
        let key = AppKey::new(DEV_APP_KEY).expect("long enough");
        let token = Token::new(DEV_APP_ID, &from, Expiry::Never).expect("a user id").sign(&key);
        engine.login(&token, &from).expect("not logged in");
        while let Some(event) = events.next().await {
            if let Event::LoginResult { code, .. } = event {
                assert_eq!(code, LoginCode::Ok);
                engine.send_message(&to, "hi", MessageConfig::ReliableOrdered).expect("sent");
            }
        }
    };
    tokio::select! {
        outcome = server.run(std::future::pending()) => outcome.expect_err("a shard is dead"),
        () = talks => unreachable!("the engine lives"),
    }
}
