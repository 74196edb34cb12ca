//! Logins that are overtaken by a logout, by another login or by a token.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rts_client::contract::LoginStatus;
use rts_client::{Engine, LoginError, LogoutReason, TokenReason, TokenRequest};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use crate::support::{APP_ID, REFUSED, Site, soon};

/// A question to the provider, which the test answers when it wants to.
struct Ask {
    uid: String,
    reason: TokenReason,
    answer: oneshot::Sender<String>,
}

/// An engine whose provider asks the test.
fn asking(builder: rts_client::Builder) -> (Engine, UnboundedReceiver<Ask>) {
    let (ask, asks) = unbounded_channel();
    let provide = move |request: TokenRequest| {
        let (answer, answered) = oneshot::channel();
        let (uid, reason) = (request.uid().to_owned(), request.reason());
        ask.send(Ask { uid, reason, answer }).expect("the test listens");
        async move { answered.await.map_err(io::Error::other) }
    };
    (builder.token_provider(provide).build().expect("good arguments"), asks)
}

type Login = Pin<Box<dyn Future<Output = Result<(), LoginError>> + Send>>;

fn login_as(engine: &Engine, uid: &'static str) -> Login {
    let engine = engine.clone();
    Box::pin(async move { engine.login_as(uid).await })
}

fn poll(login: &mut Login) -> Poll<Result<(), LoginError>> {
    login.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn is_logged_out(result: &Result<(), LoginError>) -> bool {
    matches!(result, Err(LoginError::LoggedOut(LogoutReason::Own)))
}

/// Who is logging in or logged in.
fn present(engine: &Engine) -> Option<String> {
    let login = engine.contract().watch_login().look();
    matches!(login.status(), LoginStatus::LoggingIn | LoginStatus::LoggedIn)
        .then(|| login.uid().expect("somebody").to_string())
}

#[tokio::test]
async fn a_logout_holds_although_the_provider_has_just_answered() {
    let site = Site::open().await;
    let (engine, mut asks) = asking(site.builder());
    let mut alice = login_as(&engine, "alice");
    assert!(poll(&mut alice).is_pending());
    asks.try_recv().expect("asked").answer.send("token".to_owned()).expect("awaited");
    engine.logout();
    assert!(is_logged_out(&soon(alice).await));
    assert_eq!(present(&engine), None);
    // The next login has its provider.
    let mut alice = login_as(&engine, "alice");
    assert!(poll(&mut alice).is_pending());
    asks.try_recv().expect("asked").answer.send("token".to_owned()).expect("awaited");
    soon(alice).await.expect("accepted");
}

#[tokio::test]
async fn a_login_that_overtakes_another_keeps_its_own_token() {
    let site = Site::open().await;
    let (engine, mut asks) = asking(site.builder());
    let mut alice = login_as(&engine, "alice");
    assert!(poll(&mut alice).is_pending());
    let without_end = "a token of which nobody knows when it expires";
    asks.try_recv().expect("asked").answer.send(without_end.to_owned()).expect("awaited");
    soon(engine.login(&crate::tokens::token_until(1_000), "bob")).await.expect("accepted");
    assert!(is_logged_out(&soon(alice).await));
    // It is bob's token that has expired.
    let ask = soon(asks.recv()).await.expect("the engine lives");
    assert_eq!((ask.uid.as_str(), ask.reason), ("bob", TokenReason::Expiring));
}

#[tokio::test]
async fn a_login_after_a_refused_one_asks_once_and_for_its_own_user() {
    let site = Site::open().await;
    for uid in ["alice", "bob"] {
        let (engine, mut asks) = asking(site.builder());
        let mut refused = login_as(&engine, "alice");
        for reason in [TokenReason::Login, TokenReason::Refused] {
            assert!(poll(&mut refused).is_pending());
            let ask = soon(asks.recv()).await.expect("the engine lives");
            assert_eq!(ask.reason, reason);
            ask.answer.send(REFUSED.to_owned()).expect("awaited");
            let asked_again = tokio::time::timeout(Duration::from_millis(50), &mut refused).await;
            assert_eq!(asked_again.is_err(), reason == TokenReason::Login);
        }
        let mut again = login_as(&engine, uid);
        assert!(poll(&mut again).is_pending());
        let ask = asks.try_recv().expect("asked");
        assert_eq!((ask.uid.as_str(), ask.reason), (uid, TokenReason::Login));
        // Meanwhile nothing brings the refused login back.
        engine.update_token("token");
        let answered = tokio::time::timeout(Duration::from_millis(50), &mut again).await;
        assert!(answered.is_err(), "{answered:?}");
        assert_eq!(present(&engine), None);
        ask.answer.send("token".to_owned()).expect("awaited");
        soon(again).await.expect("accepted");
        assert_eq!(present(&engine).as_deref(), Some(uid));
        assert!(asks.try_recv().is_err(), "it is asked once");
    }
}

#[tokio::test]
async fn a_login_that_is_dropped_before_it_has_a_token_is_over() {
    let site = Site::open().await;
    let (engine, mut asks) = asking(site.builder());
    let mut alice = login_as(&engine, "alice");
    assert!(poll(&mut alice).is_pending());
    let ask = asks.try_recv().expect("asked");
    drop(alice);
    assert!(ask.answer.send("token".to_owned()).is_err(), "the call was dropped");
    engine.update_token("token");
    tokio::task::yield_now().await;
    assert_eq!(present(&engine), None);
}

/// A step of an application while `login_as` is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Begin,
    Answer,
    Poll,
    LogOut,
    LogInBob,
    Update,
}

/// All orders of the steps; `Begin`, `Answer` and `Poll` keep theirs.
fn orders(left: &[Step]) -> Vec<Vec<Step>> {
    if left.is_empty() {
        return vec![Vec::new()];
    }
    let is_login = |step: &Step| matches!(step, Step::Begin | Step::Answer | Step::Poll);
    let may_come = |at: usize| !is_login(&left[at]) || !left[..at].iter().any(is_login);
    let mut orders = Vec::new();
    for at in (0..left.len()).filter(|at| may_come(*at)) {
        let rest = [&left[..at], &left[at + 1..]].concat();
        let continued = self::orders(&rest).into_iter();
        orders.extend(continued.map(|order| [vec![left[at]], order].concat()));
    }
    orders
}

#[tokio::test]
async fn in_every_order_the_last_call_decides_and_the_login_says_so() {
    use Step::{Answer, Begin, LogInBob, LogOut, Poll as PollIt, Update};
    let orders = orders(&[Begin, Answer, PollIt, LogOut, LogInBob, Update]);
    assert_eq!(orders.len(), 120, "6! / 3!");
    for order in orders {
        // Nobody answers at this address.
        let (engine, mut asks) = asking(Engine::builder("rts://127.0.0.1:1", APP_ID));
        let (mut alice, mut ask, mut bob) = (None, None, None);
        let (mut expected, mut alice_stands) = (None, false);
        for step in &order {
            match step {
                Begin => {
                    let mut login = login_as(&engine, "alice");
                    match poll(&mut login) {
                        Poll::Pending => {
                            assert_eq!(expected, None, "{order:?}");
                            (alice, ask, alice_stands) = (Some(login), asks.try_recv().ok(), true);
                        }
                        Poll::Ready(result) => {
                            let refused = matches!(result, Err(LoginError::AlreadyLoggedIn));
                            assert!(refused && expected == Some("bob"), "{order:?}: {result:?}");
                        }
                    }
                }
                Answer => drop(ask.take().map(|ask: Ask| ask.answer.send("token".to_owned()))),
                PollIt => {
                    if let Some(login) = &mut alice {
                        match poll(login) {
                            Poll::Pending => {
                                assert!(alice_stands, "{order:?}");
                                expected = Some("alice");
                            }
                            Poll::Ready(result) => {
                                let is_over = is_logged_out(&result) && !alice_stands;
                                assert!(is_over, "{order:?}: {result:?}");
                                alice = None;
                            }
                        }
                    }
                }
                LogOut => {
                    engine.logout();
                    (expected, alice_stands) = (None, false);
                }
                LogInBob => {
                    let login = engine.contract().log_in("token", "bob");
                    assert_eq!(login.is_ok(), expected.is_none(), "{order:?}");
                    if login.is_ok() {
                        (expected, alice_stands) = (Some("bob"), false);
                    }
                    bob = login.ok();
                }
                Update => engine.update_token("another"),
            }
            assert_eq!(present(&engine).as_deref(), expected, "{order:?} at {step:?}");
        }
        if let (Some(login), false) = (&mut alice, alice_stands) {
            let result = poll(login);
            assert!(matches!(&result, Poll::Ready(result) if is_logged_out(result)), "{order:?}");
        }
        drop(bob);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_holds_on_many_threads() {
    let site = Site::open().await;
    for turn in 0..200 {
        let (engine, mut asks) = asking(site.builder());
        let login = tokio::spawn(login_as(&engine, "alice"));
        let ask = soon(asks.recv()).await.expect("the engine lives");
        // The provider answers on another thread at about the time of the logout.
        let answering = std::thread::spawn(move || drop(ask.answer.send("token".to_owned())));
        (0..turn * 40).for_each(|_| std::hint::spin_loop());
        engine.logout();
        answering.join().expect("no panic");
        let ended = soon(login).await.expect("no panic");
        assert!(ended.is_ok() || is_logged_out(&ended), "{ended:?}");
        assert_eq!(present(&engine), None);
    }
}

/// What a task of [`logins_of_many_tasks_end_in_the_state_of_the_last_call`] does next.
async fn act(engine: &Engine, random: u64) {
    let patience = Duration::from_micros(random >> 54);
    match random % 8 {
        0 | 1 => drop(tokio::time::timeout(patience, engine.login_as("alice")).await),
        2 => drop(engine.login("good", "alice").await),
        3 => drop(tokio::time::timeout(patience, engine.login(REFUSED, "bob")).await),
        4 => engine.logout(),
        5 => engine.update_token("good"),
        6 => drop(engine.send("alice", "hi").await),
        _ => drop(tokio::time::timeout(patience, engine.join("lobby")).await),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logins_of_many_tasks_end_in_the_state_of_the_last_call() {
    let site = Site::open().await;
    let asks = Arc::new(AtomicU64::new(0));
    let nobody = Arc::new(Mutex::new(0));
    for seed in 1..=8_u64 {
        let (asks, for_nobody) = (Arc::clone(&asks), Arc::clone(&nobody));
        let provide = move |request: TokenRequest| {
            let ask = asks.fetch_add(1, Ordering::Relaxed);
            *for_nobody.lock().expect("no panic") += u32::from(request.uid().is_empty());
            async move {
                if ask % 3 == 0 {
                    tokio::task::yield_now().await;
                }
                match (ask % 11, ask % 5) {
                    (0, _) => Err(io::Error::other("down")),
                    (_, 0) => Ok(REFUSED.to_owned()),
                    _ => Ok("good".to_owned()),
                }
            }
        };
        let engine = site.builder().token_provider(provide).build().expect("good arguments");
        let tasks: Vec<_> = (1..=6_u64)
            .map(|task| {
                let engine = engine.clone();
                tokio::spawn(async move {
                    let mut random = (seed * 0x9E37_79B9) ^ (task * 0xD1B5_4A32_D192);
                    for _ in 0..150 {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        act(&engine, random).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            soon(task).await.expect("no panic");
        }
        engine.logout();
        assert_eq!(present(&engine), None, "seed {seed}");
        soon(engine.login("good", "alice")).await.expect("accepted");
        soon(engine.join("lobby")).await.expect("joined");
        soon(engine.close()).await;
    }
    assert_eq!(*nobody.lock().expect("no panic"), 0, "each token is for a user");
}
