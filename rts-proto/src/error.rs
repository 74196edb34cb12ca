//! Broken rules, the close codes that report them, and the client's reaction.

use core::time::Duration;

use crate::LogoutReason;

/// A rule of `docs/protocol.md` that the peer broke. One variant per rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// §1.2: the announced length is over the current limit.
    #[error("a frame of {len} bytes, at most {max} are allowed now (§1.2)")]
    FrameTooLarge {
        /// Announced length in bytes.
        len: u64,
        /// Allowed length in bytes.
        max: usize,
    },
    /// §1.2: an empty frame.
    #[error("a frame of no bytes (§1.2)")]
    EmptyFrame,
    /// §1.3: a length that is longer than needed or does not fit 64 bits.
    #[error("a length that is not the shortest varint of its value (§1.3)")]
    BadLength,
    /// §1.4: no kind, several kinds, or an unknown kind that must be understood.
    #[error("a frame without exactly one known kind (§1.4)")]
    UnknownKind,
    /// §1.5: not protobuf.
    #[error("a frame that is not protobuf (§1.5)")]
    Malformed,
    /// §1.5: a field with a value outside its table.
    #[error("a bad value in field {field:?} (§1.5)")]
    BadValue {
        /// Its name in the schema.
        field: &'static str,
    },
    /// §2.1: a frame that the peer may not send, or not at this moment.
    #[error("a {kind} frame where none is allowed (§2.1)")]
    UnexpectedFrame {
        /// Its kind in the schema.
        kind: &'static str,
    },
    /// §2.2: an unsupported version.
    #[error("protocol version {version}, only 1 is spoken here (§2.2)")]
    UnsupportedVersion {
        /// The peer's version.
        version: u32,
    },
    /// §2.3: no successful login in time.
    #[error("no successful login within the deadline (§2.3)")]
    LoginTimeout,
    /// §4.5: an acknowledgement of frames that were never sent, or of fewer than before.
    #[error("an acknowledgement of {received} frames, {acked} to {sent} are possible (§4.5)")]
    BadAck {
        /// Frames that the peer acknowledges.
        received: u64,
        /// Frames that it acknowledged before.
        acked: u64,
        /// Frames that were sent.
        sent: u64,
    },
    /// §4.6: more unacknowledged frames than allowed.
    #[error("more unacknowledged frames than allowed (§4.6)")]
    WindowExceeded,
}

/// Why a link ended: the code of its `Close` frame. `docs/protocol.md` section 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CloseCode {
    /// A frame that cannot be read.
    #[error("an invalid frame")]
    BadFrame,
    /// A frame over the limit.
    #[error("a frame over the limit")]
    FrameTooLarge,
    /// A frame where none is allowed.
    #[error("a frame at a point where it is not allowed")]
    UnexpectedFrame,
    /// An impossible acknowledgement.
    #[error("an invalid acknowledgement")]
    BadAck,
    /// No common version.
    #[error("no common version of the protocol")]
    UnsupportedVersion,
    /// No login in time.
    #[error("no login in time")]
    LoginTimeout,
    /// A later login of the same user.
    #[error("a later login of the same user")]
    Displaced,
    /// A newer link of the same session.
    #[error("a newer link of the same session")]
    Replaced,
    /// No bytes received for the whole grace period.
    #[error("no bytes received for too long")]
    Silent,
    /// The client did not read its link.
    #[error("the client reads too slowly")]
    SlowConsumer,
    /// The server stops.
    #[error("the server stops")]
    Shutdown,
    /// The server cannot serve this client at all.
    #[error("the server cannot serve this client")]
    Abnormal,
    /// Too much unacknowledged.
    #[error("too many unacknowledged frames")]
    WindowExceeded,
    /// Too many links that have not logged in.
    #[error("too many links that have not logged in")]
    Busy,
    /// The app's back end put the user out.
    #[error("the app's back end ended the session")]
    PutOut,
    /// The token was revoked. The client needs another one.
    #[error("the token was revoked: log in again")]
    LoginAgain,
}

impl CloseCode {
    /// Every code, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::BadFrame,
        Self::FrameTooLarge,
        Self::UnexpectedFrame,
        Self::BadAck,
        Self::UnsupportedVersion,
        Self::LoginTimeout,
        Self::Displaced,
        Self::Replaced,
        Self::Silent,
        Self::SlowConsumer,
        Self::Shutdown,
        Self::Abnormal,
        Self::WindowExceeded,
        Self::Busy,
        Self::PutOut,
        Self::LoginAgain,
    ];

    /// Its number on the wire.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::BadFrame => 1,
            Self::FrameTooLarge => 2,
            Self::UnexpectedFrame => 3,
            Self::BadAck => 4,
            Self::UnsupportedVersion => 5,
            Self::LoginTimeout => 6,
            Self::Displaced => 7,
            Self::Replaced => 8,
            Self::Silent => 9,
            Self::SlowConsumer => 10,
            Self::Shutdown => 11,
            Self::Abnormal => 12,
            Self::WindowExceeded => 13,
            Self::Busy => 14,
            Self::PutOut => 15,
            Self::LoginAgain => 16,
        }
    }

    /// The code with this number. A number outside the table counts as [`Self::BadFrame`].
    #[must_use]
    pub fn from_code(code: u32) -> Self {
        Self::ALL.iter().copied().find(|known| known.code() == code).unwrap_or(Self::BadFrame)
    }

    /// Whether the session ends too, and cannot be resumed (section 9).
    #[must_use]
    pub const fn ends_session(self) -> bool {
        matches!(
            self,
            Self::BadFrame
                | Self::FrameTooLarge
                | Self::UnexpectedFrame
                | Self::BadAck
                | Self::WindowExceeded
                | Self::SlowConsumer
                | Self::Silent
                | Self::Displaced
                | Self::PutOut
                | Self::LoginAgain
        )
    }

    /// What a client does after this code.
    #[must_use]
    pub const fn retry(self) -> Retry {
        match self {
            Self::BadFrame
            | Self::FrameTooLarge
            | Self::UnexpectedFrame
            | Self::BadAck
            | Self::LoginTimeout
            | Self::Replaced
            | Self::Silent
            | Self::SlowConsumer
            | Self::Shutdown
            | Self::WindowExceeded
            | Self::Busy
            | Self::LoginAgain => Retry::WithBackoff,
            Self::Displaced => Retry::LoggedOut(LogoutReason::Displaced),
            Self::PutOut => Retry::LoggedOut(LogoutReason::PutOut),
            Self::UnsupportedVersion | Self::Abnormal => Retry::Never,
        }
    }
}

/// The one table from a broken rule to the peer's close code.
impl From<&ProtocolError> for CloseCode {
    fn from(error: &ProtocolError) -> Self {
        match error {
            ProtocolError::FrameTooLarge { .. } => Self::FrameTooLarge,
            ProtocolError::EmptyFrame
            | ProtocolError::BadLength
            | ProtocolError::UnknownKind
            | ProtocolError::Malformed
            | ProtocolError::BadValue { .. } => Self::BadFrame,
            ProtocolError::UnexpectedFrame { .. } => Self::UnexpectedFrame,
            ProtocolError::UnsupportedVersion { .. } => Self::UnsupportedVersion,
            ProtocolError::LoginTimeout => Self::LoginTimeout,
            ProtocolError::BadAck { .. } => Self::BadAck,
            ProtocolError::WindowExceeded => Self::WindowExceeded,
        }
    }
}

/// What a client does when its link has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Connects again, each attempt after a longer wait.
    WithBackoff,
    /// Stays logged out, and reports the reason to the application.
    LoggedOut(LogoutReason),
    /// Stays disconnected: the server refuses this client.
    Never,
}

/// How the last link ended, for messages to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disconnect {
    /// The stream broke, or was closed without a `Close` frame.
    #[error("the connection broke")]
    Broken,
    /// The server did not respond for too long: to the attempt to connect, to sent frames, or with
    /// any bytes.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The peer sent a `Close` frame.
    #[error("the server closed the connection: {code}")]
    ByPeer {
        /// Its code.
        code: CloseCode,
        /// The server's minimum wait before the next attempt.
        retry_after: Duration,
    },
    /// The peer broke a rule.
    #[error("the server broke a rule of the protocol")]
    PeerMisbehaved(#[source] ProtocolError),
}

impl Disconnect {
    /// Whether the session ends too, and cannot be resumed.
    #[must_use]
    pub const fn ends_session(&self) -> bool {
        match self {
            Self::Broken | Self::TimedOut => false,
            Self::ByPeer { code, .. } => code.ends_session(),
            Self::PeerMisbehaved(_) => true,
        }
    }

    /// What a client does next.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            // A later attempt would meet the same version.
            Self::PeerMisbehaved(ProtocolError::UnsupportedVersion { .. }) => Retry::Never,
            Self::Broken | Self::TimedOut | Self::PeerMisbehaved(_) => Retry::WithBackoff,
            Self::ByPeer { code, .. } => code.retry(),
        }
    }
}
