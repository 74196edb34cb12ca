//! The client core against a server that says whatever a test wants it to.

mod acks;
mod backlog;
mod counting;
mod links;
mod observing;
mod questions;
mod rooms;
mod support;
