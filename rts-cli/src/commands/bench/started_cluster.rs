//! A cluster that `rts bench` starts, whose parts can fail.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rts_load::{Cluster, Fault};
use rts_server::ShardCount;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::forwarder::Forwarder;
use super::started_server::{end, limits_without_rates, stop};
use crate::commands::folder::Folder;
use crate::commands::nats_server;

/// Only a fault makes something take longer.
const PATIENCE: Duration = Duration::from_secs(90);
/// The time between two looks at something that is awaited.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The key of the nodes' OpenAPI, which listens on loopback.
const BEARER_KEY: &str = "the-key-of-this-measurement";

/// Nodes on this machine with a nats-server of their own. All end with this value.
pub(super) struct StartedCluster {
    nodes: Vec<Node>,
    nats: Nats,
    _folder: Folder,
}

impl StartedCluster {
    pub(super) fn start(
        nodes: u8,
        shards: Option<ShardCount>,
        app_id: &str,
        app_key: &str,
    ) -> anyhow::Result<Self> {
        let folder = Folder::new("bench")?;
        let nats = Nats::start(&folder.0)?;
        let mut running = Vec::new();
        for number in 0..nodes {
            let way = Forwarder::start(nats.address).context("the way to NATS")?;
            let config = folder.0.join(format!("{number}.toml"));
            let text = configuration(number, app_id, app_key, way.address, &folder.0);
            std::fs::write(&config, text).with_context(|| config.display().to_string())?;
            running.push(Node::start(config, shards, way)?);
        }
        let mut cluster = Self { nodes: running, nats, _folder: folder };
        cluster.until_whole()?;
        Ok(cluster)
    }

    /// The URLs of all nodes, with commas between them.
    pub(super) fn urls(&self) -> String {
        let urls = self.nodes.iter().map(|node| format!("rts://{}", node.running.address));
        urls.collect::<Vec<_>>().join(",")
    }
}

/// It listens at free ports. A node that starts again takes the same ones.
fn configuration(
    number: u8,
    app_id: &str,
    app_key: &str,
    nats: SocketAddr,
    folder: &Path,
) -> String {
    let state = folder.join(format!("state-{number}"));
    [
        &format!("listen = \"{FREE}\""),
        &format!("state_dir = {state:?}"),
        &format!("[apps.{app_id}]"),
        &format!("keys = [{app_key:?}]"),
        &limits_without_rates(),
        "[openapi]",
        &format!("listen = \"{FREE}\""),
        "[[openapi.bearer_keys]]",
        "name = \"bench\"",
        &format!("key = {BEARER_KEY:?}"),
        &format!("apps = [{app_id:?}]"),
        "[cluster]",
        "name = \"bench\"",
        &format!("node = \"n{number}\""),
        &format!("nats = [\"nats://{nats}\"]"),
        "",
    ]
    .join("\n")
}

const FREE: &str = "127.0.0.1:0";

struct Node {
    config: PathBuf,
    shards: Option<ShardCount>,
    way: Forwarder,
    running: Running,
}

/// A process of a node, which is killed when this is dropped.
struct Running {
    child: Child,
    address: String,
    openapi: String,
    /// Open, so that it can print.
    _out: BufReader<ChildStdout>,
}

impl Node {
    fn start(config: PathBuf, shards: Option<ShardCount>, way: Forwarder) -> anyhow::Result<Self> {
        let running = Running::start(&config, shards)?;
        let text = std::fs::read_to_string(&config)?;
        // Started again, it listens where its clients know it.
        let text = text.replacen(FREE, &running.address, 1).replacen(FREE, &running.openapi, 1);
        std::fs::write(&config, text)?;
        Ok(Self { config, shards, way, running })
    }

    fn start_again(&mut self) -> io::Result<()> {
        self.running = Running::start(&self.config, self.shards).map_err(io::Error::other)?;
        Ok(())
    }
}

impl Running {
    /// Starts a node, and waits until it is a member and listens.
    fn start(config: &Path, shards: Option<ShardCount>) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--config"])
            .arg(config)
            .args(shards.iter().flat_map(|shards| ["--shards".into(), shards.to_string()]))
            // The default log level would warn about the public key, and about each fault.
            .env("RTS_LOG", std::env::var("RTS_LOG").unwrap_or_else(|_| "error".to_owned()))
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a node")?;
        let mut out = BufReader::new(child.stdout.take().context("a pipe")?);
        let mut printed = String::new();
        while !printed.contains("http://") {
            if out.read_line(&mut printed)? == 0 {
                end(&mut child);
                bail!("a node did not start");
            }
        }
        let after = |scheme| {
            let (_, rest) = printed.split_once(scheme)?;
            let end = rest.find(|c: char| c == ',' || c.is_whitespace());
            Some(rest[..end.unwrap_or(rest.len())].to_owned())
        };
        let addresses = after("rts://").zip(after("http://"));
        let (address, openapi) = addresses.context("a node does not say where it listens")?;
        Ok(Self { child, address, openapi, _out: out })
    }

    /// What it knows of its cluster. `None` while it does not answer.
    fn cluster(&self) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.openapi).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let host = &self.openapi;
        write!(stream, "GET /cluster HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A nats-server, which is killed when this is dropped.
struct Nats {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

impl Nats {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let (child, address) = Self::run(folder, None)?;
        Ok(Self { child, address, folder: folder.to_owned() })
    }

    fn start_again(&mut self) -> io::Result<()> {
        let run = Self::run(&self.folder, Some(self.address.port()));
        (self.child, self.address) = run.map_err(io::Error::other)?;
        Ok(())
    }

    fn run(folder: &Path, port: Option<u16>) -> anyhow::Result<(Child, SocketAddr)> {
        let mut command = nats_server::command(folder, port)?;
        let mut child = command.spawn().map_err(nats_server::cannot_start)?;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(url) = nats_server::url(folder, child.id()) {
                let address = url.strip_prefix("nats://").context("its form")?.parse()?;
                return Ok((child, address));
            }
            if child.try_wait()?.is_some() || Instant::now() > until {
                end(&mut child);
                bail!("nats-server does not start:\n{}", nats_server::log(folder));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Cluster for StartedCluster {
    fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn begin(&mut self, fault: Fault) -> io::Result<()> {
        match fault {
            Fault::NodeKilled(node) => kill(&mut self.nodes[node].running.child),
            Fault::NodePaused(node) => signal(&self.nodes[node].running.child, Signal::STOP),
            Fault::NodeCutOff(node) => {
                self.nodes[node].way.cut(true);
                Ok(())
            }
            Fault::NatsKilled => kill(&mut self.nats.child),
            Fault::NatsPaused => signal(&self.nats.child, Signal::STOP),
        }
    }

    fn end(&mut self, fault: Fault) -> io::Result<()> {
        match fault {
            Fault::NodeKilled(node) => self.nodes[node].start_again(),
            Fault::NodePaused(node) => signal(&self.nodes[node].running.child, Signal::CONT),
            Fault::NodeCutOff(node) => {
                self.nodes[node].way.cut(false);
                Ok(())
            }
            Fault::NatsKilled => self.nats.start_again(),
            Fault::NatsPaused => signal(&self.nats.child, Signal::CONT),
        }
    }

    fn restart(&mut self, node: usize) -> io::Result<()> {
        let node = &mut self.nodes[node];
        stop(&mut node.running.child, PATIENCE)?;
        node.start_again()
    }

    fn until_whole(&mut self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let known = self.nodes.iter().map(|node| node.running.cluster());
            let known: Option<Vec<_>> = known.collect();
            if known.is_some_and(|known| is_whole(&known)) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(io::Error::other("not all nodes are members of one cluster again"));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

/// Whether all nodes act, and decide by one view of all of them.
fn is_whole(known: &[Value]) -> bool {
    let epoch = &known[0]["view"]["epoch"];
    known.iter().all(|known| {
        let members = known["view"]["members"].as_array().map_or(&[][..], Vec::as_slice);
        let up = members.iter().filter(|member| member["state"] == "up");
        known["may_act"] == true
            && known["view"]["epoch"] == *epoch
            && known["served_epoch"] == *epoch
            && up.count() == members.len()
    }) && known[0]["view"]["members"].as_array().map(Vec::len) == Some(known.len())
}

fn kill(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}

fn signal(child: &Child, signal: Signal) -> io::Result<()> {
    Ok(kill_process(Pid::from_child(child), signal)?)
}
