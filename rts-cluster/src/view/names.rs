//! The names that operators choose.

use std::fmt;

use crate::limits::NAME_BYTES_MAX;

/// A text that is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {NAME_BYTES_MAX} characters of a-z, 0-9 and -")]
pub struct BadName;

fn check(name: &str) -> Result<(), BadName> {
    let is_valid = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if is_valid { Ok(()) } else { Err(BadName) }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks the characters and the length.
            ///
            /// # Errors
            ///
            /// The text is not a name.
            pub fn new(name: &str) -> Result<Self, BadName> {
                check(name).map(|()| Self(name.to_owned()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    )+};
}

names! {
    /// The name of a cluster. 1 to 32 characters of `a-z`, `0-9` and `-`.
    ClusterName;
    /// The name of a node. 1 to 32 characters of `a-z`, `0-9` and `-`.
    NodeName;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_small_alphabet_and_1_to_32_characters() {
        let longest = "a".repeat(NAME_BYTES_MAX);
        for valid in ["a", "node-1", "0", &longest] {
            assert_eq!(NodeName::new(valid).map(|name| name.to_string()), Ok(valid.to_owned()));
        }
        let too_long = "a".repeat(NAME_BYTES_MAX + 1);
        for invalid in ["", "Node", "a.b", "a b", "ä", "a*", &too_long] {
            assert_eq!(NodeName::new(invalid), Err(BadName), "{invalid:?}");
        }
    }
}
