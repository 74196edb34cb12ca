//! A log line for each request: its key, its call and its outcome.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rts_openapi::ErrorCode;
use rts_transport_tokio::server::LogRateLimiter;
use tracing::field::{debug, display};

use super::pending::Pending;

/// Log lines with the target `rts::openapi`. No line contains a message, a key or a secret.
#[derive(Default)]
pub(super) struct AccessLog {
    /// Limits the lines of requests without a valid key: strangers cannot fill the log.
    strangers: Mutex<LogRateLimiter>,
}

impl AccessLog {
    pub(super) fn write(&self, pending: &Pending) {
        let metadata = &pending.metadata;
        let error = metadata.error.as_ref();
        let code = error.map_or("done", |error| error.code.as_str());
        // An error about a malformed body may quote a part of the body.
        let shown = error.filter(|error| error.code != ErrorCode::Unmarshal.name());
        let why = shown.map(|error| error.message.as_str());
        let (request, action) = (&metadata.request_id, &metadata.action);
        let address = pending.peer.map(display);
        let Some(key) = &pending.key else {
            let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
            let left_out = strangers.allow(pending.peer.map(|peer| peer.ip()), Instant::now());
            drop(strangers);
            if let Some(left_out) = left_out {
                let left_out = (left_out > 0).then_some(left_out);
                tracing::info!(
                    target: "rts::openapi",
                    address, request, ?action, code, why, left_out,
                    "OpenAPI refused"
                );
            }
            return;
        };
        let command = pending.call.as_ref().map(|call| &call.command);
        let app = pending.call.as_ref().map(|call| display(&call.app_id));
        let room = command.and_then(|command| command.room()).map(display);
        let users = command.map_or(&[][..], |command| command.users());
        let user = users.first().map(display);
        let more_users = users.len().checked_sub(2).map(|more| more + 1);
        let interval = command.and_then(|command| command.interval()).map(debug);
        tracing::info!(
            target: "rts::openapi",
            address, key, request, ?action, app, room, user, more_users, interval, code, why,
            "OpenAPI"
        );
    }
}
