//! What users live through, one theme a file.

mod answers;
mod app_server;
mod backend;
mod login;
mod messages;
mod reports;
mod returning;
mod rooms;
mod timeline;

use std::time::Duration;

use rts_proto::server::Config;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// No rates: for stories that are about something else.
fn without_rates() -> Config {
    Config {
        sends_per_second: 0,
        broadcasts_per_second: 0,
        status_queries_per_second: 0,
        server_sends_per_second: 0,
        room_broadcasts_per_second: 0,
        large_room_broadcasts_per_second: 0,
        backend_sends_per_second: 0,
        ..Config::default()
    }
}
