//! All variants in a trace. A new variant does not compile until it is listed here. Its test fails
//! until a golden file has it.

use std::collections::BTreeSet;

use crate::record::{
    ClientCall, ClientInput, Content, CoreConfig, Record, ServerCall, ServerInput,
};

trait Kinds {
    const ALL: &'static [&'static str];

    fn kind(&self) -> &'static str;
}

macro_rules! kinds {
    ($($name:ident { $($variant:ident)+ })+) => {
        $(impl Kinds for $name {
            const ALL: &'static [&'static str] =
                &[$(concat!(stringify!($name), "::", stringify!($variant))),+];

            fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } =>
                        concat!(stringify!($name), "::", stringify!($variant)),)+
                }
            }
        })+

        /// Every variant, as `Record::Start`.
        pub(super) fn all() -> BTreeSet<&'static str> {
            [$($name::ALL),+].concat().into_iter().collect()
        }
    };
}

kinds! {
    Record { Start ClientInput ClientCall ServerInput ServerCall Drained }
    CoreConfig { Client Server }
    ClientInput { Tick Connected Received Disconnected NetworkChanged }
    ClientCall {
        Login Logout UpdateLoginToken GetPeerOnlineStatus SendMessage CreateRoom SetBusinessId
        SetRuntimeParameters JoinRoom LeaveRoom DestroyRoom SendRoomMessage Destroy SetServerParams
        SendServerMessage
    }
    ServerInput {
        Tick Accepted Received Disconnected Accept Refuse Congested TargetChecked PostBegun
        PostAnswered PostAnsweredBadly PostNotReached
    }
    ServerCall {
        Shutdown Unicast BroadcastToRoom UnicastInRoom Kick Dismiss Ban BanLogin PutOut Revoke
        Unban UnbanLogin
    }
    Content { Text Binary }
}

/// The variants in one record.
pub(super) fn of(record: &Record) -> Vec<&'static str> {
    let mut kinds = vec![record.kind()];
    match record {
        Record::Start(start) => kinds.push(start.core.kind()),
        Record::ClientInput { input, .. } => kinds.push(input.kind()),
        Record::ClientCall { call, .. } => {
            kinds.push(call.kind());
            if let ClientCall::SendMessage { content, .. }
            | ClientCall::SendRoomMessage { content, .. }
            | ClientCall::SendServerMessage { content } = call
            {
                kinds.push(content.kind());
            }
        }
        Record::ServerInput { input, .. } => kinds.push(input.kind()),
        Record::ServerCall { call, .. } => kinds.push(call.kind()),
        Record::Drained { .. } => {}
    }
    kinds
}
