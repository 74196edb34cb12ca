//! Options and functions for commands that log in.

use anyhow::{Context as _, bail};
use clap::Args;
use rts_client::contract::{ConnectionState, Engine, Event, Events, LoginCode};
use rts_server::DEV_APP_ID;
use rts_token::Unverified;

use crate::credentials::Credentials;
use crate::out::eprint_line;
use crate::reach::Reach;

/// The address of `rts serve --dev`.
pub(crate) const DEV_URL: &str = "rts://127.0.0.1:7600";

/// Where the server is, and whom to log in as.
#[derive(Debug, Args)]
pub(crate) struct Account {
    /// The server: rts:// is plain TCP, rtss:// TLS, ws:// and wss:// WebSocket. The nodes of a
    /// cluster are several, with commas between them
    #[arg(long, default_value = DEV_URL)]
    url: String,
    #[command(flatten)]
    reach: Reach,
    /// The app id [default: the token names it]
    #[arg(long, conflicts_with = "dev")]
    app_id: Option<String>,
    /// The user id [default: the token names it]
    #[arg(long, conflicts_with = "dev")]
    uid: Option<String>,
    #[command(flatten)]
    credentials: Credentials,
}

/// An engine that is logged in.
pub(crate) struct LoggedIn {
    pub(crate) engine: Engine,
    pub(crate) events: Events,
    pub(crate) uid: String,
}

impl Account {
    /// Logs in. The error says why a login failed.
    pub(crate) async fn log_in(&self) -> anyhow::Result<LoggedIn> {
        let token = self.credentials.require()?;
        // The token names its app and user. If it cannot be read, the server judges it.
        let read = rts_token::inspect(&token);
        let claims = read.as_ref().map(Unverified::claims);
        let uid = match (&self.uid, claims) {
            (Some(uid), _) => uid.clone(),
            (None, Ok(claims)) => claims.user_id().to_owned(),
            (None, Err(error)) => bail!(
                "the token cannot be read; perhaps it was not copied completely: {error}; with --uid \
                it is sent unread"
            ),
        };
        let app_id = match (&self.app_id, claims) {
            (Some(app_id), _) => app_id,
            (None, Ok(claims)) => claims.app_id(),
            (None, Err(_)) => DEV_APP_ID,
        };
        let connector = self.reach.connector(&self.url)?;
        let engine =
            rts_client::Engine::builder_over(connector, app_id).build()?.contract().clone();
        let mut events = engine.events();
        engine.login(&token, &uid)?;
        loop {
            match events.next().await {
                Some(Event::LoginResult { code: LoginCode::Ok, .. }) => {
                    return Ok(LoggedIn { engine, events, uid });
                }
                Some(Event::LoginResult { code, .. }) => {
                    bail!("{}", refused(code, app_id, &uid, self.credentials.are_dev()))
                }
                // Another login of the user, or the app's back end, has ended the login.
                Some(Event::Logout(reason)) => bail!("logged out: {reason}"),
                Some(Event::ConnectionStateChanged(ConnectionState::Reconnecting)) => {
                    let why = engine.last_link_error();
                    let why = why.map_or_else(
                        || format!("the server at {} is silent", self.url),
                        |why| why.to_string(),
                    );
                    let is_dev = self.url == DEV_URL && self.reach.is_direct();
                    let hint =
                        if is_dev { "; `rts serve --dev` starts a server there" } else { "" };
                    bail!("gave up: {why}{hint}");
                }
                Some(Event::Warning { message, .. }) => {
                    eprint_line(format_args!("rts: {message}; trying again"))
                }
                Some(_) => {}
                None => bail!("the engine ended"),
            }
        }
    }
}

/// Why the login is over, if this event ends it. The engine does not recover from this by itself:
/// it needs another token or another login.
pub(crate) fn login_end(event: &Event) -> Option<String> {
    match event {
        Event::Logout(reason) => Some(format!("logged out: {reason}")),
        Event::LoginResult { code: LoginCode::Ok, .. } => None,
        Event::LoginResult { code, .. } => Some(format!("the login was refused: {code}")),
        Event::ConnectionStateChanged(ConnectionState::Failed) => Some(
            "the server refuses this client, and the engine does not retry: start again".to_owned(),
        ),
        _ => None,
    }
}

/// The app that a token names.
pub(crate) fn app_of(token: &str) -> anyhow::Result<String> {
    let token = rts_token::inspect(token).context("the token, which names the app")?;
    Ok(token.claims().app_id().to_owned())
}

fn refused(code: LoginCode, app_id: &str, uid: &str, are_dev: bool) -> String {
    let why = match code {
        LoginCode::InvalidToken if are_dev => {
            "--dev is for a server that `rts serve --dev` started \
             on this machine, and this one has keys of its own, or the token was revoked; give \
             --token-file FILE with a token that is signed with its key"
                .to_owned()
        }
        LoginCode::InvalidToken => format!(
            "the token is not valid for app {app_id} and user {uid:?}, or it has expired; \
             `rts token inspect` shows its content"
        ),
        LoginCode::BadUserId => "the server refuses this user id".to_owned(),
        LoginCode::ServerError => "the server cannot check tokens now".to_owned(),
        LoginCode::Ok | LoginCode::Unknown => "the server did not say why; try again".to_owned(),
    };
    format!("login refused ({}): {why}", code.code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rts_client::contract::{LogoutReason, UserId};
    use std::time::Duration;

    #[test]
    fn only_logout_refusal_and_failure_end_a_login() {
        let result = |code: LoginCode| Event::LoginResult {
            uid: UserId::new("bob").expect("well formed"),
            code,
            elapsed: Duration::ZERO,
        };
        for code in LoginCode::ALL {
            let end = login_end(&result(*code));
            let refused = format!("the login was refused: {code}");
            assert_eq!(end, (*code != LoginCode::Ok).then_some(refused));
        }
        for reason in LogoutReason::ALL {
            let end = login_end(&Event::Logout(*reason));
            assert_eq!(end, Some(format!("logged out: {reason}")));
        }
        for state in ConnectionState::ALL {
            let end = login_end(&Event::ConnectionStateChanged(*state));
            assert_eq!(end.is_some(), *state == ConnectionState::Failed, "{state}");
        }
    }
}
