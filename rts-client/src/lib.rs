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
pub use logins::{TokenClock, TokenReason, TokenRequest};
pub use room::Room;
pub use sending::{Outcome, Sending};

#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))))]
pub use rts_driver::client::Roots;
pub use rts_driver::client::{
    AppId, BroadcastCode, BusinessIdError, CloseCode, ConnectError, ConnectOptions,
    ConnectionState, Connector, ConnectorError, Disconnect, IdError, JoinType, LayerError,
    LeaveReason, LinkError, LinkFailure, LogLevel, LoginStatus, LogoutReason, MessageConfig,
    MessageId, NoLink, OnlineStatus, Payload, ProtocolError, Proxy, ProxyError, Reply, Retry,
    RoomId, RoomState, SendCode, ServerAnswer, Text, Timing, TimingError, UserId, WarningCode,
    sdk_version,
};
pub use rts_driver::{Runtime, Stream};

/// Observers of an engine's core, and what they see. [`Builder::observer`] takes one.
///
/// ```
/// use rts_client::observe::{Input, Instant, Observe};
///
/// /// Counts the bursts of bytes that arrive.
/// #[derive(Default)]
/// struct Bursts(u64);
///
/// impl Observe for Bursts {
///     fn input(&mut self, _now: Instant, input: &Input) {
///         self.0 += u64::from(matches!(input, Input::Received(..)));
///     }
/// }
/// ```
pub mod observe {
    pub use rts_driver::client::{Call, Config, Input, Instant, LinkId, Observe, Output};
}

/// Recordings of engines, to replay them.
#[cfg(feature = "trace")]
#[cfg_attr(docsrs, doc(cfg(feature = "trace")))]
pub use rts_trace as trace;
