//! A nats-server for a cluster that is tried out.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::commands::nats_server;

/// The time until it listens.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A nats-server with JetStream on a free port of this machine. It is killed when this is dropped.
pub(super) struct NatsServer {
    pub(super) url: String,
    _process: Child,
}

impl NatsServer {
    /// Starts it, with its files in this folder.
    pub(super) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut command = Command::from(nats_server::command(folder, None)?);
        let mut process = command.kill_on_drop(true).spawn().map_err(nats_server::cannot_start)?;
        let id = process.id().unwrap_or_default();
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(url) = nats_server::url(folder, id) {
                return Ok(Self { url, _process: process });
            }
            if process.try_wait()?.is_some() || Instant::now() > limit {
                bail!("nats-server does not start:\n{}", nats_server::log(folder));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}
