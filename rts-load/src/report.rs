//! What was measured.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::machine::CpuTime;

/// Three digits, up to a minute, in nanoseconds.
const DIGITS: u8 = 3;
const LONGEST_NS: u64 = 60_000_000_000;

/// How long something took, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    /// Half took less.
    pub p50_ns: u64,
    /// All but one of a hundred took less.
    pub p99_ns: u64,
    /// All but one of a thousand took less.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// What came of a job. Figures that a job does not have are `None`.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The job's name.
    pub work: &'static str,
    /// The protocol, as in the address.
    pub scheme: &'static str,
    /// Clients that took part.
    pub clients: usize,
    /// How long it was measured.
    pub seconds: f64,
    /// Messages that were sent while it was measured.
    pub sent: u64,
    /// What counts as done while it was measured: results where there are any, deliveries
    /// otherwise; in a room, deliveries.
    pub done: u64,
    /// Sends of the whole run that had neither a result nor, where there are no results, a
    /// delivery.
    pub lost: u64,
    /// Results of the whole run, by code.
    pub results: BTreeMap<u32, u64>,
    /// From the moment at which a message was to be sent to its delivery.
    pub delivery: Option<Spread>,
    /// The same to its result.
    pub result: Option<Spread>,
    /// Open loop: how much later than planned messages were sent.
    pub lateness: Option<Spread>,
    /// From connecting to being ready.
    pub ready: Option<Spread>,
    /// Until the last client was ready.
    pub all_ready_seconds: Option<f64>,
    /// CPU time of the server while it was measured: user, system.
    pub server_cpu_seconds: Option<(f64, f64)>,
    /// Memory of the server for each client, beyond what it had before.
    pub server_bytes_per_client: Option<u64>,
    /// Memory of the server in the end.
    pub server_resident_bytes: Option<u64>,
    /// Share of one core that the load itself took. Near 1, the load may be what is measured.
    pub load_cpu_share: f64,
}

impl Report {
    /// Done in a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.done as f64 / self.seconds } else { 0.0 }
    }

    /// CPU seconds of the server for a million done.
    #[must_use]
    pub fn server_cpu_per_million(&self) -> Option<f64> {
        let (user, system) = self.server_cpu_seconds?;
        (self.done > 0).then(|| (user + system) * 1e6 / self.done as f64)
    }

    /// The same as an object, with units in the names.
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
            "server_bytes_per_client": self.server_bytes_per_client,
            "server_resident_bytes": self.server_resident_bytes,
            "load_cpu_share": self.load_cpu_share,
        })
    }
}

/// For people.
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
        if let Some(bytes) = self.server_bytes_per_client {
            writeln!(f, "  memory    {bytes} bytes a client")?;
        }
        write!(f, "  load      {:.0} % of one core", self.load_cpu_share * 100.0)
    }
}

/// Collects what takes time.
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

    /// Nothing if nothing was recorded.
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
