//! The application under test: its futures and its timers.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rts_proto::Instant;

use super::World;
use crate::engine::Core;
use crate::tasks::Flag;

impl World {
    /// Runs a future of the application, such as its main loop, beside everything else.
    ///
    /// With the default feature `tokio`, the future runs in a tokio runtime. There `tokio::time`
    /// follows the world's clock in steps of a millisecond, and `tokio::spawn` works.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        self.tasks.spawn(Box::pin(future), &self.wake_flag);
    }

    /// Runs the world until the future is done. The future finds the runtime of
    /// [`spawn`](Self::spawn). Put calls that need the runtime at once, such as
    /// `tokio::time::sleep`, into an `async` block.
    ///
    /// # Panics
    ///
    /// If the future takes longer than `limit`.
    pub fn wait_for<T>(&mut self, limit: Duration, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let flag = Arc::new(Flag::new(&self.wake_flag));
        let waker = Waker::from(Arc::clone(&flag));
        let end = self.now() + limit;
        loop {
            let polled = {
                let _entered = self.timers.enter(self.clock.now());
                future.as_mut().poll(&mut Context::from_waker(&waker))
            };
            if let Poll::Ready(output) = polled {
                return output;
            }
            // The future may have woken tasks, and these may have woken the future.
            if self.settle() || flag.take() {
                continue;
            }
            assert!(self.step(end), "not done after {limit:?}, at {}", self.now());
        }
    }

    /// Runs the calls made on handles, and the woken tasks, until there are none left.
    pub(super) fn settle(&mut self) -> bool {
        let mut did_something = false;
        loop {
            for who in 0..self.engines.len() {
                if matches!(self.engines[who].core, Core::Held(_)) {
                    self.drain_engine(who);
                }
            }
            if self.tasks.is_empty() {
                return did_something;
            }
            let _entered = self.timers.enter(self.clock.now());
            if !self.tasks.run() {
                return did_something;
            }
            did_something = true;
        }
    }

    /// Moves the clock of the application's timers on, until a timer wakes something.
    pub(super) fn let_timers_pass(&mut self, to: Instant) -> Instant {
        // Everything woken so far has run.
        self.wake_flag.take();
        let waker = Waker::from(Arc::clone(&self.wake_flag));
        for engine in &self.engines {
            if let Core::Held(driver) = &engine.core
                && driver.poll_changed(&mut Context::from_waker(&waker)).is_ready()
            {
                self.wake_flag.set();
            }
        }
        self.timers.pass(self.now(), to, &self.wake_flag)
    }
}
