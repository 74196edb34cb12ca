//! The caller of a server creates the observers of its shards, after everything else has succeeded.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rts_proto::server::{Command, Config as CoreConfig, Input, Observe, Placement};
use rts_proto::{AppId, Instant};
use rts_server::{Config, DEV_APP_ID, DEV_APP_KEY, Server, ServerError, ShardCount};
use rts_token::{AppKey, Expiry, Token};
use rts_transport_tokio::{Event, LoginCode, MessageConfig, connect};

/// Counts its calls.
#[derive(Clone, Debug, Default)]
struct Counter {
    starts: Arc<AtomicUsize>,
    commands: Arc<AtomicUsize>,
}

impl Observe for Counter {
    fn started(&mut self, _config: &CoreConfig, _seed: u64) {
        self.starts.fetch_add(1, Ordering::Relaxed);
    }

    fn command(&mut self, _now: Instant, _command: &Command<'_>) {
        self.commands.fetch_add(1, Ordering::Relaxed);
    }
}

fn config() -> Config {
    Config::development("127.0.0.1:0".parse().expect("an address"))
}

#[tokio::test]
async fn observer_sees_every_shard_from_its_start() {
    let counter = Counter::default();
    let mut config = config();
    config.shards = ShardCount::new(3).expect("valid");
    let mut observed = Vec::new();
    let observer = |placement: Placement| {
        observed.push((placement.own().number(), placement.count()));
        Ok::<_, io::Error>(Box::new(counter.clone()) as _)
    };
    let server = Server::bind_observed(&config, observer).await.expect("a listening server");
    assert_eq!(observed, [(0, 3), (1, 3), (2, 3)]);
    assert_eq!(counter.starts.load(Ordering::Relaxed), 3);
    server.run(async {}).await.expect("it stops");
    assert_eq!(counter.commands.load(Ordering::Relaxed), 3, "the shutdown of each");
}

/// Panics when its shard gets an entry of another one, and at each command.
#[derive(Debug)]
struct PanicsOfEntries;

impl Observe for PanicsOfEntries {
    fn input(&mut self, _now: Instant, input: &Input) {
        assert!(!matches!(input, Input::Peer(..)), "on purpose");
    }

    fn command(&mut self, _now: Instant, command: &Command<'_>) {
        panic!("a command for a dead shard: {command:?}");
    }
}

/// The other shards have sent it what is lost, so the server must not go on.
#[tokio::test]
async fn shard_that_dies_ends_the_server_with_an_error_that_names_it() {
    const DEAD: usize = 2;
    let mut config = config();
    config.shards = ShardCount::new(3).expect("valid");
    let mut found = None;
    let server = Server::bind_observed(&config, |placement: Placement| {
        let own = placement.own().number();
        found = Some(placement);
        Ok::<_, io::Error>(match own {
            DEAD => Box::new(PanicsOfEntries) as _,
            _ => Box::new(Counter::default()) as _,
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
    let error = tokio::select! {
        outcome = server.run(std::future::pending()) => outcome.expect_err("a shard is dead"),
        () = talks => unreachable!("the engine lives"),
    };
    assert_eq!(error.to_string(), "the server stops: shard 2 ended by a panic, which is a bug");
}

#[tokio::test]
async fn failed_observer_prevents_the_start() {
    let no_observer = |_| Err(io::Error::other("the disk is full"));
    let error = Server::bind_observed(&config(), no_observer).await.expect_err("no observer");
    assert!(matches!(error, ServerError::Observer(_)));
    assert_eq!(error.to_string(), "the disk is full");
}

#[tokio::test]
async fn no_observer_is_created_for_failed_start() {
    let first = Server::bind(&config()).await.expect("a listening server");
    let taken = Config::development(first.local_addr());
    let counter = Counter::default();
    let observer = |_| {
        counter.starts.fetch_add(1, Ordering::Relaxed);
        Ok::<_, io::Error>(Box::new(counter.clone()) as _)
    };
    let error = Server::bind_observed(&taken, observer).await.expect_err("somebody listens there");
    assert!(matches!(error, ServerError::Listen { .. }), "{error}");
    assert_eq!(counter.starts.load(Ordering::Relaxed), 0);
}
