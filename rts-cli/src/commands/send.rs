//! `rts send`

use std::process::ExitCode;

use rts_transport_tokio::{MessageConfig, SendCode};

use crate::dev::Account;

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
    let (engine, _events) = args.account.log_in().await?;
    let sent = engine.send_message(&args.to, args.text.as_str(), MessageConfig::ReliableOrdered)?;
    let code = sent.await;
    println!("result {}: {code:?}", code.code());
    engine.logout();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    Ok(if code == SendCode::Ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
