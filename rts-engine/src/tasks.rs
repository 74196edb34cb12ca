//! The tasks that wait for an engine.

use std::task::{Context, Poll, Waker};

/// The driver, the reader of events, and those who wait for the end. Wakers collect in `woken`,
/// because waking and dropping them may run code of the application or the runtime. The caller does
/// both once the lock is released.
pub(crate) struct Tasks {
    driver: Option<Waker>,
    /// Whether something changed since the driver was last ready.
    has_changed: bool,
    reader: Option<Waker>,
    closing: Vec<Waker>,
    /// The driver is gone, so nothing progresses any more.
    is_closed: bool,
    woken: Woken,
}

/// Wakers for after the lock is released.
#[derive(Default)]
pub(crate) struct Woken {
    wakers: Vec<Waker>,
    replaced: Vec<Waker>,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self {
            driver: None,
            has_changed: true,
            reader: None,
            closing: Vec::new(),
            is_closed: false,
            woken: Woken::default(),
        }
    }

    // The driver.

    pub(crate) fn wake_driver(&mut self) {
        self.has_changed = true;
        self.woken.wakers.extend(self.driver.take());
    }

    /// The driver has handled every change.
    pub(crate) fn driver_is_up_to_date(&mut self) {
        self.has_changed = false;
    }

    /// The driver leaves work for later: it is ready again without being woken.
    pub(crate) fn driver_has_more(&mut self) {
        self.has_changed = true;
    }

    /// Ready once after each change. Only the last context is woken.
    pub(crate) fn poll_driver(&mut self, context: &Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.has_changed) {
            return Poll::Ready(());
        }
        self.woken.replaced.extend(register(&mut self.driver, context));
        Poll::Pending
    }

    // The reader of events.

    pub(crate) fn wake_reader(&mut self) {
        self.woken.wakers.extend(self.reader.take());
    }

    /// Wakes this reader at the next change. Only the last context is woken.
    pub(crate) fn register_reader(&mut self, context: &Context<'_>) {
        self.woken.replaced.extend(register(&mut self.reader, context));
    }

    // The end.

    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.woken.wakers.append(&mut self.closing);
    }

    /// Ready once the driver is gone.
    pub(crate) fn poll_closed(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.is_closed {
            return Poll::Ready(());
        }
        if !self.closing.iter().any(|waker| waker.will_wake(context.waker())) {
            self.closing.push(context.waker().clone());
        }
        Poll::Pending
    }

    // After the lock.

    /// More tasks to wake.
    pub(crate) fn woken(&mut self) -> &mut Vec<Waker> {
        &mut self.woken.wakers
    }

    pub(crate) fn take_woken(&mut self) -> Woken {
        std::mem::take(&mut self.woken)
    }
}

impl Woken {
    /// Call this while no lock is held.
    pub(crate) fn wake(self) {
        self.wakers.into_iter().for_each(Waker::wake);
    }
}

/// Replaces the waker in `slot` by that of the context. Returns the replaced one.
fn register(slot: &mut Option<Waker>, context: &Context<'_>) -> Option<Waker> {
    if slot.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
        return None;
    }
    slot.replace(context.waker().clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counted(wakes: &Arc<Wakes>) -> Waker {
        Waker::from(Arc::clone(wakes))
    }

    #[test]
    fn driver_is_ready_once_for_each_change() {
        let mut tasks = Tasks::new();
        let wakes = Arc::default();
        let waker = counted(&wakes);
        let context = Context::from_waker(&waker);
        assert!(tasks.poll_driver(&context).is_ready(), "no change was seen yet");
        assert!(tasks.poll_driver(&context).is_pending());
        tasks.wake_driver();
        tasks.wake_driver();
        tasks.take_woken().wake();
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert!(tasks.poll_driver(&context).is_ready());
        tasks.wake_driver();
        tasks.driver_is_up_to_date();
        assert!(tasks.poll_driver(&context).is_pending());
    }

    #[test]
    fn only_the_last_reader_is_woken() {
        let mut tasks = Tasks::new();
        let (first, last) = (Arc::default(), Arc::default());
        for wakes in [&first, &last] {
            tasks.register_reader(&Context::from_waker(&counted(wakes)));
        }
        tasks.wake_reader();
        tasks.take_woken().wake();
        assert_eq!((first.0.load(Ordering::Relaxed), last.0.load(Ordering::Relaxed)), (0, 1));
    }

    #[test]
    fn everyone_who_waits_for_the_end_is_woken_once() {
        let mut tasks = Tasks::new();
        let all: [Arc<Wakes>; 2] = Default::default();
        for wakes in all.iter().chain(&all) {
            assert!(tasks.poll_closed(&Context::from_waker(&counted(wakes))).is_pending());
        }
        tasks.close();
        tasks.take_woken().wake();
        assert_eq!(all.each_ref().map(|wakes| wakes.0.load(Ordering::Relaxed)), [1, 1]);
        assert!(tasks.poll_closed(&Context::from_waker(Waker::noop())).is_ready());
    }
}
