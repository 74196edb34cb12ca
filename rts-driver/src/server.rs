//! The server side: a [`Shard`] serves the links of a server core, and asks its embedder through
//! the hooks [`Authenticate`], [`Watch`] and [`PostToAppServer`].
//!
//! ```text
//!  Shard ----------> shared: core and hooks, behind a lock <--+
//!    |                                                        |
//!    +-- spawns --> reactor: reads and writes all links ------+
//!                     |   ^
//!                     v   | ready queue
//!                   handshakes: a pool of threads
//! ```

mod accept;
mod admission;
mod gate;
mod handshakes;
mod hooked_core;
mod hooks;
mod link_end;
mod log;
mod network;
mod notice_log;
mod posts;
mod probes;
mod reactor;
mod ready_queue;
mod shard;
mod shared;
mod token_bucket;
mod until;

pub use admission::LinkLimits;
pub use hooks::{Authenticate, Begun, PostToAppServer, Posting, Watch};
pub use log::{LogRateLimiter, LogThrottle, Sanitized};
pub use probes::ExpectedConnection;
pub use rts_proto::{AppId, LoginCode, OnlineStatus, UserId};
#[cfg(feature = "websocket")]
pub use rts_stream::Origins;
pub use rts_stream::{Acceptor, Address, AddressError, AddressProblem, Scheme};
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
pub use rts_stream::{Identity, IdentityError, PemError, explain_tls};
pub use shard::Shard;
