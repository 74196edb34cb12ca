//! The table of all calls and events: their numbers, names and fields.
//!
//! The C header, the Java classes and the reference page are generated from it, and the JSON port
//! reads it. A number never gets another meaning.

/// Where the value of an event's field is in a [`Record`](crate::Record).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The number [`code`](crate::Record::code).
    Code,
    /// The number [`number`](crate::Record::number).
    Number,
    /// The text [`uid`](crate::Record::uid).
    Uid,
    /// The text [`room_id`](crate::Record::room_id).
    RoomId,
    /// [`data`](crate::Record::data), which is text.
    Text,
    /// [`data`](crate::Record::data), which is any bytes.
    Bytes,
}

/// Where the value of a call's field goes in [`Arguments`](crate::Arguments).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// The room's key.
    Room,
    /// The number.
    Number,
    /// The first text.
    First,
    /// The second text.
    Second,
    /// The second text, which is a message.
    Text,
    /// The second text, which is any bytes.
    Bytes,
    /// The first text, which is a JSON object.
    Json,
}

/// What a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// 0.
    Nothing,
    /// 0, or a negative code.
    Code,
    /// The id of a message, or a negative code.
    MessageId,
    /// The key of a room, or a negative code.
    RoomKey,
}

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $number:literal $kind:ident
        $name:literal ($($field:literal: $place:ident),*))+) => {
        /// The kinds of events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[doc = $doc])+ $kind = $number,)+
        }

        impl EventKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The name of the callback.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// The fields of the callback, in order.
            #[must_use]
            pub const fn fields(self) -> &'static [(&'static str, Field)] {
                match self { $(Self::$kind => &[$(($field, Field::$place)),*],)+ }
            }

            /// What the event means.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$kind => concat!($($doc),+),)+ }
            }
        }
    };
}

macro_rules! calls {
    ($($(#[doc = $doc:literal])+ $number:literal $kind:ident
        $name:literal ($($field:literal: $place:ident),*) -> $returns:ident)+) => {
        /// The kinds of calls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        #[non_exhaustive]
        pub enum CallKind {
            $($(#[doc = $doc])+ $kind = $number,)+
        }

        impl CallKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The name of the call.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// The parameters of the call, in order.
            #[must_use]
            pub const fn parameters(self) -> &'static [(&'static str, Parameter)] {
                match self { $(Self::$kind => &[$(($field, Parameter::$place)),*],)+ }
            }

            /// What the call returns.
            #[must_use]
            pub const fn returns(self) -> Returns {
                match self { $(Self::$kind => Returns::$returns,)+ }
            }

            /// What the call does.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$kind => concat!($($doc),+),)+ }
            }

            /// The call with this number.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$kind),)+ _ => None }
            }
        }
    };
}

events! {
    /// The state of the connection changed: 1 disconnected, 2 connecting, 3 connected,
    /// 4 reconnecting, 5 reconnected, 6 lost, 7 failed.
    1 ConnectionStateChanged "onConnectionStateChanged" ("state": Code)
    /// The result of a login: 0, or a negative code. The number is the time in milliseconds.
    2 LoginResult "onLoginResult" ("uid": Uid, "code": Code, "elapsed": Number)
    /// The login has ended: 0 by its own logout, 1 displaced by another login of this user, 2 put
    /// out by the app's back end.
    3 Logout "onLogout" ("reason": Code)
    /// The status of a user: 0 offline, 1 online, 2 unreachable.
    4 PeerOnlineStatus "onGetPeerOnlineStatus" ("uid": Uid, "status": Code)
    /// A text of a user.
    5 MessageReceived "onMessageReceived" ("uid": Uid, "message": Text)
    /// Bytes of a user.
    6 BinaryMessageReceived "onBinaryMessageReceived" ("uid": Uid, "base64": Bytes)
    /// The one result of a message to a user: 0 if it arrived.
    7 MessageSendResult "onMessageSendResult" ("msgid": Number, "code": Code)
    /// The result of `setServerParams`: 200 if they are in force.
    8 ServerParamsSetResult "onServerParamsSetResult" ("code": Code)
    /// The one result of a message to the app server: 0 with its answer.
    9 ServerMessageSendResult "onServerMessageSendResult"
        ("msgid": Number, "code": Code, "base64": Bytes)
    /// A room handle was not made: -1007 bad id, -1013 the id is in use.
    10 CreateRoomFailed "onCreateRoomStateChanged" ("room": RoomId, "code": Code)
    /// The state of a room changed: 0 joined, or a negative code. The extra text is a JSON object.
    11 RoomStateChanged "onRoomStateChanged"
        ("room": RoomId, "uid": Uid, "state": Code, "extra": Text)
    /// The user has left the room.
    12 LeaveRoom "onLeaveRoom" ("room": RoomId)
    /// A text to all members of the room.
    13 RoomMessageReceived "onRoomMessageReceived" ("room": RoomId, "uid": Uid, "message": Text)
    /// Bytes to all members of the room.
    14 RoomBinaryMessageReceived "onRoomBinaryMessageReceived"
        ("room": RoomId, "uid": Uid, "base64": Bytes)
    /// A text of the app's back end to this member.
    15 UserMessageReceived "onUserMessageReceived" ("room": RoomId, "uid": Uid, "message": Text)
    /// Bytes of the app's back end to this member.
    16 UserBinaryMessageReceived "onUserBinaryMessageReceived"
        ("room": RoomId, "uid": Uid, "base64": Bytes)
    /// The one result of a broadcast: 200 if the server queued it for each member.
    17 RoomMessageSendResult "onRoomMessageSendResult"
        ("room": RoomId, "msgid": Number, "code": Code)
    /// Another user is in the room.
    18 UserJoined "onUserJoined" ("room": RoomId, "uid": Uid)
    /// Another user is no longer in the room: 0 left, 1 dropped, 3 kicked.
    19 UserLeave "onUserLeave" ("room": RoomId, "uid": Uid, "reason": Code)
    /// A problem that the application may want to know of, with a text for people.
    20 Warning "onWarning" ("code": Code, "message": Text)
}

calls! {
    /// Logs in. 0; -1 invalid argument; -2 already logged in or logging in; -3 no engine.
    1 Login "login" ("token": First, "uid": Second) -> Code
    /// Logs out. Without a login, nothing happens.
    2 Logout "logout" () -> Nothing
    /// Sets another token for the present login.
    3 UpdateLoginToken "updateLoginToken" ("token": First) -> Nothing
    /// Asks for the status of a user.
    4 GetPeerOnlineStatus "getPeerOnlineStatus" ("uid": First) -> Nothing
    /// Sends text to a user. The config is 0 reliable and ordered, 1 unreliable and ordered, 2
    /// unreliable and unordered; anything else counts as 0. -1 no engine; -2 empty user id.
    5 SendMessage "sendMessage" ("uid": First, "message": Text, "config": Number) -> MessageId
    /// Sends bytes to a user, like `sendMessage`.
    6 SendBinaryMessage "sendBinaryMessage"
        ("uid": First, "base64": Bytes, "config": Number) -> MessageId
    /// Sets where messages to the app server go, and the signature that goes with them.
    7 SetServerParams "setServerParams" ("signature": First, "url": Second) -> Nothing
    /// Sends text to the app server. -1 no engine.
    8 SendServerMessage "sendServerMessage" ("message": Text) -> MessageId
    /// Sends bytes to the app server, like `sendServerMessage`.
    9 SendServerBinaryMessage "sendServerBinaryMessage" ("base64": Bytes) -> MessageId
    /// Makes a room handle. -1007 bad id; -1013 the id is in use.
    10 CreateRoom "createRoom" ("room": First) -> RoomKey
    /// Joins the room. 0; -2 already joined or joining; -3 no room.
    11 JoinRoom "joinRoom" ("room": Room) -> Code
    /// Leaves the room. Outside of the room, nothing happens.
    12 LeaveRoom "leaveRoom" ("room": Room) -> Nothing
    /// Leaves the room, and frees its handle. No event of the room follows.
    13 DestroyRoom "destroyRoom" ("room": Room) -> Nothing
    /// Sends text to all other members. -3 no room.
    14 SendRoomMessage "sendRoomMessage" ("room": Room, "message": Text) -> MessageId
    /// Sends bytes to all other members, like `sendRoomMessage`.
    15 SendRoomBinaryMessage "sendRoomBinaryMessage" ("room": Room, "base64": Bytes) -> MessageId
    /// Sets a tag for later joins. 0; -6001 in a room; -6002 bad characters.
    16 SetBusinessId "setBusinessId" ("businessId": First) -> Code
    /// Changes parameters: a JSON object. -9003 if it is not one.
    17 SetRuntimeParameters "setRuntimeParameters" ("params": Json) -> Nothing
    /// Logs out and ends the engine. The last events follow.
    18 Destroy "destroyRTS" () -> Nothing
    /// Reports that the network of the device has changed. The engine checks its link, or
    /// reconnects at once.
    19 NetworkChanged "networkChanged" () -> Nothing
}

impl EventKind {
    /// Whether the event is of a room handle.
    #[must_use]
    pub fn is_of_room(self) -> bool {
        let has_room = self.fields().iter().any(|(_, field)| *field == Field::RoomId);
        has_room && self != Self::CreateRoomFailed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_at_1_without_gaps() {
        for (index, kind) in (1..).zip(EventKind::ALL) {
            assert_eq!(*kind as u32, index);
        }
        for (index, kind) in (1..).zip(CallKind::ALL) {
            assert_eq!(*kind as u32, index);
            assert_eq!(CallKind::from_number(index), Some(*kind));
        }
        for stranger in [0, CallKind::ALL.len() as u32 + 1, u32::MAX] {
            assert_eq!(CallKind::from_number(stranger), None);
        }
    }
}
