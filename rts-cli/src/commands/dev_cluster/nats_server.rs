//! A nats-server of this machine, for a cluster that is tried out.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// Debian installs it where only root looks.
const MORE_FOLDERS: &str = "/usr/local/sbin:/usr/sbin";
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
        let (config, log) = (folder.join("nats.conf"), folder.join("nats.log"));
        let text = format!(
            "host: 127.0.0.1\nport: -1\nports_file_dir: {folder:?}\nlog_file: {log:?}\n\
             jetstream {{ store_dir: {:?} }}\n",
            folder.join("jetstream")
        );
        std::fs::write(&config, text).with_context(|| config.display().to_string())?;
        let searched = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("nats-server");
        command.env("PATH", format!("{searched}:{MORE_FOLDERS}")).arg("-c").arg(config);
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!(
                "nats-server was not found, which carries what nodes send each other. Install \
                 version 2.9 or later: `apt-get install nats-server`, `brew install nats-server`, \
                 or from https://nats.io/download"
            ),
            _ => anyhow::Error::new(error).context("nats-server cannot be started"),
        })?;
        let ports = folder.join(format!("nats-server_{}.ports", process.id().unwrap_or_default()));
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(url) = std::fs::read_to_string(&ports).ok().as_deref().and_then(url_in) {
                return Ok(Self { url, _process: process });
            }
            if process.try_wait()?.is_some() || Instant::now() > limit {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                bail!("nats-server does not start:\n{log}");
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// The URL in `{"nats":["nats://127.0.0.1:4222"]}`. `None` if the text is incomplete.
fn url_in(ports: &str) -> Option<String> {
    let ports: serde_json::Value = serde_json::from_str(ports).ok()?;
    Some(ports["nats"][0].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_read_from_a_complete_file_only() {
        let whole = "{\"nats\":[\"nats://127.0.0.1:4222\"]}";
        assert_eq!(url_in(whole).as_deref(), Some("nats://127.0.0.1:4222"));
        assert_eq!(url_in(&whole[..whole.len() - 1]), None);
        assert_eq!(url_in("{\"nats\":[]}"), None);
    }
}
