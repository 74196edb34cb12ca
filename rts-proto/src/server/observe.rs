//! Observers of a shard: its inputs, commands and outputs.

use core::fmt::Debug;

use super::command::Command;
use super::config::Config;
use super::io::{Input, Output};
use crate::Instant;

/// Sees every input, command and output of a shard, for example to record them. An observer changes
/// nothing: the shard behaves the same with and without one.
///
/// Observations come in the order of events. A command is observed once, by its method or by
/// [`Server::command`](super::Server::command).
///
/// A shard holds a `Box<dyn Observe + Send>`. If it were generic over its observer, each file of
/// use cases would need that parameter. Without an observer the box costs one branch for each
/// input, command and output.
pub trait Observe {
    /// The shard begins with this configuration and seed.
    fn started(&mut self, _config: &Config, _seed: u64) {}

    /// The shard is about to handle this input. A moment before the latest one counts as the latest
    /// one, here and for commands.
    fn input(&mut self, _now: Instant, _input: &Input) {}

    /// The shard is about to run this command.
    fn command(&mut self, _now: Instant, _command: &Command<'_>) {}

    /// The return value of the latest command.
    fn returned(&mut self, _returned: &dyn Debug) {}

    /// The driver is about to receive this output.
    fn output(&mut self, _output: &Output) {}
}
