//! TLS, WebSocket and proxies in real use: child processes, real certificates and real sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Engine, Server, rts, token};

/// An operator with a certificate authority, in a folder.
struct Operator {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Operator {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).expect("a certificate").pem();
        std::fs::write(folder.path().join("ca.pem"), ca).expect("a file");
        let operator = Self { folder, issuer: Issuer::new(params, key) };
        operator.issue(|_| {});
        operator
    }

    /// Writes a certificate for `localhost` and its key to the files of the server.
    fn issue(&self, change: impl FnOnce(&mut CertificateParams)) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(self.path("cert.pem"), certificate.pem()).expect("a file");
        std::fs::write(self.path("key.pem"), key.serialize_pem()).expect("a file");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ca(&self) -> String {
        text(&self.path("ca.pem"))
    }

    /// A server with a listener of each scheme, and their URLs with the name in the certificate.
    fn serve(&self) -> (Server, Vec<String>) {
        let files = format!(
            "certificate = {:?}\nkey = {:?}",
            text(&self.path("cert.pem")),
            text(&self.path("key.pem"))
        );
        let config = format!(
            "[[listen]]\nurl = \"rts://127.0.0.1:0\"\n[[listen]]\nurl = \"rtss://127.0.0.1:0\"\n{files}\n\
             [[listen]]\nurl = \"ws://127.0.0.1:0/chat\"\norigins = [\"http://page.example\"]\n\
             [[listen]]\nurl = \"wss://127.0.0.1:0/chat\"\n{files}\n\
             [apps.123456781234567812345678]\nkeys = [\"development key, known to all\"]\n"
        );
        let path = self.path("rts.toml");
        std::fs::write(&path, config).expect("a file");
        let server = Server::start_with(&["--config", &text(&path)]);
        let rest = (0..3).map(|_| server.next_address());
        let urls: Vec<_> = [server.url.clone()].into_iter().chain(rest).collect();
        let urls = urls.into_iter().map(|url| url.replace("127.0.0.1", "localhost")).collect();
        (server, urls)
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

fn user(url: &str, uid: &str, args: &[&str]) -> Engine {
    let mut engine = Engine::start(url, args);
    engine.log_in(uid);
    engine
}

/// The engine's warning with the reason why it gets no link.
fn warning(url: &str, args: &[&str]) -> String {
    let mut engine = Engine::start(url, args);
    assert_eq!(engine.call("login", json!({"token": token("alice", "0"), "uid": "alice"})), 0);
    let warning = engine.until("onWarning");
    assert_eq!(warning["code"], 5);
    warning["message"].as_str().expect("text").to_owned()
}

#[test]
fn users_of_all_transports_exchange_messages() {
    let operator = Operator::new();
    let (_server, urls) = operator.serve();
    let ca = operator.ca();
    let names = ["alice", "bob", "carol", "dave"];
    let mut users: Vec<_> =
        urls.iter().zip(names).map(|(url, uid)| user(url, uid, &["--ca", &ca])).collect();
    let long = "x".repeat(65_536);
    for from in 0..4 {
        for to in (0..4).filter(|to| *to != from) {
            for message in ["hi", &long] {
                let fields = json!({"uid": names[to], "message": message, "config": 0});
                users[from].call("sendMessage", fields);
                let received = users[to].until("onMessageReceived");
                assert_eq!(received["uid"], names[from]);
                assert!(received["message"] == message, "{} to {}", urls[from], urls[to]);
                assert_eq!(users[from].until("onMessageSendResult")["code"], 0);
            }
        }
    }
}

#[test]
fn every_cause_of_failed_link_is_explained() {
    let operator = Operator::new();
    let (_server, urls) = operator.serve();
    let [rts, rtss, ws, wss] = &urls[..] else { panic!("four listeners") };
    let ca = operator.ca();
    let trusting = &["--ca", &ca[..]][..];
    let unused = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("rts://{}", listener.local_addr().expect("a bound socket"))
    };
    let swap =
        |url: &str, scheme: &str| format!("{scheme}://{}", url.split_once("://").expect("a url").1);
    let bare = |url: &str| url.trim_end_matches("/chat").to_owned();
    for (url, args, what) in [
        (rtss.clone(), &[][..], "authority that is not trusted"),
        (wss.clone(), &[], "authority that is not trusted"),
        (rtss.replace("localhost", "127.0.0.1"), trusting, "for another name"),
        (bare(wss), trusting, "none at this path"),
        (bare(ws), trusting, "none at this path"),
        (swap(rtss, "rts"), trusting, "speaks TLS"),
        (swap(rts, "rtss"), trusting, "does not speak TLS"),
        (swap(rts, "ws"), trusting, "must begin with rts://"),
        (swap(&bare(ws), "rts"), trusting, "speaks HTTP"),
        (swap(&bare(wss), "rtss"), trusting, "speaks no RTS inside of it"),
        (unused.clone(), trusting, "refused: nothing listens there"),
        ("rts://no-such-host.invalid:1".to_owned(), trusting, "no-such-host.invalid"),
    ] {
        let said = warning(&url, args);
        assert!(said.contains(what) && said.contains("://"), "{url}: {said}");
    }
    // `rts send` reports the same reason.
    let token = token("alice", "0");
    let args = ["send", "--url", rtss, "--uid", "alice", "--token", &token, "--to", "bob", "hi"];
    let output = crate::support::rts(&args);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("authority that is not trusted") && said.contains("--ca"), "{said}");
}

#[test]
fn expired_certificate_is_replaced_under_open_links() {
    let operator = Operator::new();
    let (server, urls) = operator.serve();
    let (rtss, ca) = (&urls[1], operator.ca());
    let mut alice = user(rtss, "alice", &["--ca", &ca]);

    operator.issue(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    server.hang_up();
    // Until the server has reloaded the certificate.
    let mut said = String::new();
    for number in 0.. {
        let output = rts(&[
            "send",
            "--url",
            rtss,
            "--ca",
            &ca,
            "--uid",
            &format!("u{number}"),
            "--token",
            &token(&format!("u{number}"), "0"),
            "--to",
            "alice",
            "hi",
        ]);
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            break;
        }
    }
    assert!(said.contains("has expired"), "{said}");

    operator.issue(|_| {});
    server.hang_up();
    let _bob = user(rtss, "bob", &["--ca", &ca]);
    alice.call("sendMessage", json!({"uid": "bob", "message": "my link is the same", "config": 0}));
    while alice.until("onMessageSendResult")["code"] != 0 {}
}

#[test]
fn http_at_any_port_is_answered_in_words() {
    let operator = Operator::new();
    let (server, urls) = operator.serve();
    for (url, status) in urls.iter().zip(["400", "400", "404", "400"]) {
        let authority = url.split_once("://").expect("a url").1.trim_end_matches("/chat");
        let mut stream = TcpStream::connect(authority).expect("a listening server");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("an open connection");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer and the end");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{url}: {answer}");
    }
    server.user("alice");
}

#[test]
fn every_transport_uses_proxy_with_password() {
    let operator = Operator::new();
    let (_server, urls) = operator.serve();
    let ca = operator.ca();
    let proxy = Connect::start();
    for (number, url) in urls.iter().enumerate() {
        let good = format!("http://alice:hunter2@{}", proxy.authority);
        user(url, "alice", &["--ca", &ca, "--proxy", &good]);
        assert_eq!(proxy.carried.load(Ordering::Relaxed), number + 1, "{url}");
    }
    let said = warning(&urls[0], &["--proxy", &format!("http://{}", proxy.authority)]);
    assert!(said.contains("the proxy wants another user or password"), "{said}");
    let wrong = format!("socks5://{}", proxy.authority);
    let said = warning(&urls[0], &["--proxy", &wrong]);
    assert!(said.contains("does not speak SOCKS5"), "{said}");
}

#[test]
fn invalid_url_or_proxy_is_refused_at_once() {
    for (args, what) in [
        (&["--url", "http://localhost"][..], "not one of rts, rtss, ws and wss"),
        (&["--url", "wss://localhost/?token=hunter2"], "never goes into an address"),
        (&["--url", "rtss://localhost", "--ca", "/nowhere/ca.pem"], "--ca /nowhere/ca.pem"),
        (&["--url", "rts://localhost", "--proxy", "ftp://u:hunter2@p:1"], "not a proxy"),
    ] {
        let output = rts(&[&["engine", "--app-id", crate::support::APP_ID], args].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(what) && !said.contains("hunter2"), "{args:?}: {said}");
    }
}

/// A proxy for HTTP CONNECT that requires a password.
struct Connect {
    authority: String,
    carried: Arc<AtomicUsize>,
}

impl Connect {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let authority = listener.local_addr().expect("a bound socket").to_string();
        let carried = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&carried);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let counted = Arc::clone(&counted);
                thread::spawn(move || carry(client, &counted));
            }
        });
        Self { authority, carried }
    }
}

fn carry(mut client: TcpStream, carried: &AtomicUsize) -> Option<()> {
    let mut first = [0];
    client.peek(&mut first).ok()?;
    if first != *b"C" {
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").ok()?;
        return client.shutdown(Shutdown::Both).ok();
    }
    // Read byte by byte, so that no byte behind the head is consumed.
    let mut head = BufReader::with_capacity(1, client.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if head.read_line(&mut line).is_err() || !line.starts_with(|c: char| c.is_ascii_uppercase())
        {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    // alice:hunter2
    let is_known =
        lines.iter().any(|line| line == "Proxy-Authorization: Basic YWxpY2U6aHVudGVyMg==");
    if !is_known {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").ok()?;
        return client.shutdown(Shutdown::Both).ok();
    }
    let target = lines.first()?.split(' ').nth(1)?.to_owned();
    let mut server = TcpStream::connect(target).ok()?;
    carried.fetch_add(1, Ordering::Relaxed);
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let (mut from_server, mut to_client) = (server.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || {
        let _ = copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    let _ = copy(&mut client, &mut server);
    server.shutdown(Shutdown::Write).ok()
}
