//! The application's function that provides tokens.

use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures_lite::future::FutureExt as _;

use super::request::TokenRequest;

/// The target of an engine's log lines.
const ENGINE: &str = "rts::engine";

pub(super) type Answer = Result<String, Arc<dyn Error + Send + Sync>>;

type Provide = dyn Fn(TokenRequest) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

pub(crate) struct Provider(Box<Provide>);

/// Why a provider that panicked gave no token.
#[derive(Debug, thiserror::Error)]
#[error("the token provider panicked")]
struct Panicked;

impl Provider {
    pub(crate) fn new<F, E>(provide: impl Fn(TokenRequest) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Box::new(move |request| {
            let answer = provide(request);
            Box::pin(async move { answer.await.map_err(|error| Arc::from(error.into())) })
        }))
    }

    /// A panic of the application's function must not end the task that keeps its login alive.
    pub(super) async fn provide(&self, request: TokenRequest) -> Answer {
        let (user, asked_for) = (request.uid().to_owned(), request.reason());
        let asked = AssertUnwindSafe(async { (self.0)(request).await });
        let answer = asked.catch_unwind().await.unwrap_or_else(|_| Err(Arc::new(Panicked)));
        match &answer {
            Ok(_) => {
                tracing::debug!(
                    target: ENGINE, user, ?asked_for, "the token provider gave a token"
                );
            }
            Err(why) => {
                tracing::debug!(
                    target: ENGINE, user, ?asked_for, %why, "the token provider failed"
                );
            }
        }
        answer
    }
}
