//! The drivers of client engines and server shards, written once for all runtimes.
//!
//! What this crate does not do: it opens no socket, sets no timer and starts no task or thread; a
//! [`Runtime`] does, which is a page in a crate of its own (`rts-transport-tokio`,
//! `rts-transport-smol`). It makes no decision of the protocol either; `rts-proto` does. It moves
//! bytes between links and a core, through the layers of `rts-stream`, and calls the core when time
//! has passed.
//!
//! ```text
//!  Engine, Room      one task for an engine          one task for a shard      Shard
//!  Events       <->  its link, its deadline  <bytes> all its links,       <->  (server core,
//!  (rts-engine)      its handlers                    its deadline              behind a lock)
//!  |_______________ client _______________|          |______________ server ______________|
//! ```
//!
//! Applications and servers use the crate of their runtime, which exports [`client`] and [`server`]
//! with [`client::connect`] and [`server::Shard`] made for it.
#![forbid(unsafe_code)]

pub mod client;
mod link;
mod panics;
mod runtime;
pub mod server;
#[cfg(test)]
mod testing;
mod timer;

pub use runtime::{Runtime, Stream};
