//! Stories of users, one theme in each file.

mod answers;
mod app_server;
mod app_server_load;
mod app_server_params;
mod backend;
mod login;
mod messages;
mod put_out;
mod reports;
mod returning;
mod rooms;
mod slow_links;
mod timeline;

use std::time::Duration;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
