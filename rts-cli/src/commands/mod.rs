//! The commands, one file each.

pub(crate) mod admin;
pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod demo;
mod dev_cluster;
mod dev_server;
pub(crate) mod engine;
mod folder;
pub(crate) mod listen;
mod nats_server;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod trace;
