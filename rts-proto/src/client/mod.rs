//! The client core.

mod call;
mod event;
mod parameters;
mod pending;
mod session;
mod timeline;

pub use call::{
    BroadcastError, BusinessIdError, CreateRoomError, JoinError, LoginError, SendError,
};
pub use event::{Event, EventHandler, RoomEvent, RoomEventHandler, WarningCode};
pub use parameters::{Parameters, ParametersError};
