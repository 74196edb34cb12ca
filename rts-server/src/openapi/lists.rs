//! Converts the core's pages and figures to those of the OpenAPI.

use rts_openapi::{ListedRoom, ListedUser, RoomList, Stats, UserList};
use rts_proto::server::{AppStats, Page, RoomFigures, UserFigures};

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
