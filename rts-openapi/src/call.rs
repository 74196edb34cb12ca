//! A request, parsed and checked.

use std::time::Duration;

use rts_proto::AppId;
use rts_proto::server::Ban;

use crate::fields::Fields;
use crate::parameter::Parameter;
use crate::{Action, Command, Error, ErrorCode, Query};

/// A command for an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The app whose users and rooms the command is about.
    pub app_id: AppId,
    /// The command.
    pub command: Command,
}

impl Call {
    /// Parses the parameters of an action, from the query or from the body according to the action.
    ///
    /// # Errors
    ///
    /// Returns an error that names the parameter and what would be right. Checks that need the
    /// server's state, such as rates, take place later.
    pub fn parse(action: Action, query: &Query, body: &[u8]) -> Result<Self, Error> {
        Self::of(action, &Fields::read(action, query, body)?)
    }

    pub(crate) fn of(action: Action, fields: &Fields) -> Result<Self, Error> {
        Ok(Self { app_id: fields.app_id()?, command: Command::of(action, fields)? })
    }
}

impl Command {
    fn of(action: Action, fields: &Fields) -> Result<Self, Error> {
        Ok(match action {
            Action::SendUnicast => Self::Unicast {
                from: fields.sender()?,
                to: fields.user(Parameter::To)?,
                payload: fields.payload()?,
            },
            Action::SendBroadcast => Self::Broadcast {
                room: fields.room()?,
                from: fields.sender()?,
                payload: fields.payload()?,
            },
            Action::SendRoomUnicast | Action::BatchSendRoomUnicast => Self::RoomUnicast {
                room: fields.room()?,
                from: fields.sender()?,
                to: fields.receivers()?,
                payload: fields.payload()?,
            },
            Action::KickUser => {
                let (room, uid) = (fields.room()?, fields.user(Parameter::UserId)?);
                Self::Kick { room, uid, interval: fields.ban_interval()? }
            }
            Action::DismissRoom => {
                Self::Dismiss { room: fields.room()?, interval: fields.ban_interval()? }
            }
            Action::BanRoomUser => {
                Self::Ban { ban: banned(fields)?, interval: fields.ban_interval()? }
            }
            Action::UnbanRoomUser => Self::Unban { ban: banned(fields)? },
            Action::GetRoomOnlineUsers => Self::OnlineUsers { room: fields.room()? },
            Action::GetUserOnlineStatus => Self::Statuses { uids: fields.users()? },
            Action::DisconnectUser => Self::Disconnect { uid: fields.user(Parameter::UserId)? },
            Action::BanUser => {
                let seconds = fields.number(Parameter::Seconds)?.filter(|seconds| *seconds > 0);
                let uid = fields.user(Parameter::UserId)?;
                Self::BanLogin { uid, interval: seconds.map(Duration::from_secs) }
            }
            Action::UnbanUser => Self::Unban { ban: Ban::Login(fields.user(Parameter::UserId)?) },
            Action::RevokeTokens => Self::Revoke {
                // An empty id is an error, so that the tokens of all users are not revoked by
                // mistake.
                uid: fields.user_if_any(Parameter::UserId)?,
                issued_before: fields.issued_before()?,
            },
            Action::ListUsers => Self::Users {
                after: fields.user_unless_empty(Parameter::AfterUser)?,
                limit: fields.limit()?,
            },
            Action::ListRooms => Self::Rooms {
                after: fields.room_unless_empty(Parameter::AfterRoom)?,
                limit: fields.limit()?,
            },
            Action::GetStats => Self::Stats,
        })
    }
}

/// The ban that `BanRoomUser` or `UnbanRoomUser` refers to.
fn banned(fields: &Fields) -> Result<Ban, Error> {
    let room = fields.room_unless_empty(Parameter::RoomId)?;
    let user = fields.user_unless_empty(Parameter::UserId)?;
    match (room, user) {
        (Some(room), Some(uid)) => Ok(Ban::UserInRoom(room, uid)),
        (Some(room), None) => Ok(Ban::Room(room)),
        (None, Some(uid)) => Ok(Ban::User(uid)),
        (None, None) => {
            let message = "RoomId, UserId or both are needed to name the ban";
            Err(Error::new(ErrorCode::MissingParameter, message))
        }
    }
}
