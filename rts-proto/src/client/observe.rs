//! Observers of an engine: its inputs, calls and outputs.

use core::fmt::Debug;

use super::call::Call;
use super::io::{Config, Input, Output};
use crate::Instant;

/// Sees every input, call and output of an engine, for example to record them. An observer changes
/// nothing: the engine behaves the same with and without one.
///
/// Observations come in the order of events, and their moments never decrease. A call is observed
/// once, by its method or by [`Client::call`](super::Client::call).
///
/// An engine holds a `Box<dyn Observe + Send>`. If it were generic over its observer, each file of
/// use cases would need that parameter. Without an observer the box costs one branch for each
/// input, call and output.
pub trait Observe {
    /// The engine begins with this configuration and seed.
    fn started(&mut self, _config: &Config, _seed: u64) {}

    /// The engine is about to handle this input.
    fn input(&mut self, _now: Instant, _input: &Input) {}

    /// The engine is about to handle this call.
    fn call(&mut self, _now: Instant, _call: &Call<'_>) {}

    /// The return value of the latest call.
    fn returned(&mut self, _returned: &dyn Debug) {}

    /// The driver is about to receive this output.
    fn output(&mut self, _output: &Output) {}
}
