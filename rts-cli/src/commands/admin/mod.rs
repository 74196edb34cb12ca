//! `rts admin`: what a back end asks for over the OpenAPI, by hand.

mod client;

use std::process::ExitCode;

use anyhow::bail;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_openapi::{Action, Failure, OnlineUsers, Sent, UserStatuses};
use rts_server::{DEV_APP_ID, DEV_BEARER_KEY};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::out::say;
use client::{Client, Credentials};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server's OpenAPI
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:7601",
        env = "RTS_ADMIN_URL"
    )]
    url: String,
    /// The app
    #[arg(long, default_value = DEV_APP_ID, env = "RTS_ADMIN_APP_ID")]
    app_id: String,
    /// A bearer key of the server's configuration; the default is that of `rts serve --dev`
    #[arg(
        long,
        default_value = DEV_BEARER_KEY,
        env = "RTS_ADMIN_KEY",
        hide_env_values = true,
        conflicts_with = "access_key"
    )]
    key: String,
    /// Instead of --key: an access key, to sign requests with
    #[arg(long, value_name = "ID", env = "RTS_ADMIN_ACCESS_KEY", requires = "secret")]
    access_key: Option<String>,
    /// Its secret
    #[arg(long, env = "RTS_ADMIN_SECRET", hide_env_values = true, requires = "access_key")]
    secret: Option<String>,
    /// Print the server's whole answer, as one line of JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Send a message to a user, or to one in a room
    Send {
        /// The receiver
        uid: String,
        /// What to send
        message: String,
        /// Only if the receiver is in this room, and as a message of the room
        #[arg(long)]
        room: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Send a message to all members of a room
    Broadcast {
        /// The room
        room: String,
        /// What to send
        message: String,
        #[command(flatten)]
        how: How,
    },
    /// Put a user out of a room; it may come back at once
    Kick {
        /// The user
        uid: String,
        /// The room
        room: String,
    },
    /// Put everybody out of a room
    Dismiss {
        /// The room
        room: String,
    },
    /// Put out, and do not let in again for a while
    Ban {
        #[command(flatten)]
        whom: Whom,
        /// From 10 seconds to 7 days
        #[arg(long, value_parser = clap::value_parser!(u64).range(10..=604_800), default_value_t = 3_600)]
        seconds: u64,
    },
    /// Lift a ban; who is in there all the same is put out, as by `kick`
    Unban {
        #[command(flatten)]
        whom: Whom,
    },
    /// Who of these is online?
    Online {
        /// Users
        #[arg(required = true)]
        uids: Vec<String>,
    },
    /// Who is in a room?
    Room {
        /// The room
        room: String,
    },
}

#[derive(Debug, clap::Args)]
struct How {
    /// The sender's name, as receivers see it
    #[arg(long, default_value = "system")]
    from: String,
    /// The message is base64 of bytes
    #[arg(long)]
    base64: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Whom {
    /// A user: in the room, or in all rooms when there is no --room
    #[arg(long)]
    user: Option<String>,
    /// A room: for the user, or for everybody when there is no --user
    #[arg(long)]
    room: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let credentials = match (args.access_key, args.secret) {
        (Some(id), Some(secret)) => Credentials::Signing { id, secret },
        _ => Credentials::Bearer(args.key),
    };
    let client = Client::new(&args.url, credentials)?;
    let (action, mut fields) = args.what.request()?;
    fields["AppId"] = json!(args.app_id);
    let answer = client.ask(action, &fields).await?;
    if args.json {
        say(serde_json::to_string(&answer)?)?;
        let failed = answer.response_metadata.error.is_some();
        return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    if let Some(Failure { code, message, .. }) = answer.response_metadata.error {
        bail!("the server refused: {message} ({code})");
    }
    say(args.what.tell(answer.result.unwrap_or_default())?)?;
    Ok(ExitCode::SUCCESS)
}

impl What {
    fn request(&self) -> anyhow::Result<(Action, Value)> {
        Ok(match self {
            Self::Send { uid, message, room: None, how } => {
                (Action::SendUnicast, how.message(message, json!({"To": uid}))?)
            }
            Self::Send { uid, message, room: Some(room), how } => {
                let fields = json!({"RoomId": room, "To": uid});
                (Action::SendRoomUnicast, how.message(message, fields)?)
            }
            Self::Broadcast { room, message, how } => {
                (Action::SendBroadcast, how.message(message, json!({"RoomId": room}))?)
            }
            Self::Kick { uid, room } => (Action::KickUser, json!({"RoomId": room, "UserId": uid})),
            Self::Dismiss { room } => (Action::DismissRoom, json!({"RoomId": room})),
            Self::Ban { whom, seconds } => (Action::BanRoomUser, whom.fields(*seconds)),
            Self::Unban { whom } => (Action::BanRoomUser, whom.fields(0)),
            Self::Online { uids } => (Action::GetUserOnlineStatus, json!({"UserIds": uids})),
            Self::Room { room } => (Action::GetRoomOnlineUsers, json!({"RoomId": room})),
        })
    }

    /// The result in words.
    fn tell(&self, result: Value) -> anyhow::Result<String> {
        Ok(match self {
            Self::Send { uid, room, .. } => match (read::<Sent>(result)?.receivers, room) {
                (0, None) => format!("taken, but {uid} is not logged in: nobody gets it"),
                (0, Some(room)) => format!("taken, but {uid} is not in {room}: nobody gets it"),
                _ => format!("queued for {uid}"),
            },
            Self::Broadcast { room, .. } => match read::<Sent>(result)?.receivers {
                0 => format!("taken, but nobody is in {room}"),
                count => format!("queued for {count} in {room}"),
            },
            Self::Kick { uid, room } => format!("{uid} is not in {room}"),
            Self::Dismiss { room } => format!("nobody is in {room}"),
            Self::Ban { whom, seconds } => format!("out, and banned for {seconds} s: {whom}"),
            Self::Unban { whom } => format!("out, and no longer banned: {whom}"),
            Self::Online { .. } => {
                let statuses = read::<UserStatuses>(result)?.users;
                let lines = statuses.iter().map(|user| {
                    let status = match user.status {
                        0 => "offline",
                        1 => "online",
                        _ => "unreachable for 15 s or more",
                    };
                    format!("{}: {status}", user.user_id)
                });
                lines.collect::<Vec<_>>().join("\n")
            }
            Self::Room { room } => match read::<OnlineUsers>(result)?.visible_user_list {
                None => format!("nobody is in {room}"),
                Some(users) => users.join("\n"),
            },
        })
    }
}

impl How {
    fn message(&self, message: &str, mut fields: Value) -> anyhow::Result<Value> {
        if self.base64
            && let Err(error) = BASE64_STANDARD.decode(message)
        {
            bail!("the message is not base64 (standard alphabet, padded): {error}");
        }
        fields["From"] = json!(self.from);
        fields["Binary"] = json!(self.base64);
        fields["Message"] = json!(message);
        Ok(fields)
    }
}

impl Whom {
    fn fields(&self, seconds: u64) -> Value {
        let mut fields = json!({"ForbiddenInterval": seconds});
        if let Some(user) = &self.user {
            fields["UserId"] = json!(user);
        }
        if let Some(room) = &self.room {
            fields["RoomId"] = json!(room);
        }
        fields
    }
}

impl std::fmt::Display for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.user, &self.room) {
            (Some(user), Some(room)) => write!(f, "{user} from {room}"),
            (Some(user), None) => write!(f, "{user} from all rooms"),
            (None, Some(room)) => write!(f, "everybody from {room}"),
            (None, None) => write!(f, "nobody"),
        }
    }
}

fn read<T: DeserializeOwned>(result: Value) -> anyhow::Result<T> {
    Ok(serde_json::from_value(result)?)
}
