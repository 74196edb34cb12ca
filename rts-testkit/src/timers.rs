//! The application's timers: tokio's, on a clock that follows the world's.

#[cfg(feature = "tokio")]
pub(crate) use with_tokio::Timers;
#[cfg(not(feature = "tokio"))]
pub(crate) use without::Timers;

#[cfg(feature = "tokio")]
mod with_tokio {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::Poll;
    use std::time::Duration;

    use rts_proto::Instant;
    use tokio::runtime::{EnterGuard, Handle, Runtime};
    use tokio::time::{advance, sleep_until};

    use crate::wake_flag::WakeFlag;

    /// Tokio's timers fire at whole ticks after the beginning of their clock.
    const TICK_MICROS: u64 = 1_000;

    /// A runtime whose clock moves only with the world's. It is created with the first task.
    #[derive(Debug, Default)]
    pub(crate) struct Timers(Option<Paused>);

    #[derive(Debug)]
    struct Paused {
        /// `Some` until the world ends.
        runtime: Option<Runtime>,
        /// Set when the runtime can only wait for time to pass.
        idle: Arc<WakeFlag>,
        /// The moments of the world's clock and of the runtime's clock at which the runtime began.
        origin: Instant,
        own_origin: tokio::time::Instant,
    }

    impl Timers {
        /// Enters the runtime. Futures that are polled while the guard lives find it.
        pub(crate) fn enter(&mut self, now: Instant) -> EnterGuard<'_> {
            self.0.get_or_insert_with(|| Paused::new(now)).runtime().enter()
        }

        /// Moves the runtime's clock on until `to`, or until the flag is set. Returns the moment
        /// that was reached.
        pub(crate) fn pass(&self, from: Instant, to: Instant, wake_flag: &WakeFlag) -> Instant {
            let Some(paused) = &self.0 else { return to };
            let pass = || paused.runtime().block_on(paused.pass(from, to, wake_flag));
            if Handle::try_current().is_err() {
                return pass();
            }
            // A thread can be in one runtime only, and the test may be in one itself.
            std::thread::scope(|scope| scope.spawn(pass).join())
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        }
    }

    impl Paused {
        fn new(origin: Instant) -> Self {
            let idle = Arc::new(WakeFlag::default());
            let on_idle = Arc::clone(&idle);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .on_thread_park(move || on_idle.set())
                .build()
                .expect("a runtime with nothing but a clock needs nothing of the system");
            let own_origin = {
                let _entered = runtime.enter();
                tokio::time::Instant::now()
            };
            Self { runtime: Some(runtime), idle, origin, own_origin }
        }

        fn runtime(&self) -> &Runtime {
            self.runtime.as_ref().expect("it is there until the end")
        }

        async fn pass(&self, from: Instant, to: Instant, wake_flag: &WakeFlag) -> Instant {
            self.settle().await;
            // Step to the next tick, then from tick to tick, then to the end: timers fire at ticks
            // only.
            let elapsed = |moment: Instant| moment.as_micros() - self.origin.as_micros();
            let first = self.at(elapsed(from).next_multiple_of(TICK_MICROS)).min(to);
            let last = self.at(elapsed(to) / TICK_MICROS * TICK_MICROS);
            let mut now = from;
            if !is_set(wake_flag).await && now < first {
                advance(first.since(now)).await;
                self.settle().await;
                now = first;
            }
            if !is_set(wake_flag).await && now < last {
                let tick = self.own_origin + last.since(self.origin);
                tokio::select! {
                    biased;
                    () = poll_fn(|context| wake_flag.poll_set(context)) => {}
                    () = sleep_until(tick) => {}
                }
                self.settle().await;
                now = self.origin + self.own_origin.elapsed();
            }
            if !is_set(wake_flag).await && now < to {
                advance(to.since(now)).await;
                self.settle().await;
                now = to;
            }
            now
        }

        /// The world's time when the runtime's clock shows this time.
        fn at(&self, micros: u64) -> Instant {
            self.origin + Duration::from_micros(micros)
        }

        /// Runs all spawned tasks until each waits for time to pass. The runtime does not move its
        /// clock while a caller waits for this.
        async fn settle(&self) {
            self.idle.take();
            poll_fn(|context| self.idle.poll_set(context)).await;
        }
    }

    async fn is_set(wake_flag: &WakeFlag) -> bool {
        poll_fn(|context| Poll::Ready(wake_flag.poll_set(context).is_ready())).await
    }

    impl Drop for Paused {
        fn drop(&mut self) {
            // Dropping a runtime may block, which is not allowed in a test that runs in a runtime
            // itself.
            if let Some(runtime) = self.runtime.take() {
                runtime.shutdown_background();
            }
        }
    }
}

#[cfg(not(feature = "tokio"))]
mod without {
    use rts_proto::Instant;

    use crate::wake_flag::WakeFlag;

    /// Without the feature `tokio` there are no timers.
    #[derive(Debug, Default)]
    pub(crate) struct Timers(());

    /// Takes the place of tokio's guard.
    pub(crate) struct Entered;

    impl Timers {
        pub(crate) fn enter(&mut self, _: Instant) -> Entered {
            Entered
        }

        pub(crate) fn pass(&self, _: Instant, to: Instant, _: &WakeFlag) -> Instant {
            to
        }
    }
}
