//! A shard that takes and refuses tokens by their text, and engines at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rts_client::{AppId, Builder, Engine, Event, Events, RoomId, UserId};
use rts_proto::server::{Config, Credentials, Post, PostProgress, Server, Target, Verdict};
use rts_proto::{LoginCode, Payload, Reply};
use rts_transport_tokio::server::{Acceptor, Authenticate, Begun, Node, PostToAppServer, Posting};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const APP_ID: &str = "123456781234567812345678";

/// A token that the shard refuses.
pub(crate) const REFUSED: &str = "refused";

/// Longer than anything here takes: a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Site {
    pub(crate) node: Node,
    url: String,
    serving: JoinHandle<()>,
}

impl Site {
    pub(crate) async fn open() -> Self {
        Self::open_at("127.0.0.1:0").await
    }

    async fn open_at(address: &str) -> Self {
        let mut config = Config::default();
        config.joins_per_second = 0;
        // A test may join more rooms than users do.
        let server = Server::new(config, 1);
        let node = Node::with_poster(vec![server], Arc::new(Judge::default()), Arc::new(Echo));
        let listener = TcpListener::bind(address).await.expect("a free port");
        let url = format!("rts://{}", listener.local_addr().expect("it is bound"));
        let serving = node.clone();
        let serving = tokio::spawn(async move {
            serving.serve(listener, Acceptor::plain()).await.expect("one shard needs no thread");
        });
        Self { node, url, serving }
    }

    /// The server ends, and another one begins at its address. It knows no sessions.
    pub(crate) async fn restart(&mut self) {
        self.node.shutdown(Duration::ZERO);
        soon(&mut self.serving).await.expect("no panic");
        *self = Self::open_at(self.url.strip_prefix("rts://").expect("the scheme")).await;
    }

    pub(crate) fn builder(&self) -> Builder {
        Engine::builder(&self.url, APP_ID)
    }

    pub(crate) fn engine(&self) -> Engine {
        self.builder().build().expect("good arguments")
    }

    pub(crate) async fn log_in(&self, uid: &str) -> (Engine, Events) {
        let engine = self.engine();
        let events = engine.events();
        soon(engine.login("token", uid)).await.expect("accepted");
        (engine, events)
    }
}

/// Refuses the token [`REFUSED`], and no other.
#[derive(Default)]
struct Judge {
    claims: AtomicU64,
}

impl Authenticate for Judge {
    fn authenticate(&self, credentials: &Credentials) -> Verdict {
        if credentials.token == REFUSED {
            return Verdict::Refuse(LoginCode::InvalidToken);
        }
        Verdict::Accept { claim: self.claims.fetch_add(1, Ordering::Relaxed), issued_at: 0 }
    }
}

/// An app server that sends back what it gets, and gives an invalid answer to "bad".
struct Echo;

impl PostToAppServer for Echo {
    fn allows(&self, target: &Target) -> bool {
        target.url != "http://forbidden/"
    }

    fn post(&self, post: Post, _: Begun) -> Posting {
        let progress = match post.payload {
            Payload::Text(text) if text == "bad" => PostProgress::AnsweredBadly,
            Payload::Text(text) => PostProgress::Answered(Reply::new(text.into_bytes())),
            Payload::Binary(bytes) => PostProgress::Answered(Reply::new(bytes)),
        };
        Box::pin(std::future::ready(progress))
    }
}

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it hangs")
}

/// The first event that is wanted.
pub(crate) async fn next<T>(events: &mut Events, wanted: impl Fn(Event) -> Option<T>) -> T {
    soon(async {
        loop {
            let event = events.next().await.expect("the engine lives");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    })
    .await
}

/// The next message, and who sent it.
pub(crate) async fn next_message(events: &mut Events) -> (String, String) {
    next(events, |event| match event {
        Event::Message { from, payload } => Some((from.to_string(), payload.as_text()?.to_owned())),
        _ => None,
    })
    .await
}

pub(crate) fn app() -> AppId {
    AppId::new(APP_ID).expect("an app id")
}

pub(crate) fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("a user id")
}

pub(crate) fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("a room id")
}
