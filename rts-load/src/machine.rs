//! Functions of the operating system.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};

/// Keeps the calling thread, and the threads that it starts, on one core.
///
/// # Errors
///
/// Fails if there is no such core.
pub fn pin_this_thread(cpu: usize) -> io::Result<()> {
    pin(None, cpu)
}

fn pin(thread: Option<Pid>, cpu: usize) -> io::Result<()> {
    if cpu >= CpuSet::MAX_CPU {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(thread, &set)?)
}

/// A server on this machine, as `/proc` shows it: one process, or several ones together, such as
/// the nodes of a cluster and its nats-server.
#[derive(Clone, Debug)]
pub struct ServerProcess {
    pids: Vec<u32>,
    ticks_per_second: u64,
}

/// The CPU time of a process so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl ServerProcess {
    /// The processes with these ids, if all of them exist.
    #[must_use]
    pub fn new(pids: impl IntoIterator<Item = u32>) -> Option<Self> {
        let pids = pids.into_iter().collect();
        let process = Self { pids, ticks_per_second: rustix::param::clock_ticks_per_second() };
        process.cpu_time().map(|_| process)
    }

    /// Keeps all threads of the processes on one core.
    ///
    /// # Errors
    ///
    /// Fails if there is no such core, or if a process belongs to another user.
    pub fn pin(&self, cpu: usize) -> io::Result<()> {
        for pid in &self.pids {
            for task in fs::read_dir(format!("/proc/{pid}/task"))? {
                let thread = task?.file_name().to_str().and_then(|name| name.parse().ok());
                pin(thread.and_then(Pid::from_raw), cpu)?;
            }
        }
        Ok(())
    }

    pub(crate) fn cpu_time(&self) -> Option<CpuTime> {
        self.pids.iter().try_fold(CpuTime::default(), |sum, pid| {
            let time = self.cpu_time_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
            Some(CpuTime { user: sum.user + time.user, system: sum.system + time.system })
        })
    }

    /// The name and the CPU time of each thread, by its number. Threads that end meanwhile are left
    /// out.
    pub(crate) fn threads(&self) -> BTreeMap<String, (String, CpuTime)> {
        let tasks = self.pids.iter().map(|pid| fs::read_dir(format!("/proc/{pid}/task")));
        let tasks = tasks.flatten().flatten().flatten();
        let thread = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("stat")).ok()?;
            let (_, name) = stat.rsplit_once(')')?.0.split_once('(')?;
            let number = task.file_name().into_string().ok()?;
            Some((number, (name.to_owned(), self.cpu_time_in(&stat)?)))
        };
        tasks.filter_map(thread).collect()
    }

    fn cpu_time_in(&self, stat: &str) -> Option<CpuTime> {
        // The name of a command or thread is in brackets, and may contain any character.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u64>);
        let mut next = || {
            let ticks = ticks.next()?.ok()?;
            Some(Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / self.ticks_per_second)))
        };
        Some(CpuTime { user: next()?, system: next()? })
    }

    /// Private memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        self.pids.iter().try_fold(0, |sum, pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
            Some(sum + kib * 1_024)
        })
    }
}

/// The CPU time of this process, the load, so far.
pub(crate) fn own_cpu_time() -> CpuTime {
    ServerProcess::new([std::process::id()]).and_then(|own| own.cpu_time()).unwrap_or_default()
}

impl CpuTime {
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }

    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_known_of_existing_process_only() {
        let own = ServerProcess::new([std::process::id()]).expect("we exist");
        assert!(own.resident_bytes().is_some_and(|bytes| bytes > 4_096));
        assert!(ServerProcess::new([u32::MAX]).is_none());
    }

    #[test]
    fn threads_have_names_and_times() {
        let own = ServerProcess::new([std::process::id()]).expect("we exist");
        let named = std::thread::Builder::new().name("a (b) c".to_owned());
        let worker = named.spawn(move || {
            let time = || {
                let threads = own.threads();
                let worker = threads.into_values().find(|(name, _)| name == "a (b) c");
                worker.expect("it runs").1.total()
            };
            // Reading the times takes time too.
            std::iter::repeat_with(time).find(|time| !time.is_zero())
        });
        let time = worker.expect("it starts").join().expect("no panic");
        assert!(time.is_some_and(|time| !time.is_zero()));
    }

    #[test]
    fn pinning_to_missing_core_is_an_error() {
        assert!(pin_this_thread(usize::MAX).is_err());
    }
}
