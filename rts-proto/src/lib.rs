#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

extern crate alloc;

mod backoff;
mod code;
mod error;
mod id;
#[cfg(test)]
mod kept;
mod link;
mod payload;
#[cfg(rts_planted)]
pub mod planted;
#[cfg(not(rts_planted))]
mod planted;
mod random;
mod rate;
mod server_params;
mod slab;
mod table;
mod time;

pub mod client;
pub mod limits;
pub mod server;
pub mod wire;

pub use code::{
    BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, MessageConfig,
    OnlineStatus, RoomState, SendCode, ServerParamsCode, UnknownCode,
};
pub use error::{CloseCode, Disconnect, ProtocolError, Retry};
pub use id::{
    AppId, BusinessId, CallId, IdError, IdKind, LinkId, LoginId, MessageId, RoomId, RoomKey,
    TargetId, UserId,
};
pub use payload::{Payload, Reply, Text};
pub use server_params::ServerParams;
pub use time::Instant;
