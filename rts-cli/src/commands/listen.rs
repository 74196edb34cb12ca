//! `rts listen`

use std::process::ExitCode;

use rts_transport_tokio::Event;

use super::chat::describe;
use super::engine::event_json;
use crate::dev::Account;

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
    let (engine, mut events) = args.account.log_in().await?;
    let room = args.room.as_deref().map(|room| engine.create_room(room)).transpose()?;
    if let Some(room) = &room {
        room.join()?;
    }
    eprintln!("listening as {}", args.account.uid);
    while let Some(event) = events.next().await {
        if args.json {
            println!("{}", event_json(&event));
        } else if let Some(line) = describe(&event) {
            println!("{line}");
        }
        if matches!(event, Event::Logout(_)) {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
