//! The task that supplies the present login with tokens of the provider.

use std::sync::Arc;
use std::time::Instant;

use futures_lite::future::or;
use rts_driver::Runtime;
use rts_driver::client::{LoginId, LoginStatus, LoginView, LoginWatch};

use super::provider::Provider;
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
    fn follow(&mut self, view: &LoginView, begun_by_provider: Option<LoginId>, now: Instant) {
        if self.login != view.id() {
            *self = Self { login: view.id(), ..Self::default() };
        }
        if self.token.as_deref() != view.token() {
            let is_first = self.token.is_none();
            let is_of_provider = is_first && begun_by_provider == Some(view.id());
            self.supplied(view.token(), is_of_provider, now);
        }
    }

    fn supplied(&mut self, token: Option<&[u8]>, is_of_provider: bool, now: Instant) {
        self.token = token.map(<[u8]>::to_vec);
        let token = token.and_then(|token| str::from_utf8(token).ok());
        self.schedule.supplied(Token::read(token.unwrap_or_default(), is_of_provider), now);
        if is_of_provider {
            self.schedule.answered(now);
        }
    }
}

impl Logins {
    /// Keeps the present login supplied with tokens, until the engine is destroyed.
    pub(crate) async fn keep<R: Runtime>(self: Arc<Self>, mut watch: LoginWatch) {
        let Some(provider) = &self.provider else { return };
        let _end = End(&self);
        let mut kept = Kept::default();
        loop {
            let view = watch.look();
            if view.status() == LoginStatus::Destroyed {
                return;
            }
            let begun_by_provider = self.lock().begun_by_provider;
            kept.follow(&view, begun_by_provider, Instant::now());
            match kept.schedule.next(view.status(), view.was_live(), Instant::now()) {
                Next::Wait => until_changed(&mut watch).await,
                Next::Sleep(time) => {
                    let wake = R::sleep_until(Instant::now() + time);
                    or(wake, until_changed(&mut watch)).await;
                }
                Next::Ask(why) => self.ask(provider, why, &view, &mut watch, &mut kept).await,
                Next::GiveUp => self.give_up(&view, LoginError::TokenRefused),
            }
        }
    }

    /// Asks for one token and passes it on. A login that ends meanwhile needs none, and neither
    /// does one that the application gave another token.
    async fn ask(
        &self,
        provider: &Provider,
        why: TokenReason,
        asked_for: &LoginView,
        watch: &mut LoginWatch,
        kept: &mut Kept,
    ) {
        let Some(uid) = asked_for.uid() else { return };
        let asked = async { Some(provider.provide(TokenRequest::new(uid.as_str(), why)).await) };
        let over = async {
            until_over(asked_for, watch).await;
            None
        };
        let Some(answer) = or(over, asked).await else { return };
        let now = Instant::now();
        match answer {
            Ok(token) => {
                kept.schedule.answered(now);
                if watch.replace_token(asked_for, &token) {
                    kept.supplied(Some(token.as_bytes()), true, now);
                }
            }
            Err(error) => {
                let view = watch.look();
                let has_same_token = view.token() == asked_for.token();
                if kept.schedule.failed(why, view.was_live(), now) && has_same_token {
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
async fn until_over(login: &LoginView, watch: &mut LoginWatch) {
    loop {
        let view = watch.look();
        if view.id() != login.id() || !view.status().takes_tokens() {
            return;
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
