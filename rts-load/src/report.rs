//! The results of a measurement.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::machine::CpuTime;

/// The precision of histograms, in significant digits. Values are in nanoseconds, up to a minute.
const DIGITS: u8 = 3;
const LONGEST_NS: u64 = 60_000_000_000;

/// A distribution of times, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    /// The median.
    pub p50_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
    /// The 99.9th percentile.
    pub p999_ns: u64,
    /// The maximum.
    pub max_ns: u64,
}

/// The CPU time of a thread of the server.
#[derive(Clone, Debug)]
pub struct ThreadCpu {
    /// The name of the thread. Several threads may have one name.
    pub name: String,
    /// Its CPU time during the measurement, user and system.
    pub seconds: f64,
}

/// The figures of a job. Figures that do not apply are `None`.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The job's name.
    pub work: &'static str,
    /// The protocol, as in the address.
    pub scheme: &'static str,
    /// Clients that took part.
    pub clients: usize,
    /// The length of the measurement, in seconds.
    pub seconds: f64,
    /// Messages sent during the measurement.
    pub sent: u64,
    /// Messages done during the measurement: results where the protocol has them, otherwise
    /// deliveries; in a room, deliveries.
    pub done: u64,
    /// Sends of the whole run without a result, or without a delivery where the protocol has no
    /// results.
    pub lost: u64,
    /// Results of the whole run, by code.
    pub results: BTreeMap<u32, u64>,
    /// The time from the planned moment of sending to the delivery.
    pub delivery: Option<Spread>,
    /// The time from the planned moment of sending to the result.
    pub result: Option<Spread>,
    /// Open loop: the delay of sends behind their planned moments.
    pub lateness: Option<Spread>,
    /// The time from connecting to being ready.
    pub ready: Option<Spread>,
    /// The time until the last client was ready.
    pub all_ready_seconds: Option<f64>,
    /// CPU time of the server during the measurement: user, system.
    pub server_cpu_seconds: Option<(f64, f64)>,
    /// The threads of the server that used CPU time during the measurement.
    pub server_threads: Vec<ThreadCpu>,
    /// Memory of the server for each client, beyond its memory before.
    pub server_bytes_per_client: Option<u64>,
    /// Memory of the server at the end.
    pub server_resident_bytes: Option<u64>,
    /// The share of one core that the load took. Near 1, the load itself may be the limit.
    pub load_cpu_share: f64,
}

impl Report {
    /// Messages done in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.done as f64 / self.seconds } else { 0.0 }
    }

    /// CPU seconds of the server for a million messages done.
    #[must_use]
    pub fn server_cpu_per_million(&self) -> Option<f64> {
        let (user, system) = self.server_cpu_seconds?;
        (self.done > 0).then(|| (user + system) * 1e6 / self.done as f64)
    }

    /// The report as a JSON object, with units in the names.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let spread = |spread: Option<Spread>| {
            let ms = |ns: u64| ns as f64 / 1e6;
            spread.map(|s| {
                json!({ "p50_ms": ms(s.p50_ns), "p99_ms": ms(s.p99_ns), "p999_ms": ms(s.p999_ns), "max_ms": ms(s.max_ns) })
            })
        };
        let results: Map<String, Value> =
            self.results.iter().map(|(code, count)| (code.to_string(), json!(count))).collect();
        json!({
            "work": self.work,
            "scheme": self.scheme,
            "clients": self.clients,
            "seconds": self.seconds,
            "sent": self.sent,
            "done": self.done,
            "per_second": self.rate(),
            "lost": self.lost,
            "results": results,
            "delivery": spread(self.delivery),
            "result": spread(self.result),
            "lateness": spread(self.lateness),
            "ready": spread(self.ready),
            "all_ready_seconds": self.all_ready_seconds,
            "server_user_seconds": self.server_cpu_seconds.map(|(user, _)| user),
            "server_system_seconds": self.server_cpu_seconds.map(|(_, system)| system),
            "server_cpu_seconds_per_million": self.server_cpu_per_million(),
            "server_threads": self.server_threads.iter().map(|thread| json!({
                "name": thread.name, "cpu_seconds": thread.seconds,
            })).collect::<Vec<_>>(),
            "server_bytes_per_client": self.server_bytes_per_client,
            "server_resident_bytes": self.server_resident_bytes,
            "load_cpu_share": self.load_cpu_share,
        })
    }
}

/// The report as text for people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} over {}, {} clients, {:.1} s",
            self.work, self.scheme, self.clients, self.seconds
        )?;
        if self.done > 0 {
            writeln!(f, "  done      {} ({:.0}/s), lost {}", self.done, self.rate(), self.lost)?;
        }
        for (code, count) in &self.results {
            writeln!(f, "  result {code}  {count}")?;
        }
        let spreads = [
            ("delivery", self.delivery),
            ("result", self.result),
            ("lateness", self.lateness),
            ("ready", self.ready),
        ];
        for (name, spread) in spreads {
            let Some(Spread { p50_ns, p99_ns, p999_ns, max_ns }) = spread else { continue };
            let [p50, p99, p999, max] = [p50_ns, p99_ns, p999_ns, max_ns].map(Duration::from_nanos);
            writeln!(
                f,
                "  {name:<9} p50 {p50:.2?}, p99 {p99:.2?}, p99.9 {p999:.2?}, max {max:.2?}"
            )?;
        }
        if let Some(seconds) = self.all_ready_seconds {
            writeln!(f, "  all ready {seconds:.2} s")?;
        }
        if let Some((user, system)) = self.server_cpu_seconds {
            write!(f, "  server    {user:.2} s user, {system:.2} s system")?;
            match self.server_cpu_per_million() {
                Some(seconds) => writeln!(f, ": {seconds:.3} CPU s per million")?,
                None => writeln!(f)?,
            }
        }
        if let [_, _, ..] = &self.server_threads[..] {
            let threads = self.server_threads.iter();
            let threads = threads.map(|thread| format!("{} {:.2} s", thread.name, thread.seconds));
            writeln!(f, "  threads   {}", threads.collect::<Vec<_>>().join(", "))?;
        }
        if let Some(bytes) = self.server_bytes_per_client {
            writeln!(f, "  memory    {bytes} bytes a client")?;
        }
        write!(f, "  load      {:.0} % of one core", self.load_cpu_share * 100.0)
    }
}

/// Collects times.
#[derive(Debug)]
pub(crate) struct Times(Histogram<u64>);

impl Times {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_max(LONGEST_NS, DIGITS);
        Self(histogram.expect("constants that it takes"))
    }

    pub(crate) fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// The distribution; `None` if nothing was recorded.
    pub(crate) fn spread(&self) -> Option<Spread> {
        (!self.0.is_empty()).then(|| Spread {
            p50_ns: self.0.value_at_quantile(0.5),
            p99_ns: self.0.value_at_quantile(0.99),
            p999_ns: self.0.value_at_quantile(0.999),
            max_ns: self.0.max(),
        })
    }
}

impl From<CpuTime> for (f64, f64) {
    fn from(time: CpuTime) -> Self {
        (time.user.as_secs_f64(), time.system.as_secs_f64())
    }
}
