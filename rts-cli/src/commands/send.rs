//! `rts send`

use std::iter;
use std::process::ExitCode;

use rts_client::contract::{MessageConfig, SendCode, UserId};

use crate::dev::{Account, LoggedIn, login_end};
use crate::out::{eprint_line, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    account: Account,
    /// The receiver, a user id; `rts chat` sends to rooms
    #[arg(long)]
    to: String,
    /// The text
    text: String,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let LoggedIn { engine, mut events, .. } = args.account.log_in().await?;
    let sent = engine.send_message(&args.to, args.text.as_str(), MessageConfig::ReliableOrdered)?;
    let code = sent.await;
    // The reason of such a result, if the login has ended meanwhile.
    let end = iter::from_fn(|| events.try_next()).find_map(|event| login_end(&event));
    engine.destroy();
    engine.closed().await;
    say(format_args!("result: {code}"))?;
    if code == SendCode::Ok {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(end) = end {
        eprint_line(format_args!("rts: {end}"));
    }
    match UserId::new(&args.to) {
        Ok(_) => eprint_line(format_args!("rts: {code}")),
        Err(error) => eprint_line(format_args!(
            "rts: {code}: {:?}: {error}; `rts chat` sends to rooms",
            args.to
        )),
    }
    Ok(ExitCode::FAILURE)
}
