//! What back ends hear of the nodes of a cluster.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::nats_server::NatsServer;
use super::{Crashed, Node, cluster, until, until_whole};
use crate::support::APP_ID;

/// A back end that takes events, or answers with another status.
struct BackEnd {
    url: String,
    status: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl BackEnd {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/events", listener.local_addr().expect("bound"));
        let (status, taken) = (Arc::new(AtomicU16::new(204)), Arc::default());
        let of_posts = (Arc::clone(&status), Arc::clone(&taken));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (status, taken) = of_posts.clone();
                std::thread::spawn(move || while serve(&stream, &status, &taken).is_some() {});
            }
        });
        Self { url, status, taken }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    fn events(&self) -> Vec<Value> {
        self.taken.lock().expect("no panic").clone()
    }

    fn count(&self, kind: &str) -> usize {
        self.events().iter().filter(|event| event["type"] == kind).count()
    }

    /// The types of the events about a user, in order.
    fn of_user(&self, uid: &str) -> Vec<Value> {
        let events = self.events().into_iter().filter(|event| event["user_id"] == uid);
        events.map(|mut event| event["type"].take()).collect()
    }

    fn has_changed(&self, node: &str, change: &str) -> bool {
        self.events().iter().any(|event| {
            event["type"] == "cluster.changed" && event["node"] == node && event["change"] == change
        })
    }
}

/// Answers one post.
fn serve(mut stream: &TcpStream, status: &AtomicU16, taken: &Mutex<Vec<Value>>) -> Option<()> {
    let mut bytes = Vec::new();
    let body = loop {
        let mut buffer = [0; 4_096];
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        if body.len() == length.parse::<usize>().ok()? {
            break body.to_owned();
        }
    };
    let status = status.load(Ordering::Relaxed);
    if status == 204 {
        let mut body: Value = serde_json::from_str(&body).expect("JSON");
        let events = body["events"].as_array_mut().expect("a list");
        taken.lock().expect("no panic").append(events);
    }
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").ok()
}

/// The lines of a node whose events go to this back end.
fn with_webhook(nats: &NatsServer, back_end: &BackEnd) -> String {
    format!(
        "name = \"test\"\nnats = {:?}\n[apps.{APP_ID}.webhook]\nurl = {:?}\n\
         secret = \"a secret of this test\"\n",
        nats.url(),
        back_end.url
    )
}

/// Users who log in at a node and out again.
fn visit(node: &Node, names: &[String]) {
    let mut engine = node.server.engine();
    for name in names {
        engine.log_in(name);
        engine.call("logout", json!({}));
    }
    // Its last frame was written.
    engine.end();
}

fn names(prefix: &str) -> Vec<String> {
    (0..20).map(|number| format!("{prefix}{number}")).collect()
}

#[test]
fn only_the_node_that_founds_a_cluster_reports_that_nobody_is_online() {
    let (nats, back_end) = (NatsServer::start(), BackEnd::start());
    let lines = with_webhook(&nats, &back_end);
    let a = Node::start_with("a", &lines);
    until("the first node reports its start", || back_end.count("server.started") == 1);
    let _alice = a.server.user("alice");
    let (b, c) = (Node::start_with("b", &lines), Node::start_with("c", &lines));
    until_whole(&[&a, &b, &c]);
    let c = c.crash();
    until("the end of c is reported", || back_end.has_changed("c", "removed"));
    let c = c.start();
    until_whole(&[&a, &b, &c]);
    // Each node is the home of some of them, and reports them behind what it has to say first.
    let names = names("user");
    visit(&c, &names);
    until("all users are reported", || {
        names.iter().all(|name| back_end.of_user(name) == ["user.online", "user.offline"])
    });
    assert_eq!(back_end.count("server.started"), 1);
    // When all have ended, the next ones begin anew.
    let [a, b, _] = [a.crash(), b.crash(), c.crash()];
    let [a, b] = std::thread::scope(|scope| {
        let starting = [a, b].map(|node| scope.spawn(|| node.start()));
        starting.map(|node| node.join().expect("it starts"))
    });
    until_whole(&[&a, &b]);
    until("the start is reported", || back_end.count("server.started") == 2);
}

#[test]
fn node_that_ends_posts_its_events_first() {
    let (nats, of_a, of_b) = (NatsServer::start(), BackEnd::start(), BackEnd::start());
    let a = Node::start_with("a", &with_webhook(&nats, &of_a));
    let mut b = Crashed::new("b", &with_webhook(&nats, &of_b)).start();
    until_whole(&[&a, &b]);
    of_b.answers(503);
    let names = names("user");
    visit(&b, &names);
    b.server.terminate();
    until("b is drained", || cluster(&b.openapi).is_some_and(|known| known["drain"] == "drained"));
    of_b.answers(204);
    assert!(b.server.has_ended_well());
    assert!(of_b.count("user.online") > 0, "b is the home of one of twenty users");
    until("a has reported the rest", || {
        names.iter().all(|name| {
            let all = [of_a.of_user(name), of_b.of_user(name)].concat();
            all.iter().filter(|kind| *kind == "user.online").count() == 1
                && all.iter().filter(|kind| *kind == "user.offline").count() == 1
        })
    });
    until("the end of b is reported", || of_a.has_changed("b", "drained"));
    assert_eq!(of_b.count("server.started"), 0);
}
