//! `rts admin cluster`

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use serde::Deserialize;
use serde_json::Value;

use super::client::Client;
use super::tables::{lines, table};
use crate::out::say;

/// What a node knows of its cluster.
#[derive(Debug, Deserialize)]
pub(super) struct Cluster {
    pub(super) node: String,
    ready: bool,
    may_act: bool,
    sessions: usize,
    /// How far it is, if it drains.
    drain: Option<String>,
    served_epoch: Option<u64>,
    view: Option<View>,
    trunks: Option<Vec<Trunk>>,
    #[serde(default)]
    dropped: Dropped,
    bus_fault: Option<String>,
    register_fault: Option<String>,
    register_is_foreign: bool,
    namesake: Option<String>,
    #[serde(default)]
    clock_behind_s: u64,
}

/// What a node has sent another one.
#[derive(Debug, Deserialize)]
struct Trunk {
    to: String,
    entries_waiting: u64,
    bytes_waiting: u64,
    is_congested: bool,
    silent_ms: Option<u64>,
}

/// Packets that another node should not have sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Dropped {
    malformed: u64,
    other_cluster: u64,
    never_sent: u64,
    bad_entries: u64,
}

#[derive(Debug, Deserialize)]
struct View {
    epoch: u64,
    members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
struct Member {
    name: String,
    incarnation: String,
    number: u8,
    shards: u8,
    version: u16,
    state: String,
    homes: usize,
}

pub(super) async fn show(client: &Client, as_json: bool) -> anyhow::Result<ExitCode> {
    let answer: Value = client.get("/cluster").await?;
    if as_json {
        say(&answer)?;
    }
    if let Some(problem) = answer["problems"][0].as_str() {
        bail!("{problem}");
    }
    let cluster = Cluster::read(&answer)?;
    if !as_json {
        say(describe(&cluster))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Cluster {
    pub(super) fn read(answer: &Value) -> anyhow::Result<Self> {
        Self::deserialize(answer)
            .map_err(|_| anyhow!("the server is of another version, which says: {answer}"))
    }
}

fn drain_in_words(stage: &str) -> &str {
    match stage {
        "alone" => "begins when another node is up",
        "hands_over" => "the others take its homes",
        "empties" => "its users go to other nodes",
        "drained" => "it has no sessions",
        other => other,
    }
}

fn describe(cluster: &Cluster) -> String {
    let text = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let number = |number: Option<u64>| number.map_or_else(|| "none".to_owned(), |n| n.to_string());
    let fault = |fault: &Option<String>| fault.clone().unwrap_or_else(|| "works".to_owned());
    let register = match cluster.register_is_foreign {
        true => "was removed, or replaced by an older copy".to_owned(),
        false => fault(&cluster.register_fault),
    };
    let mut facts = vec![
        ["node".to_owned(), cluster.node.clone()],
        ["ready for clients".to_owned(), text(cluster.ready)],
        ["has a lease".to_owned(), text(cluster.may_act)],
        ["sessions".to_owned(), cluster.sessions.to_string()],
        ["view".to_owned(), number(cluster.view.as_ref().map(|view| view.epoch))],
        ["served view".to_owned(), number(cluster.served_epoch)],
        ["NATS".to_owned(), fault(&cluster.bus_fault)],
        ["register".to_owned(), register],
    ];
    if let Some(drain) = &cluster.drain {
        facts.push(["drain".to_owned(), drain_in_words(drain).to_owned()]);
    }
    if cluster.clock_behind_s > 0 {
        let behind = format!("{} s behind that of another node", cluster.clock_behind_s);
        facts.push(["clock".to_owned(), behind]);
    }
    let Dropped { malformed, other_cluster, never_sent, bad_entries } = cluster.dropped;
    let dropped = malformed + other_cluster + never_sent + bad_entries;
    if dropped > 0 {
        let packets = format!("{dropped} that no node should send: see `dropped` with --json");
        facts.push(["packets dropped".to_owned(), packets]);
    }
    if let Some(other) = &cluster.namesake {
        facts.push(["another node of this name".to_owned(), other.clone()]);
    }
    let members = cluster.view.iter().flat_map(|view| &view.members).map(|member| {
        [
            member.name.clone(),
            member.state.clone(),
            member.homes.to_string(),
            member.shards.to_string(),
            member.number.to_string(),
            member.version.to_string(),
            member.incarnation.clone(),
        ]
    });
    let head = ["member", "state", "homes", "shards", "number", "version", "incarnation"];
    let members = table(head, members);
    let trunks = cluster.trunks.iter().flatten().map(|trunk| {
        let heard = trunk.silent_ms.map_or_else(|| "never".to_owned(), |ms| format!("{ms} ms ago"));
        let congested = text(trunk.is_congested);
        let [entries, bytes] = [trunk.entries_waiting, trunk.bytes_waiting].map(|n| n.to_string());
        [trunk.to.clone(), entries, bytes, congested, heard]
    });
    let head = ["trunk to", "entries waiting", "bytes waiting", "congested", "heard"];
    format!("{}\n\n{members}\n\n{}", lines(&facts), table(head, trunks))
}
