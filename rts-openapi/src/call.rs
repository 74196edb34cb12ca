//! A request, read and checked.

mod operating;

use std::slice;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_proto::limits::ROOM_UNICAST_RECEIVERS_MAX;
use rts_proto::server::Ban;
use rts_proto::{AppId, Payload, RoomId, UserId};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::operating::{
    BanUser, DisconnectUser, GetStats, ListRooms, ListUsers, RevokeTokens, UnbanUser,
};
use crate::parameters::{
    BanRoomUser, DismissRoom, GetUserOnlineStatus, KickUser, Receivers, SendBroadcast,
    SendRoomUnicast, SendUnicast,
};
use crate::{Action, Error, ErrorCode, Query, STATUS_USERS_MAX};
use operating::asked;

/// What is asked for, and for which app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whose users and rooms.
    pub app_id: AppId,
    /// What.
    pub command: Command,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A message to a user.
    Unicast {
        /// The sender's name.
        from: UserId,
        /// The receiver.
        to: UserId,
        /// The message.
        payload: Payload,
    },
    /// A message to all members of a room.
    Broadcast {
        /// Where.
        room: RoomId,
        /// The sender's name.
        from: UserId,
        /// The message.
        payload: Payload,
    },
    /// A message to some members of a room.
    RoomUnicast {
        /// Where.
        room: RoomId,
        /// The sender's name.
        from: UserId,
        /// The receivers.
        to: Vec<UserId>,
        /// The message.
        payload: Payload,
    },
    /// A user out of a room.
    Kick {
        /// Which room.
        room: RoomId,
        /// Who.
        uid: UserId,
    },
    /// Everybody out of a room, and not in again for so long.
    Dismiss {
        /// Which room.
        room: RoomId,
        /// Zero: they may come back at once.
        interval: Duration,
    },
    /// Somebody out, and not in again for so long.
    Ban {
        /// Who, or which room.
        ban: Ban,
        /// Zero: they may come back at once, whatever was said before.
        interval: Duration,
    },
    /// Who is in a room?
    OnlineUsers {
        /// Which room.
        room: RoomId,
    },
    /// Who of these is online?
    Statuses {
        /// Of whom.
        uids: Vec<UserId>,
    },
    /// A user out of its session.
    Disconnect {
        /// Who.
        uid: UserId,
    },
    /// A user out of its session, and not in again.
    BanLogin {
        /// Who.
        uid: UserId,
        /// For so long; `None`: until that is lifted.
        interval: Option<Duration>,
    },
    /// A user may log in again.
    UnbanLogin {
        /// Who.
        uid: UserId,
    },
    /// Tokens issued before a moment are good no more.
    Revoke {
        /// Whose; `None`: everybody's.
        uid: Option<UserId>,
        /// Unix time in seconds; `None`: all that were issued until now.
        issued_before: Option<u32>,
    },
    /// Who is there?
    Users {
        /// Those behind this one.
        after: Option<UserId>,
        /// At most so many, from 1 to [`LIST_ITEMS_MAX`](crate::LIST_ITEMS_MAX).
        limit: usize,
    },
    /// Which rooms are there?
    Rooms {
        /// Those behind this one.
        after: Option<RoomId>,
        /// At most so many, from 1 to [`LIST_ITEMS_MAX`](crate::LIST_ITEMS_MAX).
        limit: usize,
    },
    /// What does the app have?
    Stats,
}

impl Command {
    /// Whether it decides something that a restart of the server must not forget.
    #[must_use]
    pub fn outlives_restarts(&self) -> bool {
        match self {
            Self::Dismiss { interval, .. } => !interval.is_zero(),
            Self::Ban { .. }
            | Self::BanLogin { .. }
            | Self::UnbanLogin { .. }
            | Self::Revoke { .. } => true,
            Self::Unicast { .. }
            | Self::Broadcast { .. }
            | Self::RoomUnicast { .. }
            | Self::Kick { .. }
            | Self::OnlineUsers { .. }
            | Self::Statuses { .. }
            | Self::Disconnect { .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => false,
        }
    }

    /// Which room it is about, if it is about one.
    #[must_use]
    pub fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Unicast { .. }
            | Self::Statuses { .. }
            | Self::Disconnect { .. }
            | Self::BanLogin { .. }
            | Self::UnbanLogin { .. }
            | Self::Revoke { .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => None,
            Self::Broadcast { room, .. }
            | Self::RoomUnicast { room, .. }
            | Self::Kick { room, .. }
            | Self::Dismiss { room, .. }
            | Self::OnlineUsers { room } => Some(room),
            Self::Ban { ban, .. } => match ban {
                Ban::Room(room) | Ban::UserInRoom(room, _) => Some(room),
                Ban::User(_) | Ban::Login(_) => None,
            },
        }
    }

    /// Which users it is about, if it names some.
    #[must_use]
    pub fn users(&self) -> &[UserId] {
        match self {
            Self::Unicast { to: uid, .. }
            | Self::Kick { uid, .. }
            | Self::Disconnect { uid }
            | Self::BanLogin { uid, .. }
            | Self::UnbanLogin { uid }
            | Self::Revoke { uid: Some(uid), .. } => slice::from_ref(uid),
            Self::RoomUnicast { to: uids, .. } | Self::Statuses { uids } => uids,
            Self::Broadcast { .. }
            | Self::Dismiss { .. }
            | Self::OnlineUsers { .. }
            | Self::Revoke { uid: None, .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => &[],
            Self::Ban { ban, .. } => match ban {
                Ban::User(uid) | Ban::UserInRoom(_, uid) | Ban::Login(uid) => slice::from_ref(uid),
                Ban::Room(_) => &[],
            },
        }
    }

    /// For how long, where somebody is kept out.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        match self {
            Self::Dismiss { interval, .. } | Self::Ban { interval, .. } => Some(*interval),
            Self::BanLogin { interval, .. } => *interval,
            Self::Unicast { .. }
            | Self::Broadcast { .. }
            | Self::RoomUnicast { .. }
            | Self::Kick { .. }
            | Self::OnlineUsers { .. }
            | Self::Statuses { .. }
            | Self::Disconnect { .. }
            | Self::UnbanLogin { .. }
            | Self::Revoke { .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => None,
        }
    }
}

impl Call {
    /// Reads the parameters of an action: from the query or from the body, as the action has it.
    ///
    /// # Errors
    ///
    /// One that names the parameter and what would be right. What needs the server's state, such as rates, is not
    /// looked at here.
    pub fn parse(action: Action, query: &Query, body: &[u8]) -> Result<Self, Error> {
        match action {
            Action::SendUnicast => read(body).and_then(SendUnicast::check),
            Action::SendBroadcast => read(body).and_then(SendBroadcast::check),
            Action::SendRoomUnicast | Action::BatchSendRoomUnicast => {
                read(body).and_then(SendRoomUnicast::check)
            }
            Action::KickUser => read(body).and_then(KickUser::check),
            Action::DismissRoom => read(body).and_then(DismissRoom::check),
            Action::BanRoomUser => read(body).and_then(BanRoomUser::check),
            Action::GetRoomOnlineUsers => {
                let parameter = |name| query.get(name).map(str::to_owned);
                let app_id = app_id(parameter("AppId"))?;
                Ok(Self {
                    app_id,
                    command: Command::OnlineUsers { room: room(parameter("RoomId"))? },
                })
            }
            Action::GetUserOnlineStatus => read(body).and_then(GetUserOnlineStatus::check),
            Action::DisconnectUser => read(body).and_then(DisconnectUser::check),
            Action::BanUser => read(body).and_then(BanUser::check),
            Action::UnbanUser => read(body).and_then(UnbanUser::check),
            Action::RevokeTokens => read(body).and_then(RevokeTokens::check),
            Action::ListUsers => asked(query, body).and_then(ListUsers::check),
            Action::ListRooms => asked(query, body).and_then(ListRooms::check),
            Action::GetStats => asked(query, body).and_then(GetStats::check),
        }
    }
}

impl SendUnicast {
    fn check(self) -> Result<Call, Error> {
        let app_id = app_id(self.app_id)?;
        let (from, to) = (sender(self.from)?, user("To", self.to)?);
        let payload = payload(self.message, self.binary)?;
        Ok(Call { app_id, command: Command::Unicast { from, to, payload } })
    }
}

impl SendBroadcast {
    fn check(self) -> Result<Call, Error> {
        let app_id = app_id(self.app_id)?;
        let (room, from) = (room(self.room_id)?, sender(self.from)?);
        let payload = payload(self.message, self.binary)?;
        Ok(Call { app_id, command: Command::Broadcast { room, from, payload } })
    }
}

impl SendRoomUnicast {
    fn check(self) -> Result<Call, Error> {
        let app_id = app_id(self.app_id)?;
        let (room, from) = (room(self.room_id)?, sender(self.from)?);
        let names = match self.to.ok_or_else(|| missing("To"))? {
            Receivers::One(name) => vec![name],
            Receivers::Some(names) => names,
        };
        let to = users("To", names, ROOM_UNICAST_RECEIVERS_MAX)?;
        let payload = payload(self.message, self.binary)?;
        Ok(Call { app_id, command: Command::RoomUnicast { room, from, to, payload } })
    }
}

impl KickUser {
    fn check(self) -> Result<Call, Error> {
        let app_id = app_id(self.app_id)?;
        let (room, uid) = (room(self.room_id)?, user("UserId", self.user_id)?);
        let command = match interval(self.forbidden_interval) {
            // Unlike a ban for no time, this leaves an earlier ban alone.
            Duration::ZERO => Command::Kick { room, uid },
            interval => Command::Ban { ban: Ban::UserInRoom(room, uid), interval },
        };
        Ok(Call { app_id, command })
    }
}

impl DismissRoom {
    fn check(self) -> Result<Call, Error> {
        let (app_id, room) = (app_id(self.app_id)?, room(self.room_id)?);
        let interval = interval(self.forbidden_interval);
        Ok(Call { app_id, command: Command::Dismiss { room, interval } })
    }
}

impl BanRoomUser {
    fn check(self) -> Result<Call, Error> {
        let app_id = app_id(self.app_id)?;
        let ban = match (given(self.room_id), given(self.user_id)) {
            (room_id @ Some(_), None) => Ban::Room(room(room_id)?),
            (None, user_id @ Some(_)) => Ban::User(user("UserId", user_id)?),
            (room_id @ Some(_), user_id @ Some(_)) => {
                Ban::UserInRoom(room(room_id)?, user("UserId", user_id)?)
            }
            (None, None) => {
                let message = "RoomId, UserId or both say whom to ban; neither is there";
                return Err(Error::new(ErrorCode::MissingParameter, message));
            }
        };
        let interval = interval(self.forbidden_interval);
        Ok(Call { app_id, command: Command::Ban { ban, interval } })
    }
}

impl GetUserOnlineStatus {
    fn check(self) -> Result<Call, Error> {
        let app_id = app_id(self.app_id)?;
        let names = self.user_ids.ok_or_else(|| missing("UserIds"))?;
        let uids = users("UserIds", names, STATUS_USERS_MAX)?;
        Ok(Call { app_id, command: Command::Statuses { uids } })
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    if body.iter().all(u8::is_ascii_whitespace) {
        let message = "the parameters of this action are a JSON object in the body, which is empty";
        return Err(Error::new(ErrorCode::BodyIsEmpty, message));
    }
    // An array would do for a struct, says serde; it does not for us.
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Object(serde_json::Map<String, serde_json::Value>);
    let unmarshal = |error: serde_json::Error| {
        Error::new(ErrorCode::Unmarshal, format!("the body is not what it should be: {error}"))
    };
    let Object(object) = serde_json::from_slice(body).map_err(unmarshal)?;
    serde_json::from_value(object.into()).map_err(unmarshal)
}

fn missing(name: &str) -> Error {
    Error::new(ErrorCode::MissingParameter, format!("{name} is not there"))
}

fn app_id(text: Option<String>) -> Result<AppId, Error> {
    let text = text.ok_or_else(|| missing("AppId"))?;
    AppId::new(&text)
        .map_err(|error| Error::new(ErrorCode::NotExistAppId, format!("AppId: the app id {error}")))
}

fn room(text: Option<String>) -> Result<RoomId, Error> {
    let text = text.ok_or_else(|| missing("RoomId"))?;
    let illegal =
        |error| Error::new(ErrorCode::IllegalRoomId, format!("RoomId: the room id {error}"));
    RoomId::new(&text).map_err(illegal)
}

fn sender(text: Option<String>) -> Result<UserId, Error> {
    let text = text.ok_or_else(|| missing("From"))?;
    UserId::new(&text)
        .map_err(|error| Error::new(ErrorCode::IllegalFrom, format!("From: the name {error}")))
}

fn user(name: &str, text: Option<String>) -> Result<UserId, Error> {
    let text = text.ok_or_else(|| missing(name))?;
    UserId::new(&text)
        .map_err(|error| Error::new(ErrorCode::IllegalTo, format!("{name}: the user id {error}")))
}

fn users(name: &str, texts: Vec<String>, max: usize) -> Result<Vec<UserId>, Error> {
    match texts.len() {
        0 => Err(Error::new(ErrorCode::MissingParameter, format!("{name} names nobody"))),
        count if count > max => {
            let message = format!("{name} has {count} users, at most {max} are allowed");
            Err(Error::new(ErrorCode::UserCountOverLimit, message))
        }
        _ => texts.into_iter().map(|text| user(name, Some(text))).collect(),
    }
}

/// An empty text counts as absent.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// In seconds. The core has the bounds of a ban.
fn interval(seconds: Option<u64>) -> Duration {
    Duration::from_secs(seconds.unwrap_or(0))
}

fn payload(message: Option<String>, binary: Option<bool>) -> Result<Payload, Error> {
    let message = message.ok_or_else(|| missing("Message"))?;
    if !binary.unwrap_or(false) {
        return Ok(Payload::text(message));
    }
    let bytes = BASE64_STANDARD.decode(message.as_bytes()).map_err(|error| {
        let what = "Message: with Binary it is base64, standard alphabet, padded";
        Error::new(ErrorCode::Unmarshal, format!("{what}: {error}"))
    })?;
    Ok(Payload::binary(bytes))
}
