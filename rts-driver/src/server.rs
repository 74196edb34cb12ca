//! The server side: a [`Node`] serves the links of its server cores, and asks its embedder through
//! the hooks [`Authenticate`], [`Watch`], [`PostToAppServer`] and [`SendToNodes`].
//!
//! ```text
//!  Node ------> each shard: core and hooks, behind a lock <------+---- mesh: a mailbox for each
//!    |                                                           |     pair of shards
//!    +-- starts --> its reactor: reads and writes its links -----+
//!                     |   ^
//!                     v   | ready queue
//!                   handshakes: a pool of threads
//! ```

mod accept;
mod admission;
mod arrivals;
mod asked;
mod gate;
mod handshakes;
mod hooked_core;
mod hooks;
mod in_cluster;
mod lease;
mod link_end;
mod log;
mod mailboxes;
mod mesh;
mod network;
mod node;
mod notice_log;
mod posts;
mod probes;
mod reactor;
mod ready_queue;
mod shared;
mod threads;
mod token_bucket;
mod until;

pub use admission::LinkLimits;
pub use hooks::{Authenticate, Begun, PostToAppServer, Posting, SendToNodes, Watch};
pub use log::{LogRateLimiter, LogThrottle, Sanitized};
#[doc(hidden)]
pub use mailboxes::Mailboxes;
pub use node::{Commands, Node};
pub use probes::ExpectedConnection;
pub use rts_proto::{AppId, LoginCode, OnlineStatus, UserId};
#[cfg(feature = "websocket")]
pub use rts_stream::Origins;
pub use rts_stream::{Acceptor, Address, AddressError, AddressProblem, Scheme};
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
pub use rts_stream::{Identity, IdentityError, PemError, explain_tls};
