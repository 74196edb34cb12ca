//! What operators ask for, read and checked.

use std::time::Duration;

use rts_proto::RoomId;
use serde::de::DeserializeOwned;

use super::{Call, Command, app_id, given, read, user};
use crate::operating::{
    BanUser, DisconnectUser, GetStats, ListRooms, ListUsers, RevokeTokens, UnbanUser,
};
use crate::{Error, ErrorCode, LIST_ITEMS, LIST_ITEMS_MAX, Query};

impl DisconnectUser {
    pub(super) fn check(self) -> Result<Call, Error> {
        let (app_id, uid) = (app_id(self.app_id)?, user("UserId", self.user_id)?);
        Ok(Call { app_id, command: Command::Disconnect { uid } })
    }
}

impl BanUser {
    pub(super) fn check(self) -> Result<Call, Error> {
        let (app_id, uid) = (app_id(self.app_id)?, user("UserId", self.user_id)?);
        let interval = self.seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
        Ok(Call { app_id, command: Command::BanLogin { uid, interval } })
    }
}

impl UnbanUser {
    pub(super) fn check(self) -> Result<Call, Error> {
        let (app_id, uid) = (app_id(self.app_id)?, user("UserId", self.user_id)?);
        Ok(Call { app_id, command: Command::UnbanLogin { uid } })
    }
}

impl RevokeTokens {
    pub(super) fn check(self) -> Result<Call, Error> {
        let app_id = app_id(self.app_id)?;
        let uid = self.user_id.map(|uid| user("UserId", Some(uid))).transpose()?;
        Ok(Call { app_id, command: Command::Revoke { uid, issued_before: self.issued_before } })
    }
}

impl ListUsers {
    pub(super) fn check(self) -> Result<Call, Error> {
        let (app_id, limit) = (app_id(self.app_id)?, limit(self.limit)?);
        let after = given(self.after).map(|after| user("After", Some(after))).transpose()?;
        Ok(Call { app_id, command: Command::Users { after, limit } })
    }
}

impl ListRooms {
    pub(super) fn check(self) -> Result<Call, Error> {
        let (app_id, limit) = (app_id(self.app_id)?, limit(self.limit)?);
        let illegal =
            |error| Error::new(ErrorCode::IllegalRoomId, format!("After: the room id {error}"));
        let after = given(self.after).map(|after| RoomId::new(&after)).transpose();
        Ok(Call { app_id, command: Command::Rooms { after: after.map_err(illegal)?, limit } })
    }
}

impl GetStats {
    pub(super) fn check(self) -> Result<Call, Error> {
        Ok(Call { app_id: app_id(self.app_id)?, command: Command::Stats })
    }
}

/// From the body if there is one, else from the query, in which a number is a text.
pub(super) fn asked<T: DeserializeOwned>(query: &Query, body: &[u8]) -> Result<T, Error> {
    if !body.iter().all(u8::is_ascii_whitespace) {
        return read(body);
    }
    let mut object = serde_json::Map::new();
    for name in ["AppId", "After", "Limit"] {
        let Some(text) = query.get(name) else { continue };
        let number = text.parse::<u64>().ok().filter(|_| name == "Limit");
        object.insert(name.to_owned(), number.map_or_else(|| text.into(), Into::into));
    }
    serde_json::from_value(object.into()).map_err(|error| {
        Error::new(ErrorCode::Unmarshal, format!("the query is not what it should be: {error}"))
    })
}

fn limit(limit: Option<u64>) -> Result<usize, Error> {
    let limit = limit.map_or(Ok(LIST_ITEMS), usize::try_from).unwrap_or(usize::MAX);
    if (1..=LIST_ITEMS_MAX).contains(&limit) {
        return Ok(limit);
    }
    let message = format!("Limit: a page has from 1 to {LIST_ITEMS_MAX} entries");
    Err(Error::new(ErrorCode::SizeOverLimit, message))
}
