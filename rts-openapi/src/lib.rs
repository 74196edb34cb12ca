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
    DoneInSmallLetters, Envelope, Failure, Metadata, OnlineUsers, Removed, Sent, UserStatus,
    UserStatuses,
};
pub use error::{Error, ErrorCode};
pub use operating::{Ended, ListedRoom, ListedUser, Revoked, RoomList, Stats, Unbanned, UserList};
pub use query::Query;
pub use route::Route;

/// The name of the service, in signatures and answers.
pub const SERVICE: &str = "rtc";
/// The largest body of a request, in bytes: 65,536 bytes of text in their longest spelling, and
/// what is around them.
pub const BODY_BYTES_MAX: usize = 512 * 1_024;
/// Users that one question about their status may name.
pub const STATUS_USERS_MAX: usize = 600;
/// Entries of one page of users or rooms.
pub const LIST_ITEMS_MAX: usize = 1_000;
/// Entries of one page when nothing is said.
pub const LIST_ITEMS: usize = 100;
/// Seconds before and after the time that a signature says, in which it is taken.
pub const CLOCK_SKEW_SECONDS_MAX: u64 = 900;
