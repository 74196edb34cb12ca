//! One server core, many client cores, a simulated network and one virtual clock.
//!
//! No socket is opened and nothing sleeps: [`World::run_for`] moves the clock from one event to the next.
#![forbid(unsafe_code)]

mod net;
mod world;

pub use net::Net;
pub use world::{Habits, Person, World};
