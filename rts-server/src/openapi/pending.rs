//! A request that is being processed, with what is known about it so far.

use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use rts_openapi::{Call, Envelope, Error, Metadata, Route};

use super::given::Given;

/// A request that is not answered yet.
pub(super) struct Pending {
    pub(super) route: Option<Route>,
    pub(super) metadata: Metadata,
    pub(super) peer: Option<SocketAddr>,
    /// The name of its key, once the key is verified.
    pub(super) key: Option<String>,
    /// Its call, once it is parsed.
    pub(super) call: Option<Call>,
}

impl Pending {
    pub(super) fn finish(self, done: Result<Given, Error>) -> Response {
        let (status, result) = match done {
            Ok(given) => (200, Some(given)),
            Err(error) => (error.code.status(), None),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(Envelope { response_metadata: self.metadata, result })).into_response()
    }
}
