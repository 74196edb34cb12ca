//! Futures of the application: a single-threaded executor that knows no time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::bell::Bell;

/// Whether something was woken.
#[derive(Debug)]
pub(crate) struct Flag {
    is_raised: AtomicBool,
    /// That of its world.
    bell: Arc<Bell>,
}

impl Flag {
    pub(crate) fn new(bell: &Arc<Bell>) -> Self {
        Self { is_raised: AtomicBool::new(false), bell: Arc::clone(bell) }
    }

    pub(crate) fn take(&self) -> bool {
        self.is_raised.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.is_raised.store(true, Ordering::Relaxed);
        self.bell.ring();
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
    pub(crate) fn spawn(&mut self, future: Pin<Box<dyn Future<Output = ()>>>, bell: &Arc<Bell>) {
        let woken = Arc::new(Flag::new(bell));
        Arc::clone(&woken).wake();
        self.running.push(Task { future, woken });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Lets every task that was woken go on; false when none was.
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
