//! What applications do, over real sockets, against a shard in this process.

mod decisions;
mod messages;
mod overtaken;
mod rooms;
#[cfg(feature = "serde")]
mod serialized;
mod support;
mod tokens;
