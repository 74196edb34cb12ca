#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod builder;
pub mod contract;
mod engine;
mod error;
mod events;
#[cfg(feature = "serde")]
mod json;
mod logins;
mod room;
mod sending;

pub use builder::Builder;
pub use engine::Engine;
pub use error::{BuildError, Culprit, JoinError, LoginError, Reason, SendError, ServerParamsError};
pub use events::{Event, Events, RoomEvent};
pub use logins::{TokenReason, TokenRequest};
pub use room::Room;
pub use sending::{Outcome, Sending};

pub use rts_driver::Runtime;
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))))]
pub use rts_driver::client::Roots;
pub use rts_driver::client::{
    AppId, BusinessIdError, ConnectOptions, ConnectionState, Connector, Disconnect, JoinType,
    LeaveReason, LogoutReason, MessageConfig, MessageId, Observe, OnlineStatus, Payload, Proxy,
    Reply, RoomId, RoomState, Text, Timing, TimingError, UserId, WarningCode, sdk_version,
};

/// Recordings of engines, to replay them.
#[cfg(feature = "trace")]
#[cfg_attr(docsrs, doc(cfg(feature = "trace")))]
pub use rts_trace as trace;
