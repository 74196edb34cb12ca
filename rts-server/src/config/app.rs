//! An app: the keys of its tokens, its app server and its webhook.

use std::fmt;

use serde::Deserialize;

use super::error::one_or_more;
use super::{AppServer, ConfigError, Webhook};

/// The app id of `rts serve --dev`.
pub const DEV_APP_ID: &str = "123456781234567812345678";
/// The app key of `rts serve --dev`. It is public.
pub const DEV_APP_KEY: &str = "development key, known to all";
/// The app key of [`Config::EXAMPLE`](super::Config::EXAMPLE). It is public too.
pub(super) const EXAMPLE_APP_KEY: &str = "replace this";

/// One app.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The keys that may sign its tokens: one, or two during a change of keys. In TOML a string is
    /// a list of one.
    #[serde(deserialize_with = "one_or_more")]
    pub keys: Vec<String>,
    /// The URLs to which messages of its clients may be posted.
    #[serde(default)]
    pub app_server: AppServer,
    /// The URL that gets events about users and rooms. `None`: no events are posted.
    pub webhook: Option<Webhook>,
}

/// Shows no key.
impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "App {{ {} keys }}", self.keys.len())
    }
}

impl App {
    /// The app of `rts serve --dev`, whose key is public. Its app server may be on loopback.
    pub(super) fn development() -> Self {
        let app_server = AppServer { allow_loopback: true, ..AppServer::default() };
        Self { keys: vec![DEV_APP_KEY.to_owned()], app_server, webhook: None }
    }

    pub(super) fn check(&self, id: &str) -> Result<(), ConfigError> {
        if !(1..=2).contains(&self.keys.len()) || self.keys.iter().any(String::is_empty) {
            let what = "one key is needed, or two while the key is changed, none of them empty";
            let key = format!("apps.{id}.keys");
            return Err(ConfigError::Value { key, what: what.to_owned() });
        }
        self.app_server.check(id)?;
        if let Some(webhook) = &self.webhook {
            webhook.target(id)?;
        }
        Ok(())
    }
}
