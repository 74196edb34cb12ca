//! Texts of the log for causes. A text names the limit in a server's configuration, if there is
//! one.

use rts_proto::server::{Forbidden, JoinRefusal, Rate, Refusal};
use rts_proto::{BroadcastCode, CloseCode, LeaveReason, MessageConfig, RoomState, SendCode};

/// The name of the limit in a server's configuration.
pub(super) fn rate(rate: Rate) -> &'static str {
    match rate {
        Rate::Sends => "messages to users (sends_per_second)",
        Rate::Broadcasts => "broadcasts (broadcasts_per_second)",
        Rate::RoomBroadcasts => "broadcasts of all in the room (room_broadcasts_per_second)",
        Rate::ServerSends => "messages to the app server (server_sends_per_second)",
        Rate::StatusQueries => "status queries (status_queries_per_second)",
        Rate::Joins => "joins (joins_per_second)",
    }
}

/// The code that the client gets, and the kind of ban.
pub(super) fn ban(forbidden: &Forbidden) -> (i64, &'static str) {
    match forbidden {
        Forbidden::Send => {
            let why = "the user is banned from all rooms, and from sending to users";
            (SendCode::Unknown.code().into(), why)
        }
        Forbidden::Join { state: state @ RoomState::RoomBanned, .. } => {
            (state.code().into(), "the room is banned")
        }
        Forbidden::Join { state, .. } => {
            (state.code().into(), "the user is banned from this room, or from all")
        }
    }
}

/// Why a login was refused. The authenticator explains its own verdict.
pub(super) fn login_refusal(refusal: Refusal, explain: impl FnOnce() -> String) -> String {
    match refusal {
        Refusal::Verdict => explain(),
        Refusal::Banned => "banned from logging in by the app's back end".to_owned(),
        Refusal::ReservedUid => "the user id is reserved".to_owned(),
        Refusal::NoGreaterClaim => "the user's session has the last claim".to_owned(),
    }
}

/// Whether the close needs no line: it happens to clients that do nothing wrong, or another line
/// reports it.
pub(super) fn is_routine(code: CloseCode) -> bool {
    matches!(
        code,
        CloseCode::Displaced
            | CloseCode::Replaced
            | CloseCode::Silent
            | CloseCode::Shutdown
            | CloseCode::LoginAgain
    )
}

/// Why a session or a membership ended.
pub(super) fn end_of_session(reason: LeaveReason) -> &'static str {
    match reason {
        LeaveReason::Left => "logged out",
        LeaveReason::Dropped => "silent for too long, or closed",
        LeaveReason::Kicked => "the app's back end ended the session",
    }
}

pub(super) fn end_of_membership(reason: LeaveReason) -> &'static str {
    match reason {
        LeaveReason::Left => "left, or logged out",
        LeaveReason::Dropped => "the user's session is over",
        LeaveReason::Kicked => "kicked, or the app's back end ended the session",
    }
}

/// Why a message to a user has this result.
pub(super) fn not_delivered(code: SendCode, config: MessageConfig) -> &'static str {
    match code {
        SendCode::Timeout => "the receiver's session is over, and it did not acknowledge this",
        SendCode::Broken if config.is_reliable() => "the receiver has 1 MiB that it has not read",
        SendCode::Broken => "unreliable, and the receiver has no link or does not read it",
        SendCode::ReceiverNotFound => "no user can have this id, or it is reserved",
        SendCode::ReceiverNotLoggedIn => "the receiver is not logged in",
        SendCode::OverRate => "over sends_per_second",
        SendCode::Unknown => "the sender is banned from all rooms, and from sending to users",
        SendCode::Ok
        | SendCode::ServerNotReached
        | SendCode::ServerBadAnswer
        | SendCode::NotInRoom
        | SendCode::NotInitialised
        | SendCode::NoChannel
        | SendCode::TooLong
        | SendCode::EmptyReceiver
        | SendCode::NotLoggedIn
        | SendCode::NoServerParams => "not a result of a message to a user",
    }
}

/// Why a message to the app server has this result.
pub(super) fn not_posted(code: SendCode) -> &'static str {
    match code {
        SendCode::NoServerParams => "no server params are in force",
        SendCode::OverRate => "over server_sends_per_second, or too many messages of the app wait",
        SendCode::ServerNotReached => "the app server did not answer in time (rts::app_server)",
        SendCode::ServerBadAnswer => "the app server's answer is invalid (rts::app_server)",
        SendCode::Ok
        | SendCode::Timeout
        | SendCode::Broken
        | SendCode::ReceiverNotFound
        | SendCode::ReceiverNotLoggedIn
        | SendCode::NotInRoom
        | SendCode::NotInitialised
        | SendCode::NoChannel
        | SendCode::TooLong
        | SendCode::EmptyReceiver
        | SendCode::NotLoggedIn
        | SendCode::Unknown => "not a result of a message to the app server",
    }
}

/// Why a broadcast has this result.
pub(super) fn not_broadcast(code: BroadcastCode) -> &'static str {
    match code {
        BroadcastCode::NotInRoom => "the user is not in the room",
        BroadcastCode::OverRate => {
            "over broadcasts_per_second of the user, or room_broadcasts_per_second of the room"
        }
        BroadcastCode::Ok
        | BroadcastCode::Timeout
        | BroadcastCode::Broken
        | BroadcastCode::NotInitialised
        | BroadcastCode::NoChannel
        | BroadcastCode::TooLong
        | BroadcastCode::Unknown => "not a result of the server",
    }
}

pub(super) fn join_refusal(refusal: JoinRefusal) -> &'static str {
    match refusal {
        JoinRefusal::Banned => "the room is banned, or the user from it or from all",
        JoinRefusal::RoomFull => "the room is full (room_members_max)",
        JoinRefusal::TooManyRooms => "the user is in as many rooms as a user may be in",
        JoinRefusal::OverRate => "over joins_per_second",
        JoinRefusal::ShardBusy => "too much waits for the shard of the room",
    }
}
