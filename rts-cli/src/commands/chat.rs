//! `rts chat`

use std::process::ExitCode;

use rts_transport_tokio::{Engine, Event, MessageConfig, Payload, Room, RoomEvent};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::dev::Account;

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

/// Where lines go.
struct Chat {
    engine: Engine,
    to: Option<String>,
    room: Option<Room>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (engine, mut events) = args.account.log_in().await?;
    println!("logged in as {}; /help shows what can be typed", args.account.uid);
    let mut chat = Chat { engine, to: args.to, room: None };
    if let Some(room) = &args.room {
        chat.join(room);
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) if line.trim() == "/quit" => break,
                Some(line) => chat.typed(line.trim()),
                None => break,
            },
            event = events.next() => match event {
                Some(event) => {
                    if let Some(line) = describe(&event) {
                        println!("{line}");
                    }
                    if matches!(event, Event::Logout(_)) {
                        return Ok(ExitCode::FAILURE);
                    }
                }
                None => break,
            },
        }
    }
    chat.finish(&mut events).await;
    Ok(ExitCode::SUCCESS)
}

impl Chat {
    fn typed(&mut self, line: &str) {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "" => {}
            "/help" => println!("{HELP}"),
            "/to" => self.to = Some(rest.to_owned()),
            "/msg" => match rest.split_once(' ') {
                Some((uid, text)) => self.send(uid, text),
                None => println!("write /msg USER TEXT"),
            },
            "/join" => self.join(rest),
            "/leave" => match self.room.take() {
                Some(room) => room.destroy(),
                None => println!("you are in no room; /join ROOM enters one"),
            },
            "/who" => self.engine.get_peer_online_status(rest),
            "/token" => self.engine.update_login_token(rest),
            _ if command.starts_with('/') => println!("there is no {command}\n{HELP}"),
            _ => self.say(line),
        }
    }

    fn say(&self, text: &str) {
        match (&self.room, &self.to) {
            (Some(room), _) => match room.send_message(text) {
                Ok(sent) => println!("  #{} to {}", sent.id(), room.id()),
                Err(error) => println!("not sent: {error}"),
            },
            (None, Some(uid)) => self.send(uid, text),
            (None, None) => println!("to whom? /to USER or /join ROOM"),
        }
    }

    fn send(&self, uid: &str, text: &str) {
        match self.engine.send_message(uid, text, MessageConfig::ReliableOrdered) {
            Ok(sent) => println!("  #{} to {uid}", sent.id()),
            Err(error) => println!("not sent: {error}"),
        }
    }

    fn join(&mut self, room_id: &str) {
        if let Some(room) = self.room.take() {
            room.destroy();
        }
        match self.engine.create_room(room_id) {
            Ok(room) => match room.join() {
                Ok(()) => self.room = Some(room),
                Err(error) => println!("not joined: {error}"),
            },
            Err(error) => println!("not joined: {error}"),
        }
    }

    /// With input from a pipe, the results of the last lines are still to come.
    async fn finish(self, events: &mut rts_transport_tokio::Events) {
        let quiet = std::time::Duration::from_millis(300);
        while let Ok(Some(event)) = tokio::time::timeout(quiet, events.next()).await {
            if let Some(line) = describe(&event) {
                println!("{line}");
            }
        }
        self.engine.logout();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
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
        Event::CreateRoomFailed { error, .. } => format!("no room: {error}"),
        Event::Warning { message, .. } => format!("  warning: {}", safe(message)),
        Event::Room { room, event, .. } => match event {
            RoomEvent::Joined { .. } => format!("[{room}] joined"),
            RoomEvent::StateChanged { state, .. } => format!("[{room}] {} {state:?}", state.code()),
            RoomEvent::Left => format!("[{room}] left"),
            RoomEvent::MessageReceived { from, payload } => {
                format!("[{room}] {from}: {}", shown(payload))
            }
            RoomEvent::MessageSendResult { id, code } => {
                format!("  [{room}] #{id} result {} {code:?}", code.code())
            }
            RoomEvent::UserJoined(uid) => format!("[{room}] {uid} is here"),
            RoomEvent::UserLeft { uid, reason } => format!("[{room}] {uid} is gone: {reason:?}"),
        },
    })
}

fn shown(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => safe(text),
        Payload::Binary(bytes) => format!("({} bytes)", bytes.len()),
    }
}

/// Others' text must not steer this terminal.
fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
