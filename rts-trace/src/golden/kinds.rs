//! All variants in a trace. A new variant does not compile until it is listed here. Its test fails
//! until a golden file has it.

use std::collections::BTreeSet;

use rts_proto::server::{
    Denial, Entered, Entry, HomesStep, JoinPermit, JoinRefusal, MemberEnd, Moved, MovedMember,
    MovedParams, Outcome, Ownership, PassedOn, Request, Response, SessionContent,
};

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
        PostAnswered PostAnsweredBadly PostNotReached HandedOver Peer PeerCongested HomesChanged
        Request
    }
    ServerCall {
        Shutdown Charge Unicast BroadcastToRoom UnicastInRoom Kick Dismiss Ban BanLogin PutOut Revoke
        Unban UnbanLogin Drain Reopen
    }
    Content { Text Binary }
    Entry {
        InApp Deliver QueryStatus Orphan Join Leave Gone PutOut Broadcast AskNames Outcomes
        NotDelivered NotBroadcast Push PushToEach Joined JoinRefused Names Left Removed Ownership
        PassedOn HomesReached Moved Request Response Resume SessionMoved Taken Fence Fenced Switch
        Switched
    }
    Ownership { Ask Grant Deny Revoke Release Keep }
    Denial { Overtaken Displaced NoGreaterClaim NotResumed PutOut }
    SessionContent { Rooms Frames Post Session Revoked }
    MovedParams { Asked Known }
    PassedOn { Deliver QueryStatus Orphan Request }
    Request {
        Unicast BroadcastToRoom UnicastInRoom Kick Dismiss Ban Unban PutOut Revoke Status Members
        Users Rooms Stats
    }
    Response { Done Refused Status Members Users Rooms Stats Unanswered }
    HomesStep { Switched HandedOver Settled }
    Moved { User Held Members }
    MovedMember { Here WaitsUntil }
    Outcome { Send Broadcast }
    JoinPermit { Charged Refused }
    JoinRefusal { Banned RoomFull TooManyRooms OverRate ShardBusy }
    Entered { New Back Already }
    MemberEnd { Ends WaitsUntil }
}

/// The variants in an entry.
fn of_entry(entry: &Entry) -> Vec<&'static str> {
    let mut kinds = vec![entry.kind()];
    match entry {
        Entry::Outcomes(outcomes) => {
            kinds.extend(outcomes.iter().map(|(_, outcome)| outcome.kind()));
        }
        Entry::Join { permit, .. } => {
            kinds.push(permit.kind());
            if let JoinPermit::Refused(refusal) = permit {
                kinds.push(refusal.kind());
            }
        }
        Entry::Ownership(entry) => {
            kinds.push(entry.kind());
            if let Ownership::Deny { denial, .. } | Ownership::Keep { denial, .. } = entry {
                kinds.push(denial.kind());
            }
        }
        Entry::PassedOn(passed_on) => kinds.push(passed_on.kind()),
        Entry::Request(on_way) => kinds.push(on_way.request.kind()),
        Entry::Response(part) => kinds.push(part.response.kind()),
        Entry::HomesReached { step, .. } => kinds.push(step.kind()),
        Entry::SessionMoved(part) => {
            kinds.push(part.content.kind());
            if let SessionContent::Post(post) = &part.content {
                kinds.push(post.params.kind());
            }
        }
        Entry::Moved(moved) => {
            kinds.push(moved.kind());
            match &**moved {
                Moved::User { .. } => {}
                Moved::Held(passed_on) => kinds.push(passed_on.kind()),
                Moved::Members { members, .. } => {
                    kinds.extend(members.iter().map(|(_, member)| member.kind()));
                }
            }
        }
        Entry::JoinRefused { refusal, .. } => kinds.push(refusal.kind()),
        Entry::Joined { entered, .. } => kinds.push(entered.kind()),
        Entry::Gone { end, .. } => kinds.push(end.kind()),
        _ => {}
    }
    kinds
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
        Record::ServerInput { input, .. } => {
            kinds.push(input.kind());
            if let ServerInput::Peer { entries, .. } = input {
                kinds.extend(entries.iter().flat_map(of_entry));
            }
        }
        Record::ServerCall { call, .. } => kinds.push(call.kind()),
        Record::Drained { .. } => {}
    }
    kinds
}
