//! The client engine: one app, one login at a time, one link at a time, many rooms.
//!
//! [`Client::new`] makes an engine. [`Client::handle_input`] takes inputs, one method for each call
//! of the contract takes calls, and [`Client::poll_output`] returns outputs. Any number of inputs
//! and calls may come before a drain. A late drain costs latency, but is never wrong.
//!
//! ```text
//! inputs           what drivers call: inputs, outputs, timers
//! calls/           what applications call, as methods and as data
//! frames           the server's frames
//! logins           the answer to a login, and its consequences
//! endings          how links and logins end
//! membership       joining and leaving rooms
//! answers          how questions are answered
//! engine           `Client`: the parts below
//! connection/      the link, the login, the session
//! server_params    URL and signature of the app server
//! questions/       questions that wait for an answer
//! rooms/           room handles
//! shared           the time, the parameters, and the queue of outputs
//! observe          observers of an engine
//! call             the calls as data
//! timer  io  parameters  event  error
//! ```
//!
//! A file uses files below it only. Below `engine` are parts. A part has private fields, is passed
//! the other parts that it may use, and does not know [`Client`]. Above `engine` are use cases,
//! which connect parts.

mod answers;
mod call;
mod calls;
mod connection;
mod endings;
mod engine;
mod error;
mod event;
mod frames;
mod inputs;
mod io;
mod logins;
mod membership;
mod observe;
mod parameters;
mod questions;
mod rooms;
mod server_params;
mod shared;
mod timer;

#[cfg(test)]
mod leaks;

pub use call::{Call, Returned};
pub use connection::{EarlyClose, LastLogin, LostLink, NextAttempt, SessionStart};
pub use engine::Client;
pub use error::{
    BroadcastError, BusinessIdError, CreateRoomError, JoinError, LoginError, SendError,
};
pub use event::{Event, JoinType, RoomEvent, WarningCode};
pub use io::{Config, Input, Output};
pub use observe::Observe;
pub use parameters::{LogLevel, Parameters, ParametersError, Timing, TimingError};
pub use rooms::Membership;
pub use timer::Timer;
