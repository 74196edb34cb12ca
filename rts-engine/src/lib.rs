//! What applications touch: [`Engine`], [`Room`], [`Events`], [`Sent`].
//!
//! What this crate does not do: it opens no socket and starts no task or thread. A runtime's crate,
//! such as `rts-transport-tokio`, holds the other end, a [`Driver`], and moves the bytes. Nothing
//! here waits for anything: a call takes a short lock, tells the core, and returns what the core
//! said.
//!
//! ```text
//!  Engine, Room --call--> +--------+ --Output--> Driver, held by
//!  Events <----event----- |  core  |             the loop of
//!  Sent   <----result---- +--------+ <--Input--- a runtime
//! ```
#![forbid(unsafe_code)]

mod backpressure;
mod clock;
mod delivery;
mod driver;
mod engine;
mod events;
mod handle;
mod handler;
mod link_output;
mod log;
mod room;
mod sent;
mod shared;
mod unread;

pub use clock::Clock;
pub use driver::Driver;
pub use engine::{Engine, EngineError, sdk_version};
pub use events::Events;
pub use handler::{EventHandler, RoomEventHandler};
pub use link_output::LinkOutput;
pub use room::Room;
pub use sent::{Sent, ServerAnswer};
