//! Many messages to an app server that takes a second for each. The held bytes and posts stay
//! within their bounds, and messages between users are not delayed. `--nocapture` shows the
//! figures. The assertions compare counts and bytes, not times.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rts_proto::limits::{
    PAYLOAD_BYTES_MAX, POSTS_PER_APP_MAX, POSTS_PER_USER_MAX, POSTS_WAITING_MAX,
    SIGNATURE_BYTES_MAX, URL_BYTES_MAX,
};
use rts_server::{Config, DEV_APP_ID, DEV_APP_KEY, Server, ShardCount};
use rts_token::{AppKey, Expiry, Token};
use rts_transport_tokio::server::Node;
use rts_transport_tokio::{
    Engine, Event, Events, LoginCode, MessageConfig, SendCode, ServerParamsCode, connect,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const SENDERS: usize = 25;
/// Messages of each sender. All senders together send 1,000 per second.
const MESSAGES: usize = 120;
const PAUSE: Duration = Duration::from_millis(25);
const PAYLOAD_BYTES: usize = 16 * 1_024;
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// The record of the app server.
#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

async fn slow_app_server(seen: Arc<Seen>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_slowly(stream, Arc::clone(&seen)));
        }
    });
    address
}

async fn answer_slowly(mut stream: TcpStream, seen: Arc<Seen>) {
    let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most_open.fetch_max(open, Ordering::SeqCst);
    let mut request = Vec::new();
    let mut chunk = vec![0; 64 * 1_024];
    while !request.ends_with(b"\"}") {
        match stream.read(&mut chunk).await {
            Ok(bytes) if bytes > 0 => request.extend_from_slice(&chunk[..bytes]),
            _ => break,
        }
    }
    seen.requests.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(ANSWER_TIME).await;
    seen.open.fetch_sub(1, Ordering::SeqCst);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await;
}

async fn log_in(url: &str, uid: &str) -> (Engine, Events) {
    let engine = connect(url, DEV_APP_ID).expect("an engine");
    let mut events = engine.events();
    let key = AppKey::new(DEV_APP_KEY).expect("a key");
    let token = Token::new(DEV_APP_ID, uid, Expiry::Never).expect("a user id").sign(&key);
    engine.login(&token, uid).expect("accepted");
    loop {
        if let Event::LoginResult { code, .. } = events.next().await.expect("the engine runs") {
            assert_eq!(code, LoginCode::Ok);
            return (engine, events);
        }
    }
}

/// A server, and many users who may post to a slow app server.
async fn crowd(seen: &Arc<Seen>) -> (Vec<Engine>, String, Node) {
    let app_server = slow_app_server(Arc::clone(seen)).await;
    let mut config = Config::development("127.0.0.1:0".parse().expect("an address"));
    config.openapi = None;
    // Each shard has its part of the bounds.
    config.shards = ShardCount::ONE;
    // The rates must not limit this load.
    config.limits.server_sends_per_second = 0;
    config.limits.sends_per_second = 0;
    let server = Server::bind(&config).await.expect("a listening server");
    let (url, node) = (format!("rts://{}", server.local_addr()), server.node());
    tokio::spawn(server.run(std::future::pending()));

    let target = format!("http://{app_server}/");
    let mut senders = Vec::new();
    for number in 0..SENDERS {
        let (engine, mut events) = log_in(&url, &format!("sender-{number}")).await;
        engine.set_server_params("signature", &target);
        while events.next().await != Some(Event::ServerParamsSetResult(ServerParamsCode::Ok)) {}
        senders.push(engine);
    }
    (senders, url, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_app_server_costs_bounded_memory() {
    let seen = Arc::new(Seen::default());
    let (senders, url, node) = crowd(&seen).await;
    // Each result is awaited at once, because untaken events would stop alice's link.
    let (alice, _) = log_in(&url, "alice").await;
    let (_bob, mut bobs) = log_in(&url, "bob").await;

    let sending: Vec<_> = senders
        .into_iter()
        .map(|engine| {
            tokio::spawn(async move {
                let mut sent = Vec::new();
                for _ in 0..MESSAGES {
                    let text = "x".repeat(PAYLOAD_BYTES);
                    sent.push(engine.send_server_message(text).expect("accepted"));
                    tokio::time::sleep(PAUSE).await;
                }
                let mut codes = Vec::new();
                for result in sent {
                    codes.push(result.await.code);
                }
                codes
            })
        })
        .collect();

    // Meanwhile alice sends to bob, one message at a time, and the shard's statistics are sampled.
    let (mut delays, mut beside_posts) = (Vec::new(), 0);
    let (mut most_waiting, mut most_under_way, mut most_bytes) = (0, 0, 0);
    while !sending.iter().all(tokio::task::JoinHandle::is_finished) {
        let begun = Instant::now();
        let sent = alice.send_message("bob", "hi", MessageConfig::ReliableOrdered);
        assert_eq!(sent.expect("accepted").await, SendCode::Ok);
        delays.push(begun.elapsed());
        while !matches!(bobs.next().await, Some(Event::MessageReceived { .. })) {}
        let stats = node.stats();
        beside_posts += usize::from(stats.posts_under_way > 0);
        most_waiting = most_waiting.max(stats.posts_waiting);
        most_under_way = most_under_way.max(stats.posts_under_way);
        most_bytes = most_bytes.max(stats.post_bytes);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut codes = Vec::new();
    for sender in sending {
        codes.extend(sender.await.expect("no panic"));
    }

    let count = |code: SendCode| codes.iter().filter(|other| **other == code).count();
    let (ok, over, given_up) =
        (count(SendCode::Ok), count(SendCode::OverRate), count(SendCode::ServerNotReached));
    delays.sort_unstable();
    println!(
        "{} messages: {ok} answered, {over} over the bound, {given_up} given up; at most {most_under_way} posts under way, \
         {most_waiting} waiting, {most_bytes} bytes; {} messages between users, half within {:?}, 99 of 100 within {:?}, all \
         within {:?}",
        codes.len(),
        delays.len(),
        delays[delays.len() / 2],
        delays[delays.len() * 99 / 100],
        delays[delays.len() - 1],
    );
    assert_eq!(codes.len(), SENDERS * MESSAGES);
    assert!(ok > 0 && over > 0, "the app server was used and overloaded");
    let unknown = codes.len() - ok - over;
    let requests = seen.requests.load(Ordering::SeqCst);
    assert!((ok..=ok + unknown).contains(&requests), "{requests}: each is posted at most once");
    assert!(seen.most_open.load(Ordering::SeqCst) <= POSTS_PER_APP_MAX);
    assert!(most_under_way <= POSTS_PER_APP_MAX.min(SENDERS * POSTS_PER_USER_MAX));
    assert!(most_waiting <= POSTS_WAITING_MAX);
    let bytes_of_one = PAYLOAD_BYTES_MAX + SIGNATURE_BYTES_MAX + URL_BYTES_MAX;
    assert!(most_bytes <= (POSTS_PER_APP_MAX + POSTS_WAITING_MAX) * bytes_of_one);
    assert!(most_bytes > POSTS_PER_APP_MAX * PAYLOAD_BYTES, "the samples were taken under load");
    assert!(beside_posts > 100, "only {beside_posts} messages between users arrived meanwhile");
    let stats = node.stats();
    assert_eq!((stats.posts_waiting, stats.posts_under_way, stats.post_bytes), (0, 0, 0));
}

/// When a runtime shuts down, each dropped post frees a place for the next post, which is dropped
/// too. If these drops were nested, the stack would overflow.
#[test]
fn runtime_shutdown_drops_posts_without_recursion() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (_senders, node) = runtime.block_on(async {
        let (senders, _, node) = crowd(&Arc::new(Seen::default())).await;
        for number in 0..POSTS_PER_APP_MAX + POSTS_WAITING_MAX {
            drop(senders[number % SENDERS].send_server_message("x").expect("accepted"));
        }
        while node.stats().posts_waiting < POSTS_WAITING_MAX / 2 {
            tokio::task::yield_now().await;
        }
        (senders, node)
    });
    drop(runtime);
    let stats = node.stats();
    assert_eq!((stats.posts_waiting, stats.posts_under_way), (0, 0));
}
