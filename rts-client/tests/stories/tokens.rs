//! Token providers.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt::{self, Display};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures_lite::future::or;
use rts_client::contract::LoginStatus;
use rts_client::{Engine, Event, LoginError, LogoutReason, TokenReason, TokenRequest};
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
        let sent = self.asked.send((request.uid().to_owned(), request.reason()));
        sent.expect("the test listens");
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
pub(crate) fn token_until(expire_at: u32) -> String {
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
async fn refused_token_is_replaced_within_one_login() {
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
async fn provider_error_has_its_reason() {
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
async fn expiring_token_is_replaced_before_its_expiry() {
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
async fn provider_panic_fails_only_one_login() {
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

/// An engine whose provider never answers, and a channel with an entry for each request.
fn with_hanging_provider(site: &Site) -> (Engine, UnboundedReceiver<()>) {
    let (asked, asks) = unbounded_channel();
    let hangs = move |_: TokenRequest| {
        asked.send(()).expect("the test listens");
        std::future::pending::<Result<String, io::Error>>()
    };
    (site.builder().token_provider(hangs).build().expect("good arguments"), asks)
}

#[tokio::test]
async fn a_logout_ends_a_login_that_waits_for_a_token() {
    let site = Site::open().await;
    let (alice, mut asks) = with_hanging_provider(&site);
    for is_first in [true, false] {
        let login = tokio::spawn({
            let alice = alice.clone();
            async move {
                if is_first {
                    alice.login_as("alice").await
                } else {
                    alice.login(REFUSED, "alice").await
                }
            }
        });
        soon(asks.recv()).await.expect("asked");
        alice.logout();
        let ended = soon(login).await.expect("no panic");
        assert!(matches!(ended, Err(LoginError::LoggedOut(LogoutReason::Own))), "{ended:?}");
    }
    // The login is over for good: a token that comes later does not bring it back.
    alice.update_token("token");
    assert!(!alice.is_online());
    // Another login needs no answer to what was asked before.
    soon(alice.login("token", "alice")).await.expect("accepted");
    soon(alice.close()).await;
    drop(alice);
    // The task that kept the tokens has ended, and dropped the provider with it.
    assert_eq!(soon(asks.recv()).await, None);
}

#[tokio::test]
async fn a_closed_engine_does_not_wait_for_its_provider() {
    let site = Site::open().await;
    let (alice, mut asks) = with_hanging_provider(&site);
    let login = tokio::spawn({
        let alice = alice.clone();
        async move { alice.login_as("alice").await }
    });
    soon(asks.recv()).await.expect("asked");
    soon(alice.close()).await;
    let ended = soon(login).await.expect("no panic");
    assert!(matches!(ended, Err(LoginError::EngineClosed)), "{ended:?}");
    let refused = soon(alice.login_as("alice")).await;
    assert!(matches!(refused, Err(LoginError::EngineClosed)), "{refused:?}");
}

#[tokio::test]
async fn refused_login_call_requests_no_token() {
    let site = Site::open().await;
    let (alice, mut asks) = supplied(&site, &["token"]);
    let refused = soon(alice.login_as("no one")).await;
    assert!(matches!(refused, Err(LoginError::InvalidArgument)), "{refused:?}");
    soon(alice.login("token", "alice")).await.expect("accepted");
    let refused = soon(alice.login_as("alice")).await;
    assert!(matches!(refused, Err(LoginError::AlreadyLoggedIn)), "{refused:?}");
    assert_eq!(reasons(&mut asks), []);
}

#[tokio::test]
async fn token_of_application_overrides_requested_one() {
    let site = Site::open().await;
    let (answer, answers) = tokio::sync::watch::channel(());
    let (asked, mut asks) = unbounded_channel();
    let slow = move |_: TokenRequest| {
        asked.send(()).expect("the test listens");
        let mut answers = answers.clone();
        async move {
            answers.changed().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(REFUSED.to_owned())
        }
    };
    let alice = site.builder().token_provider(slow).build().expect("good arguments");
    let mut login = pin!(alice.login(REFUSED, "alice"));
    let asked = async { asks.recv().await.expect("asked") };
    soon(or(async { panic!("{:?}", login.as_mut().await) }, asked)).await;
    alice.update_token("token");
    soon(login).await.expect("accepted");
    answer.send_replace(());
    soon(alice.send("alice", "still here")).await.expect("the login is live");
}

#[tokio::test]
async fn a_login_through_the_contract_has_the_provider_too() {
    let site = Site::open().await;
    let (alice, mut asks) = supplied(&site, &["token", "token"]);
    for _ in 0..2 {
        alice.contract().login(REFUSED, "alice").expect("good arguments");
        assert_eq!(soon(asks.recv()).await, Some(("alice".to_owned(), TokenReason::Refused)));
        let mut watch = alice.contract().watch_login();
        while watch.status() != LoginStatus::LoggedIn {
            soon(watch.changed()).await;
        }
        alice.logout();
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "the future of the provider was dropped");
    }
}

/// Panics when it is shown.
#[derive(Debug)]
struct Unspeakable;

impl Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("an error that cannot be shown")
    }
}

impl Error for Unspeakable {}

#[tokio::test]
async fn a_provider_that_panics_in_odd_places_is_asked_again_by_the_next_login() {
    let site = Site::open().await;
    let (asked, mut asks) = unbounded_channel();
    let count = AtomicU32::new(0);
    let odd = move |_: TokenRequest| {
        let ask = count.fetch_add(1, Ordering::Relaxed);
        asked.send(()).expect("the test listens");
        async move {
            match ask {
                0 => {
                    let _bomb = Bomb;
                    std::future::pending::<()>().await;
                }
                1 => return Err(Unspeakable),
                _ => {}
            }
            Ok("token".to_owned())
        }
    };
    let alice = site.builder().token_provider(odd).build().expect("good arguments");
    let login = tokio::spawn({
        let alice = alice.clone();
        async move { alice.login(REFUSED, "alice").await }
    });
    soon(asks.recv()).await.expect("asked");
    alice.logout();
    let ended = soon(login).await.expect("no panic");
    assert!(matches!(ended, Err(LoginError::LoggedOut(LogoutReason::Own))), "{ended:?}");
    let failed = soon(alice.login(REFUSED, "alice")).await;
    assert!(matches!(failed, Err(LoginError::TokenProvider(_))), "the second ask fails");
    soon(alice.login(REFUSED, "alice")).await.expect("accepted");
}
