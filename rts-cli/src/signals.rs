//! What signals mean to a server, and to programs of a terminal.

use std::io;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A write beyond the size that files may have (`ulimit -f`), by its number, for which tokio has no
/// name. It is the same on every system that we know.
const FILE_SIZE: i32 = 25;

/// The signals of a server, which are caught from when this is made. Those that have come since are
/// kept.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// What would end the process if nobody caught it, and is no reason to.
    user_1: Signal,
    user_2: Signal,
}

/// What to do when the terminal is gone, which is also how services are asked to read their files
/// again.
pub(crate) enum OnHangup {
    Stop,
    Do(Box<dyn Fn() + Send>),
    Nothing,
}

impl Signals {
    /// # Errors
    ///
    /// The system has no file left.
    pub(crate) fn catch() -> io::Result<Self> {
        outlive_strays()?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Ready when the server is to stop.
    pub(crate) async fn stop(mut self, on_hangup: OnHangup) {
        loop {
            let (name, stops) = tokio::select! {
                _ = self.terminate.recv() => ("SIGTERM", true),
                _ = self.interrupt.recv() => ("SIGINT", true),
                _ = self.hangup.recv() => match &on_hangup {
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

/// From now on, signals that are no request to stop do not end the process: SIGUSR1, SIGUSR2, and
/// that of a write to a file that has all the bytes that files may have (`ulimit -f`), which fails.
pub(crate) fn outlive_strays() -> io::Result<()> {
    let strays =
        [SignalKind::user_defined1(), SignalKind::user_defined2(), SignalKind::from_raw(FILE_SIZE)];
    // They stay caught when nobody listens any more.
    strays.into_iter().try_for_each(|kind| signal(kind).map(drop))
}

/// Ready when somebody stops a program of a terminal by hand, closes the terminal, or the system
/// ends it; caught from when this is called.
pub(crate) fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    outlive_strays().context("signals cannot be caught")?;
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

/// Whether the process was started so that the end of its terminal is no matter to it, as `nohup`
/// does. Ask before signals are caught. Where the system does not say it, it was not.
pub(crate) fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & 1 << (SignalKind::hangup().as_raw_value() - 1) != 0
}
