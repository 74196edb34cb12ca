//! The present login of an engine, and the task that supplies it with tokens of the token provider.

mod provider;
mod request;
mod schedule;

pub(crate) use provider::Provider;
pub use request::{TokenReason, TokenRequest};

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use event_listener::Event;
use futures_lite::future::or;
use rts_driver::Runtime;
use rts_driver::client::{LoginStatus, LoginWatch, LogoutReason};

use crate::error::{self, LoginError};
use provider::Answer;
use schedule::{Next, Schedule, Token};

/// The logins of one engine.
pub(crate) struct Logins {
    provider: Option<Provider>,
    state: Mutex<State>,
    changed: Event,
}

/// The state of the present login.
#[derive(Default)]
struct State {
    /// Counts logins and logouts, to discard answers for earlier logins.
    number: u64,
    /// The application has logged out.
    is_over: bool,
    uid: String,
    /// Counts the tokens, to discard answers that were asked for before the last token came.
    tokens: u64,
    schedule: Schedule,
    given_up: Option<LoginError>,
}

impl State {
    fn next(&mut self, status: LoginStatus, was_live: bool) -> Next {
        match self.is_over {
            true => Next::Wait,
            false => self.schedule.next(status, was_live, Instant::now()),
        }
    }

    fn supplied(&mut self, token: Token) {
        self.tokens += 1;
        self.schedule.supplied(token, Instant::now());
        self.given_up = None;
    }
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

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.notify(usize::MAX);
        changed
    }

    /// Begins a login and returns its number. Without `token`, the provider gives the first one.
    pub(crate) fn begin(&self, uid: &str, token: Option<&str>) -> u64 {
        self.change(|state| {
            let number = state.number + 1;
            *state = State { number, uid: uid.to_owned(), ..State::default() };
            if let Some(token) = token {
                state.supplied(Token::of_app(token));
            }
            number
        })
    }

    /// The application logs out: all futures that wait for the login end.
    pub(crate) fn end(&self) {
        self.change(|state| {
            *state = State { number: state.number + 1, is_over: true, ..State::default() }
        });
    }

    /// Takes a token from the application. False after a logout: the engine does not need it.
    pub(crate) fn take_token(&self, token: &str) -> bool {
        self.change(|state| {
            state.supplied(Token::of_app(token));
            !state.is_over
        })
    }

    /// The number of the present login.
    pub(crate) fn number(&self) -> u64 {
        self.lock().number
    }

    /// Waits until a login is followed by a logout or another login.
    pub(crate) async fn until_over(&self, login: u64) {
        loop {
            let changed = self.changed.listen();
            if self.number() != login {
                return;
            }
            changed.await;
        }
    }

    /// Asks the provider for the first token of a login.
    pub(crate) async fn first_token(
        &self,
        login: u64,
        uid: &str,
        watch: LoginWatch,
    ) -> Result<String, LoginError> {
        let provider = self.provider.as_ref().ok_or(LoginError::NoTokenProvider)?;
        let asked = async {
            let request = TokenRequest::new(uid, TokenReason::Login);
            provider.provide(request).await.map_err(LoginError::TokenProvider)
        };
        let over = async {
            self.until_over(login).await;
            Err(LoginError::LoggedOut(LogoutReason::Own))
        };
        let closed = async {
            until_destroyed(watch).await;
            Err(LoginError::EngineClosed)
        };
        let token = or(asked, or(over, closed)).await?;
        self.change(|state| state.supplied(Token::of_provider(&token)));
        Ok(token)
    }

    /// Waits for the answer to a login.
    pub(crate) async fn answer(&self, login: u64, mut watch: LoginWatch) -> Result<(), LoginError> {
        loop {
            let changed = self.changed.listen();
            let status = watch.status();
            let (number, given_up) = {
                let state = self.lock();
                (state.number, state.given_up.clone())
            };
            return match status {
                LoginStatus::LoggedIn => Ok(()),
                LoginStatus::Destroyed => Err(LoginError::EngineClosed),
                LoginStatus::LoggedOut(reason) => Err(LoginError::LoggedOut(reason)),
                LoginStatus::Idle => Err(LoginError::LoggedOut(LogoutReason::Own)),
                _ if number != login => Err(LoginError::LoggedOut(LogoutReason::Own)),
                LoginStatus::Refused(code) => {
                    Err(error::login(code).err().unwrap_or(LoginError::Failed))
                }
                LoginStatus::ServerAbnormal => Err(LoginError::ServerError),
                LoginStatus::TokenRefused if !self.has_provider() => Err(LoginError::TokenRefused),
                LoginStatus::TokenRefused if given_up.is_some() => {
                    Err(given_up.unwrap_or(LoginError::TokenRefused))
                }
                LoginStatus::TokenRefused | LoginStatus::LoggingIn => {
                    or(changed, until_changed(&mut watch)).await;
                    continue;
                }
            };
        }
    }

    /// Keeps the present login supplied with tokens, until the engine is destroyed.
    pub(crate) async fn keep<R: Runtime>(self: Arc<Self>, mut watch: LoginWatch) {
        let Some(provider) = &self.provider else { return };
        loop {
            let changed = self.changed.listen();
            let status = watch.status();
            if status == LoginStatus::Destroyed {
                return;
            }
            let was_live = watch.was_live();
            let next = self.lock().next(status, was_live);
            match next {
                Next::Wait => or(changed, until_changed(&mut watch)).await,
                Next::Sleep(time) => {
                    let wake = R::sleep_until(Instant::now() + time);
                    or(wake, or(changed, until_changed(&mut watch))).await;
                }
                Next::Ask(why) => self.ask(provider, why, &mut watch).await,
                Next::GiveUp => {
                    self.change(|state| state.given_up = Some(LoginError::TokenRefused))
                }
            }
        }
    }

    /// Asks for one token and passes it on. A login that ends meanwhile needs none, and neither
    /// does one that the application gave another token.
    async fn ask(&self, provider: &Provider, why: TokenReason, watch: &mut LoginWatch) {
        let (login, tokens, request) = {
            let state = self.lock();
            (state.number, state.tokens, TokenRequest::new(&state.uid, why))
        };
        let over = async {
            self.is_over(login, watch).await;
            None
        };
        let Some(answer) = or(async { Some(provider.provide(request).await) }, over).await else {
            return;
        };
        let was_live = watch.was_live();
        let token = self.change(|state| {
            if (state.number, state.tokens) != (login, tokens) {
                return None;
            }
            state.answered(why, answer, was_live)
        });
        if let Some(token) = token {
            watch.update_login_token(&token);
        }
    }

    /// Waits until the login needs no token of the provider any more.
    async fn is_over(&self, login: u64, watch: &mut LoginWatch) {
        loop {
            let changed = self.changed.listen();
            let goes_on = match watch.status() {
                LoginStatus::LoggingIn | LoginStatus::LoggedIn | LoginStatus::TokenRefused => true,
                LoginStatus::Idle
                | LoginStatus::Refused(_)
                | LoginStatus::LoggedOut(_)
                | LoginStatus::ServerAbnormal
                | LoginStatus::Destroyed => false,
            };
            if !goes_on || self.number() != login {
                return;
            }
            or(changed, until_changed(watch)).await;
        }
    }
}

impl State {
    /// The provider has answered: the token that the engine gets.
    fn answered(&mut self, why: TokenReason, answer: Answer, was_live: bool) -> Option<String> {
        match answer {
            Ok(token) => {
                self.supplied(Token::of_provider(&token));
                Some(token)
            }
            Err(error) => {
                if self.schedule.failed(why, was_live, Instant::now()) {
                    self.given_up = Some(LoginError::TokenProvider(error));
                }
                None
            }
        }
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}

async fn until_changed(watch: &mut LoginWatch) {
    watch.changed().await;
}

async fn until_destroyed(mut watch: LoginWatch) {
    while watch.status() != LoginStatus::Destroyed {
        watch.changed().await;
    }
}
