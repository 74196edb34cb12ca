//! Nodes of a cluster over a real nats-server.

mod errors;
mod logins;
mod nats;
mod nats_server;
mod nodes;
mod skew;
mod support;
mod trunks;
