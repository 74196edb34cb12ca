#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

pub mod client;
mod link;
mod panics;
mod runtime;
pub mod server;
#[cfg(test)]
mod testing;
mod timer;

pub use runtime::{Runtime, Stream, rotate};
