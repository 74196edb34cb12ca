//! `rts listen`

use std::process::ExitCode;

use anyhow::bail;
use rts_transport_tokio::Event;

use super::chat::describe;
use super::engine::event_json;
use crate::dev::{Account, LoggedIn};
use crate::out::{say, tell};
use crate::signals::stopped;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    account: Account,
    /// A room to join
    #[arg(long)]
    room: Option<String>,
    /// One JSON object a line, as `rts engine` prints them
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let LoggedIn { engine, mut events, uid } = args.account.log_in().await?;
    // Whoever is stopped by hand has left, rather than vanished.
    let stopped = stopped()?;
    tokio::pin!(stopped);
    let room = args.room.as_deref().map(|room| engine.create_room(room)).transpose()?;
    if let Some(room) = &room {
        room.join()?;
    }
    tell(format_args!("listening as {uid}"));
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            event = events.next() => match event {
                Some(event) => {
                    match args.json {
                        true => say(event_json(&event))?,
                        false => describe(&event).map_or(Ok(()), say)?,
                    }
                    if let Event::Logout(reason) = event {
                        bail!("logged out: {reason}");
                    }
                }
                None => break,
            },
        }
    }
    engine.destroy();
    engine.closed().await;
    Ok(ExitCode::SUCCESS)
}
