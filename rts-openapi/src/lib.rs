//! The OpenAPI of an RTS server: what an app's back end may ask for, and in which words.
//!
//! What this crate does not do: it opens no socket and reads no clock; it knows no keys and carries
//! nothing out. It turns the parts of an HTTP request into a checked [`Call`], checks and makes
//! [signatures](signature), and gives errors their names. `rts-server` listens, and decides who may
//! do what; `rts admin` asks.
//!
//! ```text
//!  POST /?Action=SendUnicast&Version=2023-07-20      Query -> Action \
//!  {"AppId": ..., "To": "bob", "Message": "hi"}      body -----------> Call -> the server core
//!  Authorization: HMAC-SHA256 Credential=...         Signature: is it from who it says?
//! ```
#![forbid(unsafe_code)]

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
    DoneInSmallLetters, Envelope, Failure, Metadata, OnlineUsers, Removed, SERVICE, Sent,
    UserStatus, UserStatuses,
};
pub use error::{Error, ErrorCode};
pub use limits::{
    BODY_BYTES_MAX, CLOCK_SKEW_SECONDS_MAX, LIST_ITEMS, LIST_ITEMS_MAX, STATUS_USERS_MAX,
};
pub use operating::{Ended, ListedRoom, ListedUser, Revoked, RoomList, Stats, Unbanned, UserList};
pub use query::Query;
pub use route::Route;
