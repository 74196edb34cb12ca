#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod app_server;
mod clock;
mod cluster;
mod engine;
mod faults;
mod gate;
mod mailboxes;
mod middlebox;
mod net;
mod node;
mod stale_links;
mod story;
mod stranger;
mod tasks;
mod timers;
mod wake_flag;
mod world;

pub use app_server::{APP_SERVER_URL, AppServer, Manner};
pub use cluster::{Bus, Cluster, NODES_MAX, NodeIndex, Register};
pub use mailboxes::Mailboxes;
pub use middlebox::{Middlebox, Piece};
pub use net::{Break, Net, Side};
pub use world::{APP_ID, DriverOptions, EngineIndex, Happening, World, shard_of_call};
