//! `rts serve --dev` on an address that other machines can reach.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{APP_ID, rts, token};

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn reachable_development_server_generates_keys_and_warns() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rts"))
        .args(["serve", "--dev", "--listen", "0.0.0.0:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rts runs");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut warned = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let _running = Running(child);
    let mut line_with = |what: &str| {
        let mut lines = said.by_ref().map_while(Result::ok);
        lines.find(|line| line.contains(what)).expect("the server says it")
    };
    let first = line_with("listening on rts://0.0.0.0:");
    let url = format!("rts://127.0.0.1:{}", first.rsplit(':').next().expect("a port"));
    let openapi = line_with("OpenAPI for back ends on ");
    let openapi = openapi.split(' ').find_map(|word| word.strip_prefix("http://0.0.0.0:"));
    let openapi = format!("http://127.0.0.1:{}", openapi.expect("a port").trim_end_matches(','));
    let bearer = line_with("bearer key ");
    let bearer = bearer.rsplit(' ').next().expect("a key");
    let warning = warned.next().expect("a line").expect("text");
    assert!(warning.contains("others can reach this server"), "{warning}");

    let printed = line_with("RTS_TOKEN=");
    let printed = printed.trim_start_matches("RTS_TOKEN=").trim_end_matches(" \\");
    let chat = line_with(" chat ");
    assert!(chat.contains(&format!("--url {url} ")), "{chat}");
    let key = line_with("RTS_APP_KEY=");
    let key = key.trim_start_matches("RTS_APP_KEY=").trim_end_matches(" \\");
    let new = line_with(" token new ");
    let args: Vec<_> = new.split_whitespace().skip(1).collect();
    let minted =
        Command::new(env!("CARGO_BIN_EXE_rts")).args(args).env("RTS_APP_KEY", key).output();
    let minted = String::from_utf8(minted.expect("rts runs").stdout).expect("text");

    let send = |token: &str, to: &str| {
        rts(&["send", "--url", &url, "--app-id", APP_ID, "--token", token, "--to", to, "hi"])
    };
    assert_eq!(send(printed, "alice").status.code(), Some(0));
    assert_eq!(send(minted.trim(), "carol").status.code(), Some(0));
    let refused = send(&token("alice", "0"), "alice");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("(-1000)"),
        "the known key: {refused:?}"
    );

    let refused = rts(&["send", "--url", &url, "--dev", "alice", "--to", "alice", "hi"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("(-1000): --dev is for a server"), "{why}");

    let users = |key: &[&str]| rts(&[&["admin", "--url", &openapi][..], key, &["users"]].concat());
    assert_eq!(users(&["--key", bearer]).status.code(), Some(0));
    assert_eq!(users(&[]).status.code(), Some(1), "the public bearer key is refused");
}
