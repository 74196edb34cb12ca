//! `rts token`

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_token::{AppKey, Expiry, Token};
use rts_transport_tokio::RoomId;
use serde_json::{Value, json};

use crate::dev::unix_now;
use crate::out::{say, tell};

/// The exit code for a token that is not valid, or not known to be.
const NOT_VALID: u8 = 2;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a token, and print it
    New(New),
    /// Print what a token says; exit 0 only when it is valid
    Inspect(Inspect),
}

#[derive(Debug, clap::Args)]
pub(crate) struct New {
    #[arg(long)]
    app_id: String,
    /// The app's key; in the environment other users of the machine cannot read it
    #[arg(long, env = "RTS_APP_KEY", hide_env_values = true)]
    app_key: String,
    #[arg(long)]
    uid: String,
    /// Login tokens need none; any bytes, since login does not look at it
    #[arg(long)]
    room: Option<OsString>,
    /// Seconds from now until it expires
    #[arg(long, default_value_t = 86_400, conflicts_with_all = ["expire_at", "never_expires"])]
    ttl: u32,
    /// Unix time: the last second in which it is valid
    #[arg(long, conflicts_with = "never_expires", value_parser = clap::value_parser!(u32).range(1..))]
    expire_at: Option<u32>,
    /// Whoever gets hold of it can log in for as long as the app keeps its key
    #[arg(long)]
    never_expires: bool,
    /// A random number unless given
    #[arg(long)]
    nonce: Option<u32>,
    /// Unix time; now unless given
    #[arg(long)]
    issued_at: Option<u32>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    token: String,
    /// Without it, the signature is not checked
    #[arg(long, env = "RTS_APP_KEY", hide_env_values = true)]
    app_key: Option<String>,
    /// Unix time to check the expiry against; now unless given
    #[arg(long)]
    now: Option<u64>,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::New(new) => make(new),
        Command::Inspect(inspect) => show(inspect),
    }
}

fn make(new: New) -> anyhow::Result<ExitCode> {
    let issued_at = match new.issued_at {
        Some(at) => at,
        None => u32::try_from(unix_now()).context("the clock is after the year 2106")?,
    };
    let nonce = match new.nonce {
        Some(nonce) => nonce,
        None => getrandom::u32().map_err(|error| anyhow!("no random number: {error}"))?,
    };
    let expiry = match new.never_expires {
        true => Expiry::Never,
        false => Expiry::At(new.expire_at.unwrap_or(issued_at.saturating_add(new.ttl))),
    };
    let mut token =
        Token::new(&new.app_id, &new.uid, expiry)?.with_nonce(nonce).with_issued_at(issued_at);
    if let Some(room) = &new.room {
        token = token.with_room_id(room.as_encoded_bytes())?;
        if !room.to_str().is_some_and(|room| room == "*" || RoomId::new(room).is_ok()) {
            tell("warning: no room can have this id; a login does not look at it");
        }
    }
    say(token.sign(&AppKey::new(&new.app_key)?))?;
    Ok(ExitCode::SUCCESS)
}

fn show(inspect: Inspect) -> anyhow::Result<ExitCode> {
    let parsed = match rts_token::inspect(&inspect.token) {
        Ok(parsed) => parsed,
        Err(error) => {
            say(format_args!("not a token: {error}"))?;
            return Ok(NOT_VALID.into());
        }
    };
    let claims = parsed.claims();
    let now = inspect.now.unwrap_or_else(unix_now);
    let verdict = match &inspect.app_key {
        None => "not verified".to_owned(),
        Some(key) => match AppKey::new(key).and_then(|key| parsed.verify(&key)) {
            Err(error) => format!("not valid: {error}"),
            Ok(token) if token.is_expired(now) => "not valid: it has expired".to_owned(),
            Ok(_) => "valid".to_owned(),
        },
    };
    if inspect.json {
        let privileges: serde_json::Map<_, _> =
            claims.privileges().iter().map(|(id, at)| (id.to_string(), json!(at))).collect();
        say(json!({"app_id": claims.app_id(), "nonce": claims.nonce(),
            "issued_at": claims.issued_at(), "expire_at": claims.expire_at(),
            "room_id": room_json(claims.room_id()), "user_id": claims.user_id(),
            "privileges": privileges, "verdict": verdict}))?;
    } else {
        say(format_args!("app id      {}", claims.app_id()))?;
        say(format_args!("user id     {}", claims.user_id()))?;
        say(format_args!("room id     {}", room_text(claims.room_id())))?;
        say(format_args!("nonce       {}", claims.nonce()))?;
        say(format_args!("issued at   {}", claims.issued_at()))?;
        say(format_args!("expires at  {}", claims.expire_at()))?;
        for (id, at) in claims.privileges() {
            say(format_args!("privilege   {id} until {at}"))?;
        }
        say(format_args!("verdict     {verdict}"))?;
    }
    Ok(if verdict == "valid" { ExitCode::SUCCESS } else { NOT_VALID.into() })
}

/// For a terminal: on one line, whatever it holds.
fn room_text(room: &[u8]) -> String {
    match std::str::from_utf8(room) {
        Ok(text) => text.escape_debug().to_string(),
        Err(_) => room.escape_ascii().to_string(),
    }
}

/// A string, or an object with base64 when it is no text.
fn room_json(room: &[u8]) -> Value {
    match std::str::from_utf8(room) {
        Ok(text) => json!(text),
        Err(_) => json!({"base64": BASE64_STANDARD.encode(room)}),
    }
}
