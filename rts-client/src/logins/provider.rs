//! The application's function that provides tokens.

use std::error::Error;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::request::TokenRequest;

/// The target of an engine's log lines.
const ENGINE: &str = "rts::engine";

pub(super) type Answer = Result<String, Arc<dyn Error + Send + Sync>>;

type Asked = Pin<Box<dyn Future<Output = Answer> + Send>>;

type Provide = dyn Fn(TokenRequest) -> Asked + Send + Sync;

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

    /// A panic of the application's function, of its future or of its error must not end the task
    /// that keeps its login alive.
    pub(super) async fn provide(&self, request: TokenRequest) -> Answer {
        let (user, asked_for) = (request.uid().to_owned(), request.reason());
        let asked = catch_unwind(AssertUnwindSafe(|| (self.0)(request)));
        let answer = match asked {
            Ok(answer) => Guarded(Some(answer)).await,
            Err(_) => Err(Arc::new(Panicked) as _),
        };
        // The log formats the error, which is code of the application too.
        let _ = catch_unwind(AssertUnwindSafe(|| match &answer {
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
        }));
        answer
    }
}

/// The future of the application's function. Neither its polls nor its end panic.
struct Guarded(Option<Asked>);

impl Future for Guarded {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let Some(asked) = &mut self.0 else { return Poll::Pending };
        let answer = match catch_unwind(AssertUnwindSafe(|| asked.as_mut().poll(context))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(answer)) => answer,
            Err(_) => Err(Arc::new(Panicked) as _),
        };
        self.end();
        Poll::Ready(answer)
    }
}

impl Guarded {
    fn end(&mut self) {
        let asked = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(asked)));
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end();
    }
}
