//! `rts token`

use std::env::VarError;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_client::contract::RoomId;
use rts_server::{DEV_APP_ID, DEV_APP_KEY};
use rts_token::{AppKey, Expiry, Token};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::credentials::token_from;
use crate::dev_token::{issued_now, unix_now};
use crate::out::{eprint_line, say};

/// The exit code for a token that is invalid, or whose validity is unknown.
const NOT_VALID: u8 = 2;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a token, and print it
    New(New),
    /// Print the content of a token; exit with 0 only if it is valid
    Inspect(Inspect),
}

#[derive(Debug, clap::Args)]
pub(crate) struct New {
    /// A user id: makes a token for a server on this machine that runs `rts serve --dev`
    #[arg(long, value_name = "UID", conflicts_with_all = ["app_id", "app_key", "uid"])]
    dev: Option<String>,
    /// The app id
    #[arg(long, required_unless_present = "dev")]
    app_id: Option<String>,
    /// The app key; the default is the variable RTS_APP_KEY, which other users of the machine
    /// cannot read
    #[arg(long, allow_hyphen_values = true)]
    app_key: Option<String>,
    /// The user id
    #[arg(long, required_unless_present = "dev")]
    uid: Option<String>,
    /// A room id, as any bytes; a login ignores it
    #[arg(long)]
    room: Option<OsString>,
    /// Seconds from now until the token expires
    #[arg(
        long, default_value_t = 86_400, value_parser = seconds,
        conflicts_with_all = ["expire_at", "never_expires"]
    )]
    ttl: u32,
    /// The last second in which the token is valid, as Unix time
    #[arg(long, conflicts_with = "never_expires", value_parser = clap::value_parser!(u32).range(1..))]
    expire_at: Option<u32>,
    /// Make a token that never expires: its holder can log in as long as the app keeps its key
    #[arg(long)]
    never_expires: bool,
    /// The nonce [default: a random number]
    #[arg(long)]
    nonce: Option<u32>,
    /// The time of issue, as Unix time [default: now]
    #[arg(long)]
    issued_at: Option<u32>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// The token; the default is the variable RTS_TOKEN
    token: Option<String>,
    /// A file that contains only the token
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// The app key; without it the signature is not checked
    #[arg(long, env = "RTS_APP_KEY", hide_env_values = true, allow_hyphen_values = true)]
    app_key: Option<String>,
    /// Check the expiry at this Unix time [default: now]
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

fn seconds(text: &str) -> Result<u32, String> {
    let why = "it must be a whole number of seconds, such as 3600";
    text.parse().map_err(|error| format!("{error}; {why}"))
}

fn make(new: New) -> anyhow::Result<ExitCode> {
    let issued_at = match new.issued_at {
        Some(at) => at,
        None => issued_now()?,
    };
    let nonce = match new.nonce {
        Some(nonce) => nonce,
        None => getrandom::u32().map_err(|error| anyhow!("no random number: {error}"))?,
    };
    let expiry = match new.never_expires {
        true => Expiry::Never,
        false => Expiry::At(new.expire_at.unwrap_or(issued_at.saturating_add(new.ttl))),
    };
    let (app_id, app_key, uid) = match (&new.dev, &new.app_id, &new.uid) {
        (Some(uid), ..) => (DEV_APP_ID, DEV_APP_KEY.to_owned(), uid),
        (None, Some(app_id), Some(uid)) => (&**app_id, app_key(new.app_key)?, uid),
        (None, ..) => bail!("--app-id and --uid are needed, or --dev UID"),
    };
    let mut token = Token::new(app_id, uid, expiry)?.with_nonce(nonce).with_issued_at(issued_at);
    if let Some(room) = &new.room {
        token = token.with_room_id(room.as_encoded_bytes())?;
        if !room.to_str().is_some_and(|room| room == "*" || RoomId::new(room).is_ok()) {
            eprint_line("warning: no room can have this id; a login does not look at it");
        }
    }
    say(token.sign(&AppKey::new(&app_key)?))?;
    Ok(ExitCode::SUCCESS)
}

/// Not by clap: `--dev` excludes the option, but not the environment variable.
fn app_key(given: Option<String>) -> anyhow::Result<String> {
    match given.map_or_else(|| std::env::var("RTS_APP_KEY"), Ok) {
        Ok(key) => Ok(key),
        Err(VarError::NotPresent) => {
            bail!("there is no key: put the app's key into RTS_APP_KEY in the environment")
        }
        Err(VarError::NotUnicode(_)) => bail!("RTS_APP_KEY is no text"),
    }
}

fn show(inspect: Inspect) -> anyhow::Result<ExitCode> {
    let token = token_from(inspect.token.as_deref(), inspect.token_file.as_deref())?.context(
        "there is no token: write it behind the command, or give --token-file FILE, or RTS_TOKEN \
             in the environment",
    )?;
    let parsed = match rts_token::inspect(&token) {
        Ok(parsed) => parsed,
        Err(error) => {
            say(format_args!("not a token: {error}"))?;
            return Ok(NOT_VALID.into());
        }
    };
    let claims = parsed.claims();
    let now = inspect.now.unwrap_or_else(unix_now);
    let verdict = match &inspect.app_key {
        None => {
            "not verified: that takes the app's key, in RTS_APP_KEY or with --app-key".to_owned()
        }
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
        say(format_args!("issued at   {}", moment(claims.issued_at(), now)))?;
        say(format_args!("expires at  {}", expiry(claims.expire_at(), now)))?;
        for (id, at) in claims.privileges() {
            say(format_args!("privilege   {id} until {}", expiry(*at, now)))?;
        }
        say(format_args!("verdict     {verdict}"))?;
    }
    Ok(if verdict == "valid" { ExitCode::SUCCESS } else { NOT_VALID.into() })
}

/// A room id on one line, safe for a terminal.
fn room_text(room: &[u8]) -> String {
    match std::str::from_utf8(room) {
        Ok(text) => text.escape_debug().to_string(),
        Err(_) => room.escape_ascii().to_string(),
    }
}

/// A string, or an object with base64 if it is not UTF-8.
fn room_json(room: &[u8]) -> Value {
    match std::str::from_utf8(room) {
        Ok(text) => json!(text),
        Err(_) => json!({"base64": BASE64_STANDARD.encode(room)}),
    }
}

/// Describes an expiry. 0 means never.
fn expiry(at: u32, now: u64) -> String {
    if at == 0 { "0 (never)".to_owned() } else { moment(at, now) }
}

/// Unix seconds, the date, and the distance from now.
pub(super) fn moment(at: u32, now: u64) -> String {
    match OffsetDateTime::from_unix_timestamp(at.into()).map(|date| date.format(&Rfc3339)) {
        Ok(Ok(date)) => format!("{at} ({date}, {})", distance(at, now)),
        Ok(Err(_)) | Err(_) => at.to_string(),
    }
}

fn distance(at: u32, now: u64) -> String {
    let at = u64::from(at);
    let (count, unit) = match at.abs_diff(now) {
        0 => return "now".to_owned(),
        seconds @ ..120 => (seconds, "s"),
        seconds @ ..7_200 => (seconds / 60, "min"),
        seconds @ ..172_800 => (seconds / 3_600, "h"),
        seconds => (seconds / 86_400, "days"),
    };
    if at > now { format!("in {count} {unit}") } else { format!("{count} {unit} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moment_has_seconds_date_and_distance() {
        let now = 1_700_000_000;
        assert_eq!(moment(1_700_000_000, now), "1700000000 (2023-11-14T22:13:20Z, now)");
        assert_eq!(moment(u32::MAX, 0), "4294967295 (2106-02-07T06:28:15Z, in 49710 days)");
        assert_eq!(moment(0, 60), "0 (1970-01-01T00:00:00Z, 60 s ago)");
        assert_eq!(expiry(0, now), "0 (never)");
        assert_eq!(expiry(1_700_000_001, now), "1700000001 (2023-11-14T22:13:21Z, in 1 s)");
    }

    #[test]
    fn distance_has_a_fitting_unit() {
        for (seconds, words) in [
            (1, "1 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            let now = 1_700_000_000;
            assert_eq!(distance(now + seconds, now.into()), format!("in {words}"));
            assert_eq!(distance(now - seconds, now.into()), format!("{words} ago"));
        }
    }
}
