//! One request and its answer, on a connection of their own.

use std::borrow::Cow;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rts_proto::Reply;
use rts_proto::limits::REPLY_BYTES_MAX;
use rts_proto::server::PostProgress;

use super::answer_stream::AnswerStream;
use super::network::Stream;
use super::signing;
use crate::causes::root_cause;

/// Longest head of an answer, in bytes. Also the bound of the bytes read ahead of its body.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// Most headers of an answer.
const HEADERS_MAX: usize = 64;

/// The request to an app server.
pub(super) struct Request {
    pub(super) path: Uri,
    pub(super) host: HeaderValue,
    pub(super) content_type: HeaderValue,
    pub(super) signature: Option<HeaderValue>,
    pub(super) body: Bytes,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    #[error("no answer: {}", root_cause(.0))]
    Unheard(hyper::Error),
    #[error("the answer is malformed or broken off: {}", root_cause(.0))]
    Malformed(hyper::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("the answer has a Transfer-Encoding that is not chunked")]
    Coding,
    #[error("the answer has more than {REPLY_BYTES_MAX} bytes")]
    TooLarge,
}

impl ExchangeError {
    /// A name for the log, which limits the lines of each name.
    pub(super) fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Unheard(_) => "unheard".into(),
            Self::Malformed(_) => "malformed".into(),
            Self::Status(status) => format!("status {}", status.as_u16()).into(),
            Self::Coding => "transfer coding".into(),
            Self::TooLarge => "too large".into(),
        }
    }
}

/// The result that the client gets. It has no details of the failure.
pub(super) fn progress(outcome: Result<Reply, ExchangeError>) -> PostProgress {
    match outcome {
        Ok(reply) => PostProgress::Answered(reply),
        Err(ExchangeError::Unheard(_)) => PostProgress::NotReached,
        Err(
            ExchangeError::Malformed(_)
            | ExchangeError::Status(_)
            | ExchangeError::Coding
            | ExchangeError::TooLarge,
        ) => PostProgress::AnsweredBadly,
    }
}

/// Sends the request and reads the answer. `alive` is called when the status line has come.
/// Dropping the future closes the connection.
pub(super) async fn run(
    stream: Box<dyn Stream>,
    request: Request,
    alive: impl FnOnce() + Send + Unpin,
) -> Result<Reply, ExchangeError> {
    let (stream, progress) = AnswerStream::new(stream, alive);
    let judge = |error| match progress.has_bytes() {
        true => ExchangeError::Malformed(error),
        false => ExchangeError::Unheard(error),
    };
    let mut http = http1::Builder::new();
    http.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    // RFC 9112, section 5.2: a client must understand folded headers.
    http.allow_obsolete_multiline_headers_in_responses(true);
    let (mut sender, connection) = http.handshake(TokioIo::new(stream)).await.map_err(judge)?;
    let exchange = async {
        let response = sender.send_request(request.into_http()).await.map_err(judge)?;
        progress.head_complete();
        read(response).await
    };
    let mut exchange = pin!(exchange);
    let mut connection = pin!(connection);
    // The connection moves the bytes. It may end before `read` has consumed all of them.
    tokio::select! {
        biased;
        outcome = &mut exchange => outcome,
        _ = &mut connection => exchange.await,
    }
}

impl Request {
    fn into_http(self) -> hyper::Request<Full<Bytes>> {
        let mut request = hyper::Request::new(Full::new(self.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host);
        headers.insert(CONTENT_TYPE, self.content_type);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if let Some(signature) = self.signature {
            headers.insert(signing::HEADER, signature);
        }
        request
    }
}

async fn read(response: Response<Incoming>) -> Result<Reply, ExchangeError> {
    if response.status() != StatusCode::OK {
        return Err(ExchangeError::Status(response.status()));
    }
    if !is_plain_or_chunked(response.headers()) {
        return Err(ExchangeError::Coding);
    }
    let mut body = response.into_body();
    let too_large = |bytes: usize| bytes > REPLY_BYTES_MAX;
    if usize::try_from(body.size_hint().lower()).map_or(true, too_large) {
        return Err(ExchangeError::TooLarge);
    }
    let mut reply = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(ExchangeError::Malformed)?.into_data() else { continue };
        if too_large(reply.len() + chunk.len()) {
            return Err(ExchangeError::TooLarge);
        }
        reply.extend_from_slice(&chunk);
    }
    Ok(Reply::new(reply.freeze()))
}

/// Refuses other codings: the body would still be encoded, or contain the sizes of its chunks.
fn is_plain_or_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).into_iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    codings.next().is_none_or(is_chunked) && codings.next().is_none()
}
