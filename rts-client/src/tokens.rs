//! Tokens that the engine gets by itself: it asks the application's token provider before a token
//! expires, and when the server refused one.

mod request;
mod schedule;

pub use request::{TokenReason, TokenRequest};

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use event_listener::{Event, EventListener};
use futures_lite::future::{FutureExt as _, or};
use rts_driver::Runtime;
use rts_driver::client::{LoginStatus, LoginWatch};

use crate::error::LoginError;
use schedule::{Lifetime, Next, Schedule};

/// The target of an engine's log lines.
const ENGINE: &str = "rts::engine";

type Answer = Result<String, Arc<dyn Error + Send + Sync>>;
type Provide = dyn Fn(TokenRequest) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

/// Why a provider that panicked gave no token.
#[derive(Debug, thiserror::Error)]
#[error("the token provider panicked")]
struct Panicked;

/// The application's function.
pub(crate) struct Provider(Box<Provide>);

impl Provider {
    pub(crate) fn new<F, E>(provide: impl Fn(TokenRequest) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Box::new(move |request| {
            let answer = provide(request);
            Box::pin(async move { answer.await.map_err(|error| Arc::from(error.into())) })
        }))
    }
}

/// Keeps one engine supplied with tokens.
pub(crate) struct Tokens {
    provider: Provider,
    state: Mutex<State>,
    changed: Event,
}

/// About the login that was begun last.
#[derive(Default)]
struct State {
    /// Counts the logins: an answer for an earlier one is of no use.
    login: u64,
    uid: String,
    schedule: Schedule,
    given_up: Option<LoginError>,
}

impl Tokens {
    pub(crate) fn new(provider: Provider) -> Self {
        Self { provider, state: Mutex::default(), changed: Event::new() }
    }

    /// Nothing that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A login begins.
    pub(crate) fn begin(&self, token: &str, uid: &str) {
        let mut state = self.lock();
        state.login += 1;
        state.uid = uid.to_owned();
        state.schedule = Schedule::new(lifetime(token));
        state.given_up = None;
        drop(state);
        self.changed.notify(usize::MAX);
    }

    /// The application has another token by itself.
    pub(crate) fn replaced(&self, token: &str) {
        let mut state = self.lock();
        state.schedule.supplied(lifetime(token), Instant::now());
        state.given_up = None;
        drop(state);
        self.changed.notify(usize::MAX);
    }

    /// Why no more tokens are asked for, if that is so.
    pub(crate) fn given_up(&self) -> Option<LoginError> {
        self.lock().given_up.clone()
    }

    /// Listens for changes of what is known here.
    pub(crate) fn listen(&self) -> EventListener {
        self.changed.listen()
    }

    /// A token for a login that is to begin.
    pub(crate) async fn first(&self, uid: &str) -> Answer {
        self.provide(TokenRequest::new(uid, TokenReason::Login)).await
    }

    async fn provide(&self, request: TokenRequest) -> Answer {
        let (user, asked_for) = (request.uid().to_owned(), request.reason());
        // A panic of the application's must not end the task that keeps its login alive.
        let asked = AssertUnwindSafe(async { (self.provider.0)(request).await });
        let answer = asked.catch_unwind().await.unwrap_or_else(|_| Err(Arc::new(Panicked)));
        match &answer {
            Ok(_) => {
                tracing::debug!(target: ENGINE, user, ?asked_for, "the token provider gave a token");
            }
            Err(why) => {
                tracing::debug!(target: ENGINE, user, ?asked_for, %why, "the token provider failed");
            }
        }
        answer
    }

    /// Runs until the engine is destroyed.
    pub(crate) async fn keep<R: Runtime>(self: Arc<Self>, mut watch: LoginWatch) {
        loop {
            let changed = self.listen();
            let status = watch.status();
            if status == LoginStatus::Destroyed {
                return;
            }
            let next = self.lock().schedule.next(status, Instant::now(), unix_now());
            match next {
                Next::Wait => or(changed, as_unit(&mut watch)).await,
                Next::Sleep(time) => {
                    let wake = R::sleep_until(Instant::now() + time);
                    or(wake, or(changed, as_unit(&mut watch))).await;
                }
                Next::Ask(why) => self.ask(why, &mut watch).await,
                Next::GiveUp => self.give_up(LoginError::TokenRefused),
            }
        }
    }

    /// Asks for one token and passes it on. A login that ends meanwhile needs none.
    async fn ask(&self, why: TokenReason, watch: &mut LoginWatch) {
        let (login, request) = {
            let state = self.lock();
            (state.login, TokenRequest::new(&state.uid, why))
        };
        let over = async {
            self.is_over(login, watch).await;
            None
        };
        let Some(answer) = or(async { Some(self.provide(request).await) }, over).await else {
            return;
        };
        let mut state = self.lock();
        if state.login != login {
            return;
        }
        match answer {
            Ok(token) => {
                state.schedule.supplied(lifetime(&token), Instant::now());
                drop(state);
                watch.update_login_token(&token);
            }
            Err(error) => {
                let is_over = state.schedule.failed(why, Instant::now());
                drop(state);
                if is_over {
                    self.give_up(LoginError::TokenProvider(error));
                }
            }
        }
    }

    /// Waits until a login is over, or another one has begun.
    async fn is_over(&self, login: u64, watch: &mut LoginWatch) {
        loop {
            let changed = self.listen();
            let goes_on = match watch.status() {
                LoginStatus::LoggingIn | LoginStatus::LoggedIn | LoginStatus::TokenRefused => true,
                LoginStatus::Idle
                | LoginStatus::Refused(_)
                | LoginStatus::LoggedOut(_)
                | LoginStatus::ServerAbnormal
                | LoginStatus::Destroyed => false,
            };
            if !goes_on || self.lock().login != login {
                return;
            }
            or(changed, as_unit(watch)).await;
        }
    }

    fn give_up(&self, why: LoginError) {
        self.lock().given_up = Some(why);
        self.changed.notify(usize::MAX);
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

async fn as_unit(watch: &mut LoginWatch) {
    watch.changed().await;
}

/// What a token says of itself. A token that cannot be read is for the server to judge.
fn lifetime(token: &str) -> Option<Lifetime> {
    let read = rts_token::inspect(token).ok()?;
    let (issued_at, expire_at) = (read.claims().issued_at(), read.claims().expire_at());
    (expire_at > 0).then_some(Lifetime { issued_at: issued_at.into(), expire_at: expire_at.into() })
}

/// Unix seconds, which tokens count in.
fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
