//! `rts chat`
//!
//! ```text
//!  keys or pipe --Input--> +---------+ --Command--> +------+ --> engine
//!                          | Session |              | Talk |
//!  terminal <----Line----- +---------+ <--Line----- +------+ <-- events
//! ```

mod command;
mod complete;
mod editor;
mod input;
mod line;
mod pace;
mod screen;
mod session;
mod talk;
mod terminal;
mod words;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use anyhow::anyhow;

use crate::dev::{Account, LoggedIn};
use crate::signals::stopped;
use command::{Command, To};
use screen::Screen;
use session::{Mode, Session};
use talk::Talk;
pub(crate) use words::{describe, shown};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "In a terminal, /help lists the commands, and NO_COLOR=1 switches colours off. The \
    history of lines is kept in memory only. Lines from a pipe or a file are sent one after the \
    other, below the rates of the server. Exit code 1 means that not all of them were delivered."
)]
pub(crate) struct Args {
    #[command(flatten)]
    account: Account,
    /// The user or the room to chat with
    #[arg(long, value_name = "USER or #ROOM", conflicts_with = "room")]
    to: Option<String>,
    /// The room to chat in
    #[arg(long)]
    room: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let in_words = |option| move |why: String| anyhow!("{option}: {why}");
    let to = args.to.as_deref().map(command::to).transpose().map_err(in_words("--to"))?;
    let room = args.room.as_deref().map(command::room).transpose().map_err(in_words("--room"))?;
    let (to, room) = match to {
        Some(To::Room(id)) => (None, Some(id)),
        to => (to, room),
    };
    let LoggedIn { engine, events, uid } = args.account.log_in().await?;
    // A client that is stopped by hand logs out, so its session does not linger.
    let stopped = stopped()?;
    let mode = if io::stdin().is_terminal() { Mode::EngineIndex } else { Mode::Pipe };
    let talk = Talk::new(engine.clone(), to);
    let first = room.map(Command::Join);
    let session = Session::new(talk, events, Screen::open(), mode, first);
    let hello = format!("logged in as {uid}; /help lists the commands");
    // In each case the terminal is restored.
    let ended = tokio::select! {
        ended = session.run(hello) => ended,
        () = stopped => Ok(ExitCode::SUCCESS),
    };
    engine.destroy();
    engine.closed().await;
    ended
}
