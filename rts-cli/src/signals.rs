//! Signals of servers and of interactive programs.

use std::io;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// SIGXFSZ: a write beyond the file size limit (`ulimit -f`). tokio has no name for it. Its number
/// is equal on all known systems.
const FILE_SIZE: i32 = 25;

/// The signals of a server. They are caught, and kept, from the creation of this value.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// A signal that would end the process by default, but should not.
    user_1: Signal,
    user_2: Signal,
}

/// The meaning of SIGHUP: the terminal is closed, or a service should reload its files.
pub(crate) enum OnHangup {
    Stop,
    Do(Box<dyn Fn() + Send + Sync>),
    Nothing,
}

impl Signals {
    /// # Errors
    ///
    /// Returns an error if the system has no file descriptor left.
    pub(crate) fn catch() -> io::Result<Self> {
        survive_stray_signals()?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Counts the requests to stop, on a task of its own.
    pub(crate) fn stops(mut self, on_hangup: OnHangup) -> Stops {
        let (count, seen) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                self.next_stop(&on_hangup).await;
                count.send_modify(|count| *count += 1);
            }
        });
        Stops(seen)
    }

    /// Waits for the next request to stop.
    async fn next_stop(&mut self, on_hangup: &OnHangup) {
        loop {
            let (name, stops) = tokio::select! {
                _ = self.terminate.recv() => ("SIGTERM", true),
                _ = self.interrupt.recv() => ("SIGINT", true),
                _ = self.hangup.recv() => match on_hangup {
                    OnHangup::Stop => ("SIGHUP", true),
                    OnHangup::Do(what) => {
                        what();
                        continue;
                    }
                    OnHangup::Nothing => ("SIGHUP", false),
                },
                _ = self.user_1.recv() => ("SIGUSR1", false),
                _ = self.user_2.recv() => ("SIGUSR2", false),
            };
            if stops {
                tracing::info!(signal = name, "asked to stop");
                return;
            }
            tracing::info!(signal = name, "signal ignored");
        }
    }
}

/// The requests to stop so far.
#[derive(Clone, Debug)]
pub(crate) struct Stops(watch::Receiver<u64>);

impl Stops {
    /// Ready when the server was asked to stop this many times. Cancel safe.
    pub(crate) async fn asked(&self, times: u64) {
        let mut count = self.0.clone();
        // The task that counts ends with the runtime.
        let _ = count.wait_for(|count| *count >= times).await;
    }
}

/// From now on, signals that are no request to stop do not end the process: SIGUSR1, SIGUSR2 and
/// SIGXFSZ. The write that caused SIGXFSZ fails.
pub(crate) fn survive_stray_signals() -> io::Result<()> {
    let strays =
        [SignalKind::user_defined1(), SignalKind::user_defined2(), SignalKind::from_raw(FILE_SIZE)];
    // The signals stay caught after the listeners are dropped.
    strays.into_iter().try_for_each(|kind| signal(kind).map(drop))
}

/// Ready when an interactive program should stop: by Ctrl-C, a closed terminal, or the system.
/// Signals are caught from this call on.
pub(crate) fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    survive_stray_signals().context("signals cannot be caught")?;
    let watches_hangup = !ignores_hangup();
    let catch = |kind| signal(kind).context("signals cannot be caught");
    let mut interrupt = catch(SignalKind::interrupt())?;
    let mut terminate = catch(SignalKind::terminate())?;
    let mut hangup = catch(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv(), if watches_hangup => {}
        }
    })
}

/// Whether the process was started to ignore the end of its terminal, such as by `nohup`. Call it
/// before signals are caught. `false` where the system does not report it.
pub(crate) fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & 1 << (SignalKind::hangup().as_raw_value() - 1) != 0
}
