//! Who is to be looked at, and who looks: the one place in which a shard's reactor waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use rts_proto::LinkId;

/// Rung by links that can read or write, and by callers that changed something about the shard.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    links: VecDeque<LinkId>,
    /// Somebody rang who is not a link.
    is_rung: bool,
    /// Who waits.
    waker: Option<Waker>,
}

impl Bell {
    /// There is something new about the shard.
    pub(crate) fn ring(&self) {
        let mut inner = self.lock();
        inner.is_rung = true;
        wake(inner);
    }

    /// Adds the links that rang since the last time to `links`. Ready if there are some, or if
    /// somebody else rang.
    pub(crate) fn poll_rung(
        &self,
        context: &mut Context<'_>,
        links: &mut VecDeque<LinkId>,
    ) -> Poll<()> {
        let mut inner = self.lock();
        if inner.take_rung(links) {
            return Poll::Ready(());
        }
        if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            inner.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// The same without waiting.
    pub(crate) fn take_rung(&self, links: &mut VecDeque<LinkId>) {
        self.lock().take_rung(links);
    }

    /// Nothing that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Returns whether anybody rang.
    fn take_rung(&mut self, links: &mut VecDeque<LinkId>) -> bool {
        let was_rung = std::mem::take(&mut self.is_rung) || !self.links.is_empty();
        if links.is_empty() {
            std::mem::swap(links, &mut self.links);
        } else {
            links.append(&mut self.links);
        }
        was_rung
    }
}

/// A waker may run code of a runtime: not under the lock.
fn wake(mut inner: MutexGuard<'_, Inner>) {
    let waker = inner.waker.take();
    drop(inner);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Rings for one link. It is what a link's waker does.
#[derive(Debug)]
pub(crate) struct Cord {
    link: LinkId,
    bell: Arc<Bell>,
    /// The link rang and was not looked at since: once is enough.
    is_pulled: AtomicBool,
}

impl Cord {
    pub(crate) fn new(link: LinkId, bell: &Arc<Bell>) -> Arc<Self> {
        Arc::new(Self { link, bell: Arc::clone(bell), is_pulled: AtomicBool::new(false) })
    }

    /// Whether the link is to be put on a list now: not if it is on one.
    pub(crate) fn pull(&self) -> bool {
        !self.is_pulled.swap(true, Ordering::SeqCst)
    }

    /// The link is looked at now. What happens from here on rings again.
    pub(crate) fn release(&self) {
        self.is_pulled.store(false, Ordering::SeqCst);
    }
}

impl Wake for Cord {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.pull() {
            return;
        }
        let mut inner = self.bell.lock();
        inner.links.push_back(self.link);
        wake(inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(bell: &Bell) -> Option<Vec<LinkId>> {
        let mut links = VecDeque::new();
        let mut context = Context::from_waker(Waker::noop());
        bell.poll_rung(&mut context, &mut links).is_ready().then(|| links.into())
    }

    #[test]
    fn a_link_is_on_the_list_once_until_it_was_looked_at() {
        let bell = Arc::new(Bell::default());
        let (first, second) = (Cord::new(LinkId(1), &bell), Cord::new(LinkId(2), &bell));
        for cord in [&first, &second, &first] {
            cord.wake_by_ref();
        }
        assert_eq!(rung(&bell), Some(vec![LinkId(1), LinkId(2)]));
        first.wake_by_ref();
        assert_eq!(rung(&bell), None, "it was not looked at");
        first.release();
        first.wake_by_ref();
        assert_eq!(rung(&bell), Some(vec![LinkId(1)]));
    }

    #[test]
    fn whoever_waits_is_woken_once_for_all_that_rings() {
        struct Count(std::sync::atomic::AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let (bell, count) = (Arc::new(Bell::default()), Arc::new(Count(0.into())));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        assert!(bell.poll_rung(&mut context, &mut VecDeque::new()).is_pending());
        bell.ring();
        Cord::new(LinkId(1), &bell).wake();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(rung(&bell), Some(vec![LinkId(1)]));
        assert_eq!(rung(&bell), None);
    }
}
