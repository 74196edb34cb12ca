//! The names of codes and errors in JSON. A name never changes, even if a variant is renamed.

use rts_driver::client::{
    ConnectionState, JoinType, LeaveReason, LogoutReason, RoomState, WarningCode,
};

use crate::error::{JoinError, LoginError, Reason, SendError, ServerParamsError};

pub(super) trait Name {
    fn name(&self) -> &'static str;
}

macro_rules! names {
    ($($type:ident { $($variant:pat => $name:expr,)+ })+) => {$(
        impl Name for $type {
            fn name(&self) -> &'static str {
                match self {
                    $($variant => $name,)+
                }
            }
        }
    )+};
}

names! {
    ConnectionState {
        Self::Disconnected => "disconnected",
        Self::Connecting => "connecting",
        Self::Connected => "connected",
        Self::Reconnecting => "reconnecting",
        Self::Reconnected => "reconnected",
        Self::Lost => "lost",
        Self::Failed => "failed",
    }
    LogoutReason {
        Self::Own => "own",
        Self::Displaced => "displaced",
        Self::PutOut => "put_out",
    }
    JoinType {
        Self::First => "first",
        Self::Resumed => "resumed",
        Self::Anew => "anew",
    }
    LeaveReason {
        Self::Left => "left",
        Self::Dropped => "dropped",
        Self::Kicked => "kicked",
    }
    RoomState {
        Self::Joined => "joined",
        Self::InvalidToken => "invalid_token",
        Self::JoinFailed => "join_failed",
        Self::DuplicateJoin => "duplicate_join",
        Self::Kicked => "kicked",
        Self::Dismissed => "dismissed",
        Self::RoomBanned => "room_banned",
        Self::UserBanned => "user_banned",
        Self::ServerAbnormal => "server_abnormal",
        Self::JoinRetrying => "join_retrying",
        Self::NotInRoom => "not_in_room",
        Self::NoticesStop => "notices_stop",
    }
    WarningCode {
        Self::UnknownParameter => "unknown_parameter",
        Self::BadParameter => "bad_parameter",
        Self::ProtocolError => "protocol_error",
        Self::ServerParamsLost => "server_params_lost",
        Self::LinkFailed => "link_failed",
    }
    SendError {
        Self::NotDelivered(reason) => reason.name(),
        Self::ServerNotReached => "server_not_reached",
        Self::BadAnswer => "bad_answer",
        Self::TimedOut => "timed_out",
        Self::Unknown => "unknown",
    }
    Reason {
        Self::EngineClosed => "engine_closed",
        Self::RoomClosed => "room_closed",
        Self::NoMoreIds => "no_more_ids",
        Self::NotLoggedIn => "not_logged_in",
        Self::LoggingIn => "logging_in",
        Self::NotInRoom => "not_in_room",
        Self::NoServerParams => "no_server_params",
        Self::TooLong => "too_long",
        Self::InvalidReceiver => "invalid_receiver",
        Self::EmptyReceiver => "empty_receiver",
        Self::ReceiverOffline => "receiver_offline",
        Self::OverRate => "over_rate",
        Self::NotSent => "not_sent",
        Self::NoChannel => "no_channel",
    }
    LoginError {
        Self::InvalidArgument => "invalid_argument",
        Self::AlreadyLoggedIn => "already_logged_in",
        Self::EngineClosed => "engine_closed",
        Self::TokenRefused => "token_refused",
        Self::TokenProvider(_) => "token_provider",
        Self::NoTokenProvider => "no_token_provider",
        Self::UserRefused => "user_refused",
        Self::ServerError => "server_error",
        Self::Failed => "failed",
        Self::LoggedOut(_) => "logged_out",
    }
    JoinError {
        Self::InvalidRoomId => "invalid_room_id",
        Self::TooManyRooms => "too_many_rooms",
        Self::AlreadyJoined => "already_joined",
        Self::EngineClosed => "engine_closed",
        Self::NotLoggedIn => "not_logged_in",
        Self::Cancelled => "cancelled",
        Self::RoomBanned => "room_banned",
        Self::UserBanned => "user_banned",
        Self::Failed => "failed",
        Self::Refused(state) => state.name(),
    }
    ServerParamsError {
        Self::EngineClosed => "engine_closed",
        Self::NotLoggedIn => "not_logged_in",
        Self::Refused => "refused",
        Self::OverRate => "over_rate",
        Self::NotSent => "not_sent",
        Self::TimedOut => "timed_out",
    }
}
