//! Who watches a shard: all that goes into it and comes out.

use core::fmt::Debug;

use super::command::Command;
use super::config::Config;
use super::io::{Input, Output};
use crate::Instant;

/// Sees all that a shard is told and commanded, and all that it says, such as to record it. An
/// observer changes nothing: the shard does the same with and without one.
///
/// Everything comes in the order in which it happens. A command is seen once, whether its method or
/// [`Server::command`](super::Server::command) gave it.
///
/// A shard holds a `Box<dyn Observe + Send>` and is not generic over its observer: each file of use
/// cases would have to carry that parameter, and without an observer this costs a branch for each
/// input, command and output.
pub trait Observe {
    /// The shard begins, from this.
    fn started(&mut self, _config: &Config, _seed: u64) {}

    /// Something happened, and the shard is about to handle it. An earlier moment than before
    /// counts as the latest one, here and for commands.
    fn input(&mut self, _now: Instant, _input: &Input) {}

    /// The shard is about to do this.
    fn command(&mut self, _now: Instant, _command: &Command<'_>) {}

    /// The latest command returned this, as its method returns it.
    fn returned(&mut self, _returned: &dyn Debug) {}

    /// The driver is about to be given this.
    fn output(&mut self, _output: &Output) {}
}

/// Watches nothing.
impl Observe for () {}
