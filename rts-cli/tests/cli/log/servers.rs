//! Failures of apps' servers in the log, and their end.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::json;

use super::{Log, Logged};
use crate::support::{APP_ID, APP_KEY, Engine, Server};

/// An HTTP server on this port that gives these answers, one for each request.
fn answers(port: u16, answers: &'static [&'static str]) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free again");
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let mut request = [0; 65_536];
            let mut bytes = 0;
            // All requests of these tests have a JSON body.
            while !request[..bytes].ends_with(b"}") {
                bytes += stream.read(&mut request[bytes..]).expect("a request");
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

/// A free port below the range from which the system assigns ports meanwhile.
pub(super) fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).expect("a small number");
    let mut ports = std::iter::repeat_with(|| first + TRIED.fetch_add(1, Ordering::Relaxed));
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.by_ref().take(1_000).find(is_free).expect("a free port")
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[test]
fn app_server_outage_is_logged_with_url_cause_and_end() {
    let mut logged = Logged::start("info");
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/rts?key=canary");
    let mut alice = logged.server.user("alice");
    let set = |alice: &mut Engine, url: &str| {
        alice.call("setServerParams", json!({"signature": "canary", "url": url}));
        alice.until("onServerParamsSetResult")["code"].take()
    };
    assert_eq!(set(&mut alice, &url), json!(200));
    let mut send = || {
        alice.call("sendServerMessage", json!({"message": "canary"}));
        alice.until("onServerMessageSendResult")["code"].take()
    };
    let whose = format!("app={APP_ID} user=alice url=http://127.0.0.1:{port}/rts ");
    for _ in 0..3 {
        assert_eq!(send(), json!(17));
    }
    let line = logged.log.until(&["WARN rts::app_server: ", "does not accept a message", &whose]);
    assert!(line.contains("why=\"cannot connect: Connection refused"), "{line}");
    answers(
        port,
        &[
            "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "220 mail\r\n\r\n",
            OK,
        ],
    );
    assert_eq!(send(), json!(18));
    let line = logged.log.until(&["WARN rts::app_server: ", &whose, "why=\"status 503"]);
    assert!(line.ends_with("left_out=2"), "each cause has a line: {line}");
    assert_eq!(send(), json!(18));
    logged.log.until(&[
        "WARN rts::app_server: ",
        &whose,
        "why=\"the answer is malformed or broken off: ",
    ]);
    assert_eq!(send(), json!(0));
    logged.log.until(&["INFO rts::app_server: ", "works again", "failures=5"]);
    assert_eq!(set(&mut alice, "http://127.0.0.1:0/\u{1b}[2J?canary"), json!(1000));
    logged.log.until(&[
        "INFO rts::app_server: server params refused",
        &format!("app={APP_ID}"),
        "why=\"",
    ]);
    logged.server.kill();
    let log = logged.log.rest().join("\n");
    assert!(!log.contains("canary"), "{log}");
}

#[test]
fn webhook_outage_is_logged_with_url_cause_and_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, port) = (folder.path().join("rts.toml"), free_port());
    let config = format!(
        "listen = \"127.0.0.1:0\"\n[apps.{APP_ID}]\nkeys = [{APP_KEY:?}]\n[apps.{APP_ID}.webhook]\n\
         url = \"http://127.0.0.1:{port}/hook?key=canary\"\nsecret = \"the canary of this test\"\n"
    );
    std::fs::write(&path, config).expect("a file");
    let (to, mut log) = Log::new();
    let args = ["--config", path.to_str().expect("UTF-8")];
    let server = Server::start_in(&args, &[("RTS_LOG", "info")], to);
    let whose = format!("app={APP_ID} url=\"http://127.0.0.1:{port}/hook\" ");
    let line = log.until(&["WARN rts::webhooks: ", "does not accept events", &whose]);
    assert!(line.contains("why=\"cannot connect: Connection refused"), "{line}");
    assert!(line.contains("waiting=1"), "{line}");
    answers(port, &[OK]);
    log.until(&["INFO rts::webhooks: the webhook accepts events again", &whose]);
    server.kill();
    let log = log.rest().join("\n");
    assert!(!log.contains("canary"), "{log}");
}
