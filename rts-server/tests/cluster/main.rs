//! Nodes of a cluster over a real nats-server.

mod errors;
mod logins;
mod nats;
mod nodes;
mod support;
mod trunks;
