//! A timer that is set for a deadline which moves all the time.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::runtime::Runtime;

/// Rings at its deadline, and now and then too early: a deadline that moves away leaves the timer
/// as it is, and whoever is rung for nothing looks at the clock and waits again. So a deadline that
/// moves with every message costs no timer.
pub(crate) struct Alarm<R> {
    set: Option<(Instant, Timer)>,
    runtime: PhantomData<fn() -> R>,
}

type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<R: Runtime> Alarm<R> {
    pub(crate) fn new() -> Self {
        Self { set: None, runtime: PhantomData }
    }

    /// Ready at `deadline` or earlier; never, if there is none.
    pub(crate) fn poll_ring(
        &mut self,
        context: &mut Context<'_>,
        deadline: Option<Instant>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let (_, timer) = match &mut self.set {
            Some(set) if set.0 <= deadline => set,
            _ => self.set.insert((deadline, Box::pin(R::sleep_until(deadline)))),
        };
        let rung = timer.as_mut().poll(context);
        if rung.is_ready() {
            self.set = None;
        }
        rung
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use super::*;
    use crate::testing::{SLEEPS, Still};

    #[test]
    fn is_set_again_only_for_what_is_nearer() {
        let mut alarm = Alarm::<Still>::new();
        let mut context = Context::from_waker(Waker::noop());
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        let (far, farther, near) = (later(600), later(601), later(599));
        for deadline in [None, Some(far), Some(farther), None, Some(near)] {
            assert!(alarm.poll_ring(&mut context, deadline).is_pending());
        }
        assert_eq!(SLEEPS.take(), [far, near]);
    }

    #[test]
    fn rings_once_for_a_deadline_that_is_over() {
        let mut alarm = Alarm::<Still>::new();
        let mut context = Context::from_waker(Waker::noop());
        let now = Instant::now();
        assert!(alarm.poll_ring(&mut context, Some(now)).is_ready());
        assert!(alarm.poll_ring(&mut context, None).is_pending());
    }
}
