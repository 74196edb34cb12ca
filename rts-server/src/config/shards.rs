//! The number of shards.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use rts_proto::server::ShardId;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// The number of shards: threads that carry links, each with users and rooms of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardCount(Option<NonZeroUsize>);

/// A number of shards that no server can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shards are \"cores\", or a number from 1 to {}", ShardId::COUNT_MAX)]
pub struct ShardCountError;

impl ShardCount {
    /// As many as this process may use processors.
    pub const CORES: Self = Self(None);
    /// One shard.
    pub const ONE: Self = Self(Some(NonZeroUsize::MIN));

    /// This number of shards, from 1 to 64.
    ///
    /// # Errors
    ///
    /// A server cannot have this number.
    pub fn new(count: usize) -> Result<Self, ShardCountError> {
        match NonZeroUsize::new(count) {
            Some(count) if count.get() <= ShardId::COUNT_MAX => Ok(Self(Some(count))),
            _ => Err(ShardCountError),
        }
    }

    /// The number on this machine. It respects the limits of a container.
    #[must_use]
    pub fn get(self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.0.map_or_else(cores, NonZeroUsize::get).min(ShardId::COUNT_MAX)
    }
}

/// [`CORES`](Self::CORES).
impl Default for ShardCount {
    fn default() -> Self {
        Self::CORES
    }
}

/// As [`FromStr`] reads it.
impl fmt::Display for ShardCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("cores"),
            Some(count) => count.fmt(f),
        }
    }
}

/// `cores`, or a number.
impl FromStr for ShardCount {
    type Err = ShardCountError;

    fn from_str(text: &str) -> Result<Self, ShardCountError> {
        match text {
            "cores" => Ok(Self::CORES),
            _ => Self::new(text.parse().map_err(|_| ShardCountError)?),
        }
    }
}

impl<'de> Deserialize<'de> for ShardCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Count;

        impl Visitor<'_> for Count {
            type Value = ShardCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "\"cores\", or a number from 1 to {}", ShardId::COUNT_MAX)
            }

            fn visit_i64<E: Error>(self, count: i64) -> Result<ShardCount, E> {
                let count = usize::try_from(count).map_err(|_| E::custom(ShardCountError))?;
                ShardCount::new(count).map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, count: u64) -> Result<ShardCount, E> {
                let count = usize::try_from(count).map_err(|_| E::custom(ShardCountError))?;
                ShardCount::new(count).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ShardCount, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn parsed(line: &str) -> Result<ShardCount, String> {
        let text = format!(
            "{line}\nlisten = \"127.0.0.1:1\"\n[apps.123456781234567812345678]\n\
             keys = [\"a long random key\"]\n"
        );
        Config::parse(&text).map(|config| config.shards).map_err(|error| error.to_string())
    }

    const ALLOWED: &str = "shards are \"cores\", or a number from 1 to 64";

    #[test]
    fn shards_are_cores_or_a_number_up_to_64() {
        assert_eq!(parsed(""), Ok(ShardCount::CORES));
        assert_eq!(parsed("shards = \"cores\""), Ok(ShardCount::CORES));
        assert_eq!(parsed("shards = 1"), Ok(ShardCount::ONE));
        assert_eq!(parsed("shards = 64").map(ShardCount::get), Ok(64));
        for line in ["shards = 0", "shards = 65", "shards = -1", "shards = \"all\""] {
            let error = parsed(line).expect_err(line);
            assert!(error.contains(ALLOWED), "{error}");
            assert!(error.starts_with("line 1"), "{error}");
        }
    }

    #[test]
    fn shards_are_shown_as_they_are_read() {
        for text in ["cores", "1", "64"] {
            assert_eq!(text.parse::<ShardCount>().map(|count| count.to_string()), Ok(text.into()));
        }
    }

    #[test]
    fn cores_are_at_least_one() {
        assert!((1..=ShardId::COUNT_MAX).contains(&ShardCount::CORES.get()));
    }
}
