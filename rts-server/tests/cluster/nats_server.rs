//! A nats-server of this machine. The tests of `rts-cli` use it too.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The limit of every wait. It is reached only if something is broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A nats-server with its own directory, on a free port. It ends with this value.
pub(crate) struct NatsServer {
    process: Process,
    pub(crate) port: u16,
    directory: tempfile::TempDir,
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
        Self { process, port, directory }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Ends the process like a crash.
    pub(crate) fn kill(&mut self) {
        self.process.runs();
        self.process.child.kill().expect("it runs");
        self.process.child.wait().expect("it has ended");
        self.process.is_killed = true;
    }

    /// Starts it again on the same port, with what it has stored.
    pub(crate) fn start_again(&mut self) {
        (self.process, self.port) = run(&self.directory, Some(self.port));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process.child);
        kill_process(pid, signal).expect("it runs");
    }
}

/// A process with its directory. It ends with this value.
struct Process {
    child: Child,
    directory: PathBuf,
    is_killed: bool,
}

impl Process {
    /// Panics with the log if it has ended unasked.
    fn runs(&mut self) {
        if let Some(how) = self.ended() {
            panic!("{how}");
        }
    }

    /// How it has ended, if it has and the test did not end it.
    fn ended(&mut self) -> Option<String> {
        if self.is_killed {
            return None;
        }
        let status = self.child.try_wait().expect("a process")?;
        let (id, log) = (self.child.id(), self.log());
        Some(format!("nats-server, process {id}, ended unasked with {status}. Its log:\n{log}"))
    }

    /// A crash of a Go program is in `stderr` only.
    fn log(&self) -> String {
        let read = |name: &str| {
            let file = self.directory.join(name);
            std::fs::read_to_string(&file)
                .unwrap_or_else(|error| format!("{}: {error}", file.display()))
        };
        read("log") + &read("stderr")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Mostly this is why the test fails.
        if let Some(how) = self.ended() {
            eprintln!("{how}");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(directory: &tempfile::TempDir, port: Option<u16>) -> (Process, u16) {
    let path = directory.path();
    let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    let config = format!(
        "host: 127.0.0.1\nport: {port}\nports_file_dir: {0:?}\nlog_file: \"{1}/log\"\n\
         include \"rest.conf\"\n",
        path,
        path.display()
    );
    std::fs::write(path.join("nats.conf"), config).expect("written");
    let stderr = std::fs::File::create(path.join("stderr")).expect("created");
    // Debian's is where only root looks.
    let searched = std::env::var("PATH").unwrap_or_default();
    let started = Command::new("nats-server")
        .env("PATH", format!("{searched}:/usr/local/sbin:/usr/sbin"))
        .arg("-c")
        .arg(path.join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn();
    let child = started.unwrap_or_else(|error| {
        panic!(
            "these tests run nats-server, version 2.9 or later, which cannot be started: {error}. \
             Debian and Ubuntu have it: apt-get install nats-server"
        )
    });
    let ports = path.join(format!("nats-server_{}.ports", child.id()));
    let mut process = Process { child, directory: path.to_owned(), is_killed: false };
    let limit = Instant::now() + LIMIT;
    loop {
        process.runs();
        let written = std::fs::read_to_string(&ports).unwrap_or_default();
        if let Some(port) = port_of(&written) {
            return (process, port);
        }
        assert!(Instant::now() < limit, "nats-server does not listen:\n{}", process.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The port in `{"nats":["nats://127.0.0.1:4222"]}`.
fn port_of(ports: &str) -> Option<u16> {
    let (_, rest) = ports.split_once("127.0.0.1:")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..digits].parse().ok()
}
