//! Nodes of this version beside one of the next version, as in an upgrade, and beside one with
//! another time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rts_cluster::limits::{RESEND_AFTER, SUSPECT};
use rts_cluster::view::{Incarnation, MemberState, View};
use rts_cluster::wire::{Kind, Packet, VERSION};
use rts_server::cluster::{
    Bus, BusEvent, ClusterClock, ClusterNode, Life, NatsBus, NodeEvent, SendError, To,
};
use tokio::sync::mpsc;

use crate::nodes::{node_config, serve_at_once};
use crate::support::{NatsServer, config, within};
use crate::trunks::{number, piece};

/// A field of protobuf that this version does not know: number 1,000 with the value 1.
const FIELD: [u8; 3] = [0xC0, 0x3E, 1];

const HOUR_MICROS: u64 = 3_600_000_000;

/// The bus of a node of the next version. Its beats say so, all its packets have a further field,
/// and before each of them it sends one of a kind that this version does not know.
struct NextVersion(NatsBus);

impl NextVersion {
    fn packet(packet: Bytes) -> Bytes {
        let mut packet = Packet::decode(packet).expect("valid").expect("of a known kind");
        if let Kind::Beat(beat) = &mut packet.kind {
            beat.node.version = VERSION + 1;
        }
        [&packet.encode()[..], &FIELD].concat().into()
    }

    /// A packet whose kind has the number 1,001.
    fn of_unknown_kind(packet: &Bytes) -> Bytes {
        let packet = Packet::decode(packet.clone()).expect("valid").expect("of a known kind");
        let [from, to] = [packet.from, packet.to.unwrap_or(Incarnation(0))];
        let mut bytes = [&[9][..], &from.0.to_le_bytes(), &[17], &to.0.to_le_bytes()].concat();
        let cluster = packet.cluster.as_str().as_bytes();
        bytes.extend([&[58, cluster.len() as u8][..], cluster].concat());
        bytes.extend([0xCA, 0x3E, 2, 1, 2]);
        bytes.into()
    }
}

impl Bus for NextVersion {
    fn send(&mut self, to: To, packet: Bytes) -> Result<(), SendError> {
        self.0.send(to, Self::of_unknown_kind(&packet))?;
        self.0.send(to, Self::packet(packet))
    }

    fn next(&mut self) -> impl Future<Output = BusEvent> + Send {
        self.0.next()
    }

    fn reconnect(&mut self) {
        self.0.reconnect();
    }
}

/// The bus of a node whose clock is an hour ahead.
struct HourAhead(NatsBus);

impl Bus for HourAhead {
    fn send(&mut self, to: To, packet: Bytes) -> Result<(), SendError> {
        let mut packet = Packet::decode(packet).expect("valid").expect("of a known kind");
        if let Kind::Beat(beat) = &mut packet.kind {
            let now = ClusterClock::default().now();
            beat.clock = now + HOUR_MICROS;
        }
        self.0.send(to, packet.encode())
    }

    fn next(&mut self) -> impl Future<Output = BusEvent> + Send {
        self.0.next()
    }

    fn reconnect(&mut self) {
        self.0.reconnect();
    }
}

struct Node {
    clock: Arc<ClusterClock>,
    running: ClusterNode,
    events: mpsc::UnboundedReceiver<NodeEvent>,
    _directory: tempfile::TempDir,
}

impl Node {
    async fn start<B: Bus>(server: &NatsServer, name: &str, bus: fn(NatsBus) -> B) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let life = Life::begin(directory.path()).expect("a life begins");
        let nats = NatsBus::open(config(&[server.url()]), life.incarnation()).await;
        let nats = nats.expect("it connects");
        let (report, events) = mpsc::unbounded_channel();
        let on_event = move |event| drop(report.send(event));
        let arbiter = nats.arbiter();
        let config = node_config(name);
        let clock = Arc::clone(&config.clock);
        let running = ClusterNode::start(config, life, bus(nats), arbiter, on_event, || true);
        serve_at_once(&running);
        Self { clock, running, events, _directory: directory }
    }

    /// Waits until it may act in a view in which this number of members is up.
    async fn until_it_acts_with(&self, members: usize) -> View {
        let mut status = self.running.status();
        let acts = status.wait_for(|status| {
            let view = status.view.as_ref();
            let up = view.into_iter().flat_map(|view| view.members());
            let up = up.filter(|member| member.state == MemberState::Up);
            status.may_act && up.count() == members
        });
        let acts = within(acts).await.expect("it runs");
        acts.view.clone().expect("it has one")
    }

    fn send(&self, to: &Self, numbers: std::ops::Range<u64>) {
        let pieces = numbers.map(piece).collect();
        self.running.sender().send(to.running.incarnation(), pieces);
    }

    async fn receive(&mut self, numbers: std::ops::Range<u64>) {
        for expected in numbers {
            let piece = loop {
                match within(self.events.recv()).await.expect("it runs") {
                    NodeEvent::Entries { piece, .. } => break piece,
                    NodeEvent::View { .. } | NodeEvent::Lease(_) => {}
                    other => panic!("unexpected at {expected}: {other:?}"),
                }
            };
            assert_eq!(number(piece), expected, "once and in order");
        }
    }
}

#[tokio::test]
async fn node_of_the_next_version_is_a_member_and_its_entries_arrive() {
    let server = NatsServer::start();
    let mut old =
        [Node::start(&server, "a", |bus| bus).await, Node::start(&server, "b", |bus| bus).await];
    for node in &old {
        node.until_it_acts_with(2).await;
    }
    let mut next = Node::start(&server, "c", NextVersion).await;
    for node in old.iter().chain([&next]) {
        let view = node.until_it_acts_with(3).await;
        let versions: Vec<_> = view.members().iter().map(|member| member.version).collect();
        assert_eq!(versions, [VERSION, VERSION, VERSION + 1]);
    }
    for node in &mut old {
        node.send(&next, 0..500);
        next.receive(0..500).await;
        next.send(node, 0..500);
        node.receive(0..500).await;
    }
    // They keep their leases over the time in which a member that is not heard is removed.
    tokio::time::sleep(SUSPECT + RESEND_AFTER).await;
    for node in old.iter().chain([&next]) {
        node.until_it_acts_with(3).await;
    }
}

#[tokio::test]
async fn all_nodes_follow_the_fastest_clock_and_tell_the_difference() {
    let server = NatsServer::start();
    let slow = Node::start(&server, "a", |bus| bus).await;
    assert_eq!(slow.clock.ahead(), Duration::ZERO);
    let fast = Node::start(&server, "b", HourAhead).await;
    let is_told = async |node: &Node| {
        let mut status = node.running.status();
        let told = status.wait_for(|status| status.clock_behind > Duration::from_secs(3_590));
        within(told).await.expect("it runs");
        assert!(node.clock.ahead() > Duration::from_secs(3_590));
    };
    is_told(&slow).await;
    for node in [&slow, &fast] {
        node.until_it_acts_with(2).await;
    }
    drop(fast);
    slow.until_it_acts_with(1).await;
    // It has not heard the fast one.
    let late = Node::start(&server, "c", |bus| bus).await;
    is_told(&late).await;
}
