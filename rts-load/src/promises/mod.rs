//! Whether a server keeps its promises: real clients, a server that is killed and drained, users
//! who are displaced, a room that all join. Every law is checked over everything that happened.
//!
//! ```text
//! run        the phases, one after the other
//! traffic    what the clients do
//! fleet      the clients
//! figures    what happened in a phase, in numbers
//! record     records of calls and events
//! laws/      the laws, over a history
//! names  phase  history
//! ```

mod figures;
mod fleet;
mod history;
mod laws;
mod names;
mod phase;
mod record;
mod run;
mod traffic;

pub use laws::{Law, Violation};
pub use run::{Promises, PromisesError, Restart, check_promises};
