//! Who watches an engine: all that goes into it and comes out.

use core::fmt::Debug;

use super::call::Call;
use super::io::{Config, Input, Output};
use crate::Instant;

/// Sees all that an engine is told and asked, and all that it says, such as to record it. An
/// observer changes nothing: the engine does the same with and without one.
///
/// Everything comes in the order in which it happens, and moments never go back. A call is seen
/// once, whether its method or [`Client::call`](super::Client::call) made it.
///
/// An engine holds a `Box<dyn Observe + Send>` and is not generic over its observer: each file of
/// use cases would have to carry that parameter, and without an observer this costs a branch for
/// each input, call and output.
pub trait Observe {
    /// The engine begins, from this.
    fn started(&mut self, _config: &Config, _seed: u64) {}

    /// Something happened, and the engine is about to handle it.
    fn input(&mut self, _now: Instant, _input: &Input) {}

    /// The application makes a call, which the engine is about to do.
    fn call(&mut self, _now: Instant, _call: &Call<'_>) {}

    /// The latest call returned this, as its method returns it.
    fn returned(&mut self, _returned: &dyn Debug) {}

    /// The driver is about to be given this.
    fn output(&mut self, _output: &Output) {}
}

/// Watches nothing.
impl Observe for () {}
