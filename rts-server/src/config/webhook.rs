//! The webhook of an app: where its back end gets events.

use std::fmt;

use reqwest::Url;
use serde::Deserialize;

use super::ConfigError;

/// Shorter secrets can be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// The section `[apps.APPID.webhook]`. Without it no events are created or posted.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The URL of posts: `https`, or `http` on loopback.
    pub url: String,
    /// The secret that signs posts. At least 16 bytes.
    pub secret: String,
    /// Allows `http` to addresses other than loopback.
    #[serde(default)]
    pub allow_plaintext: bool,
}

/// Shows no secret. The URL may contain one too.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

impl Webhook {
    /// The URL, if it is valid.
    pub(crate) fn target(&self, app_id: &str) -> Result<Url, ConfigError> {
        let error = |key: &str, what: String| ConfigError::Value {
            key: format!("apps.{app_id}.webhook.{key}"),
            what,
        };
        if self.secret.len() < SECRET_BYTES_MIN {
            let what = format!("the secret has at least {SECRET_BYTES_MIN} bytes");
            return Err(error("secret", what));
        }
        let url = Url::parse(&self.url).map_err(|e| error("url", e.to_string()))?;
        let is_loopback = match url.host_str() {
            Some("localhost") => true,
            Some(host) => {
                let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
                address.is_ok_and(|address| address.is_loopback())
            }
            None => return Err(error("url", "it has no host".to_owned())),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback || self.allow_plaintext => {}
            _ => {
                let what = "it has the form https://HOST/PATH; http only on loopback, or with \
                            allow_plaintext = true";
                return Err(error("url", what.to_owned()));
            }
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            let what = "it has no user, password or fragment; posts are signed with the secret";
            return Err(error("url", what.to_owned()));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::Webhook;

    fn refused(url: &str, secret: &str, allow_plaintext: bool) -> Option<String> {
        let (url, secret) = (url.to_owned(), secret.to_owned());
        let checked = Webhook { url, secret, allow_plaintext }.target("APP");
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn checks_urls_and_secrets() {
        let secret = "sixteen bytes 16";
        for url in [
            "https://app.example/hook?x=1",
            "http://127.0.0.1:8000/",
            "http://[::1]:8000/hook",
            "http://localhost/hook",
        ] {
            assert_eq!(refused(url, secret, false), None, "{url}");
        }
        for (url, said) in [
            ("http://app.example/hook", "http only on loopback"),
            ("ftp://127.0.0.1/", "http only on loopback"),
            ("https://user@app.example/", "no user"),
            ("https://app.example/#x", "no user, password or fragment"),
            ("hook", "relative URL"),
        ] {
            let error = refused(url, secret, false).expect(url);
            assert!(error.contains(said) && error.starts_with("apps.APP.webhook.url"), "{error}");
        }
        assert_eq!(refused("http://app.example/hook", secret, true), None);
        let error = refused("https://app.example/", &secret[1..], false).expect("too short");
        assert!(error.contains("at least 16"), "{error}");
    }
}
