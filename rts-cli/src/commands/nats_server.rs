//! The nats-server of this machine, as a process in a folder.

use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, anyhow};

/// Debian installs it where only root looks.
const MORE_FOLDERS: &str = "/usr/local/sbin:/usr/sbin";

/// Where a crash of a Go program is told.
const STDERR: &str = "nats.stderr";

/// Runs it with JetStream and its files in this folder, on this port or a free one. It gets no
/// signals of a terminal.
pub(super) fn command(folder: &Path, port: Option<u16>) -> anyhow::Result<Command> {
    let config = folder.join("nats.conf");
    let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    let text = format!(
        "host: 127.0.0.1\nport: {port}\nports_file_dir: {folder:?}\nlog_file: {:?}\n\
         jetstream {{ store_dir: {:?} }}\n",
        folder.join("nats.log"),
        folder.join("jetstream")
    );
    std::fs::write(&config, text).with_context(|| config.display().to_string())?;
    let searched = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("nats-server");
    command.env("PATH", format!("{searched}:{MORE_FOLDERS}")).arg("-c").arg(config);
    command.process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(std::fs::File::create(folder.join(STDERR))?);
    Ok(command)
}

/// Why the command cannot be started.
pub(super) fn cannot_start(error: io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "nats-server was not found, which carries what nodes send each other. Install version \
             2.9 or later: `apt-get install nats-server`, `brew install nats-server`, or from \
             https://nats.io/download"
        ),
        _ => anyhow::Error::new(error).context("nats-server cannot be started"),
    }
}

/// The URL of the server with this process id. `None` until it listens.
pub(super) fn url(folder: &Path, process: u32) -> Option<String> {
    let ports = folder.join(format!("nats-server_{process}.ports"));
    url_in(&std::fs::read_to_string(ports).ok()?)
}

/// What it has logged.
pub(super) fn log(folder: &Path) -> String {
    let read = |name| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    read("nats.log") + &read(STDERR)
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
