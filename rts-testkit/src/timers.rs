//! The timers of the application: tokio's, by a clock that goes with the world's.

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

    use crate::bell::Bell;

    /// Tokio's timers go off at whole ticks after the beginning of their clock, never in between.
    const TICK_MICROS: u64 = 1_000;

    /// A runtime whose clock stands still unless the world moves it. It is there from the first
    /// task on.
    #[derive(Debug, Default)]
    pub(crate) struct Timers(Option<Paused>);

    #[derive(Debug)]
    struct Paused {
        /// Until the world ends.
        runtime: Option<Runtime>,
        /// Rings when the runtime has nothing to do but wait for time to pass.
        idle: Arc<Bell>,
        /// The beginning of its clock, by the world's and its own.
        origin: Instant,
        own_origin: tokio::time::Instant,
    }

    impl Timers {
        /// Whatever is polled meanwhile finds the runtime.
        pub(crate) fn enter(&mut self, now: Instant) -> EnterGuard<'_> {
            self.0.get_or_insert_with(|| Paused::new(now)).runtime().enter()
        }

        /// Lets the clock go on until `to`, or up to the moment at which the bell rings. Returns
        /// when that was.
        pub(crate) fn pass(&self, from: Instant, to: Instant, bell: &Bell) -> Instant {
            let Some(paused) = &self.0 else { return to };
            let pass = || paused.runtime().block_on(paused.pass(from, to, bell));
            if Handle::try_current().is_err() {
                return pass();
            }
            // The test itself is in a runtime, and a thread can only be in one.
            std::thread::scope(|scope| scope.spawn(pass).join())
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        }
    }

    impl Paused {
        fn new(origin: Instant) -> Self {
            let idle = Arc::new(Bell::default());
            let hears = Arc::clone(&idle);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .on_thread_park(move || hears.ring())
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

        async fn pass(&self, from: Instant, to: Instant, bell: &Bell) -> Instant {
            self.settle().await;
            // Without timers in between: to the next tick, from tick to tick, and on to the end.
            let elapsed = |moment: Instant| moment.as_micros() - self.origin.as_micros();
            let first = self.at(elapsed(from).next_multiple_of(TICK_MICROS)).min(to);
            let last = self.at(elapsed(to) / TICK_MICROS * TICK_MICROS);
            let mut now = from;
            if !has_rung(bell).await && now < first {
                advance(first.since(now)).await;
                self.settle().await;
                now = first;
            }
            if !has_rung(bell).await && now < last {
                let tick = self.own_origin + last.since(self.origin);
                tokio::select! {
                    biased;
                    () = poll_fn(|context| bell.poll_rung(context)) => {}
                    () = sleep_until(tick) => {}
                }
                self.settle().await;
                now = self.origin + self.own_origin.elapsed();
            }
            if !has_rung(bell).await && now < to {
                advance(to.since(now)).await;
                self.settle().await;
                now = to;
            }
            now
        }

        /// The world's time when its clock has gone on for so long.
        fn at(&self, micros: u64) -> Instant {
            self.origin + Duration::from_micros(micros)
        }

        /// Lets all that is spawned on the runtime go on until nothing but time can make it. The
        /// runtime does not move its clock while somebody waits for this.
        async fn settle(&self) {
            self.idle.take();
            poll_fn(|context| self.idle.poll_rung(context)).await;
        }
    }

    async fn has_rung(bell: &Bell) -> bool {
        poll_fn(|context| Poll::Ready(bell.poll_rung(context).is_ready())).await
    }

    impl Drop for Paused {
        fn drop(&mut self) {
            // Without waiting, which is not allowed in a test that is itself in a runtime.
            if let Some(runtime) = self.runtime.take() {
                runtime.shutdown_background();
            }
        }
    }
}

#[cfg(not(feature = "tokio"))]
mod without {
    use rts_proto::Instant;

    use crate::bell::Bell;

    /// There are none.
    #[derive(Debug, Default)]
    pub(crate) struct Timers(());

    /// In place of tokio's guard.
    pub(crate) struct Entered;

    impl Timers {
        pub(crate) fn enter(&mut self, _: Instant) -> Entered {
            Entered
        }

        pub(crate) fn pass(&self, _: Instant, to: Instant, _: &Bell) -> Instant {
            to
        }
    }
}
