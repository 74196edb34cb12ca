//! `rts listen`

use std::error::Error as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use rts_client::contract::{Disconnect, Engine, RoomId};
use tokio::time::{MissedTickBehavior, interval};

use super::chat::describe;
use super::engine::event_json;
use crate::dev::{Account, LoggedIn, login_end};
use crate::out::{eprint_line, say};
use crate::signals::stopped;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    account: Account,
    /// A room to join
    #[arg(long)]
    room: Option<String>,
    /// Print one JSON object a line, as `rts engine` does
    #[arg(long)]
    json: bool,
}

/// How often the link is checked, because short breaks have no callback.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(room) = &args.room {
        RoomId::new(room).map_err(|error| anyhow!("--room: {room:?}: {error}"))?;
    }
    let LoggedIn { engine, mut events, uid } = args.account.log_in().await?;
    // A client that is stopped by hand logs out, so its session does not linger.
    let stopped = stopped()?;
    tokio::pin!(stopped);
    let room = args.room.as_deref().map(|room| engine.create_room(room)).transpose()?;
    if let Some(room) = &room {
        room.join()?;
    }
    eprint_line(format_args!("listening as {uid}"));
    let mut watch = Watch::new(&engine);
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            _ = look.tick() => {
                if let Some(words) = watch.look(Seen::now(&engine)) {
                    eprint_line(words);
                }
            }
            event = events.next() => match event {
                Some(event) => {
                    match args.json {
                        true => say(event_json(&event))?,
                        false => describe(&event).map_or(Ok(()), say)?,
                    }
                    if let Some(why) = login_end(&event) {
                        bail!(why);
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

/// The state of a link at one moment.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Instant,
    is_online: bool,
    sessions_begun: u64,
    last_end: Option<Disconnect>,
}

/// Reports that the link is lost, that it is back, and whether messages may be missing.
struct Watch {
    sessions_begun: u64,
    away_since: Option<Instant>,
}

/// The end of a link with its reason, behind a colon.
fn in_words(end: Disconnect) -> String {
    match end.source() {
        Some(source) => format!(": {end}: {source}"),
        None => format!(": {end}"),
    }
}

impl Seen {
    fn now(engine: &Engine) -> Self {
        Self {
            at: Instant::now(),
            is_online: engine.is_online(),
            sessions_begun: engine.sessions_begun(),
            last_end: engine.last_disconnect(),
        }
    }
}

impl Watch {
    fn new(engine: &Engine) -> Self {
        Self { sessions_begun: engine.sessions_begun(), away_since: None }
    }

    fn look(&mut self, seen: Seen) -> Option<String> {
        if !seen.is_online {
            let is_news = self.away_since.is_none();
            self.away_since.get_or_insert(seen.at);
            let why = seen.last_end.map_or_else(String::new, in_words);
            return is_news.then(|| format!("disconnected{why}; reconnecting"));
        }
        let is_new = seen.sessions_begun != self.sessions_begun;
        self.sessions_begun = seen.sessions_begun;
        let away = self.away_since.take().map(|since| seen.at.duration_since(since));
        let after =
            away.map_or_else(String::new, |away| format!(" after {:.1} s", away.as_secs_f64()));
        match (is_new, away) {
            (true, _) => Some(format!(
                "back{after}, in a new session: what was sent meanwhile may be missing (resumed: false)"
            )),
            (false, Some(_)) => {
                Some(format!("back{after}: nothing reliable is missing (resumed: true)"))
            }
            (false, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_link_is_reported_once_and_losses_on_reconnect() {
        let begun = Instant::now();
        let mut watch = Watch { sessions_begun: 1, away_since: None };
        let mut look = |ms: u64, is_online: bool, sessions_begun: u64| {
            let at = begun + Duration::from_millis(ms);
            let last_end = Some(Disconnect::Broken);
            watch.look(Seen { at, is_online, sessions_begun, last_end }).unwrap_or_default()
        };
        assert_eq!(look(0, true, 1), "");
        let gone = "disconnected: the connection broke; reconnecting";
        assert_eq!(look(1_000, false, 1), gone);
        assert_eq!(look(2_000, false, 1), "");
        let resumed = look(4_100, true, 1);
        assert_eq!(resumed, "back after 3.1 s: nothing reliable is missing (resumed: true)");
        assert_eq!(look(5_000, true, 1), "");
        assert_eq!(look(6_000, false, 1), gone);
        let missing = "in a new session: what was sent meanwhile may be missing (resumed: false)";
        assert_eq!(look(6_500, true, 2), format!("back after 0.5 s, {missing}"));
        assert_eq!(look(7_000, true, 2), "");
        // The break happened between two checks.
        assert_eq!(look(8_000, true, 3), format!("back, {missing}"));
    }
}
