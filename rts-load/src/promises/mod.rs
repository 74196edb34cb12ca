//! Whether a server or a cluster keeps its promises: real clients, servers that are killed and
//! drained, users who are displaced, a room that all join. Every law is checked over everything
//! that happened.
//!
//! ```text
//! faults     the phases of a run against a cluster, whose parts fail
//! restarts   the phases of a run against one server, which is killed and drained
//! run        what both do
//! traffic    what the clients do
//! fleet      the clients
//! figures    what happened in a phase, in numbers
//! record     records of calls and events
//! laws/      the laws, over a history
//! names  phase  history
//! ```

mod faults;
mod figures;
mod fleet;
mod history;
mod laws;
mod names;
mod phase;
mod record;
mod restarts;
mod run;
mod traffic;

pub use faults::{Cluster, Fault, check_cluster};
pub use laws::{Law, Violation};
pub use restarts::{Restart, check_promises};
pub use run::{Promises, PromisesError};
