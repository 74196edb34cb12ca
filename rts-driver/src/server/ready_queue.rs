//! The ready queue of a shard: the links that have something to do, and the waker of the reactor.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use rts_proto::LinkId;

/// Links that can read or write enter this queue by themselves. Callers that changed something else
/// about the shard notify it. The reactor waits for either.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    links: VecDeque<LinkId>,
    /// Something other than a link is ready.
    is_notified: bool,
    /// The waker of the reactor, while it waits.
    waker: Option<Waker>,
}

impl ReadyQueue {
    /// Something about the shard has changed.
    pub(crate) fn notify(&self) {
        let mut inner = self.lock();
        inner.is_notified = true;
        wake(inner);
    }

    /// Appends the links that became ready since the last call to `links`. Ready if there are any,
    /// or after a [`notify`](Self::notify).
    pub(crate) fn poll_ready(
        &self,
        context: &mut Context<'_>,
        links: &mut VecDeque<LinkId>,
    ) -> Poll<()> {
        let mut inner = self.lock();
        if inner.take_ready(links) {
            return Poll::Ready(());
        }
        if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            inner.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Like [`poll_ready`](Self::poll_ready), without waiting.
    pub(crate) fn take_ready(&self, links: &mut VecDeque<LinkId>) {
        self.lock().take_ready(links);
    }

    /// No code that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Returns whether anything is ready.
    fn take_ready(&mut self, links: &mut VecDeque<LinkId>) -> bool {
        let is_ready = std::mem::take(&mut self.is_notified) || !self.links.is_empty();
        if links.is_empty() {
            std::mem::swap(links, &mut self.links);
        } else {
            links.append(&mut self.links);
        }
        is_ready
    }
}

/// Wakes the reactor after releasing the lock, because a waker may run code of a runtime.
fn wake(mut inner: MutexGuard<'_, Inner>) {
    let waker = inner.waker.take();
    drop(inner);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The waker of one link. It puts the link on the queue.
#[derive(Debug)]
pub(crate) struct LinkWaker {
    link: LinkId,
    queue: Arc<ReadyQueue>,
    /// Whether the link is on a queue and was not looked at since. It enters a queue once.
    is_queued: AtomicBool,
}

impl LinkWaker {
    pub(crate) fn new(link: LinkId, queue: &Arc<ReadyQueue>) -> Arc<Self> {
        Arc::new(Self { link, queue: Arc::clone(queue), is_queued: AtomicBool::new(false) })
    }

    /// Marks the link as queued. Returns false if it was marked, so it is on a queue already.
    pub(crate) fn mark_queued(&self) -> bool {
        !self.is_queued.swap(true, Ordering::SeqCst)
    }

    /// Marks the link as taken from its queue. Call this before looking at it: later changes queue
    /// it again.
    pub(crate) fn mark_taken(&self) {
        self.is_queued.store(false, Ordering::SeqCst);
    }
}

impl Wake for LinkWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.mark_queued() {
            return;
        }
        let mut inner = self.queue.lock();
        inner.links.push_back(self.link);
        wake(inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(queue: &ReadyQueue) -> Option<Vec<LinkId>> {
        let mut links = VecDeque::new();
        let mut context = Context::from_waker(Waker::noop());
        queue.poll_ready(&mut context, &mut links).is_ready().then(|| links.into())
    }

    #[test]
    fn link_is_queued_once_until_taken() {
        let queue = Arc::new(ReadyQueue::default());
        let (first, second) =
            (LinkWaker::new(LinkId(1), &queue), LinkWaker::new(LinkId(2), &queue));
        for waker in [&first, &second, &first] {
            waker.wake_by_ref();
        }
        assert_eq!(ready(&queue), Some(vec![LinkId(1), LinkId(2)]));
        first.wake_by_ref();
        assert_eq!(ready(&queue), None, "the link was not taken");
        first.mark_taken();
        first.wake_by_ref();
        assert_eq!(ready(&queue), Some(vec![LinkId(1)]));
    }

    #[test]
    fn reactor_is_woken_once_for_all_ready_links() {
        struct Count(std::sync::atomic::AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (queue, count) = (Arc::new(ReadyQueue::default()), Arc::new(Count(0.into())));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        assert!(queue.poll_ready(&mut context, &mut VecDeque::new()).is_pending());
        queue.notify();
        LinkWaker::new(LinkId(1), &queue).wake();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(ready(&queue), Some(vec![LinkId(1)]));
        assert_eq!(ready(&queue), None);
    }
}
