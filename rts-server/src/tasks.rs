//! The tasks of a server, which run for as long as it does: one that ends before is noticed.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinSet};

/// Tasks with names for people. Dropping this stops them all.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, String>,
}

/// A task has ended, which none does by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{task} ended{}", if *.by_panic { " by a panic, which is a bug" } else { "" })]
pub struct TaskEnded {
    /// What it did, such as `the listener rts://127.0.0.1:7600`.
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

    /// Waits until one of them ends; for ever, if there are none. That the runtime stops them, at
    /// the end of the program, is no end of theirs. Cancel safe.
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
    async fn a_task_that_ends_is_named_and_so_is_its_panic() {
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
    async fn nothing_ends_while_all_go_on() {
        let mut tasks = Tasks::default();
        tasks.spawn("one that goes on", std::future::pending());
        for _ in 0..100 {
            assert!(poll_once(&mut tasks).is_none());
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_runtime_that_stops_a_task_at_the_end_of_the_program_is_no_end_of_it() {
        let mut tasks = Tasks::default();
        tasks.spawn("one that is stopped", std::future::pending());
        tasks.running.abort_all();
        while !tasks.running.is_empty() {
            assert!(poll_once(&mut tasks).is_none());
            tokio::task::yield_now().await;
        }
        assert!(poll_once(&mut tasks).is_none());
    }

    fn poll_once(tasks: &mut Tasks) -> Option<TaskEnded> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(tasks.ended()).as_mut().poll(&mut context) {
            std::task::Poll::Ready(ended) => Some(ended),
            std::task::Poll::Pending => None,
        }
    }
}
