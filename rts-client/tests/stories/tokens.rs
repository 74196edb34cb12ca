//! Token providers.

use std::collections::VecDeque;
use std::error::Error as _;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use rts_client::{Engine, Event, LoginError, TokenReason, TokenRequest};
use rts_token::{AppKey, Expiry, Token};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::{APP_ID, REFUSED, Site, next, soon};

/// Gives these tokens, one after the other, and then fails.
struct Provider {
    tokens: Mutex<VecDeque<String>>,
    asked: UnboundedSender<(String, TokenReason)>,
}

impl Provider {
    async fn provide(self: Arc<Self>, request: TokenRequest) -> Result<String, io::Error> {
        let told = self.asked.send((request.uid().to_owned(), request.reason()));
        told.expect("the test listens");
        let token = self.tokens.lock().expect("no panic").pop_front();
        token.ok_or_else(|| io::Error::other("the back end is down"))
    }
}

fn supplied(site: &Site, tokens: &[&str]) -> (Engine, UnboundedReceiver<(String, TokenReason)>) {
    let (asked, asks) = unbounded_channel();
    let tokens = Mutex::new(tokens.iter().map(|token| (*token).to_owned()).collect());
    let provider = Arc::new(Provider { tokens, asked });
    let provide = move |request| Arc::clone(&provider).provide(request);
    (site.builder().token_provider(provide).build().expect("good arguments"), asks)
}

/// What the provider was asked until now.
fn reasons(asks: &mut UnboundedReceiver<(String, TokenReason)>) -> Vec<TokenReason> {
    std::iter::from_fn(|| asks.try_recv().ok()).map(|(_, why)| why).collect()
}

/// A token that expires at this second of Unix time.
fn token_until(expire_at: u32) -> String {
    let token = Token::new(APP_ID, "alice", Expiry::At(expire_at)).expect("a user id");
    token.sign(&AppKey::new("a key").expect("a key"))
}

#[tokio::test]
async fn a_login_begins_with_a_token_of_the_provider() {
    let site = Site::open().await;
    let (alice, mut asks) = supplied(&site, &["token"]);
    soon(alice.login_as("alice")).await.expect("accepted");
    assert_eq!(asks.try_recv().ok(), Some(("alice".to_owned(), TokenReason::Login)));
    assert_eq!(reasons(&mut asks), []);
}

#[tokio::test]
async fn a_refused_token_is_replaced_before_the_login_fails() {
    let site = Site::open().await;
    let (alice, mut asks) = supplied(&site, &["token"]);
    soon(alice.login(REFUSED, "alice")).await.expect("accepted");
    assert_eq!(reasons(&mut asks), [TokenReason::Refused]);
}

#[tokio::test]
async fn a_login_fails_when_the_second_token_is_refused_too() {
    let site = Site::open().await;
    let (alice, mut asks) = supplied(&site, &[REFUSED, "token"]);
    let refused = soon(alice.login(REFUSED, "alice")).await;
    assert!(matches!(refused, Err(LoginError::TokenRefused)), "{refused:?}");
    assert_eq!(reasons(&mut asks), [TokenReason::Refused]);
    soon(alice.login(REFUSED, "alice")).await.expect("the next login asks anew");
}

#[tokio::test]
async fn a_provider_that_fails_is_named_with_its_reason() {
    let site = Site::open().await;
    let (alice, _asks) = supplied(&site, &[]);
    for failed in [soon(alice.login_as("alice")).await, soon(alice.login(REFUSED, "alice")).await] {
        let error = failed.expect_err("no token");
        assert!(matches!(error, LoginError::TokenProvider(_)), "{error:?}");
        let source = error.source().expect("the provider's error");
        assert_eq!(source.to_string(), "the back end is down");
    }
    let without = soon(site.engine().login_as("alice")).await;
    assert!(matches!(without, Err(LoginError::NoTokenProvider)), "{without:?}");
}

#[tokio::test]
async fn a_token_that_expires_is_replaced_before_the_server_asks() {
    let site = Site::open().await;
    let never = token_until(u32::MAX);
    let (alice, mut asks) = supplied(&site, &[&never]);
    let mut events = alice.events();
    // The shard here takes it; the engine reads that it has expired.
    soon(alice.login(&token_until(1_000), "alice")).await.expect("accepted");
    assert_eq!(soon(asks.recv()).await, Some(("alice".to_owned(), TokenReason::Expiring)));
    let logged_in = |event| match event {
        Event::LoginResult { result, .. } => Some(result.is_ok()),
        _ => None,
    };
    assert!(next(&mut events, logged_in).await);
    soon(alice.send("alice", "still here")).await.expect("the login is live");
    assert_eq!(reasons(&mut asks), []);
}

#[tokio::test]
async fn a_provider_that_panics_fails_the_login_and_is_asked_again_by_the_next() {
    let site = Site::open().await;
    let asks = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asks);
    let panics = move |_: TokenRequest| {
        assert_ne!(counted.fetch_add(1, Ordering::Relaxed), 0, "the first time it panics");
        std::future::ready(Ok::<_, io::Error>("token".to_owned()))
    };
    let alice = site.builder().token_provider(panics).build().expect("good arguments");
    let failed = soon(alice.login(REFUSED, "alice")).await.expect_err("no token");
    assert!(matches!(failed, LoginError::TokenProvider(_)), "{failed:?}");
    soon(alice.login(REFUSED, "alice")).await.expect("accepted");
    assert_eq!(asks.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_engine_ends_although_its_provider_hangs() {
    let site = Site::open().await;
    let (asked, mut asks) = unbounded_channel();
    let hangs = move |_: TokenRequest| {
        asked.send(()).expect("the test listens");
        std::future::pending::<Result<String, io::Error>>()
    };
    let alice = site.builder().token_provider(hangs).build().expect("good arguments");
    let login = tokio::spawn({
        let alice = alice.clone();
        async move { alice.login(REFUSED, "alice").await }
    });
    soon(asks.recv()).await.expect("asked");
    // Another login needs no answer to that.
    alice.logout();
    login.abort();
    soon(alice.login("token", "alice")).await.expect("accepted");
    soon(alice.close()).await;
    drop(alice);
    // The task that kept the tokens has ended, and dropped the provider with it.
    assert_eq!(soon(asks.recv()).await, None);
}
