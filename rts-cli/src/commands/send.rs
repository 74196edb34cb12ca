//! `rts send`

use std::process::ExitCode;

use rts_transport_tokio::{MessageConfig, SendCode};

use crate::dev::{Account, LoggedIn};
use crate::out::say;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    account: Account,
    /// The receiver
    #[arg(long)]
    to: String,
    /// What to send
    text: String,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let LoggedIn { engine, events: _events, .. } = args.account.log_in().await?;
    let sent = engine.send_message(&args.to, args.text.as_str(), MessageConfig::ReliableOrdered)?;
    let code = sent.await;
    engine.destroy();
    engine.closed().await;
    say(format_args!("result {}: {code:?}", code.code()))?;
    Ok(if code == SendCode::Ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
