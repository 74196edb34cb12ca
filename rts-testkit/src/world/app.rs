//! The application under test: its futures, and the timers that they sleep by.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rts_proto::Instant;

use super::World;
use crate::person::Core;
use crate::tasks::Flag;

impl World {
    /// Runs a future of the application, such as its main loop, beside everything else.
    ///
    /// With the feature `tokio`, which is there unless switched off, it finds a runtime of tokio:
    /// `tokio::time` goes by the world's clock, in steps of a millisecond, and `tokio::spawn`
    /// works.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        self.tasks.spawn(Box::pin(future), &self.bell);
    }

    /// Lets the world go on until the future is done. It finds the same runtime as one of
    /// [`spawn`](Self::spawn): what needs that from the beginning, such as `tokio::time::sleep`,
    /// belongs into an `async` block.
    ///
    /// # Panics
    ///
    /// If that takes longer than `limit`.
    pub fn wait_for<T>(&mut self, limit: Duration, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let flag = Arc::new(Flag::new(&self.bell));
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
            // What the future did may have made others ready, and they this one.
            if self.settle() || flag.take() {
                continue;
            }
            assert!(self.step(end), "not done after {limit:?}, at {}", self.now());
        }
    }

    /// Takes what handles were asked to do, and lets tasks go on, until both have nothing to do.
    pub(super) fn settle(&mut self) -> bool {
        let mut did_something = false;
        loop {
            for who in 0..self.people.len() {
                if matches!(self.people[who].core, Core::Held(_)) {
                    self.drain_person(who);
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

    /// Lets the clock of the application's timers go on, as far as nothing is woken by it.
    pub(super) fn let_timers_pass(&mut self, to: Instant) -> Instant {
        // All that rang before was seen to.
        self.bell.take();
        let waker = Waker::from(Arc::clone(&self.bell));
        for person in &self.people {
            if let Core::Held(driver) = &person.core
                && driver.poll_changed(&mut Context::from_waker(&waker)).is_ready()
            {
                self.bell.ring();
            }
        }
        self.timers.pass(self.now(), to, &self.bell)
    }
}
