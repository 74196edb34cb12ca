#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod action;
mod call;
mod command;
mod described;
mod document;
mod envelope;
mod error;
mod fields;
mod limits;
mod operating;
mod parameter;
mod query;
mod route;
pub mod signature;

pub use action::{Action, Method};
pub use call::Call;
pub use command::Command;
pub use document::document;
pub use envelope::{
    Banned, Envelope, Failure, Metadata, OnlineUsers, Removed, SERVICE, Sent, UserStatus,
    UserStatuses,
};
pub use error::{Error, ErrorCode};
pub use limits::{
    BODY_BYTES_MAX, CLOCK_SKEW_SECONDS_MAX, LIST_ITEMS, LIST_ITEMS_MAX, STATUS_USERS_MAX,
};
pub use operating::{Ended, ListedRoom, ListedUser, Revoked, RoomList, Stats, Unbanned, UserList};
pub use query::Query;
pub use route::Route;
