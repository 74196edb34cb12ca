//! Tests of RTS as a whole, over the simulated world of `rts-testkit`. Stories of users are in
//! `tests/stories`, and laws for every sequence of calls and faults are in `tests/laws.rs`.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use rts_proto::server::Config;

/// The server configuration of tests that are not about rates.
#[must_use]
pub fn without_rates() -> Config {
    let mut config = Config::default();
    config.sends_per_second = 0;
    config.broadcasts_per_second = 0;
    config.status_queries_per_second = 0;
    config.server_sends_per_second = 0;
    config.room_broadcasts_per_second = 0;
    config.large_room_broadcasts_per_second = 0;
    config.backend_sends_per_second = 0;
    config.joins_per_second = 0;
    config.logins_per_second = 0;
    config
}

/// Drops the future when it waits for the `at`th time.
pub async fn give_up<T>(future: impl Future<Output = T>, at: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut waits = 0;
    let result = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => {
            waits += 1;
            if waits == at { Poll::Ready(None) } else { Poll::Pending }
        }
    })
    .await;
    // Let other tasks run: a caller that drops futures in a loop must not keep the thread.
    let mut is_their_turn = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_their_turn, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    result
}

/// The examples on the project's first page and in the guide for Rust compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../../docs/guides/rust.md")]
struct Documents;
