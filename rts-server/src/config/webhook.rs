//! The webhook of an app: where its back end gets events.

use std::fmt;

use rts_egress::TargetUrl;
use serde::Deserialize;

use super::{ConfigError, WebhookSecret, text};

/// The section `[apps.APPID.webhook]`. Without it no events are created or posted.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Webhook {
    /// The URL of posts: `https`, or `http` on loopback.
    #[serde(deserialize_with = "text::one")]
    pub url: TargetUrl,
    /// The secret that signs posts.
    #[serde(deserialize_with = "text::one")]
    pub secret: WebhookSecret,
    /// Allows `http` to addresses other than loopback.
    #[serde(default)]
    pub allow_plaintext: bool,
}

/// Shows nothing: the URL may contain a secret too.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

impl Webhook {
    /// A webhook whose URL is `https`, or `http` on loopback.
    #[must_use]
    pub fn new(url: TargetUrl, secret: WebhookSecret) -> Self {
        Self { url, secret, allow_plaintext: false }
    }

    pub(super) fn check(&self, app_id: &str) -> Result<(), ConfigError> {
        let is_loopback = match self.url.ip() {
            Some(ip) => ip.is_loopback(),
            None => self.url.host() == "localhost",
        };
        if self.url.is_tls() || is_loopback || self.allow_plaintext {
            return Ok(());
        }
        let key = format!("apps.{app_id}.webhook.url");
        let what = "it has the form https://HOST/PATH; http only on loopback, or with \
                    allow_plaintext = true";
        Err(ConfigError::Value { key, what: what.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    const SECRET: &str = "sixteen bytes 16";

    fn refused(url: &str, secret: &str, allow_plaintext: bool) -> Option<String> {
        let app = "apps.123456781234567812345678";
        let text = format!(
            "listen = \"127.0.0.1:1\"\n[{app}]\nkeys = \"k\"\n[{app}.webhook]\nurl = {url:?}\n\
             secret = {secret:?}\nallow_plaintext = {allow_plaintext}"
        );
        Config::parse(&text).err().map(|error| error.to_string())
    }

    #[test]
    fn urls_are_encrypted_or_on_loopback() {
        for url in [
            "https://app.example/hook?x=1",
            "http://127.0.0.1:8000/",
            "http://[::1]:8000/hook",
            "http://localhost/hook",
        ] {
            assert_eq!(refused(url, SECRET, false), None, "{url}");
        }
        let error = refused("http://app.example/hook", SECRET, false).expect("not encrypted");
        let place = "apps.123456781234567812345678.webhook.url: ";
        assert!(error.starts_with(place) && error.contains("http only on loopback"), "{error}");
        assert_eq!(refused("http://app.example/hook", SECRET, true), None);
    }

    #[test]
    fn invalid_urls_and_secrets_are_refused_with_their_place() {
        for (url, said) in [
            ("ftp://127.0.0.1/", "the scheme must be https"),
            ("https://user@app.example/", "user name"),
            ("https://app.example/#x", "fragment"),
            ("https://App.example/", "plain form"),
            ("hook", "write https://host/path"),
        ] {
            let error = refused(url, SECRET, false).expect(url);
            let place = "line 5, column 7, apps.123456781234567812345678.webhook.url: ";
            assert!(error.starts_with(place) && error.contains(said), "{error}");
        }
        let error = refused("https://app.example/", &SECRET[1..], false).expect("too short");
        let place = "line 6, column 10, apps.123456781234567812345678.webhook.secret: ";
        assert!(error.starts_with(&format!("{place}at least 16 bytes")), "{error}");
    }
}
