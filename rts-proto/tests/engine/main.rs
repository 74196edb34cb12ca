//! The client core, against a server whose frames the tests choose.

mod acks;
mod backlog;
mod counting;
mod links;
mod observing;
mod progress;
mod questions;
mod rooms;
mod support;
