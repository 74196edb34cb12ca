#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod app_server;
mod auth;
mod causes;
mod certificates;
pub mod cluster;
mod config;
mod error;
mod expiry;
mod explain;
mod listeners;
mod member;
mod openapi;
mod outage;
mod server;
mod state;
mod tasks;
mod tls;
mod webhooks;

pub use auth::TokenAuthenticator;
pub use causes::file_trouble;
pub use certificates::Certificates;
pub use config::{
    AccessKey, App, AppServer, ArbiterKind, BearerKey, Cluster, ClusterSecret, Config, ConfigError,
    ContentType, ContentTypeError, DEV_ACCESS_KEY, DEV_ACCESS_SECRET, DEV_APP_ID, DEV_APP_KEY,
    DEV_BEARER_KEY, FixedSet, ForwardingKey, Isolation, KeyName, KeyNameError, Limits, Listen,
    ListenUrl, ListenUrlError, NatsPassword, OpenApi, OpenApiSecret, PageOrigin, PageOriginError,
    SecretError, ShardCount, ShardCountError, TokenKey, TokenKeys, Webhook, WebhookSecret,
    open_to_others,
};
pub use error::ServerError;
pub use member::MembershipEnded;
pub use rts_egress::{AllowEntry, EntryError, Network, NetworkError, TargetUrl, UrlError};
/// The place of a shard among the shards of a server: see [`Server::bind_observed`].
pub use rts_proto::server::Placement;
pub use rts_proto::{AppId, UserId};
pub use server::Server;
pub use state::StateError;
pub use tasks::TaskEnded;
