//! The task that supplies the present login with tokens of the provider.

use std::sync::Arc;

use futures_lite::future::or;
use rts_driver::client::{LoginId, LoginStatus, LoginView, LoginWatch};

use super::clock::TokenClock;
use super::provider::Answer;
use super::request::{TokenReason, TokenRequest};
use super::schedule::{Next, Schedule, Token};
use super::{GivenUp, Logins, until_changed};
use crate::error::LoginError;

/// What the keeper knows of the present login.
#[derive(Default)]
struct Kept {
    login: LoginId,
    token: Option<Vec<u8>>,
    schedule: Schedule,
}

impl Kept {
    /// Takes notice of another login, and of another token that the application has set.
    fn follow(
        &mut self,
        view: &LoginView,
        begun_by_provider: Option<LoginId>,
        clock: &impl TokenClock,
    ) {
        if self.login != view.id() {
            *self = Self { login: view.id(), ..Self::default() };
        }
        if self.token.as_deref() != view.token() {
            let is_first = self.token.is_none();
            let is_of_provider = is_first && begun_by_provider == Some(view.id());
            self.supplied(view.token(), is_of_provider, clock);
        }
    }

    fn supplied(&mut self, token: Option<&[u8]>, is_of_provider: bool, clock: &impl TokenClock) {
        self.token = token.map(<[u8]>::to_vec);
        let now = clock.now();
        let token = token.and_then(|token| str::from_utf8(token).ok()).unwrap_or_default();
        let token = Token::read(token, is_of_provider, clock.unix_seconds());
        self.schedule.supplied(token, now);
        if is_of_provider {
            self.schedule.answered(now);
        }
    }
}

impl Logins {
    /// Keeps the present login supplied with tokens, until the engine is destroyed.
    pub(crate) async fn keep(self: Arc<Self>, mut watch: LoginWatch, clock: impl TokenClock) {
        let Some(provider) = &self.provider else { return };
        let _end = End(&self);
        let mut kept = Kept::default();
        loop {
            let view = watch.look();
            if view.status() == LoginStatus::Destroyed {
                return;
            }
            let begun_by_provider = self.lock().begun_by_provider;
            kept.follow(&view, begun_by_provider, &clock);
            match kept.schedule.next(view.status(), view.was_live(), clock.now()) {
                Next::Wait => until_changed(&mut watch).await,
                Next::Sleep(time) => {
                    let wake = clock.sleep_until(clock.now() + time);
                    or(wake, until_changed(&mut watch)).await;
                }
                Next::Ask(why) => {
                    let asked = async {
                        let uid = view.uid()?;
                        Some(provider.provide(TokenRequest::new(uid.as_str(), why)).await)
                    };
                    if let Some(answer) = or(until_over(&view, &mut watch), asked).await {
                        self.answered(why, answer, &view, &mut watch, &mut kept, &clock);
                    }
                }
                Next::GiveUp => self.give_up(&view, LoginError::TokenRefused),
            }
        }
    }

    /// The provider has answered: passes its token on. A login that the application gave another
    /// token in the meantime does not need it.
    fn answered(
        &self,
        why: TokenReason,
        answer: Answer,
        asked_for: &LoginView,
        watch: &mut LoginWatch,
        kept: &mut Kept,
        clock: &impl TokenClock,
    ) {
        match answer {
            Ok(token) => {
                kept.schedule.answered(clock.now());
                if watch.replace_token(asked_for, &token) {
                    kept.supplied(Some(token.as_bytes()), true, clock);
                }
            }
            Err(error) => {
                let view = watch.look();
                let has_same_token = view.token() == asked_for.token();
                let is_over = kept.schedule.failed(why, view.was_live(), clock.now());
                if is_over && has_same_token {
                    self.give_up(&view, LoginError::TokenProvider(error));
                }
            }
        }
    }

    fn give_up(&self, view: &LoginView, why: LoginError) {
        let token = view.token().map(<[u8]>::to_vec);
        self.change(|state| state.given_up = Some(GivenUp { login: view.id(), token, why }));
    }
}

/// Waits until a login needs no token any more.
async fn until_over<T>(login: &LoginView, watch: &mut LoginWatch) -> Option<T> {
    loop {
        let view = watch.look();
        if view.id() != login.id() || !view.status().takes_tokens() {
            return None;
        }
        watch.changed().await;
    }
}

/// Reports to the calls that no other token will come.
struct End<'a>(&'a Logins);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.has_ended = true);
    }
}
