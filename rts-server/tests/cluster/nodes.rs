//! Three nodes over one nats-server, and faults of both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_cluster::limits::{LEASE, SUSPECT};
use rts_cluster::membership::{Ended, Wish};
use rts_cluster::view::{ClusterName, Incarnation, MemberState, NodeName, View};
use rts_cluster::wire::VERSION;
use rts_server::cluster::{
    ClusterNode, Life, LifeError, NatsBus, NodeConfig, NodeStatus, StaticArbiter, StaticSet,
};
use rustix::process::Signal;

use crate::support::{LIMIT, NatsServer, config, within};

/// A node with its state directory.
struct Node {
    name: &'static str,
    directory: tempfile::TempDir,
    running: ClusterNode,
}

impl Node {
    async fn start(server: &NatsServer, name: &'static str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let running = run(server, name, &directory).await;
        Self { name, directory, running }
    }

    /// Ends like a crash.
    fn crash(self) -> Crashed {
        Crashed { name: self.name, directory: self.directory }
    }

    fn now(&self) -> NodeStatus {
        self.running.status().borrow().clone()
    }

    /// Waits until the node knows this.
    async fn until(&self, what: &str, is_so: impl FnMut(&NodeStatus) -> bool) -> NodeStatus {
        let mut status = self.running.status();
        let found = tokio::time::timeout(LIMIT, status.wait_for(is_so)).await;
        let Ok(found) = found else {
            panic!("{} does not know that {what}: {:?}", self.name, self.now());
        };
        found.expect("the node runs").clone()
    }
}

/// A node that has ended.
struct Crashed {
    name: &'static str,
    directory: tempfile::TempDir,
}

impl Crashed {
    /// Starts it again with the same state directory.
    async fn start(self, server: &NatsServer) -> Node {
        let Self { name, directory } = self;
        let running = run(server, name, &directory).await;
        Node { name, directory, running }
    }
}

async fn run(server: &NatsServer, name: &str, directory: &tempfile::TempDir) -> ClusterNode {
    let life = begin(directory).await;
    let bus = NatsBus::open(config(&[server.url()]), life.incarnation()).await;
    let bus = bus.expect("it connects");
    let arbiter = bus.arbiter();
    let node = ClusterNode::start(node_config(name), life, bus, arbiter, |_| {}, || true);
    serve_at_once(&node);
    node
}

/// Without shards, a node serves each view at once.
pub(crate) fn serve_at_once(node: &ClusterNode) {
    let (sender, mut status) = (node.sender(), node.status());
    tokio::spawn(async move {
        while status.changed().await.is_ok() {
            let epoch = status.borrow().view.as_ref().map(View::epoch);
            epoch.into_iter().for_each(|epoch| sender.served(epoch));
        }
    });
}

pub(crate) fn node_config(name: &str) -> NodeConfig {
    let cluster = ClusterName::new("test").expect("a valid name");
    let name = NodeName::new(name).expect("a valid name");
    NodeConfig { cluster, name, shards: 1, clock: Arc::default() }
}

/// Begins a life when the one before has ended.
async fn begin(directory: &tempfile::TempDir) -> Life {
    within(async {
        loop {
            match Life::begin(directory.path()) {
                Ok(life) => return life,
                Err(LifeError::InUse { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
}

async fn three(server: &NatsServer) -> [Node; 3] {
    let nodes = [
        Node::start(server, "a").await,
        Node::start(server, "b").await,
        Node::start(server, "c").await,
    ];
    until_whole(&nodes).await;
    nodes
}

/// Waits until these nodes are all members of one view, and may act.
async fn until_whole(nodes: impl IntoIterator<Item = &Node>) {
    let nodes: Vec<&Node> = nodes.into_iter().collect();
    let mut all: Vec<Incarnation> = nodes.iter().map(|node| node.running.incarnation()).collect();
    all.sort_unstable();
    let is_whole = |status: &NodeStatus| {
        let Some(view) = &status.view else { return false };
        let members = view.members();
        let mut found: Vec<_> = members.iter().map(|member| member.incarnation).collect();
        found.sort_unstable();
        status.may_act
            && found == all
            && members.iter().all(|member| member.state == MemberState::Up)
    };
    for node in &nodes {
        node.until("all are members and it may act", is_whole).await;
    }
    let views: Vec<_> = nodes.iter().map(|node| node.now().view.map(|view| view.id())).collect();
    assert!(views.windows(2).all(|two| two[0] == two[1]), "{views:?}");
}

#[tokio::test]
async fn three_nodes_form_one_view() {
    let server = NatsServer::start();
    three(&server).await;
}

#[tokio::test]
async fn silent_node_is_removed() {
    let server = NatsServer::start();
    let [a, b, c] = three(&server).await;
    drop(c);
    until_whole([&a, &b]).await;
}

#[tokio::test]
async fn one_of_two_nodes_goes_on_when_the_other_is_lost() {
    let server = NatsServer::start();
    let (a, b) = (Node::start(&server, "a").await, Node::start(&server, "b").await);
    until_whole([&a, &b]).await;
    drop(b);
    until_whole([&a]).await;
}

#[tokio::test]
async fn node_that_starts_again_replaces_its_earlier_life() {
    let server = NatsServer::start();
    let [mut a, b, c] = three(&server).await;
    let others = [b, c];
    for _ in 0..2 {
        a = a.crash().start(&server).await;
        until_whole([&a].into_iter().chain(&others)).await;
    }
}

#[tokio::test]
async fn whole_cluster_starts_again() {
    let server = NatsServer::start();
    let [a, b, c] = three(&server).await;
    let [a, b, c] = [a.crash(), b.crash(), c.crash()];
    let nodes = [a.start(&server).await, b.start(&server).await, c.start(&server).await];
    until_whole(&nodes).await;
}

#[tokio::test]
async fn node_that_leaves_is_removed_and_gives_its_life_back() {
    let server = NatsServer::start();
    let [a, b, mut c] = three(&server).await;
    c.running.wish(Wish::Leave);
    let ended = tokio::time::timeout(LIMIT, c.running.ended()).await;
    let (why, life) = ended.expect("it ends");
    assert_eq!(why, Ended::Left);
    assert!(Life::begin(c.directory.path()).is_err(), "its life goes on");
    drop(life);
    Life::begin(c.directory.path()).expect("a life begins");
    until_whole([&a, &b]).await;
}

#[tokio::test]
async fn second_node_of_a_name_is_told_and_is_no_member() {
    let server = NatsServer::start();
    let first = Node::start(&server, "a").await;
    until_whole([&first]).await;
    let second = Node::start(&server, "a").await;
    let (one, other) = (first.running.incarnation(), second.running.incarnation());
    first.until("it has a namesake", |status| status.namesake == Some(other)).await;
    second.until("it has a namesake", |status| status.namesake == Some(one)).await;
    assert!(second.now().view.is_none());
}

/// What a server does with a node that the others have removed: it joins anew.
async fn join_anew(node: Node, server: &NatsServer) -> Node {
    let Node { name, directory, mut running } = node;
    match tokio::time::timeout(Duration::ZERO, running.ended()).await {
        Err(_) => Node { name, directory, running },
        Ok((_, life)) => {
            drop(life);
            Crashed { name, directory }.start(server).await
        }
    }
}

/// Waits until these nodes are all members of one view again, and may act. A busy machine may make
/// a fault so long that one of them has to join anew.
async fn until_healed(mut nodes: Vec<Node>, server: &NatsServer) {
    let limit = Instant::now() + LIMIT;
    loop {
        let mut alive = Vec::new();
        for node in nodes {
            alive.push(join_anew(node, server).await);
        }
        nodes = alive;
        let all: Vec<_> = nodes.iter().map(|node| node.running.incarnation()).collect();
        let known: Vec<_> = nodes.iter().map(Node::now).collect();
        let views: Vec<_> = known.iter().filter_map(|status| status.view.as_ref()).collect();
        let is_one = views.len() == all.len() && views.windows(2).all(|two| two[0] == two[1]);
        if is_one
            && views[0].members().len() == all.len()
            && all.iter().all(|node| views[0].member(*node).is_some())
            && known.iter().all(|status| status.may_act)
        {
            return;
        }
        assert!(Instant::now() < limit, "not healed: {known:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn nats_server_that_is_killed_and_started_again_is_survived() {
    let mut server = NatsServer::start();
    let nodes = three(&server).await;
    server.kill();
    for node in &nodes {
        node.until("it is not connected", |status| status.bus_fault.is_some()).await;
    }
    server.start_again();
    for node in &nodes {
        node.until("it is connected", |status| status.bus_fault.is_none()).await;
    }
    until_healed(nodes.into(), &server).await;
}

#[tokio::test]
async fn nats_server_that_stands_still_for_3_s_is_survived() {
    let server = NatsServer::start();
    let nodes = three(&server).await;
    server.signal(Signal::STOP);
    // The fault itself, and no wait for something.
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.signal(Signal::CONT);
    until_healed(nodes.into(), &server).await;
}

#[tokio::test]
async fn nodes_that_were_all_frozen_find_each_other_again() {
    let mut server = NatsServer::start();
    let nodes = three(&server).await;
    server.kill();
    for node in &nodes {
        node.until("it may not act", |status| !status.may_act).await;
    }
    // By now each of them has voted to remove the others, or does so before the server is there.
    tokio::time::sleep(SUSPECT - LEASE).await;
    server.start_again();
    until_healed(nodes.into(), &server).await;
}

#[tokio::test]
async fn fixed_set_acts_without_a_register() {
    let server = NatsServer::with("");
    let names = ["a", "b", "c"].map(|name| NodeName::new(name).expect("a valid name"));
    let members = names.iter().map(|name| (name.clone(), 1)).collect();
    let set = StaticSet::new(b"a secret of sixteen", 1, members);
    let view = set.view(VERSION).expect("a valid view");
    let mut nodes = Vec::new();
    let directories = names.clone().map(|_| tempfile::tempdir().expect("a directory"));
    for (name, directory) in names.iter().zip(&directories) {
        let life = Life::begin_as(directory.path(), set.incarnation(name)).expect("a life");
        let bus = NatsBus::open(config(&[server.url()]), life.incarnation()).await;
        let (bus, arbiter) = (bus.expect("it connects"), StaticArbiter::new(view.clone()));
        nodes.push(ClusterNode::start(
            node_config(name.as_str()),
            life,
            bus,
            arbiter,
            |_| {},
            || true,
        ));
    }
    let acts = |status: &NodeStatus| status.may_act && status.view.as_ref() == Some(&view);
    for node in &nodes {
        within(node.status().wait_for(acts)).await.expect("the node runs");
    }
    // Nobody can be removed. The two others are a majority, and act.
    drop(nodes.pop());
    for node in &nodes {
        within(node.status().wait_for(acts)).await.expect("the node runs");
    }
}

#[tokio::test]
async fn register_that_went_back_is_told() {
    let server = NatsServer::start();
    let a = Node::start(&server, "a").await;
    until_whole([&a]).await;
    let client = async_nats::connect(server.url()).await.expect("it connects");
    let old = stored_view(&client).await;
    let b = Node::start(&server, "b").await;
    let nodes = [a, b];
    until_whole(&nodes).await;
    client.request("rts.test.register.view", old).await.expect("stored");
    // Its wish to join lets the members look.
    let c = Node::start(&server, "c").await;
    for node in &nodes {
        node.until("the register is foreign", |status| status.register_is_foreign).await;
    }
    until_whole(&nodes).await;
    assert!(c.now().view.is_none());
}

#[tokio::test]
async fn register_that_was_removed_is_told_and_founds_no_second_cluster() {
    let server = NatsServer::start();
    let a = Node::start(&server, "a").await;
    until_whole([&a]).await;
    let client = async_nats::connect(server.url()).await.expect("it connects");
    client.request("$JS.API.STREAM.DELETE.rts_test", "".into()).await.expect("removed");
    let b = Node::start(&server, "b").await;
    a.until("the register is foreign", |status| status.register_is_foreign).await;
    until_whole([&a]).await;
    assert!(b.now().view.is_none());
}

/// The value of the register.
async fn stored_view(client: &async_nats::Client) -> bytes::Bytes {
    let request = r#"{"last_by_subj":"rts.test.register.view"}"#;
    let answer = client.request("$JS.API.STREAM.MSG.GET.rts_test", request.into()).await;
    let answer: serde_json::Value =
        serde_json::from_slice(&answer.expect("an answer").payload).expect("JSON");
    let data = answer["message"]["data"].as_str().expect("a message");
    BASE64_STANDARD.decode(data).expect("base64").into()
}
