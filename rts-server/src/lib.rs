//! The RTS server as a library: a [`Config`], a check of tokens, and a listener around one shard.
#![forbid(unsafe_code)]

mod auth;
mod config;
mod server;

pub use auth::TokenAuthenticator;
pub use config::{App, Config, ConfigError, DEV_APP_ID, DEV_APP_KEY, Limits};
pub use server::{Server, ServerError};
