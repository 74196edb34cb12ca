//! A shard with sessions in memory, and the work that is measured on it. `benches/core.rs` measures
//! its time, the `measured` binary serves to count its instructions, and `tests/allocations.rs`
//! counts its allocations and memory.
//!
//! [`node`] has all shards of a server, on threads and without sockets, and [`mailbox`] only what
//! is between them. The `shards` binary measures both.
#![forbid(unsafe_code)]

pub mod figures;
mod hall;
pub mod mailbox;
pub mod node;
mod work;

pub use hall::{Hall, ack, broadcast, send};
pub use work::{PAYLOAD_BYTES, WORKS, Work};
