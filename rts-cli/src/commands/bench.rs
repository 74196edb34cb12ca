//! `rts bench`

mod forwarder;
mod promises;
mod seconds;
mod started_cluster;
mod started_server;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use rts_load::{Bot, Connect, Idle, Job, P2p, Pace, Report, Room, ServerProcess, Storm, Target};
use rts_server::{DEV_APP_ID, DEV_APP_KEY, ShardCount};

use crate::dev_token::unix_now;
use crate::out::say;
use promises::PromisesArgs;
use seconds::seconds;
use started_server::{Settings, StartedServer};

/// Steps of a progress bar.
const STEPS: u64 = 1_000;

/// Put load on a server and measure it. Without --url, a server is started for it: token check and
/// limits on, rates off.
#[derive(Debug, Subcommand)]
pub(crate) enum Work {
    /// Messages of pairs of a sender and a receiver
    P2p(P2pArgs),
    /// Broadcasts of one sender in a room of many members
    Room(RoomArgs),
    /// Messages of one sender to many users in turn
    Bot(BotArgs),
    /// Logins of many clients
    Connect(ConnectArgs),
    /// Memory of clients that are logged in and idle
    Idle(IdleArgs),
    /// Reconnects of all clients after they lost their links at one moment
    Storm(StormArgs),
    /// Check every promise: one result for each send, nothing lost, doubled or reordered. A server
    /// of its own is killed, drained and restarted, users are displaced, and all join one room.
    /// With --nodes, a cluster. Prints a line for each phase; exits with 1 if a law is broken
    Promises(PromisesArgs),
    /// Run a bare relay that shows the limit of the sockets; measure it as floor://ADDRESS
    Floor(FloorArgs),
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The server under load. The scheme is the protocol: rts, ws, redis, nats, nats-request,
    /// mqtt0, mqtt1, mqtt-request, relay, floor. An RTS server bounds the links of one address, so
    /// list the address of the load in limits.exempt_networks. The nodes of a cluster are several
    /// URLs, with commas between them: the clients take them in turn, so each pair of P2P has a
    /// node for its receiver and the next one for its sender [default: a server that this command
    /// starts]
    #[arg(long)]
    url: Option<String>,
    /// Allow a server on another machine. Use it only with servers of your own
    #[arg(long, requires = "url")]
    anywhere: bool,
    /// The app id of the clients
    #[arg(long, default_value = DEV_APP_ID)]
    app_id: String,
    /// The app key, for the tokens of the clients
    #[arg(long, default_value = DEV_APP_KEY, env = "RTS_APP_KEY", hide_env_values = true)]
    app_key: String,
    /// The process id of the server on this machine, to read its CPU time and memory. Of several
    /// ids, with commas between them, the sum is shown: nodes of a cluster and its nats-server
    #[arg(long, requires = "url", value_delimiter = ',')]
    server_pid: Vec<u32>,
    /// The number of shards of the server that this command starts [default: one for each processor
    /// that the server may use]
    #[arg(long, conflicts_with = "url")]
    shards: Option<ShardCount>,
    /// The core to pin the server to
    #[arg(long)]
    server_cpu: Option<usize>,
    /// The core to pin the load to
    #[arg(long)]
    cpu: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Traffic {
    /// Closed loop: messages in flight for each sender
    #[arg(long, default_value_t = 1)]
    window: usize,
    /// Open loop: messages a second of all senders together. Delays count from the moment at which
    /// a message was due
    #[arg(long, conflicts_with = "window")]
    rate: Option<u32>,
    /// Bytes in a message
    #[arg(long, default_value_t = 100)]
    payload: usize,
    /// Seconds of load before the measurement
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    warm_up: f64,
    /// Seconds of the measurement
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    duration: f64,
}

#[derive(Debug, Args)]
pub(crate) struct P2pArgs {
    #[command(flatten)]
    common: Common,
    /// Pairs of a sender and a receiver
    #[arg(long, default_value_t = 50)]
    pairs: usize,
    /// Additional idle clients
    #[arg(long, default_value_t = 0)]
    idle: usize,
    #[command(flatten)]
    traffic: Traffic,
}

#[derive(Debug, Args)]
pub(crate) struct RoomArgs {
    #[command(flatten)]
    common: Common,
    /// Members beside the sender
    #[arg(long, default_value_t = 100)]
    members: usize,
    #[command(flatten)]
    traffic: Traffic,
}

#[derive(Debug, Args)]
pub(crate) struct BotArgs {
    #[command(flatten)]
    common: Common,
    /// Users beside the sender
    #[arg(long, default_value_t = 1_000)]
    users: usize,
    #[command(flatten)]
    traffic: Traffic,
}

#[derive(Debug, Args)]
struct Crowd {
    /// Number of clients
    #[arg(long, default_value_t = 1_000)]
    clients: usize,
    /// Logins in progress at once
    #[arg(long, default_value_t = 200)]
    at_once: usize,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    crowd: Crowd,
}

#[derive(Debug, Args)]
pub(crate) struct IdleArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    crowd: Crowd,
    /// Seconds that the clients stay
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    duration: f64,
}

#[derive(Debug, Args)]
pub(crate) struct StormArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    crowd: Crowd,
    /// Resume the sessions instead of logging in anew
    #[arg(long)]
    resume: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FloorArgs {
    /// The address to listen on, a loopback address
    #[arg(long, default_value = "127.0.0.1:7700")]
    listen: SocketAddr,
}

pub(crate) async fn run(work: Work) -> anyhow::Result<ExitCode> {
    // The load runs in a blocking thread, with its own loop over its sockets.
    tokio::task::spawn_blocking(move || work.run()).await??;
    Ok(ExitCode::SUCCESS)
}

impl Work {
    fn run(self) -> anyhow::Result<()> {
        let (common, job) = match self {
            Self::P2p(P2pArgs { common, pairs, idle, traffic }) => (
                common,
                Job::P2p(P2p {
                    pairs,
                    idle,
                    payload_bytes: traffic.payload,
                    pace: traffic.pace(),
                    warm_up: Duration::from_secs_f64(traffic.warm_up),
                    duration: Duration::from_secs_f64(traffic.duration),
                }),
            ),
            Self::Room(RoomArgs { common, members, traffic }) => (
                common,
                Job::Room(Room {
                    members,
                    payload_bytes: traffic.payload,
                    pace: traffic.pace(),
                    warm_up: Duration::from_secs_f64(traffic.warm_up),
                    duration: Duration::from_secs_f64(traffic.duration),
                }),
            ),
            Self::Bot(BotArgs { common, users, traffic }) => (
                common,
                Job::Bot(Bot {
                    users,
                    payload_bytes: traffic.payload,
                    pace: traffic.pace(),
                    warm_up: Duration::from_secs_f64(traffic.warm_up),
                    duration: Duration::from_secs_f64(traffic.duration),
                }),
            ),
            Self::Connect(ConnectArgs { common, crowd: Crowd { clients, at_once } }) => {
                (common, Job::Connect(Connect { clients, at_once }))
            }
            Self::Idle(IdleArgs { common, crowd: Crowd { clients, at_once }, duration }) => {
                let duration = Duration::from_secs_f64(duration);
                (common, Job::Idle(Idle { clients, at_once, duration }))
            }
            Self::Storm(StormArgs { common, crowd: Crowd { clients, at_once }, resume }) => {
                (common, Job::Storm(Storm { clients, at_once, resume }))
            }
            Self::Promises(args) => return promises::run(&args),
            Self::Floor(args) => {
                return Ok(rts_load::serve_floor(args.listen, |address| {
                    // A failure is ignored: the floor works without a reader of this line.
                    let _ = say(format_args!("listening on floor://{address}"));
                })?);
            }
        };
        let is_json = common.json;
        let report = common.measure(&job)?;
        if is_json { say(report.to_json()) } else { say(report) }
    }
}

impl Traffic {
    fn pace(&self) -> Pace {
        self.rate.map_or(Pace::Window(self.window), Pace::PerSecond)
    }
}

impl Common {
    fn measure(self, job: &Job) -> anyhow::Result<Report> {
        // Each client needs a file descriptor. If the limit cannot be raised, connecting fails with
        // its own error when the limit is reached.
        let _ = rlimit::increase_nofile_limit(u64::MAX);
        let started = match self.url {
            Some(_) => None,
            None => Some(StartedServer::start(Settings {
                app_id: self.app_id.clone(),
                app_key: self.app_key.clone(),
                shards: self.shards,
                cpu: self.server_cpu,
            })?),
        };
        let started_pid = started.as_ref().map(StartedServer::process_id);
        let pids: Vec<_> = self.server_pid.into_iter().chain(started_pid).collect();
        let process = match &pids[..] {
            [] => None,
            pids => Some(
                ServerProcess::new(pids.iter().copied())
                    .with_context(|| format!("not all of these processes exist: {pids:?}"))?,
            ),
        };
        match (&process, self.server_cpu) {
            (Some(process), Some(cpu)) => {
                process.pin(cpu).with_context(|| format!("keeping the server on core {cpu}"))?;
            }
            (None, Some(_)) => bail!("--server-cpu needs --server-pid: which process is it?"),
            (_, None) => {}
        }
        if let Some(cpu) = self.cpu {
            rts_load::pin_this_thread(cpu)
                .with_context(|| format!("keeping the load on core {cpu}"))?;
        }
        let url = self.url.or_else(|| started.as_ref().map(|server| server.url().to_owned()));
        let url = url.context("no server")?;
        let now = u32::try_from(unix_now())?;
        let target = Target::new(&url, &self.app_id, &self.app_key, now, self.anywhere)?;
        let bar = ProgressBar::new(STEPS);
        bar.set_style(ProgressStyle::with_template("{msg:>12} [{bar:40}] {percent:>3} %")?);
        let report = rts_load::run(&target, job, process, &mut |what, done| {
            bar.set_message(what);
            bar.set_position((done * STEPS as f64) as u64);
        });
        bar.finish_and_clear();
        report.with_context(|| url.clone())
    }
}
