//! The OpenAPI's listener, and its keys with their apps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use rts_proto::AppId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{App, ConfigError, DEV_APP_ID, OpenApiSecret, text};

/// The bearer key of `rts serve --dev`. It is public.
pub const DEV_BEARER_KEY: &str = "development-bearer-key-known-to-all";
/// The access key of `rts serve --dev`, for signed requests.
pub const DEV_ACCESS_KEY: &str = "DEVELOPMENT";
/// The secret of [`DEV_ACCESS_KEY`]. It is public.
pub const DEV_ACCESS_SECRET: &str = "development-secret-known-to-all";
/// Longest name of a key, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// The section `[openapi]`. Without it there is no OpenAPI.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AccessKey {
    /// The id of the key, which requests name.
    #[serde(deserialize_with = "text::one")]
    pub id: KeyName,
    /// The secret that signs requests.
    #[serde(deserialize_with = "text::one")]
    pub secret: OpenApiSecret,
    /// The apps that the key may act on. Empty: none, which is refused in TOML.
    #[serde(deserialize_with = "some_apps")]
    pub apps: Vec<AppId>,
}

/// A key that requests contain: `Authorization: Bearer KEY`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BearerKey {
    /// The name of the key in logs.
    #[serde(deserialize_with = "text::one")]
    pub name: KeyName,
    /// The key itself.
    #[serde(deserialize_with = "text::one")]
    pub key: OpenApiSecret,
    /// The apps that the key may act on. Empty: none, which is refused in TOML.
    #[serde(deserialize_with = "some_apps")]
    pub apps: Vec<AppId>,
}

impl AccessKey {
    /// A key that may act on these apps.
    pub fn new(id: KeyName, secret: OpenApiSecret, apps: impl IntoIterator<Item = AppId>) -> Self {
        Self { id, secret, apps: apps.into_iter().collect() }
    }
}

impl BearerKey {
    /// A key that may act on these apps.
    pub fn new(name: KeyName, key: OpenApiSecret, apps: impl IntoIterator<Item = AppId>) -> Self {
        Self { name, key, apps: apps.into_iter().collect() }
    }
}

/// The name of a bearer key, or the id of an access key: 1 to 128 visible ASCII characters without
/// `,`, `/` and `=`. It is shown in logs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName(String);

/// The text is not the name of a key. The error does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 128 visible ASCII characters without , / =")]
pub struct KeyNameError(());

impl KeyName {
    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b",/=".contains(&byte);
        let is_name = (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_allowed);
        if is_name { Ok(Self(text.to_owned())) } else { Err(KeyNameError(())) }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OpenApi {
    /// An OpenAPI at this address, which still needs a key.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            allow_public_plaintext: false,
            access_keys: Vec::new(),
            bearer_keys: Vec::new(),
        }
    }

    /// The public keys of `rts serve --dev`, for its app.
    #[must_use]
    pub fn development(listen: SocketAddr) -> Self {
        let name = |text: &str| text.parse::<KeyName>().expect("visible characters");
        let secret = |text| OpenApiSecret::new(text).expect("it is long enough");
        let app = || [AppId::new(DEV_APP_ID).expect("24 digits")];
        let mut openapi = Self::new(listen);
        openapi.access_keys =
            vec![AccessKey::new(name(DEV_ACCESS_KEY), secret(DEV_ACCESS_SECRET), app())];
        openapi.bearer_keys =
            vec![BearerKey::new(name("development"), secret(DEV_BEARER_KEY), app())];
        openapi
    }

    pub(super) fn check(&self, apps: &BTreeMap<AppId, App>) -> Result<(), ConfigError> {
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
            if !names.insert((section, name)) {
                return Err(error(&place, "two entries have this name".to_owned()));
            }
            if !secrets.insert(secret) {
                let what = "another entry has this key too; each entry needs its own key";
                return Err(error(&place, what.to_owned()));
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

fn some_apps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AppId>, D::Error> {
    let apps: Vec<AppId> = text::one_or_more(deserializer)?;
    if apps.is_empty() {
        return Err(D::Error::custom("the list is empty; list the apps that the key may use"));
    }
    Ok(apps)
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
            ("127.0.0.1:2", bearer("a", &key[1..], app), "bearer_keys.key: at least 16 bytes"),
            ("127.0.0.1:2", bearer("a", "sixteen bytes 16", app), "visible"),
            ("127.0.0.1:2", bearer("", key, app), "bearer_keys.name: a name has"),
            ("127.0.0.1:2", bearer("a/b", key, app), "bearer_keys.name: a name has"),
            ("127.0.0.1:2", bearer("a", key, ""), "bearer_keys.apps: the list is empty"),
            (
                "127.0.0.1:2",
                bearer("a", key, &app.replace('1', "x")),
                "entry 1: apps, entry 1, is not in [apps]",
            ),
            (
                "127.0.0.1:2",
                bearer("a", key, "\"other\""),
                "bearer_keys.apps: entry 1: the app id has",
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
