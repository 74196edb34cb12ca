//! A nats-server of this machine. The tests of `rts-cli` use it too.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The limit of every wait. It is reached only if something is broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A nats-server with its own directory, on a free port. It ends with this value.
pub(crate) struct NatsServer {
    directory: tempfile::TempDir,
    process: Child,
    pub(crate) port: u16,
}

impl NatsServer {
    /// With JetStream and without users.
    pub(crate) fn start() -> Self {
        Self::with("jetstream { store_dir: \"DIRECTORY/store\" }")
    }

    /// With this configuration, in which `DIRECTORY` is the directory of the server.
    pub(crate) fn with(config: &str) -> Self {
        Self::with_files(config, &[])
    }

    /// With these files in its directory.
    pub(crate) fn with_files(config: &str, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, content) in files {
            std::fs::write(directory.path().join(name), content).expect("written");
        }
        let config = config.replace("DIRECTORY", &directory.path().display().to_string());
        std::fs::write(directory.path().join("rest.conf"), config).expect("written");
        let (process, port) = run(&directory, None);
        Self { directory, process, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Ends the process like a crash.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it has ended");
    }

    /// Starts it again on the same port, with what it has stored.
    pub(crate) fn start_again(&mut self) {
        (self.process, self.port) = run(&self.directory, Some(self.port));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("it runs");
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(directory: &tempfile::TempDir, port: Option<u16>) -> (Child, u16) {
    let path = directory.path();
    let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    let config = format!(
        "host: 127.0.0.1\nport: {port}\nports_file_dir: {0:?}\nlog_file: \"{1}/log\"\n\
         include \"rest.conf\"\n",
        path,
        path.display()
    );
    std::fs::write(path.join("nats.conf"), config).expect("written");
    // Debian's is where only root looks.
    let searched = std::env::var("PATH").unwrap_or_default();
    let started = Command::new("nats-server")
        .env("PATH", format!("{searched}:/usr/local/sbin:/usr/sbin"))
        .arg("-c")
        .arg(path.join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut process = started.unwrap_or_else(|error| {
        panic!(
            "these tests run nats-server, version 2.9 or later, which cannot be started: {error}. \
             Debian and Ubuntu have it: apt-get install nats-server"
        )
    });
    let ports = path.join(format!("nats-server_{}.ports", process.id()));
    let log = || std::fs::read_to_string(path.join("log")).unwrap_or_default();
    let limit = Instant::now() + LIMIT;
    loop {
        if let Some(status) = process.try_wait().expect("a process") {
            panic!("nats-server ended with {status}:\n{}", log());
        }
        let written = std::fs::read_to_string(&ports).unwrap_or_default();
        if let Some(port) = port_of(&written) {
            return (process, port);
        }
        assert!(Instant::now() < limit, "nats-server does not listen:\n{}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The port in `{"nats":["nats://127.0.0.1:4222"]}`.
fn port_of(ports: &str) -> Option<u16> {
    let (_, rest) = ports.split_once("127.0.0.1:")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..digits].parse().ok()
}
