//! What an engine is made from, takes in, and asks of the world.

use bytes::Bytes;

use super::event::Event;
use super::parameters::Parameters;
use crate::{AppId, Instant, LinkId};

/// What an engine is made from.
#[derive(Clone, Debug)]
pub struct Config {
    /// The app. Engines of different apps never meet.
    pub app_id: AppId,
    /// Times; see [`Client::set_runtime_parameters`](super::Client::set_runtime_parameters).
    pub parameters: Parameters,
}

/// What the world tells the engine. Input for a link that the engine has given up changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time has passed. Needed at the deadline of [`Output::Wait`]; harmless at any other time.
    Tick,
    /// The link that [`Output::Connect`] asked for is up.
    Connected(LinkId),
    /// Bytes arrived.
    Received(LinkId, Bytes),
    /// The link is down, or could not be made.
    Disconnected(LinkId),
    /// The device's network is another one now: the link is checked, and waiting ends.
    NetworkChanged,
}

/// What the engine asks of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Make a link to the server, and answer with [`Input::Connected`] or [`Input::Disconnected`].
    Connect(LinkId),
    /// Write these bytes, after all earlier ones of the link.
    Transmit(LinkId, Bytes),
    /// Write what was transmitted before, then close. No answer is expected.
    Disconnect(LinkId),
    /// Tell the application.
    Event(Event),
    /// Nothing more to do before this moment, if no other input comes. Always the last output.
    Wait(Option<Instant>),
}
