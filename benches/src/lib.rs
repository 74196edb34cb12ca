//! A shard with sessions in memory, and the work that is measured on it. `benches/core.rs` measures
//! its time, the `measured` binary serves to count its instructions, and `tests/allocations.rs`
//! counts its allocations and memory.
#![forbid(unsafe_code)]

mod hall;
mod work;

pub use hall::{Hall, ack, broadcast, send};
pub use work::{PAYLOAD_BYTES, WORKS, Work};
