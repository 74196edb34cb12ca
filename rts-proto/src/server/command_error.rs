//! Reasons why a command of the back end did nothing.

/// Why a command of the back end did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CommandError {
    /// The app's back end is over its rate.
    #[error("the back end of this app is over its rate of {per_second} messages a second")]
    OverAppRate {
        /// The rate.
        per_second: u32,
    },
    /// The room's rate is used up by its members and the back end together, or a shard with
    /// receivers does not keep up.
    #[error("this room is over its rate, which all senders share, or the server does not keep up")]
    OverRoomRate,
    /// The payload is over its limit.
    #[error("the message has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The command has too many receivers.
    #[error("{count} receivers, at most {max} are allowed")]
    TooManyReceivers {
        /// Their number.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The app has the largest number of bans.
    #[error("the app has {max} bans, the largest number: lift some, or let them expire")]
    TooManyBans {
        /// That number.
        max: usize,
    },
}
