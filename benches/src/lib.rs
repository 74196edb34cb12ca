//! A shard with sessions in memory, and the work that is measured on it. `benches/core.rs` takes
//! its time, the `measured` binary is for counting its instructions, `tests/allocations.rs` counts
//! what it allocates and keeps.
#![forbid(unsafe_code)]

mod hall;
mod work;

pub use hall::{Hall, ack, broadcast, send};
pub use work::{PAYLOAD_BYTES, WORKS, Work};
