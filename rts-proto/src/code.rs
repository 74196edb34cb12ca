//! The contract's numbers, as closed enums. `code()` is the number that the original's apps know.

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident : $int:ty { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)+ }) => {
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

            /// The value with this number.
            #[must_use]
            pub const fn from_code(code: $int) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// How a login ended.
    LoginCode: i32 {
        /// Logged in.
        Ok = 0,
        /// The token is invalid, expired, or for another user or app. A fresh token given to
        /// `update_login_token` logs in again.
        InvalidToken = -1000,
        /// Failed for no listed reason, or not answered in time; call login again.
        Unknown = -1001,
        /// The server refuses this user id.
        BadUserId = -1002,
        /// The server cannot check tokens now.
        ServerError = -1003,
    }
}

codes! {
    /// Why a login is over.
    LogoutReason: i32 {
        /// `logout` or `destroy` of this engine.
        Own = 0,
        /// Another login of the same user id.
        Displaced = 1,
        /// Put out by the app's back end.
        PutOut = 2,
    }
}

codes! {
    /// Whether a user can be reached.
    OnlineStatus: u32 {
        /// No session.
        Offline = 0,
        /// Heard from within the last 15 seconds.
        Online = 1,
        /// Silent for 15 seconds or more, or not to be determined.
        Unreachable = 2,
    }
}

codes! {
    /// What a point-to-point message asks for.
    MessageConfig: u32 {
        /// Arrives once and in order, or its result says otherwise.
        ReliableOrdered = 0,
        /// May be lost; what arrives is in order.
        UnreliableOrdered = 1,
        /// May be lost, in any order.
        UnreliableUnordered = 2,
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
    /// What became of a message to a user or to the app's server.
    SendCode: u32 {
        /// The receiving engine has it; for an unreliable message, it was handed to its connection.
        Ok = 0,
        /// No answer in time: it may have arrived or not.
        Timeout = 1,
        /// The connection was broken: it was not sent.
        Broken = 2,
        /// The receiver's id is not one that a user can have.
        ReceiverNotFound = 3,
        /// The receiver is not logged in.
        ReceiverNotLoggedIn = 4,
        /// Over the rate, or over what may be unacknowledged; it went nowhere.
        OverRate = 5,
        /// The app's server did not get it.
        ServerNotReached = 17,
        /// The app's server answered badly.
        ServerBadAnswer = 18,
        /// The sender is not in the room.
        NotInRoom = 100,
        /// Login is still under way.
        NotInitialised = 101,
        /// No data channel.
        NoChannel = 102,
        /// The payload has more than 65,536 bytes.
        TooLong = 103,
        /// The receiver's id is empty.
        EmptyReceiver = 104,
        /// The sender is not logged in.
        NotLoggedIn = 105,
        /// `setServerParams` has not succeeded.
        NoServerParams = 106,
        /// Anything else.
        Unknown = 1000,
    }
}

codes! {
    /// What became of `setServerParams`.
    ServerParamsCode: u32 {
        /// In force.
        Ok = 200,
        /// No answer in time: they may be in force or not.
        Timeout = 1,
        /// The connection was broken: they were not sent.
        Broken = 2,
        /// Over the rate, or too many calls are open.
        OverRate = 5,
        /// Not logged in.
        NotLoggedIn = 105,
        /// The signature or the url cannot be used, or the operator does not allow the url.
        Unknown = 1000,
    }
}

codes! {
    /// What became of a broadcast.
    BroadcastCode: u32 {
        /// The server accepted it and queued it for every other member.
        Ok = 200,
        /// No answer in time: it may have gone out or not.
        Timeout = 1,
        /// The connection was broken: it was not sent.
        Broken = 2,
        /// Over the sender's or the room's rate; it went nowhere.
        OverRate = 5,
        /// The sender is not in the room.
        NotInRoom = 100,
        /// Login is still under way.
        NotInitialised = 101,
        /// No data channel.
        NoChannel = 102,
        /// The payload has more than 65,536 bytes.
        TooLong = 103,
        /// Anything else.
        Unknown = 1000,
    }
}

codes! {
    /// What the engine tells about its connection.
    ConnectionState: u32 {
        /// Silent for 12 seconds.
        Disconnected = 1,
        /// The first attempt of a login.
        Connecting = 2,
        /// The first success of a login.
        Connected = 3,
        /// Silent for 10 seconds; reconnecting.
        Reconnecting = 4,
        /// Back after a reported break.
        Reconnected = 5,
        /// Silent for 22 seconds; attempts go on.
        Lost = 6,
        /// The server is abnormal; no more attempts.
        Failed = 7,
    }
}

codes! {
    /// What happened to the membership in a room.
    RoomState: i32 {
        /// Joined, or joined again.
        Joined = 0,
        /// The token was refused at the join.
        InvalidToken = -1000,
        /// The join failed.
        JoinFailed = -1001,
        /// The same user joined this room elsewhere; you are out.
        DuplicateJoin = -1004,
        /// Removed by the app's server; you are out.
        Kicked = -1006,
        /// The room was dismissed; you are out.
        Dismissed = -1011,
        /// The room is banned.
        RoomBanned = -1025,
        /// The user is banned.
        UserBanned = -1026,
        /// The server is abnormal; you are out and nothing is tried again.
        ServerAbnormal = -1084,
        /// The join failed on a server error and is tried again.
        JoinRetrying = -2001,
        /// A broadcast was made while not in the room.
        NotInRoom = -2011,
        /// The room passed 500 members; joins and leaves are no longer announced.
        NoticesStop = -2013,
    }
}

codes! {
    /// Why somebody is no longer in the room.
    LeaveReason: u32 {
        /// Left.
        Left = 0,
        /// Lost its connection for longer than the grace.
        Dropped = 1,
        /// Removed by the app's server.
        Kicked = 3,
    }
}
