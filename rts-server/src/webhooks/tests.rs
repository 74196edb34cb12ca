//! Webhooks over real sockets, between a server with engines and a faulty back end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rts_proto::AppId;
use rts_proto::server::{Command, Report, Returned, ShardId, Shards as _};
use rts_transport_tokio::{Engine, Events, Room};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::Webhooks;
use super::post::{Timing, signature};
use crate::Config;

const APP_ID: &str = "123456781234567812345678";
const SECRET: &str = "the secret of these tests";
/// Only a broken test reaches this timeout.
const PATIENCE: Duration = Duration::from_secs(30);

/// Short times, so that the tests are fast.
const TIMING: Timing = Timing {
    post_timeout: Duration::from_millis(300),
    wait_first: Duration::from_millis(5),
    wait_max: Duration::from_millis(20),
};

/// The reaction of a back end to a post.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answers(u16),
    /// Takes the post, and never answers.
    Hangs,
    /// Closes the connection.
    Closes,
    /// Answers with bytes that are not HTTP.
    Babbles,
}

/// A back end that follows a script, one post after the other, and then takes every post.
struct BackEnd {
    url: String,
    posts: mpsc::UnboundedReceiver<Post>,
}

#[derive(Debug)]
struct Post {
    head: String,
    body: Vec<u8>,
}

impl Post {
    fn events(&self) -> Vec<Value> {
        let body: Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(body["app_id"], APP_ID);
        body["events"].as_array().expect("a list").clone()
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case(wanted).then_some(value)
        })
    }
}

impl BackEnd {
    async fn start(script: impl IntoIterator<Item = Does>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let (say, posts) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), say.clone()));
            }
        });
        Self { url, posts }
    }

    async fn next(&mut self) -> Post {
        let post = tokio::time::timeout(PATIENCE, self.posts.recv()).await;
        post.expect("a post comes").expect("the back end runs")
    }

    /// The first `count` distinct events, in the order of arrival.
    async fn distinct(&mut self, count: usize) -> Vec<Value> {
        let mut seen = BTreeMap::new();
        let mut events = Vec::new();
        while events.len() < count {
            for event in self.next().await.events() {
                let id = event["id"].as_str().expect("an id").to_owned();
                match seen.insert(id, event.clone()) {
                    None => events.push(event),
                    Some(before) => assert_eq!(before, event, "a repeated event is unchanged"),
                }
            }
        }
        events
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Does>>>,
    say: mpsc::UnboundedSender<Post>,
) {
    while let Some(post) = read(&mut stream).await {
        let next = script.lock().expect("not poisoned").pop_front();
        let _ = say.send(post);
        let answer = match next.unwrap_or(Does::Answers(204)) {
            Does::Answers(status) => {
                format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nLocation: /other\r\n\r\n")
            }
            Does::Hangs => std::future::pending().await,
            Does::Closes => return,
            Does::Babbles => "220 mail.example ESMTP\r\n\r\n".to_owned(),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Post> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let post = Post { head: head.to_owned(), body: bytes.split_off(head.len() + 4) };
            let length =
                post.header("content-length").expect("a length").parse().expect("a number");
            let Post { head, mut body } = post;
            while body.len() < length {
                let mut buffer = [0; 4_096];
                match stream.read(&mut buffer).await {
                    Ok(count @ 1..) => body.extend_from_slice(&buffer[..count]),
                    _ => return None,
                }
            }
            assert!(head.starts_with("POST /hook HTTP/1.1"), "{head}");
            return Some(Post { head, body });
        }
        let mut buffer = [0; 4_096];
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

fn config(url: &str) -> Config {
    let text = format!(
        "shards = 1\nlisten = \"127.0.0.1:0\"\n[apps.{APP_ID}]\nkeys = [\"app key\"]\n\
         [apps.{APP_ID}.webhook]\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n"
    );
    Config::parse(&text).expect("a valid configuration")
}

fn app() -> AppId {
    AppId::new(APP_ID).expect("well formed")
}

/// Running webhooks, and one event for each of `users` users.
fn happen(back_end: &BackEnd, users: usize) {
    let hooks =
        Webhooks::with_timing(&config(&back_end.url), 7, TIMING).expect("a valid configuration");
    let watcher = hooks.watcher().expect("there is a webhook");
    hooks.queues().server_started();
    tokio::spawn(hooks.run());
    for number in 0..users {
        let uid = format!("user-{number}").parse().expect("well formed");
        watcher.happened(ShardId::FIRST, app(), Report::UserOnline { uid });
    }
}

fn users(events: &[Value]) -> Vec<String> {
    let names = events.iter().filter_map(|event| event["user_id"].as_str());
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn post_is_signed_and_has_the_event() {
    let mut back_end = BackEnd::start([]).await;
    happen(&back_end, 0);
    let post = back_end.next().await;
    let [event] = &post.events()[..] else { panic!("{post:?}") };
    assert_eq!(event["type"], "server.started");
    assert_eq!(event["id"], "0000000000000007-1");
    assert!(event["time"].as_u64().is_some_and(|millis| millis > 1_700_000_000_000));
    assert_eq!(post.header("content-type"), Some("application/json"));
    let header = post.header("rts-signature").expect("signed");
    let seconds = header.strip_prefix("t=").and_then(|rest| rest.split(',').next());
    let seconds = seconds.expect("a time").parse().expect("a number");
    assert_eq!(header, signature(SECRET, &app(), seconds, &post.body));
}

/// Computed with Python's `hmac`, as in the manual.
#[test]
fn signature_matches_the_manual() {
    let header = signature("webhook secret", &app(), 1_700_000_000, br#"{"events":[]}"#);
    assert_eq!(
        header,
        "t=1700000000,app=123456781234567812345678,\
         v1=5e05e0f231020b484352a090784ef0fc6b6ba8a191fcaf1f621930f78b27fcb5"
    );
}

#[tokio::test]
async fn recovered_back_end_misses_no_event() {
    let failures = [
        Does::Answers(500),
        Does::Answers(404),
        Does::Answers(302),
        Does::Closes,
        Does::Babbles,
        Does::Hangs,
        Does::Answers(199),
        Does::Answers(300),
    ];
    let mut back_end = BackEnd::start(failures).await;
    happen(&back_end, 250);
    let events = back_end.distinct(251).await;
    let expected: Vec<_> = (0..250).map(|number| format!("user-{number}")).collect();
    assert_eq!(users(&events), expected, "in order");
}

#[tokio::test]
async fn repeated_event_keeps_its_id() {
    let mut back_end = BackEnd::start([Does::Answers(503), Does::Answers(503)]).await;
    happen(&back_end, 3);
    let ids = |post: &Post| post.events().iter().map(|e| e["id"].clone()).collect::<Vec<_>>();
    let first = back_end.next().await;
    for _ in 0..2 {
        let again = ids(&back_end.next().await);
        assert_eq!(again[..ids(&first).len()], ids(&first)[..]);
    }
}

#[tokio::test]
async fn any_2xx_status_takes_the_batch() {
    let mut back_end = BackEnd::start([Does::Answers(200), Does::Answers(299)]).await;
    happen(&back_end, 250);
    let mut posts = Vec::new();
    while posts.iter().map(Vec::len).sum::<usize>() < 251 {
        posts.push(back_end.next().await.events());
    }
    let ids: Vec<_> = posts.concat().iter().map(|event| event["id"].clone()).collect();
    let expected: Vec<_> = (1..=251).map(|n| json!(format!("0000000000000007-{n}"))).collect();
    assert_eq!(ids, expected, "no event repeats");
    assert!(posts.iter().all(|events| events.len() <= 100));
}

#[tokio::test]
async fn dropped_events_are_counted() {
    let mut back_end = BackEnd::start([]).await;
    let hooks =
        Webhooks::with_timing(&config(&back_end.url), 7, TIMING).expect("a valid configuration");
    let watcher = hooks.watcher().expect("there is a webhook");
    hooks.queues().server_started();
    for number in 0..10_010 {
        let uid = format!("user-{number}").parse().expect("well formed");
        watcher.happened(ShardId::FIRST, app(), Report::UserOnline { uid });
    }
    tokio::spawn(hooks.run());
    let post = back_end.next().await;
    let body: Value = serde_json::from_slice(&post.body).expect("JSON");
    assert_eq!(body["lost"], 11, "the start and ten users were dropped");
    assert_eq!(users(&post.events())[0], "user-10");
    let body: Value = serde_json::from_slice(&back_end.next().await.body).expect("JSON");
    assert_eq!(body["lost"], 0, "the loss was reported before");
}

/// Alice's engine, in the room lobby of this server.
async fn visitor(address: std::net::SocketAddr) -> (Engine, Events, Room) {
    let engine =
        rts_transport_tokio::connect(&format!("rts://{address}"), APP_ID).expect("an engine");
    let mut events = engine.events();
    let key = rts_token::AppKey::new("app key").expect("a key");
    let token = rts_token::Token::new(APP_ID, "alice", rts_token::Expiry::Never)
        .expect("a user")
        .sign(&key);
    engine.login(&token, "alice").expect("accepted");
    engine.set_business_id("vip").expect("outside all rooms");
    let room = engine.create_room("lobby").expect("a room");
    let is_in = |event: &rts_transport_tokio::Event| {
        matches!(event, rts_transport_tokio::Event::LoginResult { .. })
    };
    while !is_in(&events.next().await.expect("the engine runs")) {}
    room.join().expect("accepted");
    (engine, events, room)
}

/// The whole path from an engine's login to the back end.
#[tokio::test]
async fn visit_of_user_is_reported() {
    let mut back_end = BackEnd::start([Does::Answers(500)]).await;
    let server = crate::Server::bind(&config(&back_end.url)).await.expect("the server starts");
    let address = server.local_addr();
    tokio::spawn(server.run(std::future::pending()));
    let (engine, _events, _room) = visitor(address).await;
    let events = back_end.distinct(4).await;
    let types: Vec<_> = events.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["server.started", "user.online", "room.created", "room.joined"]);
    let joined = &events[3];
    assert_eq!(
        (&joined["room_id"], &joined["user_id"], &joined["business_id"]),
        (&json!("lobby"), &json!("alice"), &json!("vip"))
    );
    engine.logout();
    let events = back_end.distinct(3).await;
    let types: Vec<_> = events.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["room.left", "room.emptied", "user.offline"]);
    assert_eq!(events[2]["reason"], 0);
}

#[tokio::test]
async fn put_out_user_is_reported() {
    let mut back_end = BackEnd::start([]).await;
    let server = crate::Server::bind(&config(&back_end.url)).await.expect("the server starts");
    let (address, node) = (server.local_addr(), server.node.clone());
    tokio::spawn(server.run(std::future::pending()));
    let _visitor = visitor(address).await;
    back_end.distinct(4).await;
    let alice = "alice".parse().expect("well formed");
    let put_out = Command::PutOut { app_id: &app(), uid: &alice };
    assert_eq!(node.commands().command(put_out), Returned::Whether(true));
    let events = back_end.distinct(3).await;
    let events = events.iter().map(|event| (&event["type"], &event["reason"]));
    assert_eq!(
        events.collect::<Vec<_>>(),
        [
            (&json!("room.left"), &json!(3)),
            (&json!("room.emptied"), &Value::Null),
            (&json!("user.offline"), &json!(3))
        ]
    );
}
