//! Violations of WebSocket.

/// A violation of WebSocket, or of §12 about it. Each has a close code, which is sent to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// RFC 6455, 5.2: no extension was agreed on.
    #[error("a reserved bit is set, without an extension")]
    ReservedBit,
    /// RFC 6455, 5.2.
    #[error("an unknown kind of frame")]
    UnknownOpcode,
    /// RFC 6455, 5.2.
    #[error("a length that is not in its shortest form, or over 2^63")]
    BadLength,
    /// RFC 6455, 5.1: frames of a client are masked, those of a server are not.
    #[error("a client's frame without a mask, or a server's frame with one")]
    BadMask,
    /// RFC 6455, 5.5.
    #[error("a control frame that is fragmented or longer than 125 bytes")]
    BadControl,
    /// RFC 6455, 5.4.
    #[error("a continuation without a beginning, or a new message within a fragmented one")]
    BadFragment,
    /// RFC 6455, 5.5.1 and 7.4.
    #[error("a close frame with half a code, or a code that must not be sent")]
    BadClose,
    /// RFC 6455, 5.5.1 and 8.1.
    #[error("a close frame with a reason that is not UTF-8")]
    BadCloseReason,
    /// §12.6.
    #[error("a text message; only binary messages are allowed (§12.6)")]
    Text,
    /// §12.7.
    #[error("a message over the limit (§12.7)")]
    TooLong,
}

impl WebSocketError {
    /// The close code for this violation: RFC 6455, 7.4.1.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::ReservedBit
            | Self::UnknownOpcode
            | Self::BadLength
            | Self::BadMask
            | Self::BadControl
            | Self::BadFragment
            | Self::BadClose => 1002,
            Self::Text => 1003,
            Self::BadCloseReason => 1007,
            Self::TooLong => 1009,
        }
    }
}
