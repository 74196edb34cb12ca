//! Names of users, rooms and apps in a run.

use rts_proto::server::ShardId;
use rts_proto::{AppId, RoomId, UserId};

/// The sender name of every back end.
pub(crate) const BACK_END: &str = "back-office";

/// The user as which a peer logs in before it breaks rules. No engine sends to it.
pub(crate) const MALLORY: &str = "mallory";

/// The ids of all apps have one length and differ at the end.
pub(crate) fn app_id(app: usize) -> AppId {
    AppId::new(&format!("simulation00000000000{app:03}")).expect("an app id")
}

pub(crate) fn app_number(id: &AppId) -> usize {
    id.as_str().get(21..).and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

pub(crate) fn uid(user: usize) -> String {
    format!("user-{user}")
}

/// A name that differs from all others in many bytes, so that changed bytes do not turn one into
/// another.
pub(crate) fn harmed_uid(number: usize) -> String {
    format!("harmed-{number}")
}

pub(crate) fn user_id(user: usize) -> UserId {
    UserId::new(&uid(user)).expect("a user id")
}

pub(crate) fn room_id(room: usize) -> String {
    format!("room-{room}")
}

pub(crate) fn room_name(room: usize) -> RoomId {
    RoomId::new(&room_id(room)).expect("a room id")
}

/// The number of a shard among those of all nodes. In a server without a cluster it is that in its
/// node.
pub(crate) fn number(shard: ShardId) -> usize {
    shard.node().number() * ShardId::COUNT_MAX + shard.number()
}

/// The number of the node of a shard.
pub(crate) fn node_of(shard: usize) -> usize {
    shard / ShardId::COUNT_MAX
}

/// The number in `user-3` or `room-3`.
pub(crate) fn number_in(name: &str) -> Option<usize> {
    name.split_once('-')?.1.parse().ok()
}
