//! `rts chat`

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use rts_transport_tokio::{Engine, Event, JoinError, MessageConfig, Payload, Room, RoomEvent};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::dev::{Account, LOGGED_OUT, LoggedIn};
use crate::out::say;
use crate::signals::interrupted;

const HELP: &str = "\
/to USER          lines go to this user      /msg USER TEXT   one message to a user
/join ROOM        lines go to this room      /leave           leave the room
/who USER         is the user online?        /token TOKEN     a fresh token for the next login
/help             this                       /quit            end";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    account: Account,
    /// A user to talk to
    #[arg(long, conflicts_with = "room")]
    to: Option<String>,
    /// A room to talk in
    #[arg(long)]
    room: Option<String>,
}

struct Chat {
    engine: Engine,
    /// Where lines go when they do not go to the room.
    to: Option<String>,
    room: Option<Room>,
    /// Whether the last of `/to` and `/join` was the latter.
    speaks_in_room: bool,
    /// Questions that are not answered yet.
    open: usize,
    /// Messages to the room without a result: when it is left, none comes any more.
    open_in_room: usize,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let LoggedIn { engine, mut events, uid } = args.account.log_in().await?;
    // Whoever is stopped by hand has left, rather than vanished.
    let stopped = interrupted()?;
    tokio::pin!(stopped);
    say(format_args!("logged in as {uid}; /help shows what can be typed"))?;
    let mut chat =
        Chat { engine, to: args.to, room: None, speaks_in_room: false, open: 0, open_in_room: 0 };
    if let Some(room) = &args.room {
        chat.join(room)?;
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut is_over = false;
    // With input from a pipe, the answers to the last lines are still to come when it ends.
    while !is_over || chat.open + chat.open_in_room > 0 {
        tokio::select! {
            _ = &mut stopped => break,
            line = lines.next_line(), if !is_over => match line.context("standard input")? {
                Some(line) if line.trim() != "/quit" => chat.typed(line.trim())?,
                Some(_) | None => is_over = true,
            },
            event = events.next() => match event {
                Some(Event::Logout(_)) => bail!(LOGGED_OUT),
                Some(event) => chat.heard(&event)?,
                None => break,
            },
        }
    }
    chat.engine.destroy();
    chat.engine.closed().await;
    Ok(ExitCode::SUCCESS)
}

impl Chat {
    fn typed(&mut self, line: &str) -> anyhow::Result<()> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "" => {}
            "/help" => say(HELP)?,
            "/to" | "/who" if rest.is_empty() => say(format_args!("write {command} USER"))?,
            "/to" => {
                self.to = Some(rest.to_owned());
                self.speaks_in_room = false;
            }
            "/msg" => match rest.split_once(' ') {
                Some((uid, text)) => self.send(uid, text)?,
                None => say("write /msg USER TEXT")?,
            },
            "/join" => self.join(rest)?,
            "/leave" => match self.room.take() {
                Some(room) => self.leave(&room),
                None => say("you are in no room; /join ROOM enters one")?,
            },
            "/who" => {
                self.open += 1;
                self.engine.get_peer_online_status(rest);
            }
            "/token" => self.engine.update_login_token(rest),
            _ if command.starts_with('/') => say(format_args!("there is no {command}\n{HELP}"))?,
            _ => self.speak(line)?,
        }
        Ok(())
    }

    fn heard(&mut self, event: &Event) -> anyhow::Result<()> {
        match event {
            Event::MessageSendResult { .. } | Event::PeerOnlineStatus { .. } => {
                self.open = self.open.saturating_sub(1);
            }
            Event::Room { event: RoomEvent::MessageSendResult { .. }, .. } => {
                self.open_in_room = self.open_in_room.saturating_sub(1);
            }
            _ => {}
        }
        describe(event).map_or(Ok(()), say)
    }

    fn speak(&mut self, text: &str) -> anyhow::Result<()> {
        match (self.room.as_ref().filter(|_| self.speaks_in_room), self.to.clone()) {
            (Some(room), _) => match room.send_message(text) {
                Ok(sent) => {
                    self.open_in_room += 1;
                    say(format_args!("  #{} to {}", sent.id(), room.id()))
                }
                Err(error) => say(format_args!("not sent: {error}")),
            },
            (None, Some(uid)) => self.send(&uid, text),
            (None, None) => say("to whom? /to USER or /join ROOM"),
        }
    }

    fn send(&mut self, uid: &str, text: &str) -> anyhow::Result<()> {
        match self.engine.send_message(uid, text, MessageConfig::ReliableOrdered) {
            Ok(sent) => {
                self.open += 1;
                say(format_args!("  #{} to {uid}", sent.id()))
            }
            Err(error) => say(format_args!("not sent: {error}")),
        }
    }

    fn join(&mut self, room_id: &str) -> anyhow::Result<()> {
        if let Some(room) = self.room.as_ref().filter(|room| room.id() == room_id) {
            self.speaks_in_room = true;
            // One that was put out comes back; one that is there stays.
            return match room.join() {
                Ok(()) | Err(JoinError::AlreadyJoined) => Ok(()),
                Err(error) => say(format_args!("not joined: {error}")),
            };
        }
        let Ok(room) = self.engine.create_room(room_id) else {
            // Called back too, with the reason.
            return Ok(());
        };
        if let Err(error) = room.join() {
            return say(format_args!("not joined: {error}"));
        }
        if let Some(before) = self.room.replace(room) {
            self.leave(&before);
        }
        self.speaks_in_room = true;
        Ok(())
    }

    fn leave(&mut self, room: &Room) {
        room.destroy();
        self.open_in_room = 0;
    }
}

/// An event in words; nothing for those that need none.
pub(crate) fn describe(event: &Event) -> Option<String> {
    Some(match event {
        Event::MessageReceived { from, payload } => format!("{from}: {}", shown(payload)),
        Event::MessageSendResult { id, code } => {
            format!("  #{id} result {} {code:?}", code.code())
        }
        Event::PeerOnlineStatus { uid, status } => {
            format!("{} is {status:?}", safe(uid))
        }
        Event::ConnectionStateChanged(state) => format!("  connection: {state:?}"),
        Event::LoginResult { code, .. } => format!("  login: {} {code:?}", code.code()),
        Event::Logout(reason) => format!("logged out: {reason:?}"),
        Event::ServerParamsSetResult(code) => {
            format!("  server params: {} {code:?}", code.code())
        }
        Event::ServerMessageSendResult { id, code, reply } => {
            let reply = safe(&String::from_utf8_lossy(reply));
            format!("  #{id} result {} {code:?}; the app's server says: {reply}", code.code())
        }
        Event::CreateRoomFailed { error, .. } => format!("no room: {error}"),
        Event::Warning { message, .. } => format!("  warning: {}", safe(message)),
        Event::Room { room, event, .. } => match event {
            RoomEvent::Joined { .. } => format!("[{room}] joined"),
            RoomEvent::StateChanged { state, .. } => format!("[{room}] {} {state:?}", state.code()),
            RoomEvent::Left => format!("[{room}] left"),
            RoomEvent::MessageReceived { from, payload } => {
                format!("[{room}] {from}: {}", shown(payload))
            }
            RoomEvent::UserMessageReceived { from, payload } => {
                format!("[{room}] {from}, to you alone: {}", shown(payload))
            }
            RoomEvent::MessageSendResult { id, code } => {
                format!("  [{room}] #{id} result {} {code:?}", code.code())
            }
            RoomEvent::UserJoined(uid) => format!("[{room}] {uid} is here"),
            RoomEvent::UserLeft { uid, reason } => format!("[{room}] {uid} is gone: {reason:?}"),
        },
    })
}

pub(crate) fn shown(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => safe(text),
        Payload::Binary(bytes) => format!("({} bytes)", bytes.len()),
    }
}

/// Others' text must not steer this terminal.
fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
