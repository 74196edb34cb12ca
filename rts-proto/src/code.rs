//! The contract's numbers, as closed enums. `code()` returns the contract's number, and `TryFrom`
//! finds the value of a number. `code()` is not a `From`, because it is const and its name says
//! what it returns.

/// A number outside the table of its codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{number} is no {codes}")]
pub struct UnknownCode {
    codes: &'static str,
    number: i64,
}

impl UnknownCode {
    pub(crate) const fn new(codes: &'static str, number: i64) -> Self {
        Self { codes, number }
    }

    /// The number.
    #[must_use]
    pub const fn number(&self) -> i64 {
        self.number
    }
}

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident : $int:ty {
        $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $words:literal;)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The contract's number.
            #[must_use]
            pub const fn code(self) -> $int {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }

        /// The value with this number.
        impl TryFrom<$int> for $name {
            type Error = $crate::UnknownCode;

            fn try_from(number: $int) -> Result<Self, Self::Error> {
                match number {
                    $($code => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownCode::new(stringify!($name), number.into())),
                }
            }
        }

        /// Serializes as the contract's number.
        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&self.code(), to)
            }
        }

        /// Deserializes from a number of the table. Other numbers are an error.
        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let number = <$int as serde::Deserialize>::deserialize(from)?;
                Self::try_from(number).map_err(serde::de::Error::custom)
            }
        }

        /// A short description and the number.
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let words = match self {
                    $(Self::$variant => $words,)+
                };
                write!(f, "{words} ({})", self.code())
            }
        }
    };
}
pub(crate) use codes;

/// Results: one value is success, the others are errors.
macro_rules! failures {
    ($($name:ident: $success:ident,)+) => {$(
        impl core::error::Error for $name {}

        impl $name {
            /// Converts to a `Result` for `?`: every value but success is an error.
            ///
            /// # Errors
            ///
            /// The value itself, if it is not success.
            pub const fn ok(self) -> Result<(), Self> {
                match self {
                    Self::$success => Ok(()),
                    failure => Err(failure),
                }
            }
        }
    )+};
}

failures! {
    LoginCode: Ok,
    SendCode: Ok,
    ServerParamsCode: Ok,
    BroadcastCode: Ok,
    RoomState: Joined,
}

codes! {
    /// How a login ended.
    LoginCode: i32 {
        /// Logged in.
        Ok = 0, "logged in";
        /// The token is invalid, expired, or for another user or app. A fresh token given to
        /// `update_login_token` logs in again.
        InvalidToken = -1000, "the token is invalid, expired, or for another user or app";
        /// Failed for another reason, or not answered in time. Call login again.
        Unknown = -1001, "the login failed; log in again";
        /// The server refuses this user id.
        BadUserId = -1002, "the server refuses this user id";
        /// The server cannot check tokens now.
        ServerError = -1003, "the server cannot check tokens now";
    }
}

codes! {
    /// Why a login is over.
    LogoutReason: i32 {
        /// `logout` or `destroy` of this engine.
        Own = 0, "logged out";
        /// Another login of the same user id.
        Displaced = 1, "displaced by another login of the same user";
        /// The app's back end ended the session.
        PutOut = 2, "the app's back end ended the session";
    }
}

codes! {
    /// Whether a user can be reached.
    OnlineStatus: u32 {
        /// No session.
        Offline = 0, "offline";
        /// Bytes received within the last 15 seconds.
        Online = 1, "online";
        /// Silent for 15 seconds or more, or unknown.
        Unreachable = 2, "unreachable";
    }
}

codes! {
    /// The delivery guarantee of a point-to-point message.
    #[derive(Default)]
    MessageConfig: u32 {
        /// Arrives once and in order, or its result reports that it may not have arrived.
        #[default]
        ReliableOrdered = 0, "reliable and ordered";
        /// May be lost. Messages that arrive are in order.
        UnreliableOrdered = 1, "unreliable, ordered";
        /// May be lost or arrive in any order.
        UnreliableUnordered = 2, "unreliable, unordered";
    }
}

impl MessageConfig {
    /// Whether the message is kept and sent again until it is acknowledged.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::ReliableOrdered)
    }
}

codes! {
    /// The result of a message to a user or to the app server.
    SendCode: u32 {
        /// The receiving engine has it. For an unreliable message: it was passed to the receiver's
        /// link.
        Ok = 0, "the receiver has it";
        /// No answer in time: it may have arrived or not.
        Timeout = 1, "no answer in time: the message may have arrived";
        /// The connection was broken: it was not sent.
        Broken = 2, "not delivered: the connection is broken, or the receiver is too slow";
        /// The receiver's id is invalid or reserved: no user can have it.
        ReceiverNotFound = 3, "no user can have this id";
        /// The receiver is not logged in.
        ReceiverNotLoggedIn = 4, "the receiver is not logged in";
        /// Over the rate, or the engine has too many sends without a result. It was not sent.
        OverRate = 5, "over the rate, or too many sends without a result";
        /// The app server was not reached.
        ServerNotReached = 17, "the app server did not answer in time";
        /// The app server gave an unusable answer.
        ServerBadAnswer = 18, "the app server gave an unusable answer";
        /// The sender is not in the room.
        NotInRoom = 100, "not in the room";
        /// Login is still under way.
        NotInitialised = 101, "a login is in progress";
        /// No data channel.
        NoChannel = 102, "no data channel";
        /// The payload has more than 65,536 bytes.
        TooLong = 103, "over 65,536 bytes";
        /// The receiver's id is empty.
        EmptyReceiver = 104, "the receiver is empty";
        /// The sender is not logged in.
        NotLoggedIn = 105, "not logged in";
        /// `setServerParams` has not succeeded.
        NoServerParams = 106, "no server params are in force";
        /// Anything else.
        Unknown = 1000, "failed";
    }
}

codes! {
    /// The result of `setServerParams`.
    ServerParamsCode: u32 {
        /// The params are in force.
        Ok = 200, "in force";
        /// No answer in time: the params may be in force or not.
        Timeout = 1, "no answer in time: the params may be in force";
        /// The connection was broken: the params were not sent.
        Broken = 2, "not sent: the connection is broken";
        /// Over the rate, or too many calls are open.
        OverRate = 5, "over the rate, or too many calls are open";
        /// Not logged in.
        NotLoggedIn = 105, "not logged in";
        /// The signature or the URL is invalid, or the operator does not allow the URL.
        Unknown = 1000, "the signature or the URL is invalid, or the URL is not allowed";
    }
}

codes! {
    /// The result of a broadcast.
    BroadcastCode: u32 {
        /// The server accepted it and queued it for every other member.
        Ok = 200, "queued for every member";
        /// No answer in time: it may have been sent or not.
        Timeout = 1, "no answer in time: the broadcast may have been sent";
        /// The connection was broken: it was not sent.
        Broken = 2, "not sent: the connection is broken";
        /// Over the sender's or the room's rate. It was not sent.
        OverRate = 5, "over the rate, or too many sends without a result";
        /// The sender is not in the room.
        NotInRoom = 100, "not in the room";
        /// Login is still under way.
        NotInitialised = 101, "a login is in progress";
        /// No data channel.
        NoChannel = 102, "no data channel";
        /// The payload has more than 65,536 bytes.
        TooLong = 103, "over 65,536 bytes";
        /// Anything else.
        Unknown = 1000, "failed";
    }
}

codes! {
    /// A state of the engine's connection.
    ConnectionState: u32 {
        /// Silent for 12 seconds.
        Disconnected = 1, "disconnected";
        /// The first attempt of a login.
        Connecting = 2, "connecting";
        /// The first success of a login.
        Connected = 3, "connected";
        /// Silent for 10 seconds; reconnecting.
        Reconnecting = 4, "reconnecting";
        /// Back after a reported break.
        Reconnected = 5, "reconnected";
        /// Silent for 22 seconds; attempts continue.
        Lost = 6, "lost";
        /// The server is abnormal. The engine makes no more attempts.
        Failed = 7, "failed";
    }
}

codes! {
    /// A change of the membership in a room.
    RoomState: i32 {
        /// Joined, or joined again.
        Joined = 0, "joined";
        /// The token was refused at the join.
        InvalidToken = -1000, "the token was refused at the join";
        /// The join failed.
        JoinFailed = -1001, "the join failed";
        /// The same user joined this room elsewhere. The membership ended.
        DuplicateJoin = -1004, "the same user joined elsewhere";
        /// Kicked by the app's back end. The membership ended.
        Kicked = -1006, "kicked by the app's back end";
        /// The room was dismissed. The membership ended.
        Dismissed = -1011, "the room was dismissed";
        /// The room is banned.
        RoomBanned = -1025, "the room is banned";
        /// The user is banned.
        UserBanned = -1026, "the user is banned";
        /// The server is abnormal. The membership ended, and the engine does not join again.
        ServerAbnormal = -1084, "the server refuses this client";
        /// The join failed on a server error and is tried again.
        JoinRetrying = -2001, "the join failed on a server error and is tried again";
        /// A broadcast was made while not in the room.
        NotInRoom = -2011, "a broadcast while not in the room";
        /// The room passed 500 members. Joins and leaves are no longer announced.
        NoticesStop = -2013, "over 500 members: joins and leaves are no longer reported";
    }
}

impl RoomState {
    /// Whether the membership continues unchanged. After every other state but
    /// [`Joined`](Self::Joined) the engine is not in the room.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        matches!(self, Self::JoinRetrying | Self::NotInRoom | Self::NoticesStop)
    }
}

codes! {
    /// Why a user is no longer in the room.
    LeaveReason: u32 {
        /// Left.
        Left = 0, "left";
        /// The connection was lost for longer than the grace period.
        Dropped = 1, "lost the connection";
        /// Kicked, or the app's back end ended the session.
        Kicked = 3, "kicked by the app's back end";
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn number_outside_the_table_is_an_error() {
        for code in RoomState::ALL {
            assert_eq!(RoomState::try_from(code.code()), Ok(*code));
        }
        let error = RoomState::try_from(-1).expect_err("not in the table");
        assert_eq!((error.number(), error.to_string()), (-1, "-1 is no RoomState".to_string()));
        assert_eq!(SendCode::try_from(u32::MAX).map_err(|e| e.number()), Err(4_294_967_295));
    }

    #[test]
    fn every_value_but_success_is_an_error() {
        assert_eq!((SendCode::Ok.ok(), BroadcastCode::Ok.ok()), (Ok(()), Ok(())));
        for code in SendCode::ALL.iter().filter(|code| code.code() != 0) {
            assert_eq!(code.ok(), Err(*code));
        }
    }
}
