//! The share of the runtime's threads that connections may use.
//!
//! A task of the runtime runs after all tasks that were ready before it. If a thousand connections
//! are ready at once, the task that carries messages waits for a second. Only a few connections are
//! therefore ready at a time. The others wait in a line outside of the runtime's queue.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::task::yield_now;

/// Limits how many connections are polled at a time.
#[derive(Clone, Debug)]
pub(super) struct Polls {
    turns: Arc<Semaphore>,
}

/// Wakes a future that waits for its turn.
#[derive(Debug, Default)]
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

impl Polls {
    /// Limits for the threads of the current runtime. If there are several, one is left to other
    /// tasks.
    pub(super) fn new() -> Self {
        let threads = Handle::current().metrics().num_workers();
        Self { turns: Arc::new(Semaphore::new(threads.saturating_sub(1).max(1))) }
    }

    /// Runs the future, in one turn each time that it is woken. Cancel safe, if the future is.
    pub(super) async fn in_turn<F: Future>(&self, future: F) -> F::Output {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut future = pin!(future);
        loop {
            // The semaphore is never closed. If it were, the future would still run.
            let turn = self.turns.acquire().await;
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            // The turn ends when other tasks had their turns, and the runtime polled for IO.
            yield_now().await;
            drop(turn);
            match polled {
                Poll::Ready(output) => return output,
                Poll::Pending => woken.0.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    /// A future that is always ready, and counts its polls.
    fn busy(polls: Arc<AtomicUsize>) -> impl Future<Output = ()> + Send {
        poll_fn(move |context| {
            polls.fetch_add(1, Ordering::Relaxed);
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }

    #[tokio::test]
    async fn one_connection_runs_between_two_turns_of_a_task() {
        const CONNECTIONS: usize = 1_000;
        let (polls, in_turn) = (Arc::<AtomicUsize>::default(), Polls::new());
        for _ in 0..CONNECTIONS {
            let (polls, in_turn) = (Arc::clone(&polls), in_turn.clone());
            tokio::spawn(async move { in_turn.in_turn(busy(polls)).await });
        }
        // All are spawned, and the first one has its turn.
        yield_now().await;
        for turn in 0..2 * CONNECTIONS {
            let before = polls.load(Ordering::Relaxed);
            yield_now().await;
            assert!(polls.load(Ordering::Relaxed) - before <= 1, "turn {turn}");
        }
        assert!(polls.load(Ordering::Relaxed) >= CONNECTIONS, "every connection runs");
    }

    #[tokio::test]
    async fn waiting_future_is_woken_while_others_are_busy() {
        let in_turn = Polls::new();
        let busy = busy(Arc::default());
        let others = in_turn.clone();
        tokio::spawn(async move { others.in_turn(busy).await });
        let (answer, asked) = oneshot::channel();
        let waiting = tokio::spawn(async move { in_turn.in_turn(asked).await });
        for _ in 0..10 {
            yield_now().await;
        }
        answer.send("an answer").expect("a waiting receiver");
        let answered = waiting.await.expect("no panic").expect("it was sent");
        assert_eq!(answered, "an answer");
    }
}
