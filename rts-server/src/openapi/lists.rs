//! Converts the core's pages and figures to those of the OpenAPI.

use rts_openapi::{
    ListedRoom, ListedUser, OnlineUsers, RoomList, Stats, UserList, UserStatus, UserStatuses,
};
use rts_proto::server::{AppStats, Page, RoomFigures, UserFigures};
use rts_proto::{OnlineStatus, UserId};

/// The members of a room; `None` when the room does not exist.
pub(super) fn members(members: Option<Vec<UserId>>) -> OnlineUsers {
    members.map_or_else(OnlineUsers::default, |members| OnlineUsers {
        room_exists: true,
        total_user: Some(members.len()),
        visible_user_list: Some(members.iter().map(ToString::to_string).collect()),
        total_invisible_user: Some(0),
        invisible_user_list: Some(Vec::new()),
    })
}

pub(super) fn statuses(
    uids: &[UserId],
    mut status_of: impl FnMut(&UserId) -> OnlineStatus,
) -> UserStatuses {
    let status =
        |uid: &UserId| UserStatus { user_id: uid.to_string(), status: status_of(uid).code() };
    UserStatuses { users: uids.iter().map(status).collect() }
}

pub(super) fn users(page: Page<UserFigures>) -> UserList {
    let Page { items, has_more, total } = page;
    let next = items.last().filter(|_| has_more).map(|last| last.uid.to_string());
    let listed = |user: UserFigures| ListedUser {
        user_id: user.uid.to_string(),
        status: user.status.code(),
        silent_seconds: user.silent_for.as_secs(),
        rooms: user.rooms,
        unacknowledged_bytes: user.window_bytes,
    };
    UserList { users: items.into_iter().map(listed).collect(), total_user: total, next }
}

pub(super) fn rooms(page: Page<RoomFigures>) -> RoomList {
    let Page { items, has_more, total } = page;
    let next = items.last().filter(|_| has_more).map(|last| last.room.to_string());
    let listed =
        |room: RoomFigures| ListedRoom { room_id: room.room.to_string(), members: room.members };
    RoomList { rooms: items.into_iter().map(listed).collect(), total_room: total, next }
}

pub(super) fn stats(stats: AppStats) -> Stats {
    Stats {
        users: stats.users,
        connected: stats.connected,
        rooms: stats.rooms,
        memberships: stats.memberships,
        bans: stats.bans,
        unacknowledged_bytes: stats.window_bytes,
    }
}
