//! RTS over tokio: [`connect`] for client engines, [`Shard`] for servers.
//!
//! This crate makes no decision of the protocol: `rts-proto` does. It moves bytes between TCP links and the
//! core, and calls the core when time has passed.
#![forbid(unsafe_code)]

mod accept;
mod client;
mod link;
mod queue;
mod server;

pub use client::{ConnectError, connect};
pub use rts_engine::{Address, AddressError, Engine, EngineError, Events, Room, Sent, sdk_version};
pub use rts_proto::client::{
    BroadcastError, BusinessIdError, CreateRoomError, Event, EventHandler, JoinError, LoginError,
    ParametersError, RoomEvent, RoomEventHandler, SendError, WarningCode,
};
pub use rts_proto::{
    AppId, BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, MessageConfig,
    MessageId, OnlineStatus, Payload, RoomId, RoomState, SendCode, UserId,
};
pub use server::{Authenticate, Shard};
