//! The state of a login as one value, in place of the events that change it.

use std::task::{Context, Poll, Waker};

use rts_proto::client::{Client, Event};
use rts_proto::{ConnectionState, LoginCode, LogoutReason};

/// The state of an engine's login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginStatus {
    /// There has been no login.
    #[default]
    Idle,
    /// A login was reserved, and waits for its token.
    Reserved,
    /// A login waits for its answer.
    LoggingIn,
    /// A login is live, with or without a link at the moment.
    LoggedIn,
    /// The token was refused. The login waits for another token.
    TokenRefused,
    /// The login was refused, and is over.
    Refused(LoginCode),
    /// The login is over.
    LoggedOut(LogoutReason),
    /// The login is over: the server refuses this engine, and the engine does not connect again by
    /// itself.
    ServerAbnormal,
    /// The engine was destroyed.
    Destroyed,
}

/// Names one login of an engine, among all of this engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LoginId(u64);

/// The present login, and the tasks that wait for a change of it.
///
/// The core knows logins that have a token. This also knows the login that was reserved and waits
/// for its first token, and the logout from a login that waits for a better token. All changes are
/// made under the engine's lock, so a login that was overtaken cannot act on its successor.
#[derive(Default)]
pub(crate) struct Login {
    id: LoginId,
    status: LoginStatus,
    /// The status that the end of the last login left.
    end: LoginStatus,
    /// The present login has no token yet. The core may still have the login before it.
    is_reserved: bool,
    /// Whether the present login was accepted at some time.
    was_live: bool,
    /// All sessions of the engine, and those that there were when this login was accepted.
    sessions_begun: u64,
    sessions_at_first: u64,
    /// The present login has not been reported yet.
    is_new: bool,
    /// A new token of the present login has not been reported yet.
    has_new_token: bool,
    version: u64,
    waiting: Vec<Waker>,
}

impl Login {
    // Calls of the application, within the call of the core.

    /// A login with a token begins.
    pub(crate) fn begin(&mut self) -> LoginId {
        self.follow_up(false)
    }

    /// A login begins whose token is not known yet.
    pub(crate) fn reserve(&mut self) -> LoginId {
        self.follow_up(true)
    }

    /// Whether this login was reserved, and neither begun nor overtaken.
    pub(crate) fn is_reserved(&self, login: LoginId) -> bool {
        self.is_reserved && self.id == login
    }

    /// The reserved login has its token and begins.
    pub(crate) fn begin_reserved(&mut self) {
        self.is_reserved = false;
        self.is_new = true;
    }

    /// The application logs out. The core ends a login that is live or in progress; other logins
    /// end here.
    pub(crate) fn leave(&mut self) {
        if matches!(self.status, LoginStatus::Reserved | LoginStatus::TokenRefused) {
            self.follow_up(false);
            self.end = LoginStatus::LoggedOut(LogoutReason::Own);
        }
    }

    /// The login got another token.
    pub(crate) fn token_changed(&mut self) {
        self.has_new_token = true;
    }

    fn follow_up(&mut self, is_reserved: bool) -> LoginId {
        self.id.0 += 1;
        self.is_reserved = is_reserved;
        self.was_live = false;
        self.is_new = true;
        self.id
    }

    // Questions.

    pub(crate) fn id(&self) -> LoginId {
        self.id
    }

    /// The status as it concerns this login. A login that was overtaken has ended.
    pub(crate) fn status_of(&self, login: LoginId) -> LoginStatus {
        match self.status {
            LoginStatus::Destroyed => LoginStatus::Destroyed,
            _ if self.id != login => LoginStatus::LoggedOut(LogoutReason::Own),
            status => status,
        }
    }

    pub(crate) fn was_live(&self) -> bool {
        self.was_live
    }

    /// How often the present login began a new session because the last one could not be resumed.
    pub(crate) fn sessions_lost(&self) -> u64 {
        if self.was_live { self.sessions_begun - self.sessions_at_first } else { 0 }
    }

    pub(crate) fn status(&self) -> LoginStatus {
        self.status
    }

    /// Whether another token is of use to the present login.
    pub(crate) fn takes_tokens(&self) -> bool {
        self.status.takes_tokens()
    }

    /// The number of changes.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Ready when the version differs from `seen`.
    pub(crate) fn poll_changed(&mut self, seen: u64, context: &Context<'_>) -> Poll<()> {
        if self.version != seen {
            return Poll::Ready(());
        }
        if !self.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            self.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }

    // The core's news.

    pub(crate) fn happened(&mut self, event: &Event) {
        match event {
            Event::LoginResult { code: LoginCode::InvalidToken, .. } => {
                self.end = LoginStatus::TokenRefused;
            }
            Event::LoginResult { code, .. } if *code != LoginCode::Ok => {
                self.end = LoginStatus::Refused(*code);
            }
            Event::Logout(reason) => self.end = LoginStatus::LoggedOut(*reason),
            Event::ConnectionStateChanged(ConnectionState::Failed) => {
                self.end = LoginStatus::ServerAbnormal;
            }
            _ => {}
        }
    }

    pub(crate) fn settle(&mut self, client: &Client, woken: &mut Vec<Waker>) {
        let is_logging_in = client.is_logging_in();
        if is_logging_in && !self.is_new && !self.takes_tokens() {
            // A call of `updateLoginToken` revived a login that the application had left.
            self.follow_up(false);
        }
        let status = if client.is_destroyed() {
            LoginStatus::Destroyed
        } else if client.is_logged_in() {
            LoginStatus::LoggedIn
        } else if is_logging_in {
            LoginStatus::LoggingIn
        } else if self.is_reserved {
            LoginStatus::Reserved
        } else {
            self.end
        };
        let sessions_before = std::mem::replace(&mut self.sessions_begun, client.sessions_begun());
        if status == LoginStatus::LoggedIn && !self.was_live {
            self.was_live = true;
            self.sessions_at_first = self.sessions_begun;
        }
        let is_news = std::mem::take(&mut self.is_new)
            | std::mem::take(&mut self.has_new_token)
            | (self.sessions_begun != sessions_before);
        if is_news || status != self.status {
            self.status = status;
            self.version += 1;
            woken.append(&mut self.waiting);
        }
    }
}

impl LoginStatus {
    /// Whether another token is of use to the login.
    #[must_use]
    pub fn takes_tokens(self) -> bool {
        matches!(self, Self::LoggingIn | Self::LoggedIn | Self::TokenRefused)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use rts_proto::client::Config;
    use rts_proto::{AppId, Instant, UserId};

    use super::*;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    fn client() -> Client {
        let app_id = AppId::new("123456781234567812345678").expect("a valid id");
        Client::new(Config::new(app_id), 1)
    }

    #[test]
    fn login_that_another_one_followed_counts_as_logged_out() {
        let (mut client, mut login) = (client(), Login::default());
        client.login(Instant::ORIGIN, "token", "alice").expect("not logged in");
        let first = login.begin();
        login.settle(&client, &mut Vec::new());
        assert_eq!(login.status_of(first), LoginStatus::LoggingIn);
        let second = login.begin();
        assert_eq!(login.status_of(first), LoginStatus::LoggedOut(LogoutReason::Own));
        assert_eq!(login.status_of(second), LoginStatus::LoggingIn);
        client.destroy(Instant::ORIGIN);
        login.settle(&client, &mut Vec::new());
        assert_eq!(login.status_of(first), LoginStatus::Destroyed);
    }

    #[test]
    fn end_of_a_login_has_its_reason() {
        let uid = UserId::new("alice").expect("a valid id");
        let result =
            |code| Event::LoginResult { uid: uid.clone(), code, elapsed: Default::default() };
        let abnormal = Event::ConnectionStateChanged(ConnectionState::Failed);
        let displaced = LogoutReason::Displaced;
        for (event, status) in [
            (result(LoginCode::InvalidToken), LoginStatus::TokenRefused),
            (result(LoginCode::BadUserId), LoginStatus::Refused(LoginCode::BadUserId)),
            (Event::Logout(displaced), LoginStatus::LoggedOut(displaced)),
            (abnormal, LoginStatus::ServerAbnormal),
            (result(LoginCode::Ok), LoginStatus::Idle),
        ] {
            let mut login = Login::default();
            login.happened(&event);
            login.settle(&client(), &mut Vec::new());
            assert_eq!(login.status(), status, "{event:?}");
        }
    }

    #[test]
    fn change_wakes_once_and_a_new_login_is_a_change() {
        let (mut client, mut login) = (client(), Login::default());
        let waker = Waker::from(Arc::new(Nobody));
        let context = Context::from_waker(&waker);
        let settle = |login: &mut Login, client: &Client| {
            let mut woken = Vec::new();
            login.settle(client, &mut woken);
            woken.len()
        };
        let seen = login.version();
        assert!(login.poll_changed(seen, &context).is_pending());
        assert!(login.poll_changed(seen, &context).is_pending());
        assert_eq!(settle(&mut login, &client), 0);
        client.login(Instant::ORIGIN, "token", "alice").expect("not logged in");
        login.begin();
        assert_eq!(settle(&mut login, &client), 1);
        assert!(login.poll_changed(seen, &context).is_ready());
        let seen = login.version();
        assert_eq!(settle(&mut login, &client), 0);
        assert!(login.poll_changed(seen, &context).is_pending());
        login.begin();
        assert_eq!(settle(&mut login, &client), 1);
    }
}
