//! The app server of an app: the URLs that messages may be posted to.

use std::path::PathBuf;
use std::str::FromStr;

use hyper::header::HeaderValue;
use rts_egress::{AddressPolicy, AllowEntry, AllowList, Network};
use serde::Deserialize;

use super::{ConfigError, ForwardingKey, text};

/// The app server of an app. With an empty list nothing is posted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AppServer {
    /// Origins with prefixes of paths, such as `https://app.example/rts`. Clients choose among
    /// them.
    #[serde(deserialize_with = "text::list")]
    pub allow: Vec<AllowEntry>,
    /// Allows `http://` in the list.
    pub allow_plain_http: bool,
    /// Networks that may be posted to besides the public internet, such as `10.1.0.0/16`.
    #[serde(deserialize_with = "text::list")]
    pub networks: Vec<Network>,
    /// Allows any port of `127.0.0.1`, `localhost` and `[::1]`, also over HTTP. For development.
    pub allow_loopback: bool,
    /// The key that signs posts, in a header. `None`: posts are not signed.
    #[serde(deserialize_with = "text::optional")]
    pub forwarding_key: Option<ForwardingKey>,
    /// The content type of posts.
    #[serde(deserialize_with = "text::one")]
    pub content_type: ContentType,
    /// A file of trusted certificates in PEM, which replaces those of the system.
    #[serde(deserialize_with = "text::path")]
    pub ca_file: Option<PathBuf>,
}

impl AppServer {
    /// Whether nothing can be posted.
    pub(crate) fn is_closed(&self) -> bool {
        self.allow.is_empty() && !self.allow_loopback
    }

    pub(super) fn check(&self, app_id: &str) -> Result<(), ConfigError> {
        self.policies(app_id).map(drop)
    }

    /// The allowed URLs, and the allowed addresses.
    pub(crate) fn policies(&self, app_id: &str) -> Result<(AllowList, AddressPolicy), ConfigError> {
        let allowed = AllowList::new(self.allow.iter().cloned(), self.allow_plain_http);
        let allowed = allowed.map_err(|error| ConfigError::Value {
            key: format!("apps.{app_id}.app_server.allow, entry {}", error.entry() + 1),
            what: error.to_string(),
        })?;
        let addresses = AddressPolicy::new(self.networks.iter().copied());
        if self.allow_loopback {
            return Ok((allowed.with_loopback(), addresses.with_loopback()));
        }
        Ok((allowed, addresses))
    }
}

/// The content type of posts. The default is plain text in UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType(HeaderValue);

/// The text cannot be the value of a header. The error does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a media type, such as \"application/json\"")]
pub struct ContentTypeError(());

impl ContentType {
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl Default for ContentType {
    fn default() -> Self {
        Self(HeaderValue::from_static("text/plain; charset=utf-8"))
    }
}

impl FromStr for ContentType {
    type Err = ContentTypeError;

    fn from_str(text: &str) -> Result<Self, ContentTypeError> {
        HeaderValue::from_str(text).map(Self).map_err(|_| ContentTypeError(()))
    }
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
            ("networks = [\"::1/128\", \"10.0.0.1/8\"]", "networks: entry 2: a network is written"),
            ("content_type = \"a\\nb\"", "media type"),
            ("forwarding_key = \"\"", "remove this one"),
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
