//! Clients that connect, stay, leave and reconnect.

use std::collections::BTreeMap;
use std::time::Instant;

use super::crowd::{LOOK_UP, Sweeper};
use super::error::RunError;
use super::job::{Connect, Idle, Storm};
use super::running::Run;
use crate::client::{Client, Role};
use crate::machine::{CpuTime, own_cpu_time};
use crate::net::Happened;
use crate::report::{Report, ThreadCpu};

/// The resources used by the server and the load at a moment.
pub(super) struct Snapshot {
    at: Instant,
    server: Option<CpuTime>,
    /// The threads of the server, by number, with name and CPU time.
    threads: BTreeMap<String, (String, CpuTime)>,
    load: CpuTime,
}

impl<C: Client> Run<'_, C> {
    pub(super) fn connect(&mut self, job: &Connect) -> Result<Report, RunError> {
        let before = self.snapshot();
        let bytes = self.resident_bytes();
        let times = self.gather(receivers(job.clients), job.at_once)?;
        let all_ready = before.at.elapsed().as_secs_f64();
        Ok(Report {
            clients: job.clients,
            done: job.clients as u64,
            ready: times.spread(),
            all_ready_seconds: Some(all_ready),
            server_bytes_per_client: self.bytes_per_client(bytes, job.clients),
            ..self.since(&before)
        })
    }

    pub(super) fn idle(&mut self, job: &Idle) -> Result<Report, RunError> {
        let bytes = self.resident_bytes();
        let times = self.gather(receivers(job.clients), job.at_once)?;
        let before = self.snapshot();
        let mut sweeper = Sweeper::new();
        let mut happened = Vec::new();
        while before.at.elapsed() < job.duration {
            self.net.turn(Some(LOOK_UP))?;
            sweeper.sweep(self);
            happened = self.net.take_happened(happened);
            for (index, what) in happened.drain(..) {
                if let Happened::Lost(why) = what {
                    return Err(self.lost(index, why));
                }
            }
            (self.progress)("idle", before.at.elapsed().as_secs_f64() / job.duration.as_secs_f64());
        }
        Ok(Report {
            clients: job.clients,
            ready: times.spread(),
            server_bytes_per_client: self.bytes_per_client(bytes, job.clients),
            ..self.since(&before)
        })
    }

    pub(super) fn storm(&mut self, job: &Storm) -> Result<Report, RunError> {
        self.gather(receivers(job.clients), job.at_once)?;
        for index in 0..job.clients {
            self.net.cut(index);
            if !job.resume {
                self.net.say(index, |client, _| client.forget());
            }
        }
        let before = self.snapshot();
        let times = self.gather_again(job.clients, job.at_once)?;
        let all_ready = before.at.elapsed().as_secs_f64();
        Ok(Report {
            clients: job.clients,
            done: job.clients as u64,
            ready: times.spread(),
            all_ready_seconds: Some(all_ready),
            ..self.since(&before)
        })
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let server = self.server.as_ref().and_then(|server| server.cpu_time());
        let threads = self.server.as_ref().map(|server| server.threads()).unwrap_or_default();
        Snapshot { at: Instant::now(), server, threads, load: own_cpu_time() }
    }

    /// A report of the resources used since the snapshot `before`.
    pub(super) fn since(&self, before: &Snapshot) -> Report {
        let seconds = before.at.elapsed().as_secs_f64();
        let now = self.server.as_ref().and_then(|server| server.cpu_time());
        let server = now.zip(before.server).map(|(now, before)| now.since(before).into());
        let load = own_cpu_time().since(before.load).total().as_secs_f64();
        Report {
            seconds,
            server_cpu_seconds: server,
            server_threads: self.threads_since(&before.threads),
            server_resident_bytes: self.resident_bytes(),
            load_cpu_share: load / seconds,
            ..Report::default()
        }
    }

    fn threads_since(&self, before: &BTreeMap<String, (String, CpuTime)>) -> Vec<ThreadCpu> {
        let now = self.server.as_ref().map(|server| server.threads()).unwrap_or_default();
        let used = now.into_iter().map(|(number, (name, time))| {
            let before = before.get(&number).map_or_else(CpuTime::default, |(_, time)| *time);
            ThreadCpu { name, seconds: time.since(before).total().as_secs_f64() }
        });
        let mut used: Vec<_> = used.filter(|thread| thread.seconds > 0.0).collect();
        used.sort_by(|one, other| one.name.cmp(&other.name));
        used
    }

    fn resident_bytes(&self) -> Option<u64> {
        self.server.as_ref().and_then(|server| server.resident_bytes())
    }

    fn bytes_per_client(&self, before: Option<u64>, clients: usize) -> Option<u64> {
        let more = self.resident_bytes()?.saturating_sub(before?);
        Some(more / clients as u64)
    }
}

fn receivers(count: usize) -> impl ExactSizeIterator<Item = Role> {
    std::iter::repeat_n(Role::Receiver, count)
}
