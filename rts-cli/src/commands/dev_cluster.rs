//! `rts serve --dev --nodes N`: a cluster of processes on this machine, with a nats-server of its
//! own.

mod nats;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rts_server::cluster::{NatsUrl, NodeName};
use rts_server::{Limits, ShardCount};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::folder::Folder;
use crate::out::say;
use nats::NatsServer;

/// The ports of the next node are this much higher.
const PORTS_OF_NODE: u16 = 10;
const NODES_MAX: i64 = 8;
/// The users of the commands that are printed.
const PLAYERS: [(&str, &str); 2] = [("alice", "bob"), ("bob", "alice")];
/// The time for nodes to end.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub(super) struct DevClusterArgs {
    /// With --dev: start this number of nodes, which form a cluster, and a nats-server for them.
    /// The ports of each node are 10 higher than those of the one before
    #[arg(
        long,
        value_name = "N",
        requires = "dev",
        conflicts_with_all = ["node", "openapi", "web_socket", "trace"],
        value_parser = clap::value_parser!(u16).range(1..=NODES_MAX)
    )]
    pub(super) nodes: Option<u16>,
    /// With --dev: be the node with this name of the cluster "dev"
    #[arg(
        long,
        value_name = "NAME",
        requires_all = ["dev", "nats", "state_dir"],
        value_parser = |name: &str| NodeName::new(name)
    )]
    pub(super) node: Option<NodeName>,
    /// With --node: the NATS server of the cluster
    #[arg(long, value_name = "URL", requires = "node")]
    pub(super) nats: Option<NatsUrl>,
    /// With --node: a directory for this node only
    #[arg(long, value_name = "DIR", requires = "node")]
    pub(super) state_dir: Option<PathBuf>,
}

/// Starts a nats-server and the nodes, and ends them when `stop` is ready.
pub(super) async fn run(
    nodes: u16,
    listen: SocketAddr,
    shards: Option<ShardCount>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<ExitCode> {
    if !listen.ip().is_loopback() {
        bail!("--nodes is for this machine only: --listen {listen} is no loopback address");
    }
    let mut stop = pin!(stop);
    let folder = Folder::new("dev")?;
    let nats = NatsServer::start(&folder.0).await?;
    let mut running = Vec::new();
    for number in 0..nodes {
        running.push(Node::start(number, listen, shards, &nats, &folder.0)?);
    }
    tokio::select! {
        started = ready(&mut running, &nats) => started?,
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    }
    let (stopping, stopped) = watch::channel(());
    let mut tasks = JoinSet::new();
    for node in running {
        tasks.spawn(node.watch(stopped.clone()));
    }
    let all_ended = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        () = all_ended => return Ok(ExitCode::FAILURE),
        () = &mut stop => {}
    }
    drop(stopping);
    while tasks.join_next().await.is_some() {}
    Ok(ExitCode::SUCCESS)
}

/// Without rates of users and rooms, so that a load test of the nodes measures them.
pub(super) fn without_rates(limits: &mut Limits) {
    for rate in [
        &mut limits.sends_per_second,
        &mut limits.broadcasts_per_second,
        &mut limits.status_queries_per_second,
        &mut limits.joins_per_second,
        &mut limits.logins_per_second,
        &mut limits.room_broadcasts_per_second,
        &mut limits.large_room_broadcasts_per_second,
    ] {
        *rate = 0;
    }
}

/// Waits until all nodes listen, and prints how to use them.
async fn ready(nodes: &mut [Node], nats: &NatsServer) -> anyhow::Result<()> {
    say(format_args!("nats-server on {}", nats.url))?;
    for node in nodes.iter_mut() {
        node.ready().await?;
        let Node { name, addresses, process, .. } = node;
        let process = process.id().unwrap_or_default();
        say(format_args!("node {name}, process {process}: {}", addresses.join(", ")))?;
    }
    introduce(nodes)
}

/// Prints how to use the cluster.
fn introduce(nodes: &[Node]) -> anyhow::Result<()> {
    // The program's name as it was called, so that the commands can be pasted.
    let rts = std::env::args().next().unwrap_or_else(|| "rts".to_owned());
    let address = |node: &Node, scheme: &str| {
        let mut addresses = node.addresses.iter();
        addresses.find(|address| address.starts_with(scheme)).cloned().unwrap_or_default()
    };
    say(
        "\nOther terminals. A chat begins at any node, and goes on at another one if that fails:\n",
    )?;
    let urls: Vec<_> = nodes.iter().map(|node| address(node, "rts://")).collect();
    let urls = urls.join(",");
    for (uid, peer) in PLAYERS {
        say(format_args!("{rts} chat --url {urls} --dev {uid} --to {peer}"))?;
    }
    let openapi = address(&nodes[0], "http://");
    say(format_args!("\nThe cluster: {rts} admin --url {openapi} cluster"))?;
    if let Some(process) = nodes.last().and_then(|node| node.process.id()) {
        say(format_args!("The last node fails: kill -9 {process}"))?;
    }
    Ok(())
}

/// A node, which is killed when this is dropped.
struct Node {
    name: String,
    process: Child,
    out: Lines<BufReader<ChildStdout>>,
    /// Where it listens.
    addresses: Vec<String>,
}

impl Node {
    fn start(
        number: u16,
        listen: SocketAddr,
        shards: Option<ShardCount>,
        nats: &NatsServer,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let name = char::from(b'a' + number as u8).to_string();
        let port = match listen.port() {
            0 => Some(0),
            port => port.checked_add(number * PORTS_OF_NODE),
        };
        let Some(port) = port else {
            bail!("--listen {listen} has too few ports above it for all nodes: choose a lower one");
        };
        let program = std::env::current_exe().context("this program's own file")?;
        let mut command = Command::new(program);
        command.args(["serve", "--dev", "--node", &name, "--nats", &nats.url]);
        command.arg("--listen").arg(SocketAddr::new(listen.ip(), port).to_string());
        command.arg("--state-dir").arg(folder.join(&name));
        command.arg("--shards").arg(shards.unwrap_or(ShardCount::ONE).to_string());
        // It gets the signals of a terminal from here only, so that nats-server ends last.
        command.process_group(0).kill_on_drop(true).stdout(Stdio::piped());
        let mut process = command.spawn().context("a node cannot be started")?;
        let out = process.stdout.take().expect("a pipe");
        Ok(Self { name, process, out: BufReader::new(out).lines(), addresses: Vec::new() })
    }

    /// Waits until the node is a member and listens.
    async fn ready(&mut self) -> anyhow::Result<()> {
        while let Some(line) = self.out.next_line().await.context("the output of a node")? {
            let words = line.split_whitespace();
            let address = words.map(|word| word.trim_end_matches(',')).find(|w| w.contains("://"));
            self.addresses.extend(address.map(str::to_owned));
            // The listener for back ends comes last.
            if address.is_some_and(|address| address.starts_with("http://")) {
                return Ok(());
            }
        }
        bail!("node {} does not start; its log says why", self.name)
    }

    /// Returns when the node has ended, by itself or because `stop` is closed.
    async fn watch(mut self, mut stop: watch::Receiver<()>) {
        tokio::select! {
            ended = Self::ended(&mut self.out, &mut self.process) => {
                tracing::warn!("node {} has ended: {ended}", self.name);
                return;
            }
            _ = stop.changed() => {}
        }
        if let Some(id) = self.process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
            // It may have ended.
            let _ = kill_process(id, Signal::TERM);
        }
        // What does not end is killed when it is dropped.
        let _ = timeout(PATIENCE, self.process.wait()).await;
    }

    /// Reads what the node prints, until it ends.
    async fn ended(out: &mut Lines<BufReader<ChildStdout>>, process: &mut Child) -> String {
        while let Ok(Some(_)) = out.next_line().await {}
        match process.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}
