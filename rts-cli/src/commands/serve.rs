//! `rts serve`

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use rts_server::{
    Certificates, Config, DEV_APP_ID, DEV_APP_KEY, DEV_BEARER_KEY, Listen, OpenApi, Server,
};

use crate::dev::{dev_token, unix_now};
use crate::out::{go_on_unread, say};
use crate::record::TraceArgs;
use crate::signals::{OnHangup, Signals, ignores_hangup};

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
    let ignores_hangup = ignores_hangup();
    // Before anything says that the server is there: who is told so may stop it at once.
    let signals = Signals::catch().context("signals cannot be caught")?;
    go_on_unread().context("standard output")?;
    // Like all that is logged, it must not wait for a reader.
    std::panic::set_hook(Box::new(|panic| tracing::error!("a bug: {panic}")));
    let config = match &args.config {
        Some(path) => {
            let config =
                Config::load(path).with_context(|| format!("configuration {}", path.display()))?;
            for concern in config.concerns() {
                tracing::warn!("{concern}");
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
    let server = match args.trace.wanted()? {
        Some(recording) => Server::bind_recorded(&config, || recording.begin()).await?,
        None => Server::bind(&config).await?,
    };
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
    let on_hangup = match args.dev {
        true if ignores_hangup => OnHangup::Nothing,
        true => OnHangup::Stop,
        false => {
            let certificates = server.certificates();
            OnHangup::Do(Box::new(move || reload(&certificates)))
        }
    };
    server.run(signals.stop(on_hangup)).await?;
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

fn reload(certificates: &Certificates) {
    match certificates.reload() {
        Ok(changed) => tracing::info!(changed, "certificates read again"),
        Err(error) => tracing::warn!(%error, "the certificate before stays"),
    }
}
