//! The engine's calls, except those that send. Each can come at any time and in any order.

use alloc::string::String;

use bytes::Bytes;

use super::login::{Attempt, Ending, Login};
use super::timeline::Timeline;
use super::{BusinessIdError, Client, Event, LoginError, ParametersError, WarningCode};
use crate::limits::TOKEN_BYTES_MAX;
use crate::planted::{Bug, planted};
use crate::{BusinessId, ConnectionState, Instant, UserId};

impl Client {
    /// `login`: one [`Event::LoginResult`] follows, unless a logout comes first. With no way to the
    /// server it stays in flight and tries for ever.
    pub fn login(&mut self, now: Instant, token: &str, uid: &str) -> Result<(), LoginError> {
        let now = self.advance(now);
        if self.destroyed {
            return Err(LoginError::NoEngine);
        }
        let uid = UserId::new(uid).map_err(|_| LoginError::BadArgument)?;
        let token = usable_token(token).ok_or(LoginError::BadArgument)?;
        match &self.login {
            Login::LoggingIn(_) | Login::LoggedIn { .. } => {
                return Err(LoginError::AlreadyLoggedIn);
            }
            // The rooms that wait for a better token are those of another user.
            Login::TokenRejected { uid: rejected, .. } if *rejected != uid => {
                let rejected = rejected.clone();
                self.rooms_not_rejoined(&rejected);
            }
            Login::Idle | Login::TokenRejected { .. } => {}
        }
        self.forget_server_params();
        self.start_login(now, Attempt { uid, token, claim: 0, since: now });
        Ok(())
    }

    /// `logout`: answers what is open, then calls back [`Event::Logout`], then nothing more. Does
    /// nothing without a login, live or under way.
    pub fn logout(&mut self, now: Instant) {
        let now = self.advance(now);
        self.end_session(now, Ending::Own);
    }

    /// `updateLoginToken`: logs in again if the last login failed on its token; otherwise keeps the
    /// token for the next time one is needed. A live login is left alone.
    pub fn update_login_token(&mut self, now: Instant, token: &str) {
        let now = self.advance(now);
        if self.destroyed || matches!(self.login, Login::Idle) {
            return;
        }
        let Some(fresh) = usable_token(token) else {
            let message = String::from("a token has 1 to 3,072 bytes; this one was ignored");
            return self.emit(Event::Warning { code: WarningCode::BadParameter, message });
        };
        match &mut self.login {
            Login::Idle => {}
            Login::LoggingIn(_) if planted(Bug::RefreshIgnored) => {}
            Login::LoggingIn(attempt) => attempt.token = fresh,
            Login::LoggedIn { token, .. } => *token = fresh,
            Login::TokenRejected { uid, claim } => {
                let attempt = Attempt { uid: uid.clone(), token: fresh, claim: *claim, since: now };
                self.start_login(now, attempt);
            }
        }
    }

    fn start_login(&mut self, now: Instant, attempt: Attempt) {
        self.login = Login::LoggingIn(attempt);
        self.timeline = Timeline::new(now);
        self.backoff.reset();
        self.emit(Event::ConnectionStateChanged(ConnectionState::Connecting));
        self.connect(now);
    }

    /// `setBusinessId`: a tag that goes along with joins. An empty one clears it.
    pub fn set_business_id(&mut self, id: &str) -> Result<(), BusinessIdError> {
        let business_id = match id {
            "" => None,
            _ => Some(BusinessId::new(id).map_err(|_| BusinessIdError::BadCharacters)?),
        };
        if !self.rooms.are_all_out() {
            return Err(BusinessIdError::InRoom);
        }
        self.business_id = business_id;
        Ok(())
    }

    /// `setRuntimeParameters`: a JSON object of the [keys](super::Parameters::KEYS) of times, all
    /// in milliseconds, and of [`logLevel`](super::Parameters::LOG_LEVEL_KEY). What cannot be used
    /// is ignored, with an [`Event::Warning`].
    pub fn set_runtime_parameters(
        &mut self,
        now: Instant,
        json: &str,
    ) -> Result<(), ParametersError> {
        self.advance(now);
        let ignored = self.parameters.update(json)?;
        if !self.destroyed {
            for (code, message) in ignored {
                self.emit(Event::Warning { code, message });
            }
        }
        Ok(())
    }

    /// `destroy`: logs out, and forgets everything. The last outputs are the results of what was
    /// open, the logout, and the end of the link; nothing follows, and no call does anything any
    /// more.
    pub fn destroy(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.destroyed {
            return;
        }
        self.end_session(now, Ending::Own);
        self.login = Login::Idle;
        self.rooms.clear();
        self.forget_server_params();
        self.destroyed = true;
    }
}

fn usable_token(token: &str) -> Option<Bytes> {
    let usable = (1..=TOKEN_BYTES_MAX).contains(&token.len());
    usable.then(|| Bytes::copy_from_slice(token.as_bytes()))
}
