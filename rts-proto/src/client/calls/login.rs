//! Logging in and out.

use alloc::string::String;

use bytes::Bytes;

use crate::client::call::Call;
use crate::client::endings::Ending;
use crate::client::engine::Client;
use crate::client::error::LoginError;
use crate::client::event::{Event, WarningCode};
use crate::limits::TOKEN_BYTES_MAX;
use crate::{Instant, RoomState, UserId};

impl Client {
    /// `login`: one [`Event::LoginResult`] follows, unless a logout comes first. While no link to
    /// the server comes up, the login stays in progress and the attempts continue.
    pub fn login(&mut self, now: Instant, token: &str, uid: &str) -> Result<(), LoginError> {
        self.begin(now, &Call::Login { token, uid }).act(|client| client.try_login(token, uid))
    }

    fn try_login(&mut self, token: &str, uid: &str) -> Result<(), LoginError> {
        if self.is_destroyed {
            return Err(LoginError::NoEngine);
        }
        let uid = UserId::new(uid).map_err(|_| LoginError::BadArgument)?;
        let token = usable_token(token).ok_or(LoginError::BadArgument)?;
        if self.connection.is_logged_in() || self.connection.is_logging_in() {
            return Err(LoginError::AlreadyLoggedIn);
        }
        // Rooms that wait for a better token belong to another user.
        if let Some(rejected) = self.connection.rejected_user()
            && *rejected != uid
        {
            self.rooms.end_memberships(rejected, RoomState::JoinFailed, &mut self.shared);
        }
        self.server_params.forget();
        self.connection.log_in(uid, token, &mut self.shared);
        Ok(())
    }

    /// `logout`: answers every open question and calls back [`Event::Logout`], and nothing after
    /// it. Does nothing when neither logged in nor logging in.
    pub fn logout(&mut self, now: Instant) {
        self.begin(now, &Call::Logout).act(|client| client.end_login(Ending::Own));
    }

    /// `updateLoginToken`: logs in again if the last login failed because of its token. Otherwise
    /// keeps the token for the next login. A live login continues unchanged.
    pub fn update_login_token(&mut self, now: Instant, token: &str) {
        self.begin(now, &Call::UpdateLoginToken { token }).act(|client| client.take_token(token));
    }

    fn take_token(&mut self, token: &str) {
        if self.is_destroyed || self.connection.user().is_none() {
            return;
        }
        let Some(fresh) = usable_token(token) else {
            let message = String::from("a token has 1 to 3,072 bytes; this one was ignored");
            return self.shared.emit(Event::Warning { code: WarningCode::BadParameter, message });
        };
        self.connection.refresh_token(fresh, &mut self.shared);
    }

    /// `destroy`: logs out and forgets everything. The last outputs are the results of open
    /// questions, the logout, and the end of the link. No output follows. Later calls change
    /// nothing. They fail if their errors have a case for this.
    pub fn destroy(&mut self, now: Instant) {
        self.begin(now, &Call::Destroy).act(Self::forget_everything);
    }

    fn forget_everything(&mut self) {
        if self.is_destroyed {
            return;
        }
        self.end_login(Ending::Own);
        self.connection.forget_login();
        self.rooms.clear();
        self.server_params.forget();
        self.is_destroyed = true;
    }
}

fn usable_token(token: &str) -> Option<Bytes> {
    let usable = (1..=TOKEN_BYTES_MAX).contains(&token.len());
    usable.then(|| Bytes::copy_from_slice(token.as_bytes()))
}
