//! Nodes that cannot join, or not as they are, beside two that serve. No client gets a wrong answer
//! from any of them: a client of such a node waits until the fault is mended.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use rts_cluster::membership::{Beat, Wish};
use rts_cluster::view::{ClusterName, Incarnation, Member, MemberState, NodeName};
use rts_cluster::wire::{Kind, Packet, VERSION};
use serde_json::json;

use super::nats_server::NatsServer;
use super::starting::Starting;
use super::{Crashed, Node, cluster, manual_nats, text, until, until_whole};
use crate::support::{Engine, token};

/// Two nodes with a user each.
struct Healthy {
    a: Node,
    b: Node,
    alice: Engine,
    bob: Engine,
    sent: u32,
}

impl Healthy {
    fn start(lines: &str) -> Self {
        let a = Node::start_with("a", lines);
        Self::with(a, lines)
    }

    /// The second node joins.
    fn with(a: Node, lines: &str) -> Self {
        let b = Node::start_with("b", lines);
        until_whole(&[&a, &b]);
        let (alice, bob) = (a.server.user("alice"), b.server.user("bob"));
        Self { a, b, alice, bob, sent: 0 }
    }

    /// Every answer is right: each message arrives once and in order, and each status is true.
    fn serve(&mut self) {
        for _ in 0..10 {
            self.sent += 1;
            let message = self.sent.to_string();
            exchange(&mut self.alice, &mut self.bob, ["alice", "bob"], &message);
            exchange(&mut self.bob, &mut self.alice, ["bob", "alice"], &message);
        }
    }
}

fn exchange(from: &mut Engine, to: &mut Engine, [sender, receiver]: [&str; 2], message: &str) {
    from.call("sendMessage", text(receiver, message));
    let got = to.until("onMessageReceived");
    assert_eq!([&got["uid"], &got["message"]], [&json!(sender), &json!(message)]);
    assert_eq!(from.until("onMessageSendResult")["code"], 0);
    from.call("sendMessage", text("nobody", "hello?"));
    assert_eq!(from.until("onMessageSendResult")["code"], 4);
    assert_eq!([receiver, "nobody"].map(|uid| from.status_of(uid)), [1, 0]);
}

/// A node that cannot join, and a client that knows no other one.
struct Misfit {
    node: Crashed,
    process: Starting,
    carol: Engine,
}

impl Misfit {
    fn start(name: &'static str, lines: &str) -> Self {
        let node = Crashed::new(name, lines);
        let url = node.listen_at_known();
        let process = Starting::new(&node);
        let mut carol = Engine::start(&url, &["--params", r#"{"backoffMaxMs": 300}"#]);
        carol.call("login", json!({"token": token("carol", "0"), "uid": "carol"}));
        Self { node, process, carol }
    }

    /// The node says what is wrong, and its client waits, while the others serve.
    fn serves_nobody(&mut self, fault: &str, healthy: &mut Healthy) {
        self.process.until_logged(fault);
        healthy.serve();
        assert!(!self.carol.has_heard("onLoginResult"));
        assert_eq!(
            [&mut healthy.alice, &mut healthy.bob].map(|user| user.status_of("carol")),
            [0, 0]
        );
    }

    /// The fault is mended, and the node starts again. Its client gets what is true.
    fn serves_when_mended(self, healthy: &mut Healthy, mend: impl FnOnce(&Crashed)) {
        let Self { node, process, mut carol } = self;
        drop(process);
        mend(&node);
        let c = node.start();
        assert_eq!(carol.until("onLoginResult")["code"], 0);
        assert_eq!(["alice", "bob", "nobody"].map(|uid| carol.status_of(uid)), [1, 1, 0]);
        carol.call("sendMessage", text("alice", "at last"));
        assert_eq!(carol.until("onMessageSendResult")["code"], 0);
        assert_eq!(healthy.alice.until("onMessageReceived")["message"], "at last");
        healthy.serve();
        drop(c);
    }
}

fn lines(cluster: &str, nats: &str) -> String {
    format!("name = {cluster:?}\nnats = {nats:?}\n")
}

/// With the permissions of the manual, NATS does not let it found a cluster of its own.
#[test]
fn node_with_a_wrong_name_of_the_cluster() {
    let nats = manual_nats();
    let login = "user = \"rts\"\npassword = \"a long random text\"\n";
    let with = |name: &str| lines(name, &nats.url()) + login;
    let mut healthy = Healthy::start(&with("chat"));
    let mut misfit = Misfit::start("c", &with("caht"));
    misfit.serves_nobody("subscribe to rts.caht.>", &mut healthy);
    misfit.serves_when_mended(&mut healthy, |node| node.change("caht", "chat"));
}

#[test]
fn node_that_cannot_reach_nats() {
    let nats = NatsServer::start();
    let mut healthy = Healthy::start(&lines("test", &nats.url()));
    let mut gone = NatsServer::start();
    gone.kill();
    let mut misfit = Misfit::start("c", &lines("test", &gone.url()));
    misfit.serves_nobody("waiting for NATS: cannot connect to NATS at", &mut healthy);
    misfit.serves_when_mended(&mut healthy, |node| node.change(&gone.url(), &nats.url()));
}

/// The members need no JetStream while nobody comes or goes.
#[test]
fn node_that_comes_while_jetstream_is_off() {
    let mut nats = NatsServer::start();
    let mut healthy = Healthy::start(&lines("test", &nats.url()));
    let with_jetstream = std::fs::read_to_string(nats.file("rest.conf")).expect("a file");
    let mut starts_with = |config: &str| {
        nats.kill();
        std::fs::write(nats.file("rest.conf"), config).expect("written");
        nats.start_again();
        nats.url()
    };
    let url = starts_with("");
    let mut misfit = Misfit::start("c", &lines("test", &url));
    misfit.serves_nobody("has no JetStream for this user", &mut healthy);
    misfit.serves_when_mended(&mut healthy, |_| {
        starts_with(&with_jetstream);
    });
}

#[test]
fn second_node_of_a_name() {
    let nats = NatsServer::start();
    let mut healthy = Healthy::start(&lines("test", &nats.url()));
    let mut misfit = Misfit::start("b", &lines("test", &nats.url()));
    misfit.serves_nobody("two nodes of this cluster have the name of this one", &mut healthy);
    misfit.serves_when_mended(&mut healthy, |node| node.change("node = \"b\"", "node = \"c\""));
}

/// The members keep their view, and no node joins.
#[test]
fn node_that_comes_when_the_register_went_back() {
    let mut nats = NatsServer::start();
    let with = lines("test", &nats.url());
    let a = Node::start_with("a", &with);
    until_whole(&[&a]);
    let folders = ["store", "before", "after"].map(|name| nats.file(name));
    let [store, before, after] = folders.each_ref().map(|folder| folder.as_path());
    nats.kill();
    copy(store, before);
    nats.start_again();
    let mut healthy = Healthy::with(a, &with);
    nats.kill();
    copy(store, after);
    let restore = |nats: &mut NatsServer, from: &Path| {
        std::fs::remove_dir_all(store).expect("a folder");
        copy(from, store);
        nats.start_again();
    };
    restore(&mut nats, before);
    let mut misfit = Misfit::start("c", &with);
    let nodes = [healthy.a.openapi.clone(), healthy.b.openapi.clone()];
    until("a member says that it is not the register of its view", || {
        nodes.iter().any(|node| cluster(node).is_some_and(|of| of["register_is_foreign"] == true))
    });
    misfit.serves_nobody("waiting", &mut healthy);
    misfit.serves_when_mended(&mut healthy, |_| {
        nats.kill();
        restore(&mut nats, after);
    });
}

/// It names members that ended before the last ones began.
#[test]
fn nodes_that_start_again_with_an_older_register_form_the_cluster() {
    let mut nats = NatsServer::start();
    let with = lines("test", &nats.url());
    let (a, b) = (Node::start_with("a", &with), Node::start_with("b", &with));
    until_whole(&[&a, &b]);
    let (store, before) = (nats.file("store"), nats.file("before"));
    nats.kill();
    copy(&store, &before);
    nats.start_again();
    let (a, b) = both_again(a, b);
    until_whole(&[&a, &b]);
    nats.kill();
    std::fs::remove_dir_all(&store).expect("a folder");
    copy(&before, &store);
    nats.start_again();
    let (a, b) = both_again(a, b);
    until_whole(&[&a, &b]);
}

fn both_again(a: Node, b: Node) -> (Node, Node) {
    let (a, b) = (a.crash(), b.crash());
    std::thread::scope(|scope| {
        let a = scope.spawn(|| a.start());
        let b = b.start();
        (a.join().expect("it starts"), b)
    })
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(copied.expect("cp runs").success());
}

/// The newest login wins all the same.
#[test]
fn nodes_whose_clocks_are_an_hour_behind_another_one() {
    let nats = NatsServer::start();
    let with = lines("test", &nats.url());
    let mut healthy = Healthy::start(&with);
    let mut before = healthy.a.server.user("carol");
    publish(&nats, "rts.test.all", &beat_of_a_node_an_hour_ahead());
    until("both say so", || {
        [&healthy.a, &healthy.b].into_iter().all(|node| {
            let behind = cluster(&node.openapi).and_then(|of| of["clock_behind_s"].as_u64());
            behind.is_some_and(|behind| behind > 3_590)
        })
    });
    healthy.serve();
    let c = Node::start_with("c", &with);
    // Each of the later ones displaces the one before. None comes back by itself.
    for node in [&healthy.b, &healthy.a, &c, &healthy.b] {
        let mut carol = node.server.user("carol");
        assert_eq!(before.until("onLogout")["reason"], 1);
        healthy.alice.call("sendMessage", text("carol", node.name));
        assert_eq!(carol.until("onMessageReceived")["message"], node.name);
        assert_eq!(healthy.alice.until("onMessageSendResult")["code"], 0);
        before = carol;
    }
    healthy.serve();
    assert!(!before.has_heard("onLogout"));
}

/// One beat of a node that does not join.
fn beat_of_a_node_an_hour_ahead() -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let node = Member {
        name: NodeName::new("fast").expect("a valid name"),
        incarnation: Incarnation(1),
        shards: 1,
        version: VERSION,
        state: MemberState::Joining,
    };
    let beat = Beat {
        node,
        view: None,
        is_settled: false,
        is_served: false,
        number: 1,
        wish: Wish::Leave,
        echoes: Vec::new(),
        votes: Vec::new(),
        dead: Vec::new(),
        clock: u64::try_from(now.as_micros()).expect("not so late") + 3_600_000_000,
    };
    let cluster = ClusterName::new("test").expect("a valid name");
    let packet = Packet { cluster, from: Incarnation(1), to: None, kind: Kind::Beat(beat) };
    packet.encode().to_vec()
}

/// Publishes a message, and waits until NATS has it.
fn publish(nats: &NatsServer, subject: &str, message: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", nats.port)).expect("it listens");
    write!(stream, "CONNECT {{\"verbose\":false}}\r\nPUB {subject} {}\r\n", message.len())
        .and_then(|()| stream.write_all(&[message, b"\r\nPING\r\n"].concat()))
        .expect("it reads");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("it answers"));
    let pong = lines.take_while(|line| line != "PONG").count();
    assert!(pong > 0, "its first line tells about the server");
}
