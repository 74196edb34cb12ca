#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]
#![doc = include_str!("../README.md")]

extern crate alloc;

mod backoff;
mod code;
mod error;
mod id;
mod link;
mod payload;
mod random;
mod rate;
mod time;

pub mod client;
pub mod limits;
pub mod server;
pub mod wire;

pub use code::{
    BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, MessageConfig,
    OnlineStatus, RoomState, SendCode,
};
pub use error::{CloseCode, Disconnect, ProtocolError, Retry};
pub use id::{AppId, BusinessId, IdError, LinkId, LoginId, MessageId, RoomId, RoomKey, UserId};
pub use payload::{Payload, Text};
pub use time::Instant;
