//! What several commands share: whom to log in as, tokens, and logging in.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use rts_server::{DEV_APP_ID, DEV_APP_KEY};
use rts_token::{AppKey, Expiry, Token};
use rts_transport_tokio::{Engine, Event, Events, LoginCode, connect_with};

use crate::out::tell;
use crate::reach::Reach;

/// Why a command that did not log out by itself ends all the same.
pub(crate) const LOGGED_OUT: &str = "logged out: the same user has logged in elsewhere";

/// Where `rts serve --dev` listens.
const DEV_URL: &str = "rts://127.0.0.1:7600";

/// Where the server is, and whom to log in as.
#[derive(Debug, Args)]
pub(crate) struct Account {
    /// The server: rts:// is plain TCP, rtss:// TLS, ws:// and wss:// WebSocket
    #[arg(long, default_value = DEV_URL)]
    url: String,
    #[command(flatten)]
    reach: Reach,
    /// The app
    #[arg(long, default_value = DEV_APP_ID)]
    app_id: String,
    /// The user
    #[arg(long)]
    pub(crate) uid: String,
    /// A token for this user, from `rts token new`
    #[arg(long)]
    token: String,
}

impl Account {
    /// Logs in, and says in words why not.
    pub(crate) async fn log_in(&self) -> anyhow::Result<(Engine, Events)> {
        let connector = self.reach.connector(&self.url)?;
        let (engine, mut events) = connect_with(connector, &self.app_id, "{}")?;
        engine.login(&self.token, &self.uid)?;
        loop {
            match events.next().await {
                Some(Event::LoginResult { code: LoginCode::Ok, .. }) => {
                    return Ok((engine, events));
                }
                Some(Event::LoginResult { code, .. }) => bail!("{}", self.refused(code)),
                Some(Event::ConnectionStateChanged(state)) if state.code() == 4 => {
                    let why = engine.last_link_error();
                    let why =
                        why.unwrap_or_else(|| format!("the server at {} is silent", self.url));
                    let is_dev = self.url == DEV_URL && self.reach.is_direct();
                    let hint =
                        if is_dev { "; `rts serve --dev` starts a server there" } else { "" };
                    bail!("given up: {why}{hint}");
                }
                Some(Event::Warning { message, .. }) => {
                    tell(format_args!("rts: {message}; trying again"))
                }
                Some(_) => {}
                None => bail!("the engine ended"),
            }
        }
    }

    fn refused(&self, code: LoginCode) -> String {
        let why = match code {
            LoginCode::InvalidToken => format!(
                "the token is not valid for app {} and user {:?}, or it has expired; \
                 `rts token inspect` shows what it says",
                self.app_id, self.uid
            ),
            LoginCode::BadUserId => "the server refuses this user id".to_owned(),
            LoginCode::ServerError => "the server cannot check tokens now".to_owned(),
            LoginCode::Ok | LoginCode::Unknown => {
                "the server did not say why; try again".to_owned()
            }
        };
        format!("login refused ({}): {why}", code.code())
    }
}

pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A token of the development app.
pub(crate) fn dev_token(uid: &str, expire_at: u32) -> anyhow::Result<String> {
    let key = AppKey::new(DEV_APP_KEY)?;
    let nonce = getrandom::u32().map_err(|error| anyhow!("no random number: {error}"))?;
    let issued_at = u32::try_from(unix_now()).context("the clock is after the year 2106")?;
    let token = Token::new(DEV_APP_ID, uid, Expiry::At(expire_at))?
        .with_nonce(nonce)
        .with_issued_at(issued_at);
    Ok(token.sign(&key))
}
