//! The configuration of a server.
//!
//! A value is parsed while it is read: [`text`] does that for values that are written as text. What
//! concerns several values is checked afterwards, by the `check` of each section.

mod app;
mod app_server;
mod cluster;
mod concerns;
mod descriptors;
mod environment;
mod error;
mod limits;
mod listen;
mod names;
mod openapi;
mod root;
mod secrets;
mod shards;
mod text;
mod webhook;

pub use app::{App, DEV_APP_ID, DEV_APP_KEY};
pub use app_server::{AppServer, ContentType, ContentTypeError};
pub use cluster::{ArbiterKind, Cluster, FixedSet, Isolation};
pub use concerns::open_to_others;
pub(crate) use descriptors::{descriptors, openapi_descriptor_max};
pub use error::ConfigError;
pub use limits::Limits;
pub(crate) use listen::place;
pub use listen::{Listen, ListenUrl, ListenUrlError, PageOrigin, PageOriginError};
pub use openapi::{
    AccessKey, BearerKey, DEV_ACCESS_KEY, DEV_ACCESS_SECRET, DEV_BEARER_KEY, KeyName, KeyNameError,
    OpenApi,
};
pub use root::Config;
pub use secrets::{
    ClusterSecret, ForwardingKey, NatsPassword, OpenApiSecret, SecretError, TokenKey, TokenKeys,
    WebhookSecret,
};
pub use shards::{ShardCount, ShardCountError};
pub use webhook::Webhook;
