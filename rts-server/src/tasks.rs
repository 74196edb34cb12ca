//! The background tasks of a server. A task that ends early is detected.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinSet};

/// Named tasks. Dropping this value stops them all.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, String>,
}

/// A task has ended, which no task does by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{task} ended{}", if *.by_panic { " by a panic, which is a bug" } else { "" })]
pub struct TaskEnded {
    /// The name of the task, such as `the listener rts://127.0.0.1:7600`.
    pub task: String,
    /// Whether it panicked.
    pub by_panic: bool,
}

impl Tasks {
    pub(crate) fn spawn(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let handle = self.running.spawn(task);
        self.names.insert(handle.id(), name.into());
    }

    /// Stops all tasks, and waits until they have given up what they hold, such as sockets.
    pub(crate) async fn stop(mut self) {
        self.running.shutdown().await;
    }

    /// Waits until a task ends, or forever if there is none. A task that the runtime cancels at the
    /// end of the program does not count. Cancel safe.
    pub(crate) async fn ended(&mut self) -> TaskEnded {
        let (id, by_panic) = loop {
            match self.running.join_next_with_id().await {
                Some(Ok((id, ()))) => break (id, false),
                Some(Err(error)) if error.is_panic() => break (error.id(), true),
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        };
        let task = self.names.remove(&id).unwrap_or_else(|| "a task".to_owned());
        TaskEnded { task, by_panic }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ended_task_and_its_panic_are_reported() {
        for by_panic in [false, true] {
            let mut tasks = Tasks::default();
            tasks.spawn("one that goes on", std::future::pending());
            tasks.spawn("the listener of a test", async move {
                assert!(!by_panic, "on purpose");
            });
            let ended = tasks.ended().await;
            assert_eq!(ended, TaskEnded { task: "the listener of a test".to_owned(), by_panic });
            assert_eq!(ended.to_string().contains("panic"), by_panic);
        }
    }

    #[tokio::test]
    async fn pending_while_all_tasks_run() {
        let mut tasks = Tasks::default();
        tasks.spawn("one that goes on", std::future::pending());
        for _ in 0..100 {
            assert!(poll_once(&mut tasks).is_none());
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn cancelled_task_is_not_an_end() {
        let mut tasks = Tasks::default();
        tasks.spawn("one that is stopped", std::future::pending());
        tasks.running.abort_all();
        while !tasks.running.is_empty() {
            assert!(poll_once(&mut tasks).is_none());
            tokio::task::yield_now().await;
        }
        assert!(poll_once(&mut tasks).is_none());
    }

    #[tokio::test]
    async fn stopped_tasks_hold_nothing() {
        let held = std::sync::Arc::new(());
        let mut tasks = Tasks::default();
        for _ in 0..10 {
            let held = std::sync::Arc::clone(&held);
            tasks.spawn("one that goes on", async move {
                std::future::pending::<()>().await;
                drop(held);
            });
        }
        tasks.stop().await;
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }

    fn poll_once(tasks: &mut Tasks) -> Option<TaskEnded> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(tasks.ended()).as_mut().poll(&mut context) {
            std::task::Poll::Ready(ended) => Some(ended),
            std::task::Poll::Pending => None,
        }
    }
}
