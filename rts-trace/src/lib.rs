#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod client;
mod digest;
mod explain;
mod file;
mod filler;
mod format;
#[cfg(test)]
mod golden;
mod mesh;
mod message;
mod narrator;
mod record;
mod recorder;
mod replay;
mod scrub;
mod server;
mod words;

pub use explain::{ExplainError, Explained, explain};
pub use file::RecordError;
pub use format::TraceError;
pub use message::Story;
pub use narrator::Line;
pub use recorder::Recorder;
pub use replay::{Difference, Observer, Recording, Replayed, replay};
pub use scrub::Secrets;
