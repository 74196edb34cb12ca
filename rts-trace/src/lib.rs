#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod client;
mod digest;
mod explain;
mod file;
mod format;
#[cfg(test)]
mod golden;
mod message;
mod record;
mod recorder;
mod replay;
mod scrub;
mod server;

pub use explain::{Explained, Line, explain};
pub use file::RecordError;
pub use format::TraceError;
pub use message::Story;
pub use recorder::Recorder;
pub use replay::{Difference, Observer, Recording, Replayed, replay};
pub use scrub::Secrets;
