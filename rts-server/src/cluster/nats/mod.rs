//! NATS as the bus of a cluster, and one JetStream stream as its register. NATS 2.9 or later.
//!
//! A node has one connection. It subscribes to two subjects: `rts.CLUSTER.in.INCARNATION` for
//! itself, and `rts.CLUSTER.all` for all nodes. Answers come to `rts.CLUSTER.reply.>`. The stream
//! `rts_CLUSTER` stores `rts.CLUSTER.register.>`.

mod arbiter;
mod bus;
mod config;
mod error;
mod jetstream;
mod link;
mod subjects;

pub use arbiter::NatsArbiter;
pub use bus::NatsBus;
pub use config::{NatsConfig, NatsLogin, NatsUrl, NatsUrlError};
pub use error::NatsError;
