//! What a node does and says when it cannot join.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::nats_server::NatsServer;
use super::{Crashed, Node, cluster, get, until, until_received, until_whole};
use crate::support::{ended, signal};

/// A server that may not print that it listens, with its log in a file.
/// It ends with this value.
pub(super) struct Starting {
    process: Option<Child>,
    log: std::path::PathBuf,
}

impl Starting {
    pub(super) fn new(node: &Crashed) -> Self {
        let (config, log) = (node.folder.path().join("rts.toml"), node.folder.path().join("log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_rts"));
        command.args(["serve", "--config"]).arg(config).stdout(Stdio::null());
        let file = File::create(&log).expect("a file");
        let process = command.stderr(file).env("RTS_LOG", "info").spawn().expect("it starts");
        Self { process: Some(process), log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    pub(super) fn until_logged(&self, text: &str) {
        until(text, || self.log().contains(text));
    }

    /// Sends SIGTERM, and returns whether it ends without an error.
    fn ends_when_told(mut self) -> bool {
        let process = self.process.take().expect("it has started");
        signal("-TERM", process.id());
        ended(process).status.success()
    }

    /// Waits until it ends by itself. Returns its exit code and its log.
    fn ended(mut self) -> (Option<i32>, String) {
        let process = self.process.take().expect("it has started");
        (ended(process).status.code(), self.log())
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Crashed {
    /// Gives its OpenAPI a free port, so that it is known before the node prints it.
    fn give_port(&self) -> String {
        format!("http://{}", self.listen_at("[openapi]\nlisten"))
    }

    /// The same for its clients.
    pub(super) fn listen_at_known(&self) -> String {
        format!("rts://{}", self.listen_at("listen"))
    }

    /// Gives the first address after these words a free port.
    fn listen_at(&self, words: &str) -> SocketAddr {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = free.expect("a free port");
        let words = |address: &str| format!("{words} = \"{address}\"");
        self.change(&words("127.0.0.1:0"), &words(&address.to_string()));
        address
    }

    /// Changes a text in its configuration, the first time that it is there.
    pub(super) fn change(&self, before: &str, after: &str) {
        let config = self.folder.path().join("rts.toml");
        let text = fs::read_to_string(&config).expect("a file");
        assert!(text.contains(before), "{before} is not in {text}");
        fs::write(config, text.replacen(before, after, 1)).expect("a file");
    }
}

#[test]
fn node_waits_for_nats() {
    let mut nats = NatsServer::start();
    nats.kill();
    let cluster = format!("name = \"test\"\nnats = {:?}\n", nats.url());
    let node = Crashed::new("a", &cluster);
    let waiting = Starting::new(&node);
    waiting.until_logged("waiting for NATS: cannot connect to NATS at nats://127.0.0.1:");
    assert!(waiting.ends_when_told());
    let openapi = node.give_port();
    let waiting = Starting::new(&node);
    let answer = |path: &str| get(&openapi, path);
    until("it answers", || answer("/ready").is_some());
    until("it says what it waits for", || {
        let (status, ready) = answer("/ready").expect("it answers");
        let problem = ready["problems"][0].as_str().expect("a text").to_owned();
        status == 503 && problem.starts_with("not in the cluster yet: waiting for NATS: cannot")
    });
    assert_eq!(answer("/health"), Some((200, json!({"status": "ok"}))));
    nats.start_again();
    until("it is ready", || answer("/ready").is_some_and(|(status, _)| status == 200));
    waiting.until_logged("listening address=rts://127.0.0.1:");
    assert!(waiting.ends_when_told());
}

#[test]
fn what_an_operator_has_to_mend_ends_a_node_with_an_error() {
    for (nats, fault) in [
        ("", "has no JetStream for this user"),
        ("authorization { token: \"a good token\" }", "refuses the login"),
    ] {
        let nats = NatsServer::with(nats);
        let cluster = format!("name = \"test\"\nnats = {:?}\n", nats.url());
        let node = Crashed::new("a", &cluster);
        let (code, log) = Starting::new(&node).ended();
        assert_eq!(code, Some(1), "{fault}");
        assert!(log.contains("rts: cluster: NATS at ") && log.contains(fault), "{log}");
    }
}

/// It is another cluster, in which nobody of the first one is.
#[test]
fn node_with_a_wrong_name_of_the_cluster_tells_that_it_has_founded_one() {
    let nats = NatsServer::start();
    let a = Node::start("a", &nats.url());
    let _alice = a.server.user("alice");
    let node = Crashed::new("b", &format!("name = \"tset\"\nnats = {:?}\n", nats.url()));
    let openapi = node.give_port();
    let b = Starting::new(&node);
    b.until_logged("founded a cluster, because there was none of this name");
    until("it is ready", || get(&openapi, "/ready").is_some_and(|(status, _)| status == 200));
    until_whole(&[&a]);
    let members = |openapi: &str| {
        let known = cluster(openapi).expect("it answers");
        known["view"]["members"].as_array().map(Vec::len)
    };
    assert_eq!((members(&a.openapi), members(&openapi)), (Some(1), Some(1)));
    assert!(b.ends_when_told());
}

#[test]
fn second_node_of_a_name_does_not_join() {
    let nats = NatsServer::start();
    let cluster = format!("name = \"test\"\nnats = {:?}\n", nats.url());
    let _first = Node::start_with("a", &cluster);
    let node = Crashed::new("a", &cluster);
    let second = Starting::new(&node);
    second.until_logged("two nodes of this cluster have the name of this one");
    second.until_logged("waiting for the end of another node with the name of this one");
    assert!(second.ends_when_told());
}

#[test]
fn state_directory_of_a_running_node_is_refused() {
    let nats = NatsServer::start();
    let node = Node::start("a", &nats.url());
    let config = node.folder.path().join("rts.toml");
    let second = crate::support::rts(&["serve", "--config", config.to_str().expect("UTF-8")]);
    let log = String::from_utf8(second.stderr).expect("text");
    assert_eq!(second.status.code(), Some(1));
    assert!(log.contains("rts: state_dir: ") && log.contains("uses this directory"), "{log}");
}

/// Its nodes need no register, and none of them comes back alone.
#[test]
fn nodes_of_a_fixed_set_form_a_cluster_once() {
    let nats = NatsServer::with("");
    let cluster = |generation| {
        format!(
            "name = \"test\"\nnats = {:?}\narbiter = \"static\"\n[cluster.set]\n\
             secret = \"a secret of this test\"\ngeneration = {generation}\n\
             nodes = {{ a = 2, b = 2 }}\n",
            nats.url()
        )
    };
    let (a, b) = (Node::start_with("a", &cluster(1)), Node::start_with("b", &cluster(1)));
    until_whole(&[&a, &b]);
    let (mut alice, mut bob) = (a.server.user("alice"), b.server.user("bob"));
    until_received(&mut alice, "bob");
    assert_eq!(bob.until("onMessageReceived")["uid"], "alice");
    let b = b.crash();
    let (code, log) = Starting::new(&b).ended();
    assert_eq!(code, Some(1));
    assert!(log.contains("start them with a set of a greater generation"), "{log}");
    let a = a.crash();
    for node in [&a, &b] {
        node.change("generation = 1", "generation = 2");
    }
    let (a, b) = (a.start(), b.start());
    until_whole(&[&a, &b]);
}

/// Its set is another one, whose other nodes are not there.
#[test]
fn node_of_a_fixed_set_with_a_wrong_secret_serves_nobody() {
    let nats = NatsServer::with("");
    let cluster = |secret| {
        format!(
            "name = \"test\"\nnats = {:?}\narbiter = \"static\"\n[cluster.set]\n\
             secret = \"{secret} of this test\"\ngeneration = 1\n\
             nodes = {{ a = 2, b = 2 }}\n",
            nats.url()
        )
    };
    let (a, b) =
        (Node::start_with("a", &cluster("a secret")), Node::start_with("b", &cluster("a secret")));
    let node = Crashed::new("b", &cluster("another secret"));
    let openapi = node.give_port();
    let other = Starting::new(&node);
    let (mut alice, _bob) = (a.server.user("alice"), b.server.user("bob"));
    until_received(&mut alice, "bob");
    until("it says that nobody hears it", || {
        get(&openapi, "/ready").is_some_and(|(status, ready)| {
            let problem = ready["problems"][0].as_str().unwrap_or_default();
            status == 503 && problem.starts_with("no majority of the cluster hears this node")
        })
    });
    assert!(other.ends_when_told());
}
