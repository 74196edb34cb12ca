//! Keys and secrets, which cannot be too short, too long, or shown.

use std::fmt;
use std::str::FromStr;

/// Longest key or secret, in bytes. A longer text is something else, such as the content of a file.
/// An HMAC gains nothing from more than 64 bytes.
const SECRET_BYTES_MAX: usize = 1_024;
/// Shorter keys of the OpenAPI and secrets of webhooks can be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// Why a text cannot be a key or a secret, or a list cannot be the keys of an app. `Display` says
/// what is allowed. It does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// No bytes.
    #[error("the key is empty: write a key of 1 to 1,024 bytes, or remove this one")]
    Empty,
    /// It could be guessed.
    #[error("at least 16 bytes are needed; `openssl rand -hex 32` prints a good one")]
    TooShort,
    /// Longer than 1,024 bytes.
    #[error("a key or secret has at most 1,024 bytes")]
    TooLong,
    /// A character that cannot be written in a header of HTTP.
    #[error("only visible ASCII characters are allowed")]
    NotVisible,
    /// Not one key of an app, and not two.
    #[error("one key is needed, or two while the key is changed")]
    Count,
}

/// Defines a secret by its check. All have the greatest length.
macro_rules! secret {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        ///
        /// `Debug` does not show it. `==` is not for texts of a stranger: its duration depends on
        /// the content.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Checks the length and the characters.
            pub fn new(text: impl Into<String>) -> Result<Self, SecretError> {
                let text = text.into();
                if text.len() > SECRET_BYTES_MAX {
                    return Err(SecretError::TooLong);
                }
                $check(&text)?;
                Ok(Self(text))
            }

            /// The text itself.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        /// Like `new`.
        impl FromStr for $name {
            type Err = SecretError;

            fn from_str(text: &str) -> Result<Self, SecretError> {
                Self::new(text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

secret! {
    /// A key that signs the tokens of an app: 1 to 1,024 bytes. One of fewer than 16 bytes can be
    /// guessed; see [`Config::concerns`](super::Config::concerns).
    TokenKey, is_not_empty
}

secret! {
    /// A key that signs posts to an app server: 1 to 1,024 bytes. One of fewer than 16 bytes can be
    /// guessed; see [`Config::concerns`](super::Config::concerns).
    ForwardingKey, is_not_empty
}

secret! {
    /// The secret that signs posts of a webhook: 16 to 1,024 bytes.
    WebhookSecret, is_long
}

secret! {
    /// A bearer key of the OpenAPI, or the secret of an access key: 16 to 1,024 visible ASCII
    /// characters.
    OpenApiSecret, is_long_and_visible
}

secret! {
    /// The password or token of a node at NATS: 1 to 1,024 bytes.
    NatsPassword, is_not_empty
}

secret! {
    /// The secret of the nodes of a fixed cluster: 16 to 1,024 bytes.
    ClusterSecret, is_long
}

fn is_not_empty(text: &str) -> Result<(), SecretError> {
    if text.is_empty() { Err(SecretError::Empty) } else { Ok(()) }
}

fn is_long(text: &str) -> Result<(), SecretError> {
    if text.len() < SECRET_BYTES_MIN { Err(SecretError::TooShort) } else { Ok(()) }
}

fn is_long_and_visible(text: &str) -> Result<(), SecretError> {
    is_long(text)?;
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_visible { Ok(()) } else { Err(SecretError::NotVisible) }
}

/// The keys that may sign the tokens of an app: one, or two while the key is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKeys {
    first: TokenKey,
    second: Option<TokenKey>,
}

impl TokenKeys {
    /// Two keys, either of which may sign tokens.
    #[must_use]
    pub fn two(first: TokenKey, second: TokenKey) -> Self {
        Self { first, second: Some(second) }
    }

    /// The keys, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &TokenKey> {
        [&self.first].into_iter().chain(&self.second)
    }
}

/// One key.
impl From<TokenKey> for TokenKeys {
    fn from(first: TokenKey) -> Self {
        Self { first, second: None }
    }
}

/// One key, or two.
impl TryFrom<Vec<TokenKey>> for TokenKeys {
    type Error = SecretError;

    fn try_from(keys: Vec<TokenKey>) -> Result<Self, SecretError> {
        let mut keys = keys.into_iter();
        match (keys.next(), keys.next(), keys.next()) {
            (Some(first), second, None) => Ok(Self { first, second }),
            _ => Err(SecretError::Count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_a_least_and_a_greatest_length() {
        let text = |bytes| "k".repeat(bytes);
        for (bytes, app, webhook, openapi) in [
            (0, false, false, false),
            (1, true, false, false),
            (15, true, false, false),
            (16, true, true, true),
            (1_024, true, true, true),
            (1_025, false, false, false),
        ] {
            assert_eq!(TokenKey::new(text(bytes)).is_ok(), app, "{bytes}");
            assert_eq!(ForwardingKey::new(text(bytes)).is_ok(), app, "{bytes}");
            assert_eq!(WebhookSecret::new(text(bytes)).is_ok(), webhook, "{bytes}");
            assert_eq!(OpenApiSecret::new(text(bytes)).is_ok(), openapi, "{bytes}");
        }
        assert!(OpenApiSecret::new("sixteen bytes 16").is_err(), "a space");
        assert!(WebhookSecret::new("sixteen bytes 16").is_ok());
    }

    #[test]
    fn an_app_has_one_key_or_two() {
        let keys = |count| vec![TokenKey::new("key").expect("a key"); count];
        for (count, is_allowed) in [(0, false), (1, true), (2, true), (3, false)] {
            let keys = TokenKeys::try_from(keys(count));
            assert_eq!(keys.is_ok(), is_allowed, "{count}");
            assert!(keys.is_err() || keys.is_ok_and(|keys| keys.iter().count() == count));
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let key = TokenKey::new("canary").expect("a key");
        assert_eq!(
            format!("{:?}", TokenKeys::from(key)),
            "TokenKeys { first: TokenKey(redacted), second: None }"
        );
    }
}
