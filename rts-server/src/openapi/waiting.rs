//! The OpenAPI's listener while the server waits to become a member of its cluster: only its health
//! is answered.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use serde_json::json;
use tokio::sync::watch;

use super::health::failing;

/// `waits_for` names what is missing.
pub(super) fn router(waits_for: watch::Receiver<String>) -> Router {
    let not_ready = async move || {
        let what = waits_for.borrow().clone();
        failing(&[format!("not in the cluster yet: waiting for {what}")])
    };
    Router::new()
        .route("/health", get(async || Json(json!({"status": "ok"}))))
        .route("/ready", get(not_ready.clone()))
        .route("/cluster", get(not_ready))
        .fallback(async || refused())
}

fn refused() -> Response {
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}
