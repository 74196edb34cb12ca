//! The token provider of an engine: the logins that wait for it, and the task that supplies the
//! present login with its tokens.
//!
//! The engine decides which login is the present one, and whether it takes a token. This module
//! only watches that, so it never has to agree with the engine about a state of its own.

mod clock;
mod keeper;
mod provider;
mod request;
mod schedule;

pub(crate) use clock::SystemClock;
pub use clock::TokenClock;
pub(crate) use provider::Provider;
pub use request::{TokenReason, TokenRequest};

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use event_listener::Event;
use futures_lite::future::or;
use rts_driver::client::{Engine, LoginId, LoginStatus, LoginView, LoginWatch, LogoutReason};

use crate::error::{self, LoginError};

/// The logins of one engine, as far as they have to do with the token provider.
pub(crate) struct Logins {
    provider: Option<Provider>,
    state: Mutex<State>,
    changed: Event,
}

/// What the keeper and the calls report to each other.
#[derive(Default)]
struct State {
    /// The last login that began with a token of the provider.
    begun_by_provider: Option<LoginId>,
    given_up: Option<GivenUp>,
    /// The keeper has ended, so no login gets another token.
    has_ended: bool,
}

/// A login whose refused token is not replaced.
struct GivenUp {
    login: LoginId,
    token: Option<Vec<u8>>,
    why: LoginError,
}

impl Logins {
    pub(crate) fn new(provider: Option<Provider>) -> Self {
        Self { provider, state: Mutex::default(), changed: Event::new() }
    }

    pub(crate) fn has_provider(&self) -> bool {
        self.provider.is_some()
    }

    /// Nothing that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify(usize::MAX);
    }

    /// Logs in with a token of the provider.
    pub(crate) async fn log_in(&self, engine: &Engine, uid: &str) -> Result<(), LoginError> {
        let provider = self.provider.as_ref().ok_or(LoginError::NoTokenProvider)?;
        let login = engine.reserve_login()?;
        let asked = async {
            let request = TokenRequest::new(uid, TokenReason::Login);
            provider.provide(request).await.map_err(LoginError::TokenProvider)
        };
        let token = or(overtaken(login.watch()), asked).await?;
        self.lock().begun_by_provider = Some(login.id());
        let watch = login.log_in(&token, uid)?;
        self.answer(watch).await
    }

    /// Waits for the answer to a login.
    pub(crate) async fn answer(&self, mut watch: LoginWatch) -> Result<(), LoginError> {
        loop {
            let changed = self.changed.listen();
            let view = watch.look();
            return match view.status() {
                LoginStatus::LoggedIn => Ok(()),
                LoginStatus::Refused(code) => {
                    Err(error::login(code).err().unwrap_or(LoginError::Failed))
                }
                LoginStatus::ServerAbnormal => Err(LoginError::ServerError),
                LoginStatus::LoggingIn | LoginStatus::TokenRefused => match self.verdict(&view) {
                    Some(why) => Err(why),
                    None => {
                        or(changed, until_changed(&mut watch)).await;
                        continue;
                    }
                },
                status => Err(ended(status)),
            };
        }
    }

    /// Why no other token will come for this login, if its token was refused.
    fn verdict(&self, view: &LoginView) -> Option<LoginError> {
        if view.status() != LoginStatus::TokenRefused {
            return None;
        }
        let state = self.lock();
        if !self.has_provider() || state.has_ended {
            return Some(LoginError::TokenRefused);
        }
        let given_up = state.given_up.as_ref()?;
        let is_it = given_up.login == view.id() && given_up.token.as_deref() == view.token();
        is_it.then(|| given_up.why.clone())
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}

/// Waits until a login that was reserved is overtaken or over.
async fn overtaken<T>(mut watch: LoginWatch) -> Result<T, LoginError> {
    loop {
        match watch.status() {
            LoginStatus::Reserved => watch.changed().await,
            status => return Err(ended(status)),
        };
    }
}

/// A login that ended without an answer.
fn ended(status: LoginStatus) -> LoginError {
    match status {
        LoginStatus::Destroyed => LoginError::EngineClosed,
        LoginStatus::LoggedOut(reason) => LoginError::LoggedOut(reason),
        _ => LoginError::LoggedOut(LogoutReason::Own),
    }
}

async fn until_changed(watch: &mut LoginWatch) {
    watch.changed().await;
}
