//! What the nodes of a cluster agree on, and how entries get from one node to another: exactly once
//! and in order. Without IO: a driver passes in packets and the time, and sends what comes out.
#![forbid(unsafe_code)]

pub mod limits;
pub mod membership;
pub mod node;
mod planted;
pub mod shards;
pub mod slots;
pub mod trunk;
pub mod view;
pub mod wire;

#[cfg(test)]
mod testing;
