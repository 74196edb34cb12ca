//! What the listener does not wait for, and what it makes wait. The clock is the tests': it moves when everybody waits for it.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::answer::BODY_TIMEOUT;
use super::listen::{CONNECTIONS_MAX, HEAD_TIMEOUT, serve_connection};
use crate::{Config, Server};

const CONFIG: &str = r#"
    listen = "127.0.0.1:0"
    [apps.123456781234567812345678]
    keys = ["app key"]
    [openapi]
    listen = "127.0.0.1:0"
    [[openapi.bearer_keys]]
    name = "test"
    key = "the-bearer-key-of-this-test"
    apps = ["123456781234567812345678"]
"#;
const TICK: Duration = Duration::from_millis(1);
const HEALTHY: &str = r#"{"status":"ok"}"#;

async fn server() -> Server {
    let config = Config::parse(CONFIG).expect("it can be used");
    Server::bind(&config).await.expect("loopback has ports")
}

/// What a connection answers when its request comes in two pieces, with this time between them.
async fn answer(first: &str, pause: Duration, second: &str) -> String {
    let router = server().await.openapi.expect("it is configured").router;
    let (near, mut far) = duplex(65_536);
    tokio::spawn(serve_connection(near, router));
    far.write_all(first.as_bytes()).await.expect("it is open");
    sleep(pause).await;
    // Whoever is no longer waited for finds it closed.
    let _ = far.write_all(second.as_bytes()).await;
    let mut answer = String::new();
    let _ = far.read_to_string(&mut answer).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn a_head_is_waited_for_so_long_and_not_longer() {
    let (first, second) = ("GET /health HTTP/1.1\r\n", "Host: x\r\nConnection: close\r\n\r\n");
    let in_time = answer(first, HEAD_TIMEOUT - TICK, second).await;
    assert!(in_time.starts_with("HTTP/1.1 200"), "{in_time}");
    let too_late = answer(first, HEAD_TIMEOUT + TICK, second).await;
    assert!(!too_late.contains(HEALTHY), "{too_late}");
}

#[tokio::test(start_paused = true)]
async fn a_body_is_waited_for_so_long_and_not_longer() {
    let body = r#"{"AppId": "123456781234567812345678", "From": "a", "To": "b", "Message": "hi"}"#;
    let head = format!(
        "POST /?Action=SendUnicast&Version=2023-07-20 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Bearer the-bearer-key-of-this-test\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (start, rest) = body.split_at(10);
    let first = format!("{head}{start}");
    let in_time = answer(&first, BODY_TIMEOUT - TICK, rest).await;
    assert!(in_time.starts_with("HTTP/1.1 200"), "{in_time}");
    let too_late = answer(&first, BODY_TIMEOUT + TICK, rest).await;
    assert!(too_late.starts_with("HTTP/1.1 400"), "{too_late}");
    assert!(too_late.contains("did not come within 10 s"), "{too_late}");
}

/// Asks without waiting either: the system takes a connection before it is accepted.
fn ask(openapi: SocketAddr) -> TcpStream {
    let mut stream = std::net::TcpStream::connect(openapi).expect("it listens");
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").expect("it has room");
    stream.set_nonblocking(true).expect("a socket");
    TcpStream::from_std(stream).expect("a socket")
}

/// Looks for the answer without waiting for it: while nobody waits the clock stands, however long that takes, and no connection
/// is closed because it is idle.
async fn is_answered(stream: &TcpStream, looks_max: usize) -> bool {
    let mut answer = String::new();
    let mut buffer = [0; 1_024];
    for _ in 0..looks_max {
        match stream.try_read(&mut buffer) {
            Ok(count) => answer.push_str(&String::from_utf8_lossy(&buffer[..count])),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        if answer.contains(HEALTHY) {
            return true;
        }
        yield_now().await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn so_many_connections_are_served_and_one_more_when_one_of_them_ends() {
    // Looks are short; whoever is served is answered after a few.
    const LOOKS_MAX: usize = 1_000_000;
    const LOOKS_FOR_NOTHING: usize = 10_000;
    rlimit::increase_nofile_limit(4 * CONNECTIONS_MAX as u64).expect("each has two ends here");
    let server = server().await;
    let openapi = server.openapi_addr().expect("it is configured");
    tokio::spawn(server.run(std::future::pending()));
    let mut served = Vec::new();
    for number in 1..=CONNECTIONS_MAX {
        let stream = ask(openapi);
        assert!(is_answered(&stream, LOOKS_MAX).await, "connection {number}");
        served.push(stream);
    }
    let one_more = ask(openapi);
    assert!(!is_answered(&one_more, LOOKS_FOR_NOTHING).await);
    served.pop();
    assert!(is_answered(&one_more, LOOKS_MAX).await);
}
