//! The configuration of a server.

mod app;
mod app_server;
mod concerns;
mod descriptors;
mod environment;
mod error;
mod limits;
mod listen;
mod networks;
mod openapi;
mod root;
mod webhook;

pub use app::{App, DEV_APP_ID, DEV_APP_KEY};
pub use app_server::AppServer;
pub use concerns::open_to_others;
pub(crate) use descriptors::{descriptors, openapi_descriptor_max};
pub use error::ConfigError;
pub use limits::Limits;
pub use listen::Listen;
pub(crate) use listen::place;
pub use openapi::{
    AccessKey, BearerKey, DEV_ACCESS_KEY, DEV_ACCESS_SECRET, DEV_BEARER_KEY, OpenApi,
};
pub use root::Config;
pub use webhook::Webhook;
