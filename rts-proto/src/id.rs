//! Names and numbers that cannot hold an invalid value.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use crate::limits::{APP_ID_BYTES, ID_BYTES_MAX};

/// The kind of an id.
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

/// Why a text is not an id. `Display` is a sentence that names the kind of id. It does not contain
/// the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// No bytes.
    #[error("the {kind} is empty")]
    Empty {
        /// The kind of id.
        kind: IdKind,
    },
    /// Longer than the limit, in bytes.
    #[error("the {kind} has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// The kind of id.
        kind: IdKind,
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// An app id that does not have 24 bytes.
    #[error("the app id has {len} bytes, exactly {APP_ID_BYTES} are needed")]
    WrongLength {
        /// Its length in bytes.
        len: usize,
    },
    /// A byte outside the id's alphabet.
    #[error("the {kind} has a character that is not allowed at byte {at}; allowed are {allowed}")]
    BadCharacter {
        /// The kind of id.
        kind: IdKind,
        /// Its position, counted in bytes from 0.
        at: usize,
        /// The allowed characters.
        allowed: &'static str,
    },
}

/// Checks the characters of every kind of id.
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
            /// Whether the text is a valid id. Allocates nothing.
            pub fn check(text: &str) -> Result<(), IdError> {
                $check(text.as_bytes())
            }

            /// Checks the alphabet and the length.
            pub fn new(text: &str) -> Result<Self, IdError> {
                Self::check(text)?;
                Ok(Self(text.into()))
            }

            /// Like [`new`](Self::new), from the bytes of a frame.
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

        /// Compares the text; case counts.
        impl PartialEq<str> for $name {
            fn eq(&self, text: &str) -> bool {
                &*self.0 == text
            }
        }

        /// Compares the text; case counts.
        impl PartialEq<&str> for $name {
            fn eq(&self, text: &&str) -> bool {
                &*self.0 == *text
            }
        }

        /// Compares the text; case counts.
        impl PartialEq<String> for $name {
            fn eq(&self, text: &String) -> bool {
                *self == **text
            }
        }

        /// Compares the text; case counts.
        impl PartialEq<$name> for str {
            fn eq(&self, id: &$name) -> bool {
                *id == *self
            }
        }

        /// Compares the text; case counts.
        impl PartialEq<$name> for &str {
            fn eq(&self, id: &$name) -> bool {
                *id == **self
            }
        }

        /// Compares the text; case counts.
        impl PartialEq<$name> for String {
            fn eq(&self, id: &$name) -> bool {
                *id == **self
            }
        }

        /// Like [`new`](Self::new).
        impl TryFrom<&str> for $name {
            type Error = IdError;

            fn try_from(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        /// Like [`new`](Self::new).
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

        /// Serializes as text.
        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        /// Deserializes from a text. An invalid id is an error.
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
    /// A tag that a join carries: the alphabet and length of a [`UserId`].
    BusinessId, |text: &[u8]| check(IdKind::Business, text, b"_@-.", USER_ALPHABET)
}
text_id! {
    /// A room: 1 to 128 bytes of `A-Z a-z 0-9 _ @ -`, unique within its app.
    RoomId, |text: &[u8]| check(IdKind::Room, text, b"_@-", "A-Z a-z 0-9 _ @ -")
}
text_id! {
    /// An app: 24 characters of `A-Z a-z 0-9`. Users and rooms of different apps are separate.
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
    /// One connection, numbered by the side that opens it. A number is never used again. The core
    /// numbers links on the client, the driver on the server.
    LinkId
}
number_id! {
    /// One login that waits for its verdict.
    LoginId
}
number_id! {
    /// One URL that waits for permission to be the app server.
    TargetId
}
number_id! {
    /// One post to an app server.
    CallId
}
number_id! {
    /// The return value of a send: 1, 2, 3, ... per engine, or per room handle for broadcasts.
    MessageId
}
impl MessageId {
    /// The last id of a sequence: calls return ids as positive signed 64-bit numbers.
    pub const MAX: Self = Self(i64::MAX.cast_unsigned());

    /// The next id of its sequence; `None` after the last one.
    pub(crate) fn next(self) -> Option<Self> {
        (self < Self::MAX).then_some(Self(self.0 + 1))
    }
}

number_id! {
    /// One room handle of one engine. A key is never used again.
    RoomKey
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn id_converts_from_and_to_text_and_compares_with_it() -> Result<(), IdError> {
        let owned: UserId = String::from("alice").try_into()?;
        let borrowed = UserId::try_from("alice")?;
        assert_eq!(owned, borrowed);
        assert!(owned == "alice" && owned == *"alice" && owned != "Alice");
        let (same, other) = (String::from("alice"), String::from("Alice"));
        assert_eq!(owned, same);
        assert_ne!(owned, other);
        assert_eq!(same, owned);
        assert_ne!(other, owned);
        assert!(*"alice" == owned && "Alice" != owned);
        assert_eq!(AsRef::<str>::as_ref(&owned), "alice");
        assert_eq!(String::from(owned), "alice");
        Ok(())
    }

    #[test]
    fn id_error_is_a_sentence_with_the_kind_of_id() {
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
