//! The engine's configuration, inputs and outputs.

use bytes::Bytes;

use super::event::Event;
use super::parameters::Parameters;
use crate::{AppId, Instant, LinkId};

/// The configuration of an engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The app. Engines of different apps are separate.
    pub app_id: AppId,
    /// The times; see [`Client::set_runtime_parameters`](super::Client::set_runtime_parameters).
    pub parameters: Parameters,
}

impl Config {
    /// The configuration for an app, with the contract's times.
    #[must_use]
    pub fn new(app_id: AppId) -> Self {
        Self { app_id, parameters: Parameters::default() }
    }
}

/// Inputs of an engine. An input for a link that the engine has given up changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time has passed. Needed at the deadline of [`Output::Wait`]; harmless at any other time.
    Tick,
    /// The link that [`Output::Connect`] asked for is up.
    Connected(LinkId),
    /// Bytes arrived.
    Received(LinkId, Bytes),
    /// The link is down, or could not be opened.
    Disconnected(LinkId),
    /// The device's network changed. The engine checks the link, or connects without waiting.
    NetworkChanged,
}

/// Outputs of an engine: tasks for its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a link to the server, and answer with [`Input::Connected`] or [`Input::Disconnected`].
    Connect(LinkId),
    /// Write these bytes, after all earlier ones of the link.
    Transmit(LinkId, Bytes),
    /// Write all earlier bytes of the link, then close it. No answer is expected.
    Disconnect(LinkId),
    /// Pass this event to the application.
    Event(Event),
    /// Nothing more to do before this moment, unless an input comes. Always the last output.
    Wait(Option<Instant>),
}
