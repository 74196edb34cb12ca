//! Why a command of the back end did nothing.

/// Why a command of the back end did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The app's back end sends too much.
    #[error("the back end of this app is over its rate of {per_second} messages a second")]
    OverAppRate {
        /// What it may.
        per_second: u32,
    },
    /// The room's members and the back end together send too much.
    #[error("this room is over its rate of broadcasts, which all senders share")]
    OverRoomRate,
    /// A payload over its limit.
    #[error("the message has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// What it has.
        len: usize,
        /// What it may have.
        max: usize,
    },
    /// More receivers than one command may have.
    #[error("{count} receivers, at most {max} are allowed")]
    TooManyReceivers {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// The app has as many bans as it can have.
    #[error("the app has {max} bans, the largest number: lift some, or let them expire")]
    TooManyBans {
        /// How many it can have.
        max: usize,
    },
}
