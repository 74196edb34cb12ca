//! The app server of an app: the URLs that messages may be posted to.

use std::fmt;
use std::path::PathBuf;

use hyper::header::HeaderValue;
use rts_egress::{AddressPolicy, AllowList};
use serde::Deserialize;

use super::ConfigError;
use super::listen::{NO_PATH, is_path};

/// The app server of an app. With an empty list nothing is posted.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct AppServer {
    /// Origins with prefixes of paths, such as `https://app.example/rts`. Clients choose among
    /// them.
    pub allow: Vec<String>,
    /// Allows `http://` in the list.
    pub allow_plain_http: bool,
    /// Networks that may be posted to besides the public internet, such as `10.1.0.0/16`.
    pub networks: Vec<String>,
    /// Allows any port of `127.0.0.1`, `localhost` and `[::1]`, also over HTTP. For development.
    pub allow_loopback: bool,
    /// The key that signs posts, in a header. `None`: posts are not signed.
    pub forwarding_key: Option<String>,
    /// The content type of posts.
    pub content_type: String,
    /// A file of trusted certificates in PEM, which replaces those of the system.
    pub ca_file: Option<PathBuf>,
}

impl Default for AppServer {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            allow_plain_http: false,
            networks: Vec::new(),
            allow_loopback: false,
            forwarding_key: None,
            content_type: "text/plain; charset=utf-8".to_owned(),
            ca_file: None,
        }
    }
}

/// Shows no key.
impl fmt::Debug for AppServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppServer")
            .field("allow", &self.allow)
            .field("networks", &self.networks)
            .field("allow_loopback", &self.allow_loopback)
            .field("signs", &self.forwarding_key.is_some())
            .finish_non_exhaustive()
    }
}

impl AppServer {
    /// Whether nothing can be posted.
    pub(crate) fn is_closed(&self) -> bool {
        self.allow.is_empty() && !self.allow_loopback
    }

    pub(super) fn check(&self, app_id: &str) -> Result<(), ConfigError> {
        self.policies(app_id)?;
        self.content_type(app_id)?;
        if self.ca_file.as_deref().is_some_and(|path| !is_path(path)) {
            return Err(error(app_id, "ca_file", NO_PATH));
        }
        if self.forwarding_key.as_ref().is_some_and(String::is_empty) {
            return Err(error(
                app_id,
                "forwarding_key",
                "the key is empty: remove it, or set a key",
            ));
        }
        Ok(())
    }

    /// The allowed URLs, and the allowed addresses.
    pub(crate) fn policies(&self, app_id: &str) -> Result<(AllowList, AddressPolicy), ConfigError> {
        let allowed = AllowList::new(self.allow.iter().map(String::as_str), self.allow_plain_http)
            .map_err(|(entry, e)| {
                let at = self.allow.iter().position(|other| other == entry).unwrap_or_default();
                error(app_id, &format!("allow, entry {}", at + 1), &e.to_string())
            })?;
        for (at, network) in self.networks.iter().enumerate() {
            if AddressPolicy::new([network.as_str()]).is_err() {
                let what = "a network is written 10.1.0.0/16 or fd00::/8, with no bits set after the prefix";
                return Err(error(app_id, &format!("networks, entry {}", at + 1), what));
            }
        }
        let addresses = AddressPolicy::new(self.networks.iter().map(String::as_str))
            .map_err(|e| error(app_id, "networks", &e.to_string()))?;
        if self.allow_loopback {
            return Ok((allowed.with_loopback(), addresses.with_loopback()));
        }
        Ok((allowed, addresses))
    }

    pub(crate) fn content_type(&self, app_id: &str) -> Result<HeaderValue, ConfigError> {
        HeaderValue::from_str(&self.content_type).map_err(|_| {
            error(app_id, "content_type", "write a media type, such as \"application/json\"")
        })
    }
}

fn error(app_id: &str, key: &str, what: &str) -> ConfigError {
    ConfigError::Value { key: format!("apps.{app_id}.app_server.{key}"), what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    const APP: &str = "123456781234567812345678";

    fn parse(app_server: &str) -> Result<AppServer, String> {
        let text = format!(
            "listen = \"127.0.0.1:1\"\n[apps.{APP}]\nkeys = [\"k\"]\n[apps.{APP}.app_server]\n{app_server}"
        );
        let config = Config::parse(&text).map_err(|error| error.to_string())?;
        Ok(config.apps[APP].app_server.clone())
    }

    #[test]
    fn invalid_values_are_refused_with_their_place() {
        for (text, what) in [
            ("allow = [\"http://app.example/\"]", "allow_plain_http"),
            ("allow = [\"https://App.example/\"]", "plain form"),
            ("allow = [\"app.example\"]", "https://host/path"),
            ("networks = [\"::1/128\", \"10.0.0.1/8\"]", "networks, entry 2: a network is written"),
            ("content_type = \"a\\nb\"", "media type"),
            ("forwarding_key = \"\"", "remove it"),
            ("allows = []", "allows"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn posts_nothing_by_default() {
        assert_eq!(parse(""), Ok(AppServer::default()));
        assert!(AppServer::default().is_closed());
    }

    #[test]
    fn the_example_has_the_defaults() {
        let example = Config::parse(Config::EXAMPLE).expect("a valid configuration");
        assert_eq!(example.apps[APP].app_server, AppServer::default());
    }

    #[test]
    fn no_key_is_shown() {
        let config = parse("forwarding_key = \"secret\"").expect("a valid configuration");
        assert!(!format!("{config:?}").contains("secret"));
    }
}
