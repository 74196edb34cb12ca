//! Why a call of an application did not do what it asked for.

mod build;
mod culprit;
mod join;
mod login;
mod send;
mod server_params;

pub use build::BuildError;
pub use culprit::Culprit;
pub use join::JoinError;
pub(crate) use join::refused;
pub use login::LoginError;
pub(crate) use login::login;
pub use send::{Reason, SendError};
pub(crate) use send::{broadcast, sent};
pub use server_params::ServerParamsError;
pub(crate) use server_params::server_params;
