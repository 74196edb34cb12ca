//! Answers one request: checks its key, finds its call, and wraps the result in the envelope.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use rts_openapi::signature::Parts;
use rts_openapi::{
    Action, BODY_BYTES_MAX, Call, Envelope, Error, ErrorCode, Metadata, Method, Query, Route,
};
use rts_transport_tokio::server::Node;

use super::access_log::AccessLog;
use super::given::Given;
use super::keys::{Claim, Key, Keys};
use super::pending::Pending;
use super::run::run;
use super::timed::Progress;
use super::turns::Turns;
use crate::config::Config;
use crate::state::State;

/// Longest time for the body of a request.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The path of the actions of Volcengine RTS.
const ACTIONS_PATH: &str = "/";
/// Longest parameter that is copied into logs and answers, in characters.
const PARAMETER_CHARS_MAX: usize = 64;

/// Answers the requests of all connections.
pub(super) struct Answerer {
    node: Node,
    state: Arc<State>,
    keys: Keys,
    turns: Turns,
    log: AccessLog,
}

/// The address of the client, an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Answerer {
    pub(super) fn new(node: Node, state: Arc<State>, keys: Keys, config: &Config) -> Self {
        let turns = Turns::new(config.apps.keys().cloned());
        Self { node, state, keys, turns, log: AccessLog::default() }
    }

    /// Answers a request for an action. Never fails: the envelope contains any error.
    pub(super) async fn answer(&self, request: Request<Body>) -> Response {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let method = method(&request);
        let route = method.and_then(|method| Route::find(method, request.uri().path()));
        let metadata = match &route {
            Some(route) => Metadata::new(request_id(), route.action.name(), route.action.version()),
            None => metadata_of(&query),
        };
        let peer = request.extensions().get().map(|Peer(address)| *address);
        let mut pending = Pending { route, metadata, peer, key: None, call: None };
        let done = self.carry_out(request, method, &query, &mut pending).await;
        pending.metadata.error = done.as_ref().err().map(Into::into);
        self.log.write(&pending);
        pending.finish(done)
    }

    /// Carries out an order to this node, if the key is an operator's: a bearer key for all apps of
    /// the server. `name` is the name of the order in logs.
    pub(super) fn order<B, T>(
        &self,
        request: &Request<B>,
        name: &str,
        carry_out: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let metadata = Metadata::new(request_id(), name, "");
        let peer = request.extensions().get().map(|Peer(address)| *address);
        let mut pending = Pending { route: None, metadata, peer, key: None, call: None };
        let done = self.operator(request.headers()).and_then(|key| {
            pending.key = Some(key.name.clone());
            carry_out()
        });
        pending.metadata.error = done.as_ref().err().map(Into::into);
        self.log.write(&pending);
        done
    }

    fn operator(&self, headers: &HeaderMap) -> Result<&Key, Error> {
        let authorization = headers.get(header::AUTHORIZATION);
        let key = match self.keys.find(authorization.map(|v| v.to_str().unwrap_or_default()))? {
            Claim::Shown(key) => key,
            Claim::Signed { .. } => {
                let message = "orders to a node are not signed: send Bearer and a key";
                return Err(Error::new(ErrorCode::InvalidAuthorization, message));
            }
        };
        if !self.turns.apps().all(|app_id| key.may_touch(app_id)) {
            let message = "an order to a node needs a key for all apps of this server";
            return Err(Error::new(ErrorCode::AccessDenied, message));
        }
        Ok(key)
    }

    async fn carry_out(
        &self,
        request: Request<Body>,
        method: Option<Method>,
        query: &Query,
        pending: &mut Pending,
    ) -> Result<Given, Error> {
        let (head, body) = request.into_parts();
        let method =
            method.ok_or_else(|| no_such_action("actions are asked for with GET or POST"))?;
        let authorization = head.headers.get(header::AUTHORIZATION);
        let claim =
            self.keys.find(authorization.map(|value| value.to_str().unwrap_or_default()))?;
        pending.metadata.region = claim.region().to_owned();
        // The signature covers the body, so the body is read before the signature is checked. The
        // client has shown only the id of a key until then.
        let body = read_in_turn(body, head.extensions.get::<Arc<Progress>>()).await?;
        let headers = texts(&head.headers);
        let path = head.uri.path();
        let parts = Parts { method, path, query, headers: &headers, body: &body };
        claim.check(&parts, unix_now())?;
        pending.key = Some(claim.key().name.clone());

        let call = match &pending.route {
            Some(route) => route.parse(query, &body)?,
            None if path == ACTIONS_PATH => Call::parse(find_action(method, query)?, query, &body)?,
            None => {
                let message = "there is no such path, or not with this method: /docs has them all";
                return Err(no_such_action(message));
            }
        };
        let call = pending.call.insert(call);
        self.check_access(&claim, call)?;
        let turn = match call.command.is_query() {
            true => self.turns.take(&call.app_id).await?,
            false => None,
        };
        let given = run(&self.node, &self.state, call.clone()).await;
        if let Some(turn) = turn {
            turn.end();
        }
        given
    }

    fn check_access(&self, claim: &Claim<'_>, call: &Call) -> Result<(), Error> {
        let app_id = &call.app_id;
        if !self.turns.has(app_id) {
            let message = format!("AppId: this server has no app {app_id}");
            return Err(Error::new(ErrorCode::NotExistAppId, message));
        }
        if !claim.key().may_touch(app_id) {
            let message = format!("this key may not touch the app {app_id}");
            return Err(Error::new(ErrorCode::AccessDenied, message));
        }
        Ok(())
    }
}

fn method(request: &Request<Body>) -> Option<Method> {
    match *request.method() {
        axum::http::Method::GET => Some(Method::Get),
        axum::http::Method::POST => Some(Method::Post),
        _ => None,
    }
}

/// The action named by the query.
fn find_action(method: Method, query: &Query) -> Result<Action, Error> {
    let parameter = |name: &str| {
        let missing = || Error::new(ErrorCode::MissingParameter, format!("{name} is not there"));
        query.get(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    };
    let (name, version) = (parameter("Action")?, parameter("Version")?);
    let action = Action::find(name, version)
        .ok_or_else(|| no_such_action("there is no action of this name in this version"))?;
    if !action.takes(method) {
        return Err(no_such_action("this action is asked for with the other of GET and POST"));
    }
    Ok(action)
}

/// Reads the body. The connection may be ended meanwhile to free its place, which drops this
/// future. Nothing of a request is carried out before its body is complete.
async fn read_in_turn(body: Body, progress: Option<&Arc<Progress>>) -> Result<Bytes, Error> {
    let Some(progress) = progress else { return read(body).await };
    progress.await_body();
    let body = read(body).await;
    match progress.body_arrived() {
        true => body,
        false => std::future::pending().await,
    }
}

async fn read(body: Body) -> Result<Bytes, Error> {
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let message = format!("the body broke off, or has more than {BODY_BYTES_MAX} bytes");
            Err(Error::new(ErrorCode::SizeOverLimit, message))
        }
        Err(_) => {
            let message = format!("the body did not come within {} s", BODY_TIMEOUT.as_secs());
            Err(Error::new(ErrorCode::Unmarshal, message))
        }
    }
}

/// The metadata of an action that may be unknown, as the query names it.
fn metadata_of(query: &Query) -> Metadata {
    let shown = |name| {
        let value = query.get(name).unwrap_or_default();
        value.chars().take(PARAMETER_CHARS_MAX).collect::<String>()
    };
    Metadata::new(request_id(), &shown("Action"), &shown("Version"))
}

/// The answer to a malformed request.
pub(super) fn refuse<B>(request: &Request<B>, error: &Error) -> Response {
    let mut metadata = metadata_of(&Query::parse(request.uri().query().unwrap_or_default()));
    metadata.error = Some(error.into());
    let (id, code) = (&metadata.request_id, error.code.name());
    tracing::debug!(request = id, code, message = error.message, "OpenAPI: refused");
    let status = StatusCode::from_u16(error.code.status());
    let envelope = Envelope::<Given> { response_metadata: metadata, result: None };
    (status.unwrap_or(StatusCode::BAD_REQUEST), Json(envelope)).into_response()
}

/// Headers in the form in which they are signed. A value that is not UTF-8 cannot be signed, and
/// counts as empty.
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &axum::http::HeaderValue| {
        str::from_utf8(value.as_bytes()).unwrap_or_default().to_owned()
    };
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

fn no_such_action(message: &str) -> Error {
    Error::new(ErrorCode::InvalidActionOrVersion, message)
}

/// A random id of a request, for logs only.
fn request_id() -> String {
    let mut bytes = [0; 16];
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
