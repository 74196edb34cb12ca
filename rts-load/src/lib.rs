//! A load generator: thousands of clients of a server on one thread, at socket level.
//!
//! What this crate does not do: it is no client library. Its clients speak just enough of a
//! protocol to put work on a server and to count honestly what comes back: every send has an id,
//! and a result or none; every delivery carries the moment at which it was *meant* to be sent, so a
//! server that stalls the sender does not hide its own delay.
//!
//! ```text
//!  Job -> work (p2p, room, connect, idle, storm) -> Net (epoll, one thread) -> Client (RTS, Redis, NATS, MQTT, ...)
//!                      |                                                          one file a protocol
//!                    Report: rates, percentiles, results by code, loss, CPU of the server
//! ```
//!
//! The scheme of the address says which protocol: see [`Scheme`].
#![forbid(unsafe_code)]

mod client;
mod floor;
mod machine;
mod net;
mod report;
mod target;
mod work;

pub use floor::{FloorError, serve_floor};
pub use machine::{ServerProcess, pin_this_thread};
pub use report::{Report, Spread};
pub use target::{Scheme, Target, TargetError};
pub use work::{Connect, Idle, Job, P2p, Pace, Room, RunError, Storm, run};
