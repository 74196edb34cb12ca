//! A server and engines as child processes, as scripts use them.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) const APP_ID: &str = "123456781234567812345678";
pub(crate) const APP_KEY: &str = "development key, known to all";
/// Only a broken test reaches this timeout.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn rts(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rts")).args(args).output().expect("rts runs")
}

pub(crate) fn rts_with_input(args: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rts"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rts runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_ref()).expect("rts reads");
    drop(stdin);
    child.wait_with_output().expect("rts ends")
}

/// The output of a child that ends by itself.
pub(crate) fn ended(child: Child) -> Output {
    let process = child.id();
    let (say, hear) = channel();
    std::thread::spawn(move || say.send(child.wait_with_output()));
    let output = hear.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        signal("-KILL", process);
        panic!("it does not end")
    });
    output.expect("it has started")
}

pub(crate) fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

pub(crate) fn token(uid: &str, expire_at: &str) -> String {
    let args = ["token", "new", "--app-id", APP_ID, "--app-key", APP_KEY, "--uid", uid];
    let expiry =
        if expire_at == "0" { &["--never-expires"][..] } else { &["--expire-at", expire_at] };
    let output = rts(&[&args[..], expiry].concat());
    String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
}

/// `rts serve --dev` on a free port. It ends with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// The lines printed after the first one.
    lines: Receiver<String>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&["--dev", "--listen", "127.0.0.1:0"])
    }

    pub(crate) fn start_with(args: &[&str]) -> Self {
        Self::start_in(args, &[], Stdio::inherit())
    }

    /// Starts a server with these environment variables, and with its log in `log`.
    pub(crate) fn start_in(args: &[&str], variables: &[(&str, &str)], log: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rts"));
        command.arg("serve").args(args).envs(variables.iter().copied()).stderr(log);
        Self::started(command)
    }

    /// A development server with this limit of open files and sockets.
    pub(crate) fn start_with_files(files: u32, log: Stdio) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")]);
        command.args([env!("CARGO_BIN_EXE_rts"), "serve", "--dev", "--listen", "127.0.0.1:0"]);
        command.stderr(log);
        Self::started(command)
    }

    pub(crate) fn started(command: Command) -> Self {
        Self::printing(command, "listening on ")
    }

    /// A process whose first line is this text and a URL.
    pub(crate) fn printing(mut command: Command, what: &str) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let out = child.stdout.take().expect("a pipe");
        let (say, hear) = channel();
        // All output is read, so that the server never blocks.
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        // From here on the process ends with this value, also if it says something else.
        let mut server = Self { child, url: String::new(), lines: hear };
        let first = server.next_line();
        let url = first.strip_prefix(what);
        server.url = url.unwrap_or_else(|| panic!("{first:?} is its first line")).to_owned();
        server
    }

    /// The URL of the OpenAPI of a development server, which it prints after all listeners.
    pub(crate) fn openapi(&self) -> String {
        let line = loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("the server says where it is");
            if !line.starts_with("listening on ") {
                break line;
            }
        };
        let word = line.split_whitespace().find(|word| word.starts_with("http://"));
        word.expect("an address").trim_end_matches(',').to_owned()
    }

    /// The next line that it prints.
    pub(crate) fn next_line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the server says where it listens")
    }

    /// The address of the next of several listeners.
    pub(crate) fn next_address(&self) -> String {
        let line = self.next_line();
        line.strip_prefix("listening on ").expect("another listener").to_owned()
    }

    /// Sends SIGHUP, which makes the process read its files again.
    pub(crate) fn hang_up(&self) {
        signal("-HUP", self.child.id());
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        signal("-TERM", self.child.id());
    }

    /// Whether the process ends soon, and without an error.
    pub(crate) fn has_ended_well(&mut self) -> bool {
        self.exit_code() == Some(0)
    }

    /// The exit code of the process, if it ends soon.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a process") {
                return status.code();
            }
            if Instant::now() > limit {
                return None;
            }
            std::thread::yield_now();
        }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a process").is_none()
    }

    /// Stops the process until [`go_on`](Self::go_on). It answers nothing meanwhile.
    pub(crate) fn pause(&self) {
        signal("-STOP", self.child.id());
    }

    pub(crate) fn go_on(&self) {
        signal("-CONT", self.child.id());
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::start(&self.url, &[])
    }

    /// `rts serve` on a free port, with the app of `--dev` and without rates.
    pub(crate) fn start_without_rates(folder: &Path) -> Self {
        Self::restart_without_rates(folder, "rts://127.0.0.1:0")
    }

    /// Like [`start_without_rates`](Self::start_without_rates), at the address of an earlier
    /// server.
    pub(crate) fn restart_without_rates(folder: &Path, url: &str) -> Self {
        let listen = url.strip_prefix("rts://").expect("plain TCP");
        let rates =
            ["sends", "broadcasts", "status_queries"].map(|what| format!("{what}_per_second = 0"));
        let config = format!(
            "listen = {listen:?}\n[apps.{APP_ID}]\nkeys = [{APP_KEY:?}]\n[limits]\n{}\n",
            rates.join("\n")
        );
        let path = folder.join("rts.toml");
        std::fs::write(&path, config).expect("a file");
        Self::start_with(&["--config", path.to_str().expect("UTF-8")])
    }

    /// Kills the process, as in a crash.
    pub(crate) fn kill(self) {
        drop(self);
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let address = self.url.strip_prefix("rts://").expect("plain TCP");
        TcpStream::connect(address).expect("a listening server")
    }

    /// The resident memory of the server process.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("this test needs Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("a known form");
        kib.parse::<u64>().expect("a number") * 1_024
    }

    pub(crate) fn user(&self, uid: &str) -> Engine {
        let mut engine = self.engine();
        engine.log_in(uid);
        engine
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Mostly this is why the test fails.
        if let (true, Ok(Some(status))) = (std::thread::panicking(), self.child.try_wait()) {
            eprintln!(
                "the server at {}, process {}, has ended: {status}",
                self.url,
                self.child.id()
            );
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Engine {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// Callbacks that arrived before the return of a call.
    seen: VecDeque<Value>,
    last_ref: u64,
}

impl Engine {
    pub(crate) fn start(url: &str, args: &[&str]) -> Self {
        Self::of_any_app(&[&["--url", url, "--app-id", APP_ID][..], args].concat())
    }

    pub(crate) fn of_any_app(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rts"))
            .arg("engine")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the engine starts");
        let out = child.stdout.take().expect("a pipe");
        let input = child.stdin.take();
        let (say, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = say.send(serde_json::from_str(&line).expect("every line is JSON"));
            }
        });
        Self { child, input, lines, seen: VecDeque::new(), last_ref: 0 }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    pub(crate) fn log_in(&mut self, uid: &str) {
        assert_eq!(self.call("login", json!({"token": token(uid, "0"), "uid": uid})), json!(0));
        let result = self.until("onLoginResult");
        assert_eq!((&result["uid"], &result["code"]), (&json!(uid), &json!(0)));
    }

    /// Makes a call, and returns its result.
    pub(crate) fn call(&mut self, call: &str, fields: Value) -> Value {
        let mut answer = self.answer(call, fields);
        assert!(answer.get("error").is_none(), "{answer}");
        answer["return"].take()
    }

    /// Makes a call, and returns the whole line of its answer.
    pub(crate) fn answer(&mut self, call: &str, mut fields: Value) -> Value {
        self.last_ref += 1;
        fields["ref"] = json!(self.last_ref);
        fields["call"] = json!(call);
        self.write(fields.to_string());
        loop {
            let line = self.read();
            if line.get("on").is_none() {
                assert_eq!(line["ref"], json!(self.last_ref), "{line}");
                return line;
            }
            self.seen.push_back(line);
        }
    }

    pub(crate) fn write(&mut self, line: impl AsRef<[u8]>) {
        let input = self.input.as_mut().expect("input is open");
        input.write_all(&[line.as_ref(), b"\n"].concat()).expect("the engine reads");
    }

    pub(crate) fn read(&mut self) -> Value {
        self.lines.recv_timeout(PATIENCE).expect("the engine says something")
    }

    /// The next callback.
    pub(crate) fn next(&mut self) -> Value {
        self.seen.pop_front().unwrap_or_else(|| self.read())
    }

    /// The next callback with this name. Others are skipped.
    pub(crate) fn until(&mut self, on: &str) -> Value {
        loop {
            let line = self.next();
            if line["on"] == on {
                return line;
            }
        }
    }

    /// Whether a callback with this name has come that was not read.
    pub(crate) fn has_heard(&mut self, on: &str) -> bool {
        self.seen.extend(self.lines.try_iter());
        self.seen.iter().any(|line| line["on"] == on)
    }

    pub(crate) fn status_of(&mut self, uid: &str) -> Value {
        self.call("getPeerOnlineStatus", json!({"uid": uid}));
        self.until("onGetPeerOnlineStatus")["status"].take()
    }

    pub(crate) fn join(&mut self, room: &str) {
        assert_eq!(self.call("createRoom", json!({"room": room})), json!(room));
        assert_eq!(self.call("joinRoom", json!({"room": room})), json!(0));
        assert_eq!(self.until("onRoomStateChanged")["state"], json!(0));
    }

    /// Ends the input, and returns all further callbacks.
    pub(crate) fn end(mut self) -> Vec<Value> {
        self.input = None;
        let rest: Vec<Value> = self.seen.drain(..).chain(self.lines.iter()).collect();
        assert!(self.child.wait().expect("the engine ends").success());
        rest
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
