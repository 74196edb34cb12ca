//! What shards of one node send to another, while the nats-server between them ends and freezes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rts_cluster::limits::RESEND_AFTER;
use rts_cluster::view::Incarnation;
use rts_cluster::wire::entries::{Route, decode, encode};
use rts_proto::server::{Entry, SessionNumber};
use rts_proto::{Instant, UserId};
use rts_server::cluster::{ClusterNode, Life, NatsBus, NodeEvent};
use rustix::process::Signal;
use tokio::sync::mpsc;

use crate::nodes::{node_config, serve_at_once};
use crate::support::{NatsServer, config, within};

/// A node, and what happens to its shard.
struct Shard {
    node: ClusterNode,
    events: mpsc::UnboundedReceiver<NodeEvent>,
    _directory: tempfile::TempDir,
}

impl Shard {
    async fn start(server: &NatsServer, name: &str) -> Self {
        Self::start_with(server, name, &Arc::new(AtomicBool::new(true))).await
    }

    /// It takes entries while it keeps up.
    async fn start_with(server: &NatsServer, name: &str, keeps_up: &Arc<AtomicBool>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let life = Life::begin(directory.path()).expect("a life begins");
        let bus = NatsBus::open(config(&[server.url()]), life.incarnation()).await;
        let bus = bus.expect("it connects");
        let (report, events) = mpsc::unbounded_channel();
        let on_event = move |event| drop(report.send(event));
        let keeps_up = Arc::clone(keeps_up);
        let keeps_up = move || keeps_up.load(Ordering::SeqCst);
        let arbiter = bus.arbiter();
        let node = ClusterNode::start(node_config(name), life, bus, arbiter, on_event, keeps_up);
        serve_at_once(&node);
        Self { node, events, _directory: directory }
    }

    /// Waits until it may act, and two nodes are members.
    async fn until_two_act(&self) {
        let mut status = self.node.status();
        let two = status.wait_for(|status| {
            let members = status.view.as_ref().map_or(0, |view| view.members().len());
            status.may_act && members == 2
        });
        within(two).await.expect("the node runs");
    }

    fn send(&self, to: Incarnation, numbers: std::ops::Range<u64>) {
        self.node.sender().send(to, numbers.map(piece).collect());
    }

    /// Takes all events that have come, and counts entries.
    fn entries_so_far(&mut self) -> usize {
        let events = std::iter::from_fn(|| self.events.try_recv().ok());
        events.filter(|event| matches!(event, NodeEvent::Entries { .. })).count()
    }

    /// Takes all events up to the piece with this number. Each piece is the next one.
    async fn receive_until(&mut self, expected: &mut u64, end: u64) {
        while *expected < end {
            match within(self.events.recv()).await.expect("the node runs") {
                NodeEvent::Entries { piece, .. } => {
                    assert_eq!(number(piece), *expected, "once and in order");
                    *expected += 1;
                }
                NodeEvent::View { .. } | NodeEvent::Lease(_) => {}
                other => panic!("unexpected at {expected}: {other:?}"),
            }
        }
    }
}

pub(crate) fn piece(number: u64) -> Bytes {
    let session = SessionNumber::from_number(1).expect("a valid number");
    let uid = UserId::new("bob").expect("a valid id");
    let route = Route::new(0, 0).expect("valid numbers");
    let entry = Entry::QueryStatus { session, query: number, uid };
    encode(route, vec![entry], Instant::ORIGIN).remove(0)
}

pub(crate) fn number(piece: Bytes) -> u64 {
    match decode(piece, Instant::ORIGIN).expect("it is valid").1[..] {
        [Entry::QueryStatus { query, .. }] => query,
        ref other => panic!("unexpected: {other:?}"),
    }
}

#[tokio::test]
async fn entries_arrive_once_and_in_order_over_faults_of_the_server() {
    let mut server = NatsServer::start();
    let one = Shard::start(&server, "a").await;
    let mut other = Shard::start(&server, "b").await;
    one.until_two_act().await;
    other.until_two_act().await;
    let to = other.node.incarnation();
    let mut expected = 0;
    one.send(to, 0..1_000);
    other.receive_until(&mut expected, 1_000).await;
    // Some of these are lost with the server.
    one.send(to, 1_000..20_000);
    other.receive_until(&mut expected, 1_100).await;
    server.kill();
    one.send(to, 20_000..21_000);
    server.start_again();
    other.receive_until(&mut expected, 21_000).await;
    server.signal(Signal::STOP);
    one.send(to, 21_000..22_000);
    // The fault itself, and no wait for something.
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.signal(Signal::CONT);
    other.receive_until(&mut expected, 22_000).await;
}

#[tokio::test]
async fn entries_wait_at_their_sender_while_shards_do_not_keep_up() {
    let server = NatsServer::start();
    let keeps_up = Arc::new(AtomicBool::new(true));
    let one = Shard::start(&server, "a").await;
    let mut other = Shard::start_with(&server, "b", &keeps_up).await;
    one.until_two_act().await;
    other.until_two_act().await;
    let to = other.node.incarnation();
    let mut expected = 0;
    one.send(to, 0..100);
    other.receive_until(&mut expected, 100).await;
    keeps_up.store(false, Ordering::SeqCst);
    one.send(to, 100..200);
    // Longer than a trunk waits before it sends again.
    tokio::time::sleep(2 * RESEND_AFTER).await;
    assert!(other.entries_so_far() == 0, "it took entries");
    keeps_up.store(true, Ordering::SeqCst);
    other.receive_until(&mut expected, 200).await;
}

#[tokio::test]
async fn entries_for_a_stranger_come_back() {
    let server = NatsServer::start();
    let mut one = Shard::start(&server, "a").await;
    let (stranger, pieces) = (Incarnation(7), vec![piece(1), piece(2)]);
    one.node.sender().send(stranger, pieces.clone());
    let not_sent = async {
        loop {
            let event = one.events.recv().await.expect("the node runs");
            if let NodeEvent::NotSent { to, pieces } = event {
                return (to, pieces);
            }
        }
    };
    assert_eq!(within(not_sent).await, (stranger, pieces));
}
