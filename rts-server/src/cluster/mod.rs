//! A node of a cluster, and what it needs from outside: a [`Bus`] to the other nodes, and an
//! [`Arbiter`] that keeps the view of the cluster. Both exist over NATS.
//!
//! A server with the section `[cluster]` in its configuration is such a node. Others use nothing of
//! this module.
//!
//! An embedder may bring another bus or arbiter. [`rts_cluster`] is correct over any of them: the
//! bus may lose, double and reorder packets, and the arbiter may be unreachable for any time.

mod arbiter;
mod bus;
mod clock;
mod drive;
mod event;
mod fixed;
mod life;
mod nats;
mod node;
mod status;

pub use arbiter::Arbiter;
pub use bus::{Bus, BusEvent, PACKET_BYTES_MAX, SendError, To};
pub use clock::ClusterClock;
pub use drive::Figures;
pub use event::NodeEvent;
pub use fixed::{StaticArbiter, StaticSet};
pub use life::{EARLIER_MAX, Life, LifeError};
pub use nats::{NatsArbiter, NatsBus, NatsConfig, NatsError, NatsLogin, NatsUrl, NatsUrlError};
pub use node::{ClusterNode, NodeConfig, NodeSender};
pub use rts_cluster::node::{Dropped, TrunkFigures};
pub use rts_cluster::view::{BadName, ClusterName, NodeName};
pub use status::NodeStatus;
