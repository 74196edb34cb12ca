//! The OpenAPI's listener: HTTP in, commands of the server core out.

mod access_log;
mod answer;
mod cluster;
mod connection;
mod connection_log;
mod form;
mod framing;
mod given;
mod health;
mod keys;
mod listen;
mod lists;
mod orders;
mod page;
mod pending;
mod places;
mod polls;
mod run;
mod timed;
mod turns;
mod waiting;

pub(crate) use health::Health;
pub(crate) use listen::{Listener, serve_while_waiting};

#[cfg(test)]
mod tests;
