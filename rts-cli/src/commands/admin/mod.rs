//! `rts admin`: calls of the OpenAPI, by hand.

mod client;
mod cluster;
mod drain;
mod request;
mod result;
mod tables;
mod what;

use std::process::ExitCode;

use anyhow::bail;
use rts_openapi::Failure;
use rts_server::{DEV_APP_ID, DEV_BEARER_KEY};
use serde_json::json;

use crate::out::say;
use client::{Client, Credentials};
use drain::DrainArgs;
use what::What;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The URL of the server's OpenAPI
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:7601",
        env = "RTS_ADMIN_URL"
    )]
    url: String,
    /// The app id
    #[arg(long, global = true, default_value = DEV_APP_ID, env = "RTS_ADMIN_APP_ID")]
    app_id: String,
    /// A bearer key of the server's configuration; the default is the key of `rts serve --dev`
    #[arg(
        long,
        global = true,
        default_value = DEV_BEARER_KEY,
        env = "RTS_ADMIN_KEY",
        hide_env_values = true,
        conflicts_with = "access_key",
        allow_hyphen_values = true
    )]
    key: String,
    /// An access key for signed requests, instead of --key
    #[arg(
        long,
        global = true,
        value_name = "ID",
        env = "RTS_ADMIN_ACCESS_KEY",
        allow_hyphen_values = true
    )]
    access_key: Option<String>,
    /// The secret of the access key
    #[arg(
        long,
        global = true,
        env = "RTS_ADMIN_SECRET",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    secret: Option<String>,
    /// Print the server's whole answer as one line of JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    asked: Asked,
}

#[derive(Debug, clap::Subcommand)]
enum Asked {
    #[command(flatten)]
    OpenApi(What),
    /// Show what the server knows of its cluster: nodes, view, lease. It needs no key
    Cluster,
    /// Empty a node of a cluster: its users go on at other nodes, and it takes no new ones. Returns
    /// at once; `rts admin cluster` shows how far it is. It needs a bearer key for all apps
    Drain(DrainArgs),
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let credentials = match (args.access_key, args.secret) {
        (Some(id), Some(secret)) => Credentials::Signing { id, secret },
        (None, None) => Credentials::Bearer(args.key),
        // Checked here, because clap checks global options before and after the subcommand
        // separately.
        (Some(_), None) => bail!("--access-key needs --secret"),
        (None, Some(_)) => bail!("--secret needs --access-key"),
    };
    let client = Client::new(&args.url, credentials)?;
    let what = match args.asked {
        Asked::OpenApi(what) => what,
        Asked::Cluster => return cluster::show(&client, args.json).await,
        Asked::Drain(drain) => return drain.run(&client, args.json).await,
    };
    let (action, mut fields) = what.request()?;
    fields["AppId"] = json!(args.app_id);
    let answer = client.ask(action, &fields).await?;
    if args.json {
        say(serde_json::to_string(&answer)?)?;
        let failed = answer.response_metadata.error.is_some();
        return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    if let Some(Failure { code, message, .. }) = answer.response_metadata.error {
        bail!("the server refused: {message} ({code})");
    }
    say(what.describe(answer.result.unwrap_or_default())?)?;
    Ok(ExitCode::SUCCESS)
}
