//! Names and numbers that cannot hold a bad value.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use crate::limits::{APP_ID_BYTES, ID_BYTES_MAX};

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdKind {
    /// [`AppId`]
    App,
    /// [`UserId`]
    User,
    /// [`RoomId`]
    Room,
    /// [`BusinessId`]
    Business,
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::App => "app id",
            Self::User => "user id",
            Self::Room => "room id",
            Self::Business => "business id",
        })
    }
}

/// Why a text is not an id. `Display` is a sentence that names the kind of id and not the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// No bytes.
    #[error("the {kind} is empty")]
    Empty {
        /// What the id would name.
        kind: IdKind,
    },
    /// Longer than the limit, in bytes.
    #[error("the {kind} has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// What the id would name.
        kind: IdKind,
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// An app id of another length than 24 bytes.
    #[error("the app id has {len} bytes, exactly {APP_ID_BYTES} are needed")]
    WrongLength {
        /// Its length in bytes.
        len: usize,
    },
    /// A byte outside the id's alphabet.
    #[error("the {kind} has a character that is not allowed at byte {at}; allowed are {allowed}")]
    BadCharacter {
        /// What the id would name.
        kind: IdKind,
        /// Where, counted in bytes from 0.
        at: usize,
        /// The alphabet.
        allowed: &'static str,
    },
}

/// Where the characters of an id are checked: one place for all kinds.
fn check(kind: IdKind, text: &[u8], extra: &[u8], allowed: &'static str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong { kind, len: text.len(), max: ID_BYTES_MAX });
    }
    match text.iter().position(|byte| !byte.is_ascii_alphanumeric() && !extra.contains(byte)) {
        Some(at) => Err(IdError::BadCharacter { kind, at, allowed }),
        None => Ok(()),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Whether a text is such an id, without making one.
            pub fn check(text: &str) -> Result<(), IdError> {
                $check(text.as_bytes())
            }

            /// Checks the alphabet and the length.
            pub fn new(text: &str) -> Result<Self, IdError> {
                Self::check(text)?;
                Ok(Self(text.into()))
            }

            /// The same for bytes as they come from the wire.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdError> {
                $check(bytes)?;
                Ok(Self(core::str::from_utf8(bytes).expect("the alphabets are ASCII").into()))
            }

            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl core::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        /// The same characters in the same case.
        impl PartialEq<str> for $name {
            fn eq(&self, text: &str) -> bool {
                &*self.0 == text
            }
        }

        /// The same characters in the same case.
        impl PartialEq<&str> for $name {
            fn eq(&self, text: &&str) -> bool {
                &*self.0 == *text
            }
        }

        /// As [`new`](Self::new).
        impl TryFrom<&str> for $name {
            type Error = IdError;

            fn try_from(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        /// As [`new`](Self::new).
        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(&text)
            }
        }

        /// A copy of the text.
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.as_str().into()
            }
        }

        /// As its text.
        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        /// From a text that is such an id: all others are refused.
        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl core::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

const USER_ALPHABET: &str = "A-Z a-z 0-9 _ @ - .";

text_id! {
    /// A user: 1 to 128 bytes of `A-Z a-z 0-9 _ @ - .`, case sensitive, unique within its app.
    UserId, |text: &[u8]| check(IdKind::User, text, b"_@-.", USER_ALPHABET)
}
text_id! {
    /// A tag that goes along with joins: the alphabet and length of a [`UserId`].
    BusinessId, |text: &[u8]| check(IdKind::Business, text, b"_@-.", USER_ALPHABET)
}
text_id! {
    /// A room: 1 to 128 bytes of `A-Z a-z 0-9 _ @ -`, unique within its app.
    RoomId, |text: &[u8]| check(IdKind::Room, text, b"_@-", "A-Z a-z 0-9 _ @ -")
}
text_id! {
    /// An app: 24 characters of `A-Z a-z 0-9`. Users and rooms of different apps never meet.
    AppId, |text: &[u8]| {
        if text.len() != APP_ID_BYTES {
            return Err(IdError::WrongLength { len: text.len() });
        }
        check(IdKind::App, text, b"", "A-Z a-z 0-9")
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number_id! {
    /// One connection, numbered by whoever opens it and never used again. On the client the core
    /// numbers them, on the server the driver does.
    LinkId
}
number_id! {
    /// One login that waits for its verdict.
    LoginId
}
number_id! {
    /// One url that waits to be allowed as the app's server.
    TargetId
}
number_id! {
    /// One post to an app's server.
    CallId
}
number_id! {
    /// What a send returned: 1, 2, 3, ... per engine, or per room handle for broadcasts.
    MessageId
}
impl MessageId {
    /// The last of a sequence: calls return ids as positive numbers of 64 bits with a sign.
    pub const MAX: Self = Self(i64::MAX.cast_unsigned());

    /// The next of its sequence; none after the last.
    pub(crate) fn next(self) -> Option<Self> {
        (self < Self::MAX).then_some(Self(self.0 + 1))
    }
}

number_id! {
    /// One room handle of one engine, never used again.
    RoomKey
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn an_id_goes_from_text_to_text_and_is_compared_with_it() -> Result<(), IdError> {
        let owned: UserId = String::from("alice").try_into()?;
        let borrowed = UserId::try_from("alice")?;
        assert_eq!(owned, borrowed);
        assert!(owned == "alice" && owned == *"alice" && owned != "Alice");
        assert_eq!(AsRef::<str>::as_ref(&owned), "alice");
        assert_eq!(String::from(owned), "alice");
        Ok(())
    }

    #[test]
    fn an_error_is_a_sentence_that_names_the_kind_of_id() {
        let cases = [
            (UserId::check(""), "the user id is empty"),
            (
                BusinessId::check(&"b".repeat(129)),
                "the business id has 129 bytes, at most 128 are allowed",
            ),
            (AppId::check("short"), "the app id has 5 bytes, exactly 24 are needed"),
            (
                RoomId::check("a.b"),
                "the room id has a character that is not allowed at byte 1; \
                 allowed are A-Z a-z 0-9 _ @ -",
            ),
        ];
        for (error, sentence) in cases {
            assert_eq!(error.map_err(|error| error.to_string()), Err(sentence.into()));
        }
    }
}
