//! Timeouts and bounds of the listener. The clock of the tests is paused: it advances when all
//! tasks wait.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rts_proto::AppId;
use rts_proto::server::Shards as _;
use socket2::{Domain, Socket, Type};
use tokio::io::{
    AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf, duplex, sink,
};
use tokio::net::TcpStream;
use tokio::task::{unconstrained, yield_now};
use tokio::time::{Instant, sleep};

use super::answer::BODY_TIMEOUT;
use super::connection::serve_connection;
use super::framing::{Framing, Heads};
use super::listen::Connections;
use super::places::{CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX};
use super::polls::Polls;
use super::timed::{HEAD_TIMEOUT, IDLE_TIMEOUT, Progress, REQUEST_TIMEOUT, Timed};
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
/// A request that is answered at once, at no cost.
const GET: &str = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";
const ANSWERED: &str = "HTTP/1.1 404";

async fn server() -> Server {
    let config = Config::parse(CONFIG).expect("a valid configuration");
    Server::bind(&config).await.expect("a free port")
}

/// The answer to a request in two pieces, with this pause between them.
async fn answer(first: &str, pause: Duration, second: &str) -> String {
    let router = server().await.openapi.expect("a configured OpenAPI").router;
    let (near, mut far) = duplex(65_536);
    tokio::spawn(serve_connection(near, router, Arc::default(), Polls::new()));
    far.write_all(first.as_bytes()).await.expect("an open connection");
    sleep(pause).await;
    // A connection that has timed out is closed.
    let _ = far.write_all(second.as_bytes()).await;
    let mut answer = String::new();
    let _ = far.read_to_string(&mut answer).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn head_has_a_timeout() {
    let close = "Host: x\r\nConnection: close\r\n\r\n";
    // The timeout also covers the first byte.
    for (first, second) in [
        ("GET /nothing HTTP/1.1\r\n", close.to_owned()),
        ("", format!("GET /nothing HTTP/1.1\r\n{close}")),
    ] {
        let in_time = answer(first, HEAD_TIMEOUT - TICK, &second).await;
        assert!(in_time.starts_with(ANSWERED), "{in_time}");
        let too_late = answer(first, HEAD_TIMEOUT + TICK, &second).await;
        assert!(!too_late.contains(ANSWERED), "{too_late}");
    }
}

#[tokio::test(start_paused = true)]
async fn idle_connection_outlasts_those_of_proxies() {
    assert!(IDLE_TIMEOUT >= Duration::from_secs(75));
    for (pause, count) in [(IDLE_TIMEOUT - TICK, 2), (IDLE_TIMEOUT + TICK, 1)] {
        let second = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let answers = answer(GET, pause, &second).await;
        assert_eq!(answers.matches(ANSWERED).count(), count, "{pause:?}: {answers}");
    }
}

/// How long a connection is served whose requests come at once, if the client reads this many bytes
/// of the answers per second.
async fn held(requests: &str, bytes_per_second: usize) -> Duration {
    let router = server().await.openapi.expect("a configured OpenAPI").router;
    let (near, far) = duplex(512);
    let begun = Instant::now();
    let served = tokio::spawn(async move {
        let _ = serve_connection(near, router, Arc::default(), Polls::new()).await;
        begun.elapsed()
    });
    let (mut reads, mut writes) = tokio::io::split(far);
    let requests = requests.to_owned();
    tokio::spawn(async move {
        let _ = writes.write_all(requests.as_bytes()).await;
        std::future::pending::<()>().await;
    });
    let mut buffer = vec![0; bytes_per_second];
    while !served.is_finished() {
        sleep(Duration::from_secs(1)).await;
        if bytes_per_second > 0 {
            let _ = reads.read_exact(&mut buffer).await;
        }
    }
    served.await.expect("the task ends")
}

#[tokio::test(start_paused = true)]
async fn unread_answers_hold_a_connection_for_one_request() {
    let large = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    for requests in [large.to_owned(), large.repeat(90)] {
        for bytes_per_second in [0, 1, 100] {
            let held = held(&requests, bytes_per_second).await;
            assert!(held >= REQUEST_TIMEOUT, "{held:?}");
            assert!(held <= REQUEST_TIMEOUT + Duration::from_secs(1), "{held:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn half_closed_request_is_answered() {
    let body = r#"{"AppId": "123456781234567812345678", "From": "a", "To": "b", "Message": "hi"}"#;
    let post = format!(
        "POST /?Action=SendUnicast&Version=2023-07-20 HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer the-bearer-key-of-this-test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for (request, status) in [(GET, ANSWERED), (&post, "HTTP/1.1 200")] {
        let router = server().await.openapi.expect("a configured OpenAPI").router;
        let (near, mut far) = duplex(65_536);
        far.write_all(request.as_bytes()).await.expect("an open connection");
        far.shutdown().await.expect("an open connection");
        let _ = serve_connection(near, router, Arc::default(), Polls::new()).await;
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.expect("text");
        assert!(answer.starts_with(status), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn body_has_a_timeout() {
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

/// Nothing of the request is carried out, so its connection may end for another one.
#[tokio::test(start_paused = true)]
async fn request_without_its_body_yields_its_place() {
    let server = server().await;
    let node = server.node.clone();
    let router = server.openapi.expect("a configured OpenAPI").router;
    let app = AppId::new("123456781234567812345678").expect("well formed");
    let bans = || node.commands().app_stats(&app).bans;
    let body = r#"{"AppId": "123456781234567812345678", "Seconds": 60}"#;
    let post = format!(
        "POST /v1/users/bob/ban HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Bearer the-bearer-key-of-this-test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for makes_way in [true, false] {
        let (near, mut far) = duplex(65_536);
        let progress = Arc::new(Progress::default());
        let (router, polls) = (router.clone(), Polls::new());
        let served = tokio::spawn(serve_connection(near, router, Arc::clone(&progress), polls));
        let (first, rest) = post.split_at(post.len() - 1);
        far.write_all(first.as_bytes()).await.expect("an open connection");
        sleep(TICK).await;
        if makes_way {
            assert!(progress.end());
        }
        let _ = far.write_all(rest.as_bytes()).await;
        let mut answer = String::new();
        let _ = far.read_to_string(&mut answer).await;
        assert_eq!(answer.starts_with("HTTP/1.1 200"), !makes_way, "{answer}");
        assert_eq!(bans(), usize::from(!makes_way));
        drop(served.await);
    }
}

/// Sends a request without waiting: the system completes the connection before the server accepts
/// it. `from` is the last byte of a loopback address.
fn ask(openapi: SocketAddr, from: u8) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, from], 0)).into()).expect("all of 127 is ours");
    socket.connect(&openapi.into()).expect("a listening server");
    let mut stream = std::net::TcpStream::from(socket);
    stream.write_all(GET.as_bytes()).expect("it has room");
    stream.set_nonblocking(true).expect("a socket");
    TcpStream::from_std(stream).expect("a socket")
}

/// Polls for the answer instead of waiting. The paused clock does not advance while a task is
/// ready, so no connection times out meanwhile.
async fn is_answered(stream: &TcpStream, looks_max: usize) -> bool {
    let mut answer = String::new();
    let mut buffer = [0; 1_024];
    for _ in 0..looks_max {
        match stream.try_read(&mut buffer) {
            Ok(count) => answer.push_str(&String::from_utf8_lossy(&buffer[..count])),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        if answer.contains(ANSWERED) {
            return true;
        }
        yield_now().await;
    }
    false
}

/// The bound also holds while connections arrive faster than others end for them.
#[tokio::test(start_paused = true)]
async fn number_of_connections_is_bounded_under_flood() {
    let router = server().await.openapi.expect("a configured OpenAPI").router;
    let mut connections = Connections::new(router);
    let mut far_ends = Vec::new();
    for number in 0..3 * CONNECTIONS_MAX {
        let (near, far) = duplex(64);
        let peer = SocketAddr::from(([127, 0, 0, (number % 250) as u8], 1));
        connections.serve(near, peer).await;
        far_ends.push(far);
        assert_eq!(connections.len(), CONNECTIONS_MAX.min(number + 1));
    }
    let mut open = 0;
    for far in &mut far_ends {
        let is_closed = poll_fn(|context| {
            let mut buffer = [0; 1];
            let mut buffer = ReadBuf::new(&mut buffer);
            Poll::Ready(Pin::new(&mut *far).poll_read(context, &mut buffer).is_ready())
        });
        open += usize::from(!unconstrained(is_closed).await);
    }
    assert_eq!(open, CONNECTIONS_MAX, "connections that yielded are closed");
}

#[tokio::test(start_paused = true)]
async fn newcomer_replaces_longest_waiting_when_full() {
    // A poll is short. A connection that is served has its answer after a few.
    const LOOKS_MAX: usize = 1_000_000;
    rlimit::increase_nofile_limit(4 * CONNECTIONS_MAX as u64).expect("each has two ends here");
    let server = server().await;
    let openapi = server.openapi_addr().expect("a configured OpenAPI");
    tokio::spawn(server.run(std::future::pending()));
    let mut served = Vec::new();
    for number in 1..=CONNECTIONS_MAX {
        let stream = ask(openapi, if number <= CONNECTIONS_PER_ADDRESS_MAX { 1 } else { 2 });
        assert!(is_answered(&stream, LOOKS_MAX).await, "connection {number}");
        served.push(stream);
    }
    let one_more = ask(openapi, 3);
    assert!(is_answered(&one_more, LOOKS_MAX).await);
    let is_over = |stream: &TcpStream| matches!(stream.try_read(&mut [0; 1_024]), Ok(0));
    let mut over = Vec::new();
    for _ in 0..LOOKS_MAX {
        yield_now().await;
        over = (0..served.len()).filter(|number| is_over(&served[*number])).collect();
        if !over.is_empty() {
            break;
        }
    }
    assert_eq!(over, [0], "of two equal addresses, only the oldest connection ends");
}

#[tokio::test]
async fn connection_writes_about_64_kib_per_turn() {
    const BLOCK_BYTES: usize = 4 * 1_024;
    const TURN_BYTES: usize = 64 * 1_024;
    let framing = Framing::new(Heads::default(), 1_024);
    let mut stream = Timed::new(sink(), framing, Arc::default());
    let written = poll_fn(|context| {
        let mut bytes = 0;
        while let Poll::Ready(result) = Pin::new(&mut stream).poll_write(context, &[0; BLOCK_BYTES])
        {
            bytes += result.expect("everything is taken");
        }
        Poll::Ready(bytes)
    });
    let written = written.await;
    let about = TURN_BYTES - 2 * BLOCK_BYTES..=TURN_BYTES + BLOCK_BYTES;
    assert!(about.contains(&written), "{written} bytes");
}
