//! The client engine: one app, one login at a time, one link at a time, many rooms.
//!
//! [`Client::new`] makes one. [`Client::handle_input`] takes in what happened, one method for each
//! call of the contract takes in what the application wants, and [`Client::poll_output`] gives what
//! is to be done. Any number of inputs and calls may come before a drain; draining late costs
//! latency, never correctness.
//!
//! ```text
//! inputs           what drivers call: what happened, what is to be done, timers
//! calls/           what applications call, as methods and as data
//! frames           what the server says
//! logins           the answer to a login, and what follows
//! endings          how links and logins end
//! membership       joining and leaving rooms
//! answers          how questions are answered
//! engine           `Client`: the parts below
//! connection/      the link, the login, the session
//! server_params    where messages for the app's server go
//! questions/       what waits for an answer
//! rooms/           room handles
//! shared           the time, the parameters, and the queue of outputs
//! observe          who watches an engine
//! call             the calls as data
//! timer  io  parameters  event  error
//! ```
//!
//! A file uses what stands below it, and nothing above. Below `engine` are parts: each has private
//! fields, is handed what else it may touch, and does not know [`Client`]. Above it are use cases,
//! which wire parts together.

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
pub use connection::EarlyClose;
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
