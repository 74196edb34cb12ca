//! Names and numbers that cannot hold a bad value.

use alloc::sync::Arc;
use core::fmt;

use crate::limits::{APP_ID_BYTES, ID_BYTES_MAX};

/// Why a text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Longer than the limit, in bytes.
    #[error("has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// What it has.
        len: usize,
        /// What it may have.
        max: usize,
    },
    /// An app id of another length.
    #[error("has length {len}, an app id has exactly 24 characters")]
    WrongLength {
        /// What it has.
        len: usize,
    },
    /// A byte outside the id's alphabet.
    #[error("has a character that is not allowed at byte {at}; allowed are {allowed}")]
    BadCharacter {
        /// Where, counted in bytes from 0.
        at: usize,
        /// The alphabet.
        allowed: &'static str,
    },
}

/// Where the characters of an id are checked: one place for all kinds.
fn check(text: &[u8], extra: &[u8], allowed: &'static str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong { len: text.len(), max: ID_BYTES_MAX });
    }
    match text.iter().position(|byte| !byte.is_ascii_alphanumeric() && !extra.contains(byte)) {
        Some(at) => Err(IdError::BadCharacter { at, allowed }),
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
                // The alphabets are ASCII, so what passed the check is UTF-8.
                Ok(Self(core::str::from_utf8(bytes).map_err(|_| IdError::Empty)?.into()))
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

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
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
    UserId, |text: &[u8]| check(text, b"_@-.", USER_ALPHABET)
}
text_id! {
    /// A tag that goes along with joins: the alphabet and length of a [`UserId`].
    BusinessId, |text: &[u8]| check(text, b"_@-.", USER_ALPHABET)
}
text_id! {
    /// A room: 1 to 128 bytes of `A-Z a-z 0-9 _ @ -`, unique within its app.
    RoomId, |text: &[u8]| check(text, b"_@-", "A-Z a-z 0-9 _ @ -")
}
text_id! {
    /// An app: 24 characters of `A-Z a-z 0-9`. Users and rooms of different apps never meet.
    AppId, |text: &[u8]| {
        if text.len() != APP_ID_BYTES {
            return Err(IdError::WrongLength { len: text.len() });
        }
        check(text, b"", "A-Z a-z 0-9")
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
