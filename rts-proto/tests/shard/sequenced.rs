//! The sequenced kinds of §4.1.

pub(crate) const SEQUENCED: [&str; 20] = [
    "Send",
    "Delivery",
    "SendResults",
    "Broadcast",
    "RoomDelivery",
    "BroadcastResults",
    "Join",
    "JoinAnswer",
    "Leave",
    "LeaveAnswer",
    "MemberJoined",
    "MemberLeft",
    "RoomNotice",
    "RoomUnicast",
    "StatusQuery",
    "StatusAnswer",
    "SetServerParams",
    "ServerParamsAnswer",
    "ServerSend",
    "ServerSendResult",
];
