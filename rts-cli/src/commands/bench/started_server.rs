//! A server that `rts bench` starts.

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rts_load::Restart;
use rts_server::ShardCount;
use rustix::process::{Pid, Signal, kill_process};

/// Only a fault makes the end of a server take longer.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// The time between two looks at a server that stops.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How the server is started.
pub(super) struct Settings {
    pub(super) app_id: String,
    pub(super) app_key: String,
    /// The default is one for each processor.
    pub(super) shards: Option<ShardCount>,
    /// The core to pin it to.
    pub(super) cpu: Option<usize>,
}

/// A server that this command starts, and stops at its end.
pub(super) struct StartedServer {
    settings: Settings,
    child: Child,
    url: String,
}

impl StartedServer {
    /// Starts a server at a free port.
    pub(super) fn start(settings: Settings) -> anyhow::Result<Self> {
        let (child, url) = settings.start("127.0.0.1:0")?;
        Ok(Self { settings, child, url })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn process_id(&self) -> u32 {
        self.child.id()
    }
}

impl Settings {
    /// Starts a server, and returns it with its URL.
    fn start(&self, listen: &str) -> anyhow::Result<(Child, String)> {
        let config = std::env::temp_dir().join(format!("rts-bench-{}.toml", std::process::id()));
        std::fs::write(&config, self.configuration(listen))
            .with_context(|| format!("writing {}", config.display()))?;
        if let Some(cpu) = self.cpu {
            // Pinned here, so that the server starts as many threads as it has cores.
            rts_load::pin_this_thread(cpu).with_context(|| format!("core {cpu}"))?;
        }
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--config"])
            .arg(&config)
            .args(self.shards.iter().flat_map(|shards| ["--shards".into(), shards.to_string()]))
            // The default log level would warn about the public key.
            .env("RTS_LOG", std::env::var("RTS_LOG").unwrap_or_else(|_| "error".to_owned()))
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a server")?;
        let mut first = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut first)?;
        }
        // The server has read the file. It contains a key, and would remain if this command were
        // killed.
        let _ = std::fs::remove_file(&config);
        let Some(url) = first.trim().strip_prefix("listening on ") else {
            end(&mut child);
            bail!("the server did not start");
        };
        Ok((child, url.to_owned()))
    }

    /// A configuration with the limits on and the rates off.
    fn configuration(&self, listen: &str) -> String {
        let Self { app_id, app_key, .. } = self;
        [
            format!("listen = {listen:?}"),
            format!("[apps.{app_id}]"),
            format!("keys = [{app_key:?}]"),
            limits_without_rates(),
        ]
        .join("\n")
    }
}

/// The section of a configuration with the limits on and the rates off.
pub(super) fn limits_without_rates() -> String {
    [
        "[limits]",
        "sends_per_second = 0",
        "broadcasts_per_second = 0",
        "status_queries_per_second = 0",
        "joins_per_second = 0",
        "logins_per_second = 0",
        "room_broadcasts_per_second = 0",
        "large_room_broadcasts_per_second = 0",
        "exempt_networks = [\"127.0.0.0/8\"]",
        "",
    ]
    .join("\n")
}

impl Restart for StartedServer {
    fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    fn stop(&mut self) -> io::Result<()> {
        stop(&mut self.child, STOP_PATIENCE)
    }

    fn start(&mut self) -> io::Result<()> {
        let address = self.url.trim_start_matches("rts://");
        (self.child, self.url) = self.settings.start(address).map_err(io::Error::other)?;
        Ok(())
    }
}

impl Drop for StartedServer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Asks a process to stop, and waits for its end.
pub(super) fn stop(child: &mut Child, patience: Duration) -> io::Result<()> {
    kill_process(Pid::from_child(child), Signal::TERM)?;
    let until = Instant::now() + patience;
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            return Err(io::Error::other("it does not stop"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Kills a process.
pub(super) fn end(child: &mut Child) {
    // Both calls may fail if the process has ended already.
    let _ = child.kill();
    let _ = child.wait();
}
