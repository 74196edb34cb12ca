//! SIGTERM right after "listening on", as a supervisor may send it. Also to the first process of a
//! container, which ignores signals without a handler.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};

use crate::support::{PATIENCE, signal};

/// Commands that start another one as the first process of a PID namespace: one for ordinary users,
/// and one for root.
const FIRST_PROCESS: [&[&str]; 2] = [
    &["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"],
    &["unshare", "--pid", "--fork", "--kill-child"],
];

/// The child processes of a process.
fn children_of(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(path).expect("Linux says it");
    children.split_whitespace().map(|pid| pid.parse().expect("a number")).collect()
}

/// Starts a server through this command, stops it as soon as it reports that it listens, and
/// asserts that it ends with success.
fn is_stopped_at_once(before: &[&str]) {
    let serve = [env!("CARGO_BIN_EXE_rts"), "serve", "--dev", "--listen", "127.0.0.1:0"];
    let words = [before, &serve].concat();
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .env("RTS_LOG", "off")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let out = child.stdout.take().expect("a pipe");
    let (say, said) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _ = say.send(line);
        }
    });
    let first = said.recv_timeout(PATIENCE).expect("it says where it listens");
    assert!(first.starts_with("listening on "), "{first}");
    let server = match before {
        [] => child.id(),
        _ => children_of(child.id())[0],
    };
    signal("-TERM", server);
    let ended = loop {
        match said.recv_timeout(PATIENCE) {
            Ok(_) => {}
            Err(ended) => break ended,
        }
    };
    if ended == RecvTimeoutError::Timeout {
        child.kill().expect("a running process");
    }
    let status = child.wait().expect("it has started");
    assert_eq!(ended, RecvTimeoutError::Disconnected, "the signal was lost: {before:?}");
    assert_eq!(status.code(), Some(0), "{before:?}: {status}");
}

#[test]
fn listening_server_stops_on_sigterm() {
    is_stopped_at_once(&[]);
}

#[test]
fn first_process_of_container_stops_on_sigterm() {
    let may = |before: &&&[&str]| {
        let tried = Command::new(before[0]).args(&before[1..]).arg("true").output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    match FIRST_PROCESS.iter().find(may) {
        Some(before) => is_stopped_at_once(before),
        None => println!(
            "NOT CHECKED: this user may make no PID namespace on this machine (unshare --pid); run it as root"
        ),
    }
}
