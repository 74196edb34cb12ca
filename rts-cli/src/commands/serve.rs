//! `rts serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use rts_server::cluster::ClusterName;
use rts_server::{Certificates, Cluster, Config, Server, ServerError, ShardCount};
use tracing::field::display;

use super::dev_cluster::{self, DevClusterArgs};
use super::dev_server::DevServer;
use crate::out::{continue_without_reader, say};
use crate::record::{Recording, TraceArgs};
use crate::signals::{OnHangup, Signals, ignores_hangup};

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(crate) struct Args {
    /// Run a development server without a configuration, for this machine only. Its app key is
    /// public
    #[arg(long, group = "what")]
    dev: bool,
    /// With --dev: the address for clients. On an address that others can reach, such as
    /// 0.0.0.0:7600 in a container, the server generates its keys at each start and prints them.
    /// Port 0 chooses free ports for all listeners
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7600", requires = "dev")]
    listen: SocketAddr,
    /// With --dev: the address of the OpenAPI [default: the port of --listen plus 1, 7601]
    #[arg(long, value_name = "IP:PORT", requires = "dev")]
    openapi: Option<SocketAddr>,
    /// With --dev: the address for browsers [default: the port of --listen plus 80, 7680]
    #[arg(long, value_name = "IP:PORT", requires = "dev")]
    web_socket: Option<SocketAddr>,
    /// The configuration, a TOML file. A variable RTS__SECTION__KEY overrides a key of it
    #[arg(long, value_name = "FILE", group = "what")]
    config: Option<PathBuf>,
    /// The number of shards, or "cores": one for each processor that the server may use [default:
    /// the key of the configuration, or cores]
    #[arg(long, value_name = "N")]
    shards: Option<ShardCount>,
    #[command(flatten)]
    cluster: DevClusterArgs,
    #[command(flatten)]
    trace: TraceArgs,
    /// Print a configuration with every key, its default and its meaning
    #[arg(long, group = "what")]
    example_config: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.example_config {
        say(Config::EXAMPLE.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let ignores_hangup = ignores_hangup();
    // Caught before anything reports that the server runs: a supervisor may then stop it at once.
    let signals = Signals::catch().context("signals cannot be caught")?;
    continue_without_reader().context("standard output")?;
    // As with all log lines, writing it must not block.
    std::panic::set_hook(Box::new(|panic| tracing::error!("a bug: {panic}")));
    if let Some(nodes) = args.cluster.nodes {
        let on_hangup = if ignores_hangup { OnHangup::Nothing } else { OnHangup::Stop };
        let stops = signals.stops(on_hangup);
        return dev_cluster::run(nodes, args.listen, args.shards, stops.asked(1)).await;
    }
    let mut dev_server = None;
    let mut config = match &args.config {
        Some(path) => {
            let config =
                Config::load(path).with_context(|| format!("configuration {}", path.display()))?;
            for concern in config.concerns() {
                tracing::warn!("{concern}");
            }
            config
        }
        None => {
            let dev = DevServer::new(args.listen, args.openapi, args.web_socket)?;
            let dev = dev_server.insert(dev);
            let mut config = dev.config();
            if let DevClusterArgs { node: Some(node), nats, state_dir, .. } = args.cluster {
                let name = ClusterName::new("dev").expect("a valid name");
                config.cluster = Some(Cluster::new(name, node, nats.into_iter().collect()));
                config.state_dir = state_dir;
                if dev.is_local() {
                    dev_cluster::without_rates(&mut config.limits);
                }
            }
            config
        }
    };
    config.shards = args.shards.unwrap_or(config.shards);
    // Each link needs a file descriptor. The system's limit may still be too low for a busy server;
    // raising it is up to the operator.
    let (version, configuration) = (env!("CARGO_PKG_VERSION"), config.file.as_deref());
    let configuration = configuration.map(|file| display(file.display()));
    let shards = config.shards.get();
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(open_files) => tracing::info!(version, configuration, shards, open_files, "starting"),
        Err(error) => {
            tracing::info!(version, configuration, shards, "starting");
            tracing::warn!(%error, "the limit of open files, and so of links, cannot be raised");
        }
    }
    let recording = args.trace.wanted()?;
    let certificates = Latest::default();
    let on_hangup = match args.dev {
        true if ignores_hangup => OnHangup::Nothing,
        true => OnHangup::Stop,
        false => {
            let certificates = certificates.clone();
            OnHangup::Do(Box::new(move || certificates.reload()))
        }
    };
    let stops = signals.stops(on_hangup);
    loop {
        let server = tokio::select! {
            server = bind(&config, recording.as_ref()) => server?,
            () = stops.asked(1) => return Ok(ExitCode::SUCCESS),
        };
        for address in server.addresses() {
            say(format_args!("listening on {address}"))?;
        }
        if let Some(address) = server.openapi_addr() {
            say(format_args!(
                "OpenAPI for back ends on http://{address}, described on http://{address}/docs"
            ))?;
        }
        if let Some(dev) = &dev_server {
            dev.introduce(server.local_addr())?;
        }
        certificates.set(server.certificates());
        server.keep_ports(&mut config);
        let ended = tokio::select! {
            ended = server.run(stops.asked(1)) => ended,
            // Without a cluster, a server stops at once anyway.
            () = stops.asked(2), if config.cluster.is_some() => {
                tracing::warn!(
                    "asked to stop again: this node ends at once, and leaves it to the others to \
                     notice that"
                );
                return Ok(ExitCode::FAILURE);
            }
        };
        match ended {
            // Its sessions have ended. As a new node it may join again.
            Err(ServerError::MembershipEnded(_)) => tracing::info!("joining the cluster again"),
            ended => {
                ended?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

async fn bind(config: &Config, recording: Option<&Recording<'_>>) -> anyhow::Result<Server> {
    let Some(recording) = recording else { return Ok(Server::bind(config).await?) };
    let observer = |placement| {
        let recorder = recording.begin_shard(placement).context("the recording")?;
        anyhow::Ok(Box::new(recorder) as _)
    };
    Ok(Server::bind_observed(config, observer).await?)
}

/// The certificates of the present server.
#[derive(Clone, Default)]
struct Latest(Arc<Mutex<Option<Certificates>>>);

impl Latest {
    fn set(&self, certificates: Certificates) {
        *self.lock() = Some(certificates);
    }

    fn reload(&self) {
        if let Some(certificates) = &*self.lock() {
            reload(certificates);
        }
    }

    /// No code that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, Option<Certificates>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reload(certificates: &Certificates) {
    match certificates.reload() {
        Ok(changed) => {
            tracing::info!(
                changed,
                "certificates read again; the configuration is read at the start"
            );
        }
        Err(error) => tracing::warn!(%error, "the previous certificate stays"),
    }
}
