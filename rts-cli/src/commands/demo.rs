//! `rts demo`: a server and three engines in one process, on loopback. The demo checks what it
//! shows.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rts_client::contract::{
    BroadcastCode, Engine, Event, Events, LoginCode, LogoutReason, MessageConfig, OnlineStatus,
    Payload, Room, RoomEvent, SendCode,
};
use rts_server::{Config, DEV_APP_ID, DEV_APP_KEY, Server};

use super::chat::{describe, shown};
use crate::dev_token::{dev_token, unix_now};
use crate::out::say;

/// Only a fault makes a step take longer.
const PATIENCE: Duration = Duration::from_secs(10);

struct User {
    name: &'static str,
    engine: Engine,
    events: Events,
}

pub(crate) async fn run() -> anyhow::Result<ExitCode> {
    let server = Server::bind(&Config::development("127.0.0.1:0".parse()?)).await?;
    let url = format!("rts://{}", server.local_addr());
    tokio::spawn(server.run(std::future::pending()));
    say(format_args!("a server listens on {url}"))?;

    let mut alice = User::new("alice", &url)?;
    let mut bob = User::new("bob", &url)?;
    let mut carol = User::new("carol", &url)?;

    title("Login; carol's token has expired, and she gets a fresh one")?;
    alice.log_in().await?;
    bob.log_in().await?;
    carol.engine.login(&dev_token(DEV_APP_KEY, "carol", seconds_from_now(-60)?)?, "carol")?;
    carol.login_result(LoginCode::InvalidToken).await?;
    carol.engine.update_login_token(&dev_token(DEV_APP_KEY, "carol", seconds_from_now(3_600)?)?);
    carol.login_result(LoginCode::Ok).await?;

    title("Who is online?")?;
    for (uid, status) in [("bob", OnlineStatus::Online), ("dave", OnlineStatus::Offline)] {
        alice.engine.get_peer_online_status(uid);
        let wanted = Event::PeerOnlineStatus { uid: uid.to_owned(), status };
        alice.expect("the status", |event| *event == wanted).await?;
    }

    title("Text and bytes to bob; to dave, who is not there")?;
    alice.sends("bob", Payload::text("hello bob"))?;
    bob.receives(&Payload::text("hello bob")).await?;
    alice.result(SendCode::Ok).await?;
    let bytes = Payload::binary(vec![0, 1, 2, 255]);
    alice.sends("bob", bytes.clone())?;
    bob.receives(&bytes).await?;
    alice.result(SendCode::Ok).await?;
    alice.sends("dave", Payload::text("dave?"))?;
    alice.result(SendCode::ReceiverNotLoggedIn).await?;

    title("A room with three members")?;
    let room = alice.join("lounge").await?;
    let _bobs = bob.join("lounge").await?;
    let _carols = carol.join("lounge").await?;
    alice.says("to all in the lounge: hello all")?;
    room.send_message("hello all")?;
    bob.hears("hello all").await?;
    carol.hears("hello all").await?;
    alice.broadcast_result(BroadcastCode::Ok).await?;

    title("Bob logs in on a second device; the first is notified, and stays out")?;
    let mut second = User::new("bob", &url)?;
    second.log_in().await?;
    bob.expect("the logout", |e| *e == Event::Logout(LogoutReason::Displaced)).await?;
    alice.sends("bob", Payload::text("which bob?"))?;
    second.receives(&Payload::text("which bob?")).await?;
    alice.result(SendCode::Ok).await?;

    title("Logout")?;
    for user in [&mut alice, &mut second, &mut carol] {
        user.engine.logout();
        user.expect("the logout", |e| *e == Event::Logout(LogoutReason::Own)).await?;
    }
    say("\nall as it should be")?;
    Ok(ExitCode::SUCCESS)
}

/// The expiry of a token, this many seconds from now. A negative number gives an expired token.
fn seconds_from_now(seconds: i64) -> anyhow::Result<u32> {
    let at = unix_now().checked_add_signed(seconds).context("the clock is before 1970")?;
    u32::try_from(at).context("the clock is after the year 2106")
}

fn title(text: &str) -> anyhow::Result<()> {
    say(format_args!("\n== {text}"))
}

impl User {
    fn new(name: &'static str, url: &str) -> anyhow::Result<Self> {
        let engine = rts_client::Engine::builder(url, DEV_APP_ID).build()?.contract().clone();
        let events = engine.events();
        Ok(Self { name, engine, events })
    }

    async fn log_in(&mut self) -> anyhow::Result<()> {
        self.engine
            .login(&dev_token(DEV_APP_KEY, self.name, seconds_from_now(3_600)?)?, self.name)?;
        self.login_result(LoginCode::Ok).await
    }

    async fn login_result(&mut self, wanted: LoginCode) -> anyhow::Result<()> {
        let is_wanted =
            |event: &Event| matches!(event, Event::LoginResult { code, .. } if *code == wanted);
        self.expect("the login's result", is_wanted).await
    }

    fn says(&self, line: &str) -> anyhow::Result<()> {
        say(format_args!("{:>6} > {line}", self.name))
    }

    fn sends(&self, to: &str, payload: Payload) -> anyhow::Result<()> {
        self.says(&format!("to {to}: {}", shown(&payload)))?;
        let reliable = MessageConfig::ReliableOrdered;
        match payload {
            Payload::Text(text) => self.engine.send_message(to, text, reliable)?,
            Payload::Binary(bytes) => self.engine.send_binary_message(to, bytes, reliable)?,
        };
        Ok(())
    }

    async fn result(&mut self, wanted: SendCode) -> anyhow::Result<()> {
        let is_result = |event: &Event| matches!(event, Event::MessageSendResult { code, .. } if *code == wanted);
        self.expect("the result", is_result).await
    }

    async fn broadcast_result(&mut self, wanted: BroadcastCode) -> anyhow::Result<()> {
        let is_result = |event: &Event| {
            matches!(event, Event::Room { event: RoomEvent::MessageSendResult { code, .. }, .. }
                if *code == wanted)
        };
        self.expect("the result", is_result).await
    }

    async fn receives(&mut self, wanted: &Payload) -> anyhow::Result<()> {
        let is_wanted = |event: &Event| matches!(event, Event::MessageReceived { payload, .. } if payload == wanted);
        self.expect("the message", is_wanted).await
    }

    async fn hears(&mut self, wanted: &str) -> anyhow::Result<()> {
        let wanted = Payload::text(wanted);
        let is_wanted = |event: &Event| {
            matches!(event, Event::Room { event: RoomEvent::MessageReceived { payload, .. }, .. }
                if *payload == wanted)
        };
        self.expect("the broadcast", is_wanted).await
    }

    async fn join(&mut self, id: &str) -> anyhow::Result<Room> {
        let room = self.engine.create_room(id)?;
        room.join()?;
        let is_wanted =
            |event: &Event| matches!(event, Event::Room { event: RoomEvent::Joined { .. }, .. });
        self.expect("the join", is_wanted).await?;
        Ok(room)
    }

    /// Prints events until the wanted one has come.
    async fn expect(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> anyhow::Result<()> {
        loop {
            let Ok(Some(event)) = tokio::time::timeout(PATIENCE, self.events.next()).await else {
                bail!("{} did not receive {what} within {PATIENCE:?}", self.name);
            };
            if let Some(line) = describe(&event) {
                say(format_args!("{:>6} | {}", self.name, line.trim()))?;
            }
            if wanted(&event) {
                return Ok(());
            }
        }
    }
}
