//! Messages to the app server: `rts engine` through `rts serve` to a real HTTP server.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Engine, Server};

/// Only a broken test reaches this timeout.
const PATIENCE: Duration = Duration::from_secs(20);
const SIGNATURE: &str = "a signature that nobody else may see";
const MESSAGE: &str = "a message that nobody else may see";

/// An app server whose answer depends on the path.
struct AppServer {
    port: u16,
    requests: Receiver<(String, Value)>,
    /// Releases the answer to one request for `/late`.
    answer_late: Sender<()>,
}

impl AppServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let (report, requests) = channel();
        let (answer_late, late) = channel();
        std::thread::spawn(move || {
            let mut late = Some(late);
            for stream in listener.incoming().map_while(Result::ok) {
                let report = report.clone();
                let (head, body, stream) = read(stream);
                let waits = if head.starts_with("POST /late ") { late.take() } else { None };
                let _ = report.send((head.clone(), body.clone()));
                std::thread::spawn(move || answer(stream, &head, &body, waits));
            }
        });
        Self { port, requests, answer_late }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn request(&self) -> (String, Value) {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }
}

fn read(mut stream: TcpStream) -> (String, Value, TcpStream) {
    let mut request = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let bytes = stream.read(&mut chunk).expect("a request");
        assert!(bytes > 0, "half a request");
        request.extend_from_slice(&chunk[..bytes]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Ok(json) = serde_json::from_str(body) {
            return (head.to_owned(), json, stream);
        }
    }
}

fn answer(mut stream: TcpStream, head: &str, body: &Value, waits: Option<Receiver<()>>) {
    let path = head.split(' ').nth(1).expect("a path");
    let ok =
        |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let said = match path {
        "/echo" => ok(body["message"].as_str().expect("text")),
        "/long" => ok(&"x".repeat(65_536)),
        "/500" => "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "/redirect" => {
            "HTTP/1.1 307 There\r\nlocation: /echo\r\ncontent-length: 0\r\n\r\n".to_owned()
        }
        "/drip" => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel".to_owned(),
        "/hang" => String::new(),
        "/late" => {
            if let Some(waits) = waits {
                let _ = waits.recv();
            }
            ok("too late")
        }
        other => panic!("who asks for {other}?"),
    };
    let _ = stream.write_all(said.as_bytes());
    if matches!(path, "/drip" | "/hang") {
        let _ = stream.read(&mut [0]);
    }
}

fn set(engine: &mut Engine, signature: &str, url: &str) -> Value {
    let fields = json!({"signature": signature, "url": url});
    assert_eq!(engine.call("setServerParams", fields), Value::Null);
    engine.until("onServerParamsSetResult")["code"].take()
}

/// Sends a text, and returns id, code and reply of its result.
fn send(engine: &mut Engine, text: &str) -> (Value, Value, String) {
    let returned = engine.call("sendServerMessage", json!({"message": text}));
    let result = engine.until("onServerMessageSendResult");
    assert_eq!(result["msgid"], returned);
    (returned, result["code"].clone(), reply(&result))
}

fn reply(result: &Value) -> String {
    use base64::Engine as _;
    let base64 = result["base64"].as_str().expect("base64");
    let bytes = base64::prelude::BASE64_STANDARD.decode(base64).expect("base64");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn replies_and_codes_follow_the_contract() {
    let app = AppServer::start();
    let server = Server::start();
    let mut alice = server.engine();
    assert_eq!(send(&mut alice, "x"), (json!(1), json!(105), String::new()), "before login");
    assert_eq!(set(&mut alice, SIGNATURE, &app.url("/echo")), json!(105));
    alice.log_in("alice");
    assert_eq!(send(&mut alice, "x").1, json!(106), "before setServerParams");
    for (signature, url) in [
        ("", app.url("/echo")),
        ("line\nbreak", app.url("/echo")),
        ("s", String::new()),
        ("s", "http://10.0.0.1/".to_owned()),
        ("s", "http://169.254.169.254/".to_owned()),
        ("s", format!("http://127.1:{}/echo", app.port)),
        ("s", format!("http://LOCALHOST:{}/echo", app.port)),
        ("s", format!("{}#x", app.url("/echo"))),
    ] {
        assert_eq!(set(&mut alice, signature, &url), json!(1000), "{signature:?} {url}");
    }
    assert_eq!(send(&mut alice, "x").1, json!(106), "refused params are not set");

    assert_eq!(set(&mut alice, SIGNATURE, &app.url("/echo")), json!(200));
    assert_eq!(send(&mut alice, "hëllo"), (json!(4), json!(0), "hëllo".to_owned()));
    let (head, body) = app.request();
    assert_eq!(body, json!({"message": "hëllo", "binary": false, "signature": SIGNATURE}));
    assert_eq!(head.lines().next(), Some("POST /echo HTTP/1.1"));
    assert!(head.contains("content-type: text/plain; charset=utf-8"), "{head}");

    let id = alice.call("sendServerBinaryMessage", json!({"base64": "AP8NCg=="}));
    let result = alice.until("onServerMessageSendResult");
    assert_eq!((&id, &result["msgid"], &result["code"]), (&json!(5), &json!(5), &json!(0)));
    let (_, body) = app.request();
    assert_eq!(body, json!({"message": "AP8NCg==", "binary": true, "signature": SIGNATURE}));
    let to_bob = json!({"uid": "bob", "message": "x", "config": 0});
    assert_eq!(alice.call("sendMessage", to_bob), json!(6), "one sequence of ids");

    assert_eq!(set(&mut alice, SIGNATURE, &app.url("/long")), json!(200));
    assert_eq!(send(&mut alice, "x").2, "x".repeat(65_536));
    for (path, code) in [("/500", 18), ("/redirect", 18)] {
        assert_eq!(set(&mut alice, SIGNATURE, &app.url(path)), json!(200));
        assert_eq!(send(&mut alice, "x").1, json!(code), "{path}");
    }
    assert_eq!(set(&mut alice, "", &app.url("/echo")), json!(1000));
    assert_eq!(send(&mut alice, "x").1, json!(18), "the previous params stay in force");

    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = closed.local_addr().expect("a bound socket").port();
    drop(closed);
    assert_eq!(set(&mut alice, SIGNATURE, &format!("http://127.0.0.1:{port}/")), json!(200));
    assert_eq!(send(&mut alice, "x").1, json!(17), "a closed port");
    // The server does not post to itself.
    let own = server.url.replace("rts://", "http://");
    assert_eq!(set(&mut alice, SIGNATURE, &format!("{own}/")), json!(200));
    assert_eq!(send(&mut alice, "x").1, json!(17), "the server's own port");

    alice.call("logout", json!({}));
    alice.until("onLogout");
    assert_eq!(send(&mut alice, "x").1, json!(105));
    alice.log_in("alice");
    assert_eq!(send(&mut alice, "x").1, json!(106), "the params ended with the login");
}

/// The three timeouts of 5 seconds run in parallel.
#[test]
fn one_result_after_five_seconds() {
    let app = AppServer::start();
    let server = Server::start();
    let mut alice = server.user("alice");
    for path in ["/hang", "/drip", "/late"] {
        assert_eq!(set(&mut alice, SIGNATURE, &app.url(path)), json!(200));
        alice.call("sendServerMessage", json!({"message": path}));
    }
    let mut results: Vec<(u64, u64)> = (0..3)
        .map(|_| alice.until("onServerMessageSendResult"))
        .map(|result| {
            let number = |field: &str| result[field].as_u64().expect("a number");
            (number("msgid"), number("code"))
        })
        .collect();
    results.sort_unstable();
    assert_eq!(results, [(1, 17), (2, 18), (3, 17)]);
    app.answer_late.send(()).expect("the request waits");
    assert_eq!(set(&mut alice, SIGNATURE, &app.url("/echo")), json!(200));
    assert_eq!(send(&mut alice, "y"), (json!(4), json!(0), "y".to_owned()));
    let rest = alice.end();
    assert!(!rest.iter().any(|line| line["on"] == "onServerMessageSendResult"), "{rest:?}");
}

#[test]
fn configuration_without_a_list_posts_nowhere() {
    let app = AppServer::start();
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_without_rates(folder.path());
    let mut alice = server.user("alice");
    assert_eq!(set(&mut alice, SIGNATURE, &app.url("/echo")), json!(1000));
    assert_eq!(send(&mut alice, "x").1, json!(106));
    assert!(app.requests.try_recv().is_err());
}

#[test]
fn uses_no_proxy_and_logs_no_secret() {
    let app = AppServer::start();
    let trap = TcpListener::bind("127.0.0.1:0").expect("a free port");
    trap.set_nonblocking(true).expect("it can be");
    let proxy = format!("http://{}", trap.local_addr().expect("a bound socket"));
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let names =
        ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let variables: Vec<_> =
        names.into_iter().map(|name| (name, &*proxy)).chain([("RTS_LOG", "trace")]).collect();
    let server = Server::start_in(
        &["--dev", "--listen", "127.0.0.1:0"],
        &variables,
        File::create(&log).expect("a file").into(),
    );
    let mut alice = server.user("alice");
    for path in ["/echo", "/500"] {
        assert_eq!(set(&mut alice, SIGNATURE, &app.url(path)), json!(200));
        send(&mut alice, MESSAGE);
        app.request();
    }
    assert_eq!(set(&mut alice, SIGNATURE, "http://127.0.0.1:1/rts?secret=query"), json!(200));
    assert_eq!(send(&mut alice, MESSAGE).1, json!(17));
    assert!(trap.accept().is_err(), "the proxy was used");
    drop(server);
    let log = std::fs::read_to_string(log).expect("UTF-8");
    assert!(log.contains("url=http://127.0.0.1:1/rts "), "the log has origin and path: {log}");
    for secret in [SIGNATURE, MESSAGE, "secret=query"] {
        assert!(!log.contains(secret), "{secret:?} in {log}");
    }
}
