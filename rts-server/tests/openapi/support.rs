//! A server with real sockets, engines that are logged in, and raw HTTP requests.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rts_openapi::signature::{Parts, sign};
use rts_openapi::{Action, Method, Query};
use rts_server::{Config, Server};
use rts_token::{AppKey, Expiry, Token};
use rts_transport_tokio::{Engine, Event, Events, LoginCode, Room, RoomEvent, connect};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const APP_ID: &str = "123456781234567812345678";
pub(crate) const OTHER_APP: &str = "abcdefghabcdefghabcdefgh";
pub(crate) const BEARER: &str = "Bearer the-bearer-key-of-this-test";
pub(crate) const ACCESS_KEY: &str = "AKLTtest";
pub(crate) const SECRET: &str = "the-secret-key-of-this-test";

const CONFIG: &str = r#"
    listen = "127.0.0.1:0"
    [apps.123456781234567812345678]
    keys = ["app key"]
    [apps.abcdefghabcdefghabcdefgh]
    keys = ["other app key"]
    [openapi]
    listen = "127.0.0.1:0"
    [[openapi.bearer_keys]]
    name = "test"
    key = "the-bearer-key-of-this-test"
    apps = ["123456781234567812345678"]
    [[openapi.access_keys]]
    id = "AKLTtest"
    secret = "the-secret-key-of-this-test"
    apps = ["123456781234567812345678"]
"#;

/// Only a broken test reaches this timeout.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server, which stops with the runtime of the test.
pub(crate) struct World {
    links: SocketAddr,
    pub(crate) openapi: SocketAddr,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The status, and the `Code` of the error.
    pub(crate) fn error(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(json["Result"], Value::Null, "{json}");
        let error = &json["ResponseMetadata"]["Error"];
        assert!(error["CodeN"].is_u64(), "{json}");
        assert!(!error["Message"].as_str().expect("a text").is_empty());
        (self.status, error["Code"].as_str().expect("a name").to_owned())
    }

    /// The `Result` of a success.
    pub(crate) fn result(&self) -> Value {
        let json = self.json();
        assert_eq!(self.status, 200, "{json}");
        assert!(json["ResponseMetadata"].get("Error").is_none(), "{json}");
        json["Result"].clone()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts a server with these additional lines of configuration.
    pub(crate) async fn start_with(more: &str) -> Self {
        let config = Config::parse(&format!("{CONFIG}{more}")).expect("a valid configuration");
        let server = Server::bind(&config).await.expect("a free port");
        let links = server.local_addr();
        let openapi = server.openapi_addr().expect("a configured OpenAPI");
        tokio::spawn(server.run(std::future::pending()));
        Self { links, openapi }
    }

    /// An engine that is logged in.
    pub(crate) async fn log_in(&self, uid: &str) -> User {
        let engine = connect(&format!("rts://{}", self.links), APP_ID).expect("an engine");
        let mut events = engine.events();
        let key = AppKey::new("app key").expect("a key");
        let token = Token::new(APP_ID, uid, Expiry::Never).expect("a user").sign(&key);
        engine.login(&token, uid).expect("accepted");
        let is_in = |event: &Event| matches!(event, Event::LoginResult { code: LoginCode::Ok, .. });
        while !is_in(&next(&mut events).await) {}
        User { engine, events }
    }

    /// Sends a request with a bearer key, for the newest version.
    pub(crate) async fn ask(&self, action: Action, body: Value) -> Answer {
        self.ask_version(action, action.version(), body).await
    }

    pub(crate) async fn ask_version(&self, action: Action, version: &str, body: Value) -> Answer {
        let mut pairs = vec![("Action", action.name().to_owned()), ("Version", version.to_owned())];
        if action.method() == Method::Get {
            let fields = body.as_object().expect("an object").iter();
            pairs.extend(
                fields.map(|(name, value)| {
                    (name.as_str(), value.as_str().expect("a text").to_owned())
                }),
            );
        }
        let query = Query::of(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let (method, body) = match action.method() {
            Method::Get => ("GET", String::new()),
            Method::Post => ("POST", body.to_string()),
        };
        let target = format!("/?{}", query.canonical());
        self.http(method, &target, &[("Authorization", BEARER)], body.as_bytes()).await
    }

    /// Sends a signed request, whose clock is off by `clock` seconds.
    pub(crate) async fn ask_signed(&self, secret: &str, clock: i64, body: Value) -> Answer {
        let (target, body) = ("/?Action=SendUnicast&Version=2023-07-20", body.to_string());
        let query = Query::parse(&target[2..]);
        let headers = [("host".to_owned(), self.openapi.to_string())];
        let body = body.as_bytes();
        let parts =
            Parts { method: Method::Post, path: "/", query: &query, headers: &headers, body };
        let now = unix_now().checked_add_signed(clock).expect("a time");
        let signed = sign(&parts, ACCESS_KEY, secret, "cn-north-1", now);
        let headers: Vec<_> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.http("POST", target, &headers, body).await
    }

    pub(crate) async fn http(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.openapi,
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(self.openapi).await.expect("a listening server");
        stream.write_all(head.as_bytes()).await.expect("an open connection");
        // A server may answer before it has read the whole body.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

/// A user's engine.
pub(crate) struct User {
    pub(crate) engine: Engine,
    pub(crate) events: Events,
}

impl User {
    pub(crate) async fn join(&mut self, room: &str) -> Room {
        let room = self.engine.create_room(room).expect("a room");
        room.join().expect("accepted");
        self.until(|event| matches!(event, RoomEvent::Joined { .. })).await;
        room
    }

    pub(crate) async fn next(&mut self) -> Event {
        next(&mut self.events).await
    }

    /// The first room event that matches. Earlier events are dropped.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&RoomEvent) -> bool) -> RoomEvent {
        loop {
            match self.next().await {
                Event::Room { event, .. } if wanted(&event) => return event,
                _ => {}
            }
        }
    }

    /// The next change of a room's state.
    pub(crate) async fn room_state(&mut self) -> i32 {
        let state = |event: &RoomEvent| {
            matches!(event, RoomEvent::StateChanged { .. } | RoomEvent::Joined { .. })
        };
        match self.until(state).await {
            RoomEvent::StateChanged { state, .. } => state.code(),
            _ => 0,
        }
    }
}

async fn next(events: &mut Events) -> Event {
    let event = tokio::time::timeout(PATIENCE, events.next()).await;
    event.expect("an event in time").expect("the engine runs")
}

pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// A message to bob, for tests of other parts of a request.
pub(crate) fn to_bob() -> Value {
    json!({"AppId": APP_ID, "From": "system", "To": "bob", "Message": "hi bob"})
}
