//! An app: the keys of its tokens, its app server and its webhook.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{AppServer, ConfigError, TokenKey, TokenKeys, Webhook, text};

/// The app id of `rts serve --dev`.
pub const DEV_APP_ID: &str = "123456781234567812345678";
/// The app key of `rts serve --dev`. It is public.
pub const DEV_APP_KEY: &str = "development key, known to all";
/// The app key of [`Config::EXAMPLE`](super::Config::EXAMPLE). It is public too.
pub(super) const EXAMPLE_APP_KEY: &str = "replace this";

/// One app.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct App {
    /// The keys that may sign its tokens. In TOML a string is a list of one.
    #[serde(deserialize_with = "token_keys")]
    pub keys: TokenKeys,
    /// The URLs to which messages of its clients may be posted.
    #[serde(default)]
    pub app_server: AppServer,
    /// The URL that gets events about users and rooms. `None`: no events are posted.
    pub webhook: Option<Webhook>,
}

impl App {
    /// An app without an app server and without a webhook.
    pub fn new(keys: impl Into<TokenKeys>) -> Self {
        Self { keys: keys.into(), app_server: AppServer::default(), webhook: None }
    }

    /// The app of `rts serve --dev`, whose key is public. Its app server may be on loopback.
    pub(super) fn development() -> Self {
        let mut app = Self::new(TokenKey::new(DEV_APP_KEY).expect("it is long enough"));
        app.app_server.allow_loopback = true;
        app
    }

    pub(super) fn check(&self, id: &str) -> Result<(), ConfigError> {
        self.app_server.check(id)?;
        self.webhook.as_ref().map_or(Ok(()), |webhook| webhook.check(id))
    }
}

fn token_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TokenKeys, D::Error> {
    let keys: Vec<TokenKey> = text::one_or_more(deserializer)?;
    keys.try_into().map_err(D::Error::custom)
}
