//! Orders of operators to this node: to drain, and to go on.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::post;
use rts_openapi::{Error, ErrorCode, Query};

use super::answer::Answerer;
use super::health::{Health, NO_CLUSTER, refuse};
use crate::member::Standing;

/// What an operator wants.
#[derive(Clone, Copy, Debug)]
enum Order {
    Drain,
    Reopen,
}

/// The paths of the orders. They need a bearer key for all apps of the server.
pub(super) fn router(answerer: &Arc<Answerer>, health: &Arc<Health>) -> Router {
    let route = |order: Order| {
        let (answerer, health) = (Arc::clone(answerer), Arc::clone(health));
        post(async move |request: Request| answer(&answerer, &health, order, request).await)
    };
    Router::new()
        .route("/cluster/drain", route(Order::Drain))
        .route("/cluster/reopen", route(Order::Reopen))
}

async fn answer(answerer: &Answerer, health: &Health, order: Order, request: Request) -> Response {
    let carry_out = || carry_out(health, order, &request);
    let done = answerer.order(&request, order.name(), carry_out);
    drop(request);
    match done {
        Ok(standing) => Json(health.describe(standing).await).into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.code.status());
            refuse(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &[error.message])
        }
    }
}

fn carry_out<'a>(
    health: &'a Health,
    order: Order,
    request: &Request,
) -> Result<&'a Standing, Error> {
    let Some(standing) = health.cluster() else {
        return Err(Error::new(ErrorCode::InvalidActionOrVersion, NO_CLUSTER));
    };
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let (asked, own) = (query.get("node"), standing.node());
    if let Some(other) = asked.filter(|asked| !asked.is_empty() && *asked != own) {
        let other: String = other.chars().filter(|c| c.is_ascii_graphic()).take(32).collect();
        let message = format!("this is node {own}: ask node {other} at its own address");
        return Err(Error::new(ErrorCode::InvalidActionOrVersion, message));
    }
    let draining = standing.draining();
    let done = match order {
        Order::Drain => draining.begin(),
        Order::Reopen => draining.cancel(),
    };
    done.map_err(|refusal| Error::new(ErrorCode::Unavailable, refusal.to_string()))?;
    Ok(standing)
}

impl Order {
    /// The name for logs.
    fn name(self) -> &'static str {
        match self {
            Self::Drain => "DrainNode",
            Self::Reopen => "ReopenNode",
        }
    }
}
