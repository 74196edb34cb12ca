//! The caller of a server creates the observers of its shards, after everything else has succeeded.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rts_proto::Instant;
use rts_proto::server::{Command, Config as CoreConfig, Observe, Placement};
use rts_server::{Config, Server, ServerError, ShardCount};

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
