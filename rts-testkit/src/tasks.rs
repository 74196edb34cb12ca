//! A single-threaded executor, without timers, for the application's futures.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::wake_flag::WakeFlag;

/// Whether the task was woken.
#[derive(Debug)]
pub(crate) struct Flag {
    is_raised: AtomicBool,
    /// The flag of the task's world.
    wake_flag: Arc<WakeFlag>,
}

impl Flag {
    pub(crate) fn new(wake_flag: &Arc<WakeFlag>) -> Self {
        Self { is_raised: AtomicBool::new(false), wake_flag: Arc::clone(wake_flag) }
    }

    pub(crate) fn take(&self) -> bool {
        self.is_raised.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.is_raised.store(true, Ordering::Relaxed);
        self.wake_flag.set();
    }
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Flag>,
}

#[derive(Default)]
pub(crate) struct Tasks {
    running: Vec<Task>,
}

impl Tasks {
    pub(crate) fn spawn(
        &mut self,
        future: Pin<Box<dyn Future<Output = ()>>>,
        wake_flag: &Arc<WakeFlag>,
    ) {
        let woken = Arc::new(Flag::new(wake_flag));
        Arc::clone(&woken).wake();
        self.running.push(Task { future, woken });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Polls every task that was woken. Returns false if there was none.
    pub(crate) fn run(&mut self) -> bool {
        let mut any = false;
        self.running.retain_mut(|task| {
            if !task.woken.take() {
                return true;
            }
            any = true;
            let waker = Waker::from(Arc::clone(&task.woken));
            let mut context = Context::from_waker(&waker);
            task.future.as_mut().poll(&mut context) == Poll::Pending
        });
        any
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("running", &self.running.len()).finish()
    }
}
