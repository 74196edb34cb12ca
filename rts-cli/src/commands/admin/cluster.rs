//! `rts admin cluster`

use std::process::ExitCode;

use anyhow::bail;
use serde::Deserialize;
use serde_json::Value;

use super::client::Client;
use super::tables::{lines, table};
use crate::out::say;

/// What a node knows of its cluster.
#[derive(Debug, Deserialize)]
struct Cluster {
    node: String,
    ready: bool,
    may_act: bool,
    served_epoch: Option<u64>,
    view: Option<View>,
    bus_fault: Option<String>,
    register_fault: Option<String>,
    register_is_foreign: bool,
    namesake: Option<String>,
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
    match (Cluster::deserialize(&answer), answer["problems"][0].as_str()) {
        (Ok(_), _) if as_json => Ok(ExitCode::SUCCESS),
        (Ok(cluster), _) => {
            say(describe(&cluster))?;
            Ok(ExitCode::SUCCESS)
        }
        (Err(_), Some(problem)) => bail!("{problem}"),
        (Err(_), None) => bail!("the server is of another version, which says: {answer}"),
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
        ["view".to_owned(), number(cluster.view.as_ref().map(|view| view.epoch))],
        ["served view".to_owned(), number(cluster.served_epoch)],
        ["NATS".to_owned(), fault(&cluster.bus_fault)],
        ["register".to_owned(), register],
    ];
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
    format!("{}\n\n{}", lines(&facts), table(head, members))
}
