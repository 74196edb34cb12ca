#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod clock;
mod faults;
mod gate;
mod ghosts;
mod net;
mod person;
mod story;
mod tasks;
mod world;

pub use net::{Net, Side};
pub use world::{APP_ID, Habits, Happening, Person, World};
