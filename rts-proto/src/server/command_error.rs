//! Why a command of the back end did nothing.

/// Why a command of the back end did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The app's back end sends too much.
    #[error("over the {per_second} messages a second that the back end of one app may send")]
    OverAppRate {
        /// What it may.
        per_second: u32,
    },
    /// The room's members and the back end together send too much.
    #[error("over the broadcasts a second of this room, all senders together")]
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
    #[error("the app has {max} bans, which is all that it can have: lift some, or let them expire")]
    TooManyBans {
        /// How many it can have.
        max: usize,
    },
}
