//! The OpenAPI's listener, and its keys with their apps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use serde::Deserialize;

use super::error::one_or_more;
use super::{App, ConfigError, DEV_APP_ID};

/// The bearer key of `rts serve --dev`. It is public.
pub const DEV_BEARER_KEY: &str = "development-bearer-key-known-to-all";
/// The access key of `rts serve --dev`, for signed requests.
pub const DEV_ACCESS_KEY: &str = "DEVELOPMENT";
/// The secret of [`DEV_ACCESS_KEY`]. It is public.
pub const DEV_ACCESS_SECRET: &str = "development-secret-known-to-all";
/// Shorter keys and secrets can be guessed.
const KEY_BYTES_MIN: usize = 16;

/// The section `[openapi]`. Without it there is no OpenAPI.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenApi {
    /// The address to listen on, for back ends only. Port 0 takes a free port.
    pub listen: SocketAddr,
    /// Allows plain HTTP on an address that is not loopback.
    #[serde(default)]
    pub allow_public_plaintext: bool,
    /// Keys that sign requests, as the SDKs of Volcengine RTS do.
    #[serde(default)]
    pub access_keys: Vec<AccessKey>,
    /// Bearer keys, which requests contain.
    #[serde(default)]
    pub bearer_keys: Vec<BearerKey>,
}

/// A key that signs requests.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// The id of the key, which requests name.
    pub id: String,
    /// The secret that signs requests. At least 16 bytes.
    pub secret: String,
    /// The apps that the key may act on.
    #[serde(deserialize_with = "one_or_more")]
    pub apps: Vec<String>,
}

/// A key that requests contain: `Authorization: Bearer KEY`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BearerKey {
    /// The name of the key in logs.
    pub name: String,
    /// The key itself. At least 16 bytes.
    pub key: String,
    /// The apps that the key may act on.
    #[serde(deserialize_with = "one_or_more")]
    pub apps: Vec<String>,
}

/// Shows no secret.
impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, apps, .. } = self;
        f.debug_struct("AccessKey").field("id", id).field("apps", apps).finish_non_exhaustive()
    }
}

/// Shows no key.
impl fmt::Debug for BearerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, apps, .. } = self;
        f.debug_struct("BearerKey").field("name", name).field("apps", apps).finish_non_exhaustive()
    }
}

impl OpenApi {
    /// The public keys of `rts serve --dev`, for its app.
    #[must_use]
    pub fn development(listen: SocketAddr) -> Self {
        let apps = vec![DEV_APP_ID.to_owned()];
        Self {
            listen,
            allow_public_plaintext: false,
            access_keys: vec![AccessKey {
                id: DEV_ACCESS_KEY.to_owned(),
                secret: DEV_ACCESS_SECRET.to_owned(),
                apps: apps.clone(),
            }],
            bearer_keys: vec![BearerKey {
                name: "development".to_owned(),
                key: DEV_BEARER_KEY.to_owned(),
                apps,
            }],
        }
    }

    pub(super) fn check(&self, apps: &BTreeMap<String, App>) -> Result<(), ConfigError> {
        let error = |key: &str, what: String| ConfigError::Value { key: key.to_owned(), what };
        if !self.listen.ip().is_loopback() && !self.allow_public_plaintext {
            let what = "this is not a loopback address, and bearer keys and messages are not encrypted: put a TLS \
                        terminator in front and listen on 127.0.0.1, or say openapi.allow_public_plaintext = true";
            return Err(error("openapi.listen", what.to_owned()));
        }
        let access_keys = self.access_keys.iter().enumerate();
        let signing =
            access_keys.map(|(at, key)| ("access_keys", at, &key.id, &key.secret, &key.apps));
        let bearer_keys = self.bearer_keys.iter().enumerate();
        let bearer =
            bearer_keys.map(|(at, key)| ("bearer_keys", at, &key.name, &key.key, &key.apps));
        let (mut names, mut secrets) = (BTreeSet::new(), BTreeSet::new());
        for (section, at, name, secret, key_apps) in signing.chain(bearer) {
            // The place, because the name itself may be a key at the wrong place.
            let place = format!("openapi.{section}, entry {}", at + 1);
            let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
            if name.is_empty() || !is_word(name) || name.contains([',', '/', '=']) {
                let what = "its name is one or more visible ASCII characters without , / =";
                return Err(error(&place, what.to_owned()));
            }
            if !names.insert((section, name)) {
                return Err(error(&place, "two entries have this name".to_owned()));
            }
            if secret.len() < KEY_BYTES_MIN || !is_word(secret) {
                let what = format!("the key has at least {KEY_BYTES_MIN} visible ASCII characters");
                return Err(error(&place, what));
            }
            if !secrets.insert(secret) {
                let what = "another entry has this key too; each entry needs its own key";
                return Err(error(&place, what.to_owned()));
            }
            if key_apps.is_empty() {
                return Err(error(
                    &place,
                    "apps is empty; list the apps that the key may use".to_owned(),
                ));
            }
            if let Some(at) = key_apps.iter().position(|id| !apps.contains_key(id)) {
                let what = format!("apps, entry {}, is not in [apps]", at + 1);
                return Err(error(&place, what));
            }
        }
        if names.is_empty() {
            let what = "there is no key, so no request could succeed: add [[openapi.bearer_keys]] or \
                        [[openapi.access_keys]]";
            return Err(error("openapi", what.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    const APP: &str = "listen = \"127.0.0.1:1\"\n[apps.123456781234567812345678]\nkeys = [\"k\"]\n";

    fn parse(listen: &str, keys: &str) -> Result<Config, String> {
        let text = format!("{APP}[openapi]\nlisten = \"{listen}\"\n{keys}");
        Config::parse(&text).map_err(|error| error.to_string())
    }

    fn bearer(name: &str, key: &str, apps: &str) -> String {
        format!("[[openapi.bearer_keys]]\nname = \"{name}\"\nkey = \"{key}\"\napps = [{apps}]\n")
    }

    #[test]
    fn errors_name_the_fault_and_its_place_in_toml() {
        let (key, app) = ("sixteen-bytes-16", "\"123456781234567812345678\"");
        let good = bearer("a", key, app);
        assert!(parse("127.0.0.1:2", &good).is_ok());
        for (listen, keys, said) in [
            ("0.0.0.0:2", good.clone(), "not a loopback"),
            ("127.0.0.1:2", String::new(), "there is no key"),
            ("127.0.0.1:2", bearer("a", &key[1..], app), "at least 16"),
            ("127.0.0.1:2", bearer("a", "sixteen bytes 16", app), "visible"),
            ("127.0.0.1:2", bearer("", key, app), "its name"),
            ("127.0.0.1:2", bearer("a/b", key, app), "its name"),
            ("127.0.0.1:2", bearer("a", key, ""), "apps is empty"),
            (
                "127.0.0.1:2",
                bearer("a", key, "\"other\""),
                "entry 1: apps, entry 1, is not in [apps]",
            ),
            ("127.0.0.1:2", format!("{good}{good}"), "two entries have this name"),
            ("127.0.0.1:2", format!("{good}{}", bearer("b", key, app)), "entry 2: another entry"),
            ("127.0.0.1:2", format!("{good}more = 1"), "more"),
        ] {
            let error = parse(listen, &keys).expect_err(said);
            assert!(error.contains(said), "{error}");
            assert!(!error.contains(key), "the error shows a key: {error}");
        }
        let public = format!("allow_public_plaintext = true\n{good}");
        assert!(parse("0.0.0.0:2", &public).is_ok());
    }

    #[test]
    fn keys_are_not_shown() {
        let openapi = super::OpenApi::development(([127, 0, 0, 1], 0).into());
        let shown = format!("{openapi:?}");
        assert!(!shown.contains("known-to-all"), "{shown}");
    }
}
