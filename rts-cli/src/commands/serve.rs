//! `rts serve`

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use rts_server::{
    Certificates, Config, DEV_APP_ID, DEV_APP_KEY, DEV_BEARER_KEY, Listen, OpenApi, Server,
};
use tokio::signal::unix::{SignalKind, signal};

use super::trace::TraceArgs;
use crate::dev::{dev_token, unix_now};
use crate::out::say;

/// A day: long enough to play.
const DEV_TOKEN_SECONDS: u64 = 86_400;

const DEV_PORT: u16 = 7600;
const DEV_OPENAPI_PORT: u16 = 7601;
const DEV_WEB_SOCKET_PORT: u16 = 7680;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(crate) struct Args {
    /// Loopback only, with an app and a key that everybody knows
    #[arg(long, group = "what")]
    dev: bool,
    /// With --dev: where to listen
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7600", requires = "dev")]
    listen: SocketAddr,
    /// With --dev: where back ends ask for things [default: 127.0.0.1:7601, or a free port when --listen is given]
    #[arg(long, value_name = "HOST:PORT", requires = "dev")]
    openapi: Option<SocketAddr>,
    /// With --dev: where pages connect to [default: 127.0.0.1:7680, or a free port when --listen is given]
    #[arg(long, value_name = "HOST:PORT", requires = "dev")]
    web_socket: Option<SocketAddr>,
    /// A TOML file; RTS__SECTION__KEY in the environment goes before what it says
    #[arg(long, value_name = "FILE", group = "what")]
    config: Option<PathBuf>,
    #[command(flatten)]
    trace: TraceArgs,
    /// Print a configuration with every key, its default and what it is for
    #[arg(long, group = "what")]
    example_config: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.example_config {
        say(Config::EXAMPLE.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = match &args.config {
        Some(path) => {
            let config =
                Config::load(path).with_context(|| format!("configuration {}", path.display()))?;
            for app in config.apps_with_known_keys() {
                tracing::warn!("apps.{app}.keys: everybody knows this key; put one of your own");
            }
            config
        }
        None => development(&args)?,
    };
    // A link is an open file. What the system allows may still be too few for a busy server, but that is its
    // operator's to say.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files, and so of links, stays as it is");
    }
    let server = Server::bind_recorded(&config, args.trace.recorder()?).await?;
    for address in server.addresses() {
        say(format_args!("listening on {address}"))?;
    }
    if let Some(address) = server.openapi_addr() {
        say(format_args!(
            "OpenAPI for back ends on http://{address}, described on http://{address}/docs"
        ))?;
    }
    if args.dev {
        say(format_args!(
            "app id     {DEV_APP_ID}\napp key    {DEV_APP_KEY:?}\nbearer key {DEV_BEARER_KEY}\n\n\
             Two other terminals:\n"
        ))?;
        let expire_at = u32::try_from(unix_now() + DEV_TOKEN_SECONDS)?;
        // As it was called, so that the lines can be pasted wherever it was.
        let rts = std::env::args().next().unwrap_or_else(|| "rts".to_owned());
        let address = server.local_addr();
        for (uid, peer) in [("alice", "bob"), ("bob", "alice")] {
            let token = dev_token(uid, expire_at)?;
            say(format_args!(
                "{rts} chat --url rts://{address} --uid {uid} --to {peer} --token {token}\n"
            ))?;
        }
    }
    tokio::spawn(reload_on_hangup(server.certificates()));
    server.run(stop()).await?;
    Ok(ExitCode::SUCCESS)
}

fn development(args: &Args) -> anyhow::Result<Config> {
    // A second server beside the usual one, or one in a test, is not to be in its way.
    let beside = |port| {
        let port = if args.listen.port() == DEV_PORT { port } else { 0 };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    };
    let openapi = args.openapi.unwrap_or_else(|| beside(DEV_OPENAPI_PORT));
    let web_socket = args.web_socket.unwrap_or_else(|| beside(DEV_WEB_SOCKET_PORT));
    if let Some(public) =
        [args.listen, openapi, web_socket].iter().find(|at| !at.ip().is_loopback())
    {
        anyhow::bail!(
            "--dev has keys that everybody knows, so it listens on loopback only, not on {public}; \
             use --config FILE for anything else"
        );
    }
    let mut config = Config::development(args.listen);
    config.listen.push(Listen::development_web_socket(web_socket));
    config.openapi = Some(OpenApi::development(openapi));
    Ok(config)
}

/// Ctrl-C, or the signal with which services are stopped.
async fn stop() {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// The signal with which services are asked to read their files again.
async fn reload_on_hangup(certificates: Certificates) {
    let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
    while hangups.recv().await.is_some() {
        match certificates.reload() {
            Ok(changed) => tracing::info!(changed, "certificates read again"),
            Err(error) => tracing::warn!(%error, "the certificate before stays"),
        }
    }
}
