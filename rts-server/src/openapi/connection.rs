//! One connection: HTTP/1 requests and their answers, scheduled in turns with other connections.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::refuse;
use super::form;
use super::framing::{Foreign, Framing, Heads};
use super::polls::Polls;
use super::timed::{Progress, Timed};

/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1_024;

/// A connection that broke, or whose bytes are not HTTP.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: hyper::Error,
    /// Another protocol that the bytes look like.
    pub(super) foreign: Option<Foreign>,
}

/// Serves a connection. It takes a turn of `polls` each time that it can make progress.
pub(super) async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    router: Router,
    progress: Arc<Progress>,
    polls: Polls,
) -> Result<(), Failed> {
    let heads = Heads::default();
    let framing = Framing::new(heads.clone(), HEAD_BYTES_MAX);
    let stream = TokioIo::new(Timed::new(stream, framing, Arc::clone(&progress)));
    let router = TowerToHyperService::new(router);
    let requests = Arc::clone(&progress);
    let seen = heads.clone();
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let may_answer = requests.head_arrived();
        let is_only_chunked = heads.next_is_only_chunked();
        let (router, progress) = (router.clone(), Arc::clone(&requests));
        request.extensions_mut().insert(Arc::clone(&requests));
        async move {
            if !may_answer {
                // The connection is about to be dropped, and this future with it.
                return std::future::pending().await;
            }
            let has_coding = request.headers().contains_key(header::TRANSFER_ENCODING);
            let answer = match form::check(&request, is_only_chunked) {
                Ok(()) => router.call(request).await,
                Err(error) => Ok(refuse(&request, &error)),
            };
            progress.answer_ready();
            answer.map(|mut answer| {
                if has_coding {
                    // `Framing` cannot find the end of such a body, so the connection closes.
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(header::CONNECTION, close);
                }
                answer
            })
        }
    });
    let connection = http1::Builder::new()
        // `Timed` bounds this time, with another bound between requests.
        .header_read_timeout(None)
        // A client may close its half of the connection after a complete request.
        .half_close(true)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(stream, answer);
    tokio::select! {
        result = polls.in_turn(connection) => {
            result.map_err(|error| Failed { error, foreign: seen.foreign() })
        }
        // Ending needs no turn: the place of the connection is needed now.
        () = progress.ended() => Ok(()),
    }
}
