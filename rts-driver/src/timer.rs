//! A timer for a deadline that moves all the time.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::runtime::Runtime;

/// Expires at its deadline, or earlier. If the deadline moves away, the timer stays as it is. A
/// caller that is woken too early checks the clock and waits again. So a deadline that moves with
/// every message sets no timer.
pub(crate) struct Timer<R> {
    set: Option<(Instant, Sleep)>,
    runtime: PhantomData<fn() -> R>,
}

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<R: Runtime> Timer<R> {
    pub(crate) fn new() -> Self {
        Self { set: None, runtime: PhantomData }
    }

    /// Ready at `deadline` or earlier; never without a deadline.
    pub(crate) fn poll_deadline(
        &mut self,
        context: &mut Context<'_>,
        deadline: Option<Instant>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let (_, sleep) = match &mut self.set {
            Some(set) if set.0 <= deadline => set,
            _ => self.set.insert((deadline, Box::pin(R::sleep_until(deadline)))),
        };
        let expired = sleep.as_mut().poll(context);
        if expired.is_ready() {
            self.set = None;
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use super::*;
    use crate::testing::{SLEEPS, Still};

    #[test]
    fn is_set_again_only_for_a_nearer_deadline() {
        let mut timer = Timer::<Still>::new();
        let mut context = Context::from_waker(Waker::noop());
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        let (far, farther, near) = (later(600), later(601), later(599));
        for deadline in [None, Some(far), Some(farther), None, Some(near)] {
            assert!(timer.poll_deadline(&mut context, deadline).is_pending());
        }
        assert_eq!(SLEEPS.take(), [far, near]);
    }

    #[test]
    fn expires_once_for_a_past_deadline() {
        let mut timer = Timer::<Still>::new();
        let mut context = Context::from_waker(Waker::noop());
        let now = Instant::now();
        assert!(timer.poll_deadline(&mut context, Some(now)).is_ready());
        assert!(timer.poll_deadline(&mut context, None).is_pending());
    }
}
