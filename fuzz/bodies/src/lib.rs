//! The bodies of the fuzz targets, as plain functions. Each takes any bytes, and panics when a law
//! is broken. `tests/corpus.rs` calls them with the committed inputs, and `../fuzz_targets` with
//! the inputs of libFuzzer.

mod bus_packet;
mod client_bytes;
mod client_session;
mod decode;
mod layers;
mod link_pair;
mod openapi;
mod script;
mod server_bytes;
mod server_session;
mod target_url;
mod token;

pub use bus_packet::bus_packet;
pub use client_bytes::client_bytes;
pub use client_session::client_session;
pub use decode::decode;
pub use layers::layers;
pub use link_pair::link_pair;
pub use openapi::openapi;
pub use server_bytes::{server_bytes, server_shards};
pub use server_session::server_session;
pub use target_url::target_url;
pub use token::token;
