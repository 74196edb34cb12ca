//! Nodes that are emptied, by an order or before their end.

use std::fs::{self, File};
use std::process::Output;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::nats_server::NatsServer;
use super::{
    BEARER_KEY, Crashed, Node, cluster, get, keep_address, three, until, until_received,
    until_whole,
};
use crate::crowd::{Over, Progress, talk_until};
use crate::support::{Engine, Server, rts};

/// An engine that knows all these nodes.
fn engine_of(nodes: &[&Node]) -> Engine {
    let urls: Vec<_> = nodes.iter().map(|node| &*node.server.url).collect();
    Engine::start(&urls.join(","), &["--params", r#"{"backoffMaxMs": 300}"#])
}

fn users(names: &[String], nodes: &[&Node]) -> Vec<Engine> {
    let log_in = |name: &String| {
        let mut engine = engine_of(nodes);
        engine.log_in(name);
        engine
    };
    names.iter().map(log_in).collect()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("user{number}")).collect()
}

/// Each user reaches the next one.
fn all_reach_each_other(names: &[String], engines: &mut [Engine]) {
    for (at, engine) in engines.iter_mut().enumerate() {
        until_received(engine, &names[(at + 1) % names.len()]);
    }
}

fn admin(node: &Node, args: &[&str]) -> Output {
    rts(&[&["admin", "--url", &node.openapi, "--key", BEARER_KEY], args].concat())
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).expect("text")
}

fn order(node: &Node, args: &[&str]) -> String {
    let output = admin(node, args);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

fn known(node: &Node, what: &str) -> Value {
    cluster(&node.openapi).unwrap_or_default()[what].take()
}

fn state_of(node: &Node, by: &Node) -> (Value, Value) {
    let members = known(by, "view")["members"].take();
    let mut members = members.as_array().into_iter().flatten();
    let member = members.find(|member| member["name"] == node.name).expect("a member");
    (member["state"].clone(), member["homes"].clone())
}

/// A node whose log is in its folder. It names each login.
fn start_logged(node: Crashed, more: &str) -> Node {
    let (config, log) = (node.folder.path().join("rts.toml"), node.folder.path().join("log"));
    let text = fs::read_to_string(&config).expect("a file");
    fs::write(&config, text + more).expect("a file");
    let file = File::create(log).expect("a file");
    let levels = [("RTS_LOG", "info,rts::users=debug")];
    let args = ["--config", config.to_str().expect("UTF-8")];
    let server = Server::start_in(&args, &levels, file.into());
    let openapi = server.openapi();
    keep_address(&config, &server);
    let Crashed { name, folder } = node;
    Node { name, folder, server, openapi }
}

fn log(node: &Node) -> String {
    fs::read_to_string(node.folder.path().join("log")).expect("a log")
}

fn on(nats: &NatsServer) -> String {
    format!("name = \"test\"\nnats = {:?}\n", nats.url())
}

#[test]
fn users_of_a_drained_node_go_on_elsewhere_and_may_come_back() {
    let nats = NatsServer::start();
    let [a, b, c] = three(&nats);
    let (nodes, names) = ([&a, &b, &c], names(9));
    let mut engines = users(&names, &nodes);
    assert!(order(&b, &["drain"]).starts_with("node b drains"));
    until("node b is drained", || known(&b, "drain") == "drained");
    assert_eq!(state_of(&b, &a), (json!("draining"), json!(0)));
    let problems = json!({"status": "failing", "problems": ["this node is drained"]});
    assert_eq!(get(&b.openapi, "/ready"), Some((503, problems)));
    assert_eq!(get(&b.openapi, "/health"), Some((200, json!({"status": "ok"}))));
    assert!(order(&b, &["cluster"]).contains("it has no sessions"));
    all_reach_each_other(&names, &mut engines);
    assert_eq!(known(&b, "sessions"), 0);
    assert_eq!(
        known(&a, "sessions").as_u64().zip(known(&c, "sessions").as_u64()).map(|(a, c)| a + c),
        Some(9)
    );

    assert!(order(&b, &["drain", "--cancel"]).contains("takes links and homes again"));
    until_whole(&nodes);
    assert_eq!(get(&b.openapi, "/ready").map(|(status, _)| status), Some(200));
    assert!(state_of(&b, &a).1.as_u64() > Some(1_000));
    let mut new = b.server.user("new");
    until_received(&mut new, "user1");
}

#[test]
fn node_that_is_told_to_stop_empties_itself_first() {
    let nats = NatsServer::start();
    let [a, mut b, c] = three(&nats);
    let names = names(9);
    let mut engines = users(&names, &[&a, &b, &c]);
    b.server.terminate();
    assert!(b.server.has_ended_well());
    until_whole(&[&a, &c]);
    let sessions = [&a, &c].map(|node| known(node, "sessions").as_u64().expect("a number"));
    assert_eq!(sessions.iter().sum::<u64>(), 9, "none was lost with the node");
    all_reach_each_other(&names, &mut engines);
}

/// Each node once. All sessions move along with their clients, so nobody notices it.
#[test]
fn rolling_restart_under_load_loses_no_message_and_no_session() {
    let nats = NatsServer::start();
    let nodes = ["a", "b", "c"].map(|name| start_logged(Crashed::new(name, &on(&nats)), ""));
    until_whole(&nodes.each_ref());
    let names = names(6);
    let mut engines = users(&names, &nodes.each_ref());
    let members = ["ann", "ben", "cleo"].map(|name| {
        let mut engine = engine_of(&nodes.each_ref());
        engine.log_in(name);
        engine.join("lobby");
        engine
    });
    let seed = fastrand::u64(..);
    let (is_over, progress) = (AtomicBool::new(false), Progress::default());
    let (account, logs) = std::thread::scope(|scope| {
        let talking = scope.spawn(|| talk_until(&mut engines, &names, &is_over, seed, &progress));
        let over = Over(&is_over);
        let (mut nodes, mut logs) = (Vec::from(nodes), String::new());
        for number in 1..=3 {
            progress.wait_for(number * 300);
            let mut node = nodes.remove(0);
            node.server.terminate();
            assert!(node.server.has_ended_well());
            logs += &log(&node);
            nodes.push(start_logged(node.crash(), ""));
            let mut by_name: Vec<_> = nodes.iter().collect();
            by_name.sort_by_key(|node| node.name);
            until_whole(&by_name);
        }
        drop(over);
        let account = talking.join().expect("a talker fails by itself");
        nodes.iter().for_each(|node| logs += &log(node));
        (account, logs)
    });
    let told = format!("seed {seed}, logs of the nodes:\n{logs}");
    account.assert_true(&told);
    assert_eq!(account.codes().into_keys().collect::<Vec<_>>(), [0], "{told}");
    let not_resumed = logs.lines().filter(|line| line.contains("resumed=false")).count();
    assert_eq!(not_resumed, names.len() + members.len(), "only the first logins; {told}");
    for member in members {
        let of_others = member.end().into_iter().filter(|line| line["room"] == "lobby");
        let other_than_joins = of_others.filter(|line| line["on"] != "onUserJoined");
        assert_eq!(other_than_joins.collect::<Vec<_>>(), Vec::<Value>::new(), "{told}");
    }
}

/// A client that knows no other node keeps its session.
#[test]
fn drain_ends_at_its_deadline() {
    let nats = NatsServer::start();
    let _a = Node::start_with("a", &on(&nats));
    let b = Crashed::new("b", &on(&nats));
    let mut b = start_logged(b, "drain_seconds_max = 1\n");
    let _bob = b.server.user("bob");
    b.server.terminate();
    assert!(b.server.has_ended_well());
    let log = log(&b);
    assert!(log.contains("not drained after 1 s: the sessions that are left end"), "{log}");
    assert!(log.contains("left the cluster"), "{log}");
}

#[test]
fn second_signal_ends_a_node_that_drains_at_once() {
    let nats = NatsServer::start();
    let _a = Node::start_with("a", &on(&nats));
    let b = Crashed::new("b", &on(&nats));
    let mut b = start_logged(b, "drain_seconds_max = 3_600\n");
    let _bob = b.server.user("bob");
    b.server.terminate();
    until("it closes its links", || log(&b).contains("these sessions are left"));
    assert!(b.server.runs());
    let refused = admin(&b, &["drain", "--cancel"]);
    assert!(said(&refused).contains("this node ends, which cannot be taken back"));
    b.server.terminate();
    assert_eq!(b.server.exit_code(), Some(1));
    let log = log(&b);
    assert!(log.contains("asked to stop again") && !log.contains("left the cluster"), "{log}");
}

#[test]
fn order_to_drain_is_refused_without_another_node_or_the_right() {
    let nats = NatsServer::start();
    let a = Node::start_with("a", &on(&nats));
    let refusal = |args: &[&str]| {
        let output = admin(&a, args);
        assert_eq!(output.status.code(), Some(1));
        said(&output)
    };
    assert!(refusal(&["drain"]).contains("no other node is up that could take its users"));
    assert!(refusal(&["drain", "--node", "b"]).contains("this is node a: ask node b"));
    let other_key = ["--key", "another key of this test"];
    assert!(refusal(&[&["drain"], &other_key[..]].concat()).contains("not known"));
    let signed =
        rts(&["admin", "--url", &a.openapi, "--access-key", "ID", "--secret", "a secret", "drain"]);
    assert!(said(&signed).contains("orders to a node are not signed"));
    // It is alone, so it does not wait for anything.
    let mut a = a;
    let _alice = a.server.user("alice");
    a.server.terminate();
    assert!(a.server.has_ended_well());
}
