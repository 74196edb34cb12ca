//! Three servers that form a cluster over a real nats-server, and faults of each.

#[path = "../../../rts-server/tests/cluster/nats_server.rs"]
mod nats_server;

mod back_end;
mod bench;
mod draining;
mod faults;
mod misfits;
mod nats_cluster;
mod starting;
mod webhooks;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::operate::blocks;
use crate::support::{APP_ID, APP_KEY, Engine, Server};
use nats_server::{LIMIT, NatsServer};

const BEARER_KEY: &str = "development-bearer-key-known-to-all";

/// A node with its folder, in which it starts again.
struct Node {
    name: &'static str,
    folder: tempfile::TempDir,
    server: Server,
    openapi: String,
}

impl Node {
    fn start(name: &'static str, nats: &str) -> Self {
        Self::start_with(name, &format!("name = \"test\"\nnats = {nats:?}\n"))
    }

    fn start_with(name: &'static str, cluster: &str) -> Self {
        Crashed::new(name, cluster).start()
    }

    /// Ends like a crash.
    fn crash(self) -> Crashed {
        Crashed { name: self.name, folder: self.folder }
    }
}

/// A node that does not run.
struct Crashed {
    name: &'static str,
    folder: tempfile::TempDir,
}

impl Crashed {
    /// A node with these further lines in `[cluster]`.
    fn new(name: &'static str, cluster: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "listen = \"127.0.0.1:0\"\nshards = 2\nstate_dir = \"state\"\n[apps.{APP_ID}]\n\
             keys = {APP_KEY:?}\n[limits]\nsends_per_second = 0\n\
             status_queries_per_second = 0\n[openapi]\nlisten = \"127.0.0.1:0\"\n\
             [[openapi.bearer_keys]]\n\
             name = \"test\"\nkey = {BEARER_KEY:?}\napps = [{APP_ID:?}]\n[cluster]\n\
             node = {name:?}\n{cluster}"
        );
        std::fs::write(folder.path().join("rts.toml"), config).expect("a file");
        Self { name, folder }
    }

    fn start(self) -> Node {
        let Self { name, folder } = self;
        let config = folder.path().join("rts.toml");
        // It prints its first line when it is a member.
        let server = Server::start_with(&["--config", config.to_str().expect("UTF-8")]);
        let openapi = server.openapi();
        keep_address(&config, &server);
        Node { name, folder, server, openapi }
    }
}

/// Started again, a node listens where its clients know it.
fn keep_address(config: &Path, server: &Server) {
    let address = server.url.strip_prefix("rts://").expect("plain TCP");
    let text = std::fs::read_to_string(config).expect("a file");
    let text = text.replace("127.0.0.1:0\"\nshards", &format!("{address}\"\nshards"));
    std::fs::write(config, text).expect("a file");
}

fn three(nats: &NatsServer) -> [Node; 3] {
    let url = &nats.url();
    let nodes = std::thread::scope(|scope| {
        let starting = ["a", "b", "c"].map(|name| scope.spawn(move || Node::start(name, url)));
        starting.map(|node| node.join().expect("it starts"))
    });
    until_whole(&nodes.each_ref());
    nodes
}

/// Waits until this is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < limit, "not within {} s: {what}", LIMIT.as_secs());
        std::thread::yield_now();
    }
}

/// What a node knows of its cluster. `None` while nobody answers.
fn cluster(openapi: &str) -> Option<Value> {
    get(openapi, "/cluster").map(|(_, known)| known)
}

/// The status and the JSON of an answer. `None` while nobody answers.
fn get(openapi: &str, path: &str) -> Option<(u16, Value)> {
    let address = openapi.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?))
}

/// Waits until all these nodes serve one view, in which they are the members.
fn until_whole(nodes: &[&Node]) {
    let names: Vec<_> = nodes.iter().map(|node| json!(node.name)).collect();
    let mut seen = Vec::new();
    until(&format!("{names:?} serve one view"), || {
        seen = nodes.iter().map(|node| cluster(&node.openapi).unwrap_or_default()).collect();
        let first = &seen[0]["view"]["epoch"];
        seen.iter().all(|known| {
            let members = known["view"]["members"].as_array();
            let members: Vec<_> = members.into_iter().flatten().collect();
            let is_up = members.iter().all(|member| member["state"] == "up");
            let has_all = members.iter().map(|member| &member["name"]).eq(&names);
            let epoch = &known["view"]["epoch"];
            known["may_act"] == true
                && is_up
                && has_all
                && epoch == first
                && known["served_epoch"] == *epoch
        })
    });
}

fn text(to: &str, text: &str) -> Value {
    json!({"uid": to, "message": text})
}

/// Sends a message until its result is 0: for a while after a fault, other results are right too.
fn until_received(from: &mut Engine, to: &str) {
    until(&format!("{to} receives a message"), || {
        from.call("sendMessage", text(to, "are you there?"));
        from.until("onMessageSendResult")["code"] == 0
    });
}

#[test]
fn users_of_different_nodes_reach_each_other() {
    let nats = NatsServer::start();
    let [a, b, c] = three(&nats);
    let (mut alice, mut bob) = (a.server.user("alice"), b.server.user("bob"));
    let mut carol = c.server.user("carol");
    for (message, answer) in [("one", "un"), ("two", "deux"), ("three", "trois")] {
        alice.call("sendMessage", text("bob", message));
        assert_eq!(bob.until("onMessageReceived")["message"], message);
        assert_eq!(alice.until("onMessageSendResult")["code"], 0);
        bob.call("sendMessage", text("alice", answer));
        assert_eq!(alice.until("onMessageReceived")["message"], answer);
        assert_eq!(bob.until("onMessageSendResult")["code"], 0);
    }
    alice.call("sendMessage", text("nobody", "hello?"));
    assert_eq!(alice.until("onMessageSendResult")["code"], 4);
    let statuses = ["alice", "bob", "carol", "nobody"].map(|uid| carol.status_of(uid));
    assert_eq!(statuses, [1, 1, 1, 0]);

    // All members of a room get all broadcasts in one order.
    let mut all = [alice, bob, carol];
    all.iter_mut().for_each(|engine| engine.join("lobby"));
    for number in 0..20 {
        for engine in &mut all {
            let call = json!({"room": "lobby", "message": number.to_string()});
            engine.call("sendRoomMessage", call);
        }
    }
    let orders = all.each_mut().map(|engine| {
        let mut heard = Vec::new();
        while heard.len() < 40 {
            let line = engine.until("onRoomMessageReceived");
            heard.push((line["uid"].clone(), line["message"].clone()));
        }
        heard
    });
    // Nobody gets its own broadcasts, so each pair of members is compared by the third one's.
    for (of, others) in [("alice", [1, 2]), ("bob", [0, 2]), ("carol", [0, 1])] {
        let [one, other] = others
            .map(|at| -> Vec<_> { orders[at].iter().filter(|(uid, _)| *uid == of).collect() });
        assert_eq!(one, other);
        assert_eq!(one.len(), 20);
    }

    // The newest login wins, at any node.
    let [mut alice, mut bob, _carol] = all;
    let mut alice_again = c.server.user("alice");
    assert_eq!(alice.until("onLogout")["reason"], 1);
    bob.call("sendMessage", text("alice", "which one?"));
    assert_eq!(alice_again.until("onMessageReceived")["message"], "which one?");
    assert_eq!(bob.until("onMessageSendResult")["code"], 0);
}

/// The configuration of a nats-server in the manual.
fn documented_nats() -> String {
    let mut documented = blocks("text").filter(|text| text.starts_with("server_name: nats-1"));
    documented.next().expect("it is there").to_owned()
}

/// Configured like in the manual, but without its addresses, its certificates and its other
/// servers.
fn manual_nats() -> NatsServer {
    let whole = documented_nats();
    let (head, accounts) = whole.split_once("accounts {").expect("there are accounts");
    let head: Vec<_> = head.lines().filter(|line| line.starts_with("jetstream")).collect();
    let head = head.join("\n").replace("/var/lib/nats", "DIRECTORY/store");
    NatsServer::with(&format!("{head}\naccounts {{{accounts}"))
}

#[test]
fn nats_configuration_of_the_manual_is_enough() {
    let nats = manual_nats();
    let login = "user = \"rts\"\npassword = \"a long random text\"";
    let cluster = format!("name = \"chat\"\nnats = {:?}\n{login}\n", nats.url());
    let a = Node::start_with("a", &cluster);
    let b = Node::start_with("b", &cluster);
    until_whole(&[&a, &b]);
}
