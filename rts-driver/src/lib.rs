//! The drivers of client engines and server shards, written once for all runtimes.
//!
//! What this crate does not do: it opens no socket, sets no timer and starts no task or thread; a
//! [`Runtime`] does, which is a page in a crate of its own (`rts-transport-tokio`,
//! `rts-transport-smol`). It makes no decision of the protocol either; `rts-proto` does. It moves
//! bytes between links and a core, through the layers of `rts-stream`, and calls the core when time
//! has passed.
//!
//! ```text
//!  Engine, Room, Events      one task for an engine          one task for a shard       Shard
//!  (rts-engine)         <->  its link, its deadline  <bytes> all its links,        <->  (server core,
//!                            its handlers                    its deadline               behind a lock)
//! ```
//!
//! Applications use the crate of their runtime, which exports [`application`] and names [`connect`]
//! and [`Shard`] for it.
#![forbid(unsafe_code)]

mod accept;
mod alarm;
mod bell;
mod bucket;
mod client;
mod driven;
mod handshakes;
mod link;
mod meter;
mod network;
mod pieces;
mod places;
mod posts;
mod probes;
mod reactor;
mod runtime;
mod seldom;
mod shard;
mod shown;
#[cfg(test)]
mod testing;
mod thinning;
mod user_log;

pub use client::{connect, connect_recorded};
pub use runtime::{Runtime, Stream};
pub use shard::Shard;

/// `None` after a panic, which is a bug: whoever it is about is given up, and the others go on.
fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).ok()
}

/// What applications use, whatever their runtime: the handles, what they take and what they tell.
pub mod application {
    pub use crate::client::ConnectError;
    pub use crate::driven::{Authenticate, Watch};
    pub use crate::places::LinkBounds;
    pub use crate::posts::{Begun, PostToAppServer, Posting};
    pub use crate::probes::Expected;
    pub use crate::seldom::Seldom;
    pub use crate::shown::Shown;
    pub use crate::thinning::Thinning;
    pub use rts_engine::{
        Engine, EngineError, EventHandler, Events, Room, RoomEventHandler, Sent, ServerAnswer,
        sdk_version,
    };
    pub use rts_proto::client::{
        BroadcastError, BusinessIdError, CreateRoomError, Event, JoinError, JoinType, LoginError,
        ParametersError, RoomEvent, SendError, WarningCode,
    };
    pub use rts_proto::{
        AppId, BroadcastCode, CloseCode, ConnectionState, Disconnect, IdError, LeaveReason,
        LoginCode, LogoutReason, MessageConfig, MessageId, OnlineStatus, Payload, ProtocolError,
        Reply, Retry, RoomId, RoomKey, RoomState, SendCode, ServerParamsCode, Text, UserId,
    };
    #[cfg(feature = "websocket")]
    pub use rts_stream::Origins;
    pub use rts_stream::{
        Acceptor, Address, AddressError, ConnectOptions, Connector, ConnectorError, Proxy,
        ProxyError, Scheme,
    };
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
    pub use rts_stream::{Identity, IdentityError, Roots, explain_tls};
    pub use rts_trace::{Recorder, Secrets};
}
