//! RTS over tokio: [`connect`] for client engines, [`Shard`] for servers.
//!
//! What this crate does not do: it makes no decision of the protocol; `rts-proto` does. It moves bytes between TCP
//! links and a core, and calls the core when time has passed. It encrypts nothing: put TLS in front.
//!
//! ```text
//!  Engine, Room, Events      one task for an engine          one task for each link     Shard
//!  (rts-engine)         <->  its link, its deadline   <TCP>  a queue for each     <->  (server core,
//!                            its handlers                    one task for time          behind a lock)
//! ```
//!
//! ```no_run
//! use rts_transport_tokio::{Event, LoginCode, MessageConfig, connect};
//!
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let (engine, mut events) = connect("rts://127.0.0.1:7600", "123456781234567812345678", "{}")?;
//! engine.login(token, "alice")?;
//! while let Some(event) = events.next().await {
//!     match event {
//!         Event::LoginResult { code: LoginCode::Ok, .. } => {
//!             engine.send_message("bob", "hello", MessageConfig::ReliableOrdered)?;
//!         }
//!         Event::MessageSendResult { id, code } => {
//!             println!("message {id}: {code:?}");
//!             engine.destroy();
//!         }
//!         _ => {}
//!     }
//! }
//! // The events have ended. This lets the last bytes be written.
//! engine.closed().await;
//! # Ok(())
//! # }
//! ```
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

/// The example on the project's first page compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
