//! Recordings of the two shards of a node.

use std::collections::VecDeque;
use std::path::Path;

use rts_proto::server::{Config, Input, Output, Placement, Server, ShardId, Verdict};
use rts_proto::wire::{Frame, Login, ResumeKey};
use rts_proto::{AppId, Instant, LinkId, MessageConfig, MessageId, Payload, UserId};
use rts_trace::{Recorder, Secrets};
use serde_json::{Value, json};

use super::{fails, lines, path};
use crate::support::rts;

struct Node {
    servers: Vec<Server>,
    now: Instant,
    links: Vec<(LinkId, ShardId)>,
    inputs: VecDeque<(ShardId, Input)>,
}

fn shard(number: usize) -> ShardId {
    ShardId::new(number).expect("few shards")
}

fn placement(own: usize) -> Placement {
    Placement::new(shard(own), 2, 1).expect("one of two")
}

impl Node {
    fn recorded(traces: &[String; 2]) -> Self {
        let server = |(own, trace): (usize, &String)| {
            let recorder = Recorder::create(Path::new(trace), Secrets::Scrubbed, 1 << 20);
            let mut config = Config::default();
            config.placement = placement(own);
            Server::observed(config, 7, Box::new(recorder.expect("a new file")))
        };
        Self {
            servers: traces.iter().enumerate().map(server).collect(),
            now: Instant::from_millis(5),
            links: Vec::new(),
            inputs: VecDeque::new(),
        }
    }

    /// A user logs in on a new link of shard 0.
    fn log_in(&mut self, link: LinkId, uid: &UserId) {
        self.links.push((link, shard(0)));
        self.give(shard(0), Input::Accepted(link, ResumeKey([link.0 as u8; 16])));
        let login = Login {
            app_id: app(),
            uid: uid.clone(),
            token: "token".into(),
            resume: None,
            claim: 0,
            engine: link.0,
            attempt: 1,
        };
        self.say(link, &[Frame::Hello { version: 1, features: 0 }, Frame::Login(login)]);
    }

    fn say(&mut self, link: LinkId, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().cloned().flat_map(Frame::encode).collect();
        let (_, shard) = *self.links.iter().rfind(|(id, _)| *id == link).expect("a link");
        self.give(shard, Input::Received(link, bytes.into()));
        for _ in 0..3 {
            self.now = Instant::from_micros(self.now.as_micros() + 1_000);
            for number in 0..2 {
                self.give(self::shard(number), Input::Tick);
            }
        }
    }

    fn give(&mut self, to: ShardId, input: Input) {
        self.inputs.push_back((to, input));
        while let Some((to, input)) = self.inputs.pop_front() {
            self.servers[to.number()].handle_input(self.now, input);
            self.drain(to);
        }
    }

    fn drain(&mut self, own: ShardId) {
        loop {
            match self.servers[own.number()].poll_output() {
                Output::Authenticate(login, _) => {
                    let verdict = Verdict::Accept { claim: self.now.as_micros(), issued_at: 0 };
                    self.inputs.push_back((own, Input::Verdict(login, verdict)));
                }
                Output::HandOver(link, to, opened) => {
                    self.links.push((link, to));
                    self.inputs.push_back((to, Input::HandedOver(link, opened)));
                }
                Output::Peer(to, entries) => {
                    self.inputs.push_back((to, Input::Peer(own, entries)));
                }
                Output::Wait(_) => return,
                _ => {}
            }
        }
    }
}

fn app() -> AppId {
    AppId::new("123456781234567812345678").expect("well formed")
}

/// A user of a shard.
fn user_of(number: usize, name: &str) -> UserId {
    let named = |count| UserId::new(&format!("{name}{count}")).expect("well formed");
    (0..)
        .map(named)
        .find(|uid| placement(0).of_user(&app(), uid.as_str()) == shard(number))
        .expect("hashes reach both shards")
}

/// Alice, at shard 0, writes to bob, at shard 1. Returns the recordings and both users.
fn recordings(folder: &Path) -> ([String; 2], [UserId; 2]) {
    let traces = ["shard-0", "shard-1"].map(|name| path(folder, name));
    let users = [user_of(0, "alice"), user_of(1, "bob")];
    let mut node = Node::recorded(&traces);
    let links = [LinkId(1), LinkId(2)];
    for (link, uid) in links.iter().zip(&users) {
        node.log_in(*link, uid);
    }
    let send = Frame::Send {
        id: MessageId(1),
        to: users[1].as_str().as_bytes().to_vec().into(),
        payload: Payload::text("canary"),
        config: MessageConfig::ReliableOrdered,
    };
    node.say(links[0], &[send]);
    node.say(links[1], &[Frame::Ack { received: 1 }]);
    (traces, users)
}

#[test]
fn shards_of_a_node_are_replayed_alone_and_shown_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let ([zero, one], [alice, bob]) = recordings(folder.path());
    for (number, trace) in [&zero, &one].into_iter().enumerate() {
        let said = lines(&["trace", "replay", trace]);
        assert!(said[0].starts_with(&format!("shard {number} of a server: ")), "{said:?}");
        assert_eq!(said[1], "the same outputs, bit for bit");
    }
    let message = ["--message", "1", "--from", alice.as_str()];
    let story = lines(&[&["trace", "show", &one, &zero][..], &message].concat());
    let way = "arrived on link 1 of shard 0, given to shard 1, arrived there, answered by shard 1, \
               delivered, result 0 after ";
    assert!(story[0].starts_with(&format!("message 1 from {alice} to {bob}: {way}")), "{story:?}");
    assert_eq!(story.len(), 1);

    let timeline = lines(&["trace", "show", &one, &zero]);
    let at = |what: &str| {
        let found = timeline.iter().position(|line| line.ends_with(what));
        found.unwrap_or_else(|| panic!("{what}: {timeline:#?}"))
    };
    let order = [
        at("ms  shard 0  link 2 was accepted"),
        at("ms  shard 0  link 2 is handed over to shard 1"),
        at("ms  shard 1  link 2 was handed over"),
        at(&format!("ms  shard 1  link 2 <- Login as {bob}")),
        at("ms  shard 1  link 2 <- Ack of 1"),
        at("ms  shard 1  to shard 0: results: 0 for message 1 of session 1"),
        at("ms  shard 0  from shard 1: results: 0 for message 1 of session 1"),
        at("ms  shard 0  link 1 -> SendResults: 0 for 1"),
    ];
    assert!(order.is_sorted(), "{order:?}: {timeline:#?}");
    let shards: Vec<Value> = lines(&["trace", "show", &zero, &one, "--json"])
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["shard"].clone())
        .collect();
    assert_eq!(shards.len(), timeline.len());
    assert!(shards.contains(&json!(0)) && shards.contains(&json!(1)));
    assert!(!shards.contains(&Value::Null));
}

#[test]
fn recordings_that_do_not_belong_together_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let ([zero, one], _) = recordings(folder.path());
    let error = fails(&["trace", "show", &zero, &one, &zero]);
    let why = "this trace and one before it are not of two shards of one node";
    assert_eq!(error, format!("rts: {zero}: {why}\n"));
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../rts-trace/tests/golden/engine.trace");
    assert_eq!(fails(&["trace", "show", &one, golden]), format!("rts: {golden}: {why}\n"));
}

#[test]
fn warning_names_its_recording_among_several() {
    let folder = tempfile::tempdir().expect("a folder");
    let ([zero, one], _) = recordings(folder.path());
    let whole = std::fs::read(&one).expect("a recording");
    std::fs::write(&one, &whole[..whole.len() - 1]).expect("written");
    let warning = String::from_utf8(rts(&["trace", "show", &zero, &one]).stderr).expect("text");
    assert!(warning.starts_with(&format!("{one}: the last record is torn: its ")), "{warning}");
    let warning = String::from_utf8(rts(&["trace", "show", &one]).stderr).expect("text");
    assert!(warning.starts_with("the last record is torn: its "), "{warning}");
}
