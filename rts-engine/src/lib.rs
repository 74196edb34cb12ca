//! What applications touch: [`Engine`], [`Room`], [`Events`], [`Sent`].
//!
//! This crate opens no socket and starts no task or thread: a runtime's crate, such as
//! `rts-transport-tokio`, holds the other end, a [`Driver`], and moves the bytes. Nothing here
//! waits for anything: a call takes a short lock, tells the core, and returns what the core said.
#![forbid(unsafe_code)]

mod address;
mod driver;
mod engine;
mod events;
mod sent;
mod shared;

pub use address::{Address, AddressError};
pub use driver::{Action, Driver};
pub use engine::{Engine, EngineError, Room, sdk_version};
pub use events::Events;
pub use sent::Sent;
