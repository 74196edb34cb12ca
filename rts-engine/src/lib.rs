#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod answers;
mod backpressure;
mod clock;
mod delivery;
mod driver;
mod engine;
mod events;
mod handle;
mod handler;
mod link_errors;
mod link_output;
mod link_queue;
mod log;
mod login;
mod login_watch;
mod reserved_login;
mod room;
mod sent;
mod shared;
mod state;
mod tasks;
mod unread;

pub use answers::JoinEnd;
pub use clock::Clock;
pub use driver::Driver;
pub use engine::{Engine, sdk_version};
pub use events::Events;
pub use handler::{EventHandler, RoomEventHandler};
pub use link_errors::LinkFailure;
pub use link_output::LinkOutput;
pub use login::{LoginId, LoginStatus};
pub use login_watch::{LoginView, LoginWatch};
pub use reserved_login::ReservedLogin;
pub use room::Room;
pub use sent::{Pending, Sent, ServerAnswer};
