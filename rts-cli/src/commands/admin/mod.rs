//! `rts admin`: calls of the OpenAPI, by hand.

mod client;
mod tables;

use std::process::ExitCode;

use anyhow::bail;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::builder::NonEmptyStringValueParser;
use rts_openapi::{
    Action, Ended, Failure, OnlineUsers, Removed, Revoked, RoomList, Sent, Stats, Unbanned,
    UserList, UserStatuses,
};
use rts_server::{DEV_APP_ID, DEV_BEARER_KEY};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::token::moment;
use crate::dev_token::unix_now;
use crate::out::say;
use client::{Client, Credentials};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The URL of the server's OpenAPI
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:7601",
        env = "RTS_ADMIN_URL"
    )]
    url: String,
    /// The app id
    #[arg(long, global = true, default_value = DEV_APP_ID, env = "RTS_ADMIN_APP_ID")]
    app_id: String,
    /// A bearer key of the server's configuration; the default is the key of `rts serve --dev`
    #[arg(
        long,
        global = true,
        default_value = DEV_BEARER_KEY,
        env = "RTS_ADMIN_KEY",
        hide_env_values = true,
        conflicts_with = "access_key"
    )]
    key: String,
    /// An access key for signed requests, instead of --key
    #[arg(long, global = true, value_name = "ID", env = "RTS_ADMIN_ACCESS_KEY")]
    access_key: Option<String>,
    /// The secret of the access key
    #[arg(long, global = true, env = "RTS_ADMIN_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Print the server's whole answer as one line of JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Send a message to a user, or to a member of a room
    Send {
        /// The receiver's user id
        uid: String,
        /// The message
        message: String,
        /// Send it as a message of this room, if the receiver is a member
        #[arg(long)]
        room: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Send a message to all members of a room
    Broadcast {
        /// The room id
        room: String,
        /// The message
        message: String,
        #[command(flatten)]
        how: How,
    },
    /// Remove a user from a room; it may join again at once
    Kick {
        /// The user id
        uid: String,
        /// The room id
        room: String,
    },
    /// Remove all members from a room; they may join again at once
    Dismiss {
        /// The room id
        room: String,
    },
    /// End a user's session; the user may log in again at once, but the engine does not do so by
    /// itself
    Disconnect {
        /// The user id
        uid: String,
    },
    /// Ban a user from logging in (--user), from one room (--user --room), or from all rooms and
    /// from sending to users (--user --everywhere); or ban a room for all users (--room). A ban
    /// from logging in ends the session; the others kick the members
    Ban {
        #[command(flatten)]
        whom: Whom,
        /// The length of the ban in seconds; a ban from rooms lasts from 10 seconds to 7 days
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..), default_value_t = 3_600)]
        seconds: u64,
        /// Ban until `unban`, only from logging in
        #[arg(long, conflicts_with_all = ["seconds", "room", "everywhere"])]
        until_lifted: bool,
    },
    /// Lift a ban early, with the same options as `ban`. Nobody is kicked or disconnected
    Unban {
        #[command(flatten)]
        whom: Whom,
    },
    /// Refuse all tokens that were issued before a moment, and end the sessions that began with
    /// them
    Revoke {
        #[command(flatten)]
        whose: Whose,
        /// The moment, as Unix time in seconds; 0 takes the revocation back [default: now]
        #[arg(long, value_name = "SECOND")]
        issued_before: Option<u32>,
    },
    /// List the users with a session
    Users {
        #[command(flatten)]
        page: Page,
    },
    /// List the rooms and their numbers of members
    Rooms {
        #[command(flatten)]
        page: Page,
    },
    /// Print the numbers of users, links, rooms, memberships and bans
    Stats,
    /// Print which of these users are online
    Online {
        /// User ids
        #[arg(required = true)]
        uids: Vec<String>,
    },
    /// List the members of a room
    Room {
        /// The room id
        room: String,
    },
}

#[derive(Debug, clap::Args)]
struct How {
    /// The sender's name, as receivers see it
    #[arg(long, default_value = "system")]
    from: String,
    /// The message is bytes in base64
    #[arg(long)]
    base64: bool,
}

/// Nothing here may be empty, as from a variable of a script that is not set: the server takes that
/// for absent, and a ban of one user would be one of everybody.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Whom {
    /// The user; without --room and --everywhere the ban is from logging in
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    user: Option<String>,
    /// The room; without --user the ban holds for all users
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    room: Option<String>,
    /// All rooms, and sending to users; the user stays logged in
    #[arg(long, requires = "user", conflicts_with = "room")]
    everywhere: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// Revoke the tokens of this user
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    user: Option<String>,
    /// Revoke the tokens of all users of the app
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct Page {
    /// List only ids after this one, in the order of ids
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// The number of entries, from 1 to 1,000
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000), default_value_t = 100)]
    limit: u64,
}

/// The valid lengths of a ban from rooms.
const ROOM_BAN_SECONDS: std::ops::RangeInclusive<u64> = 10..=604_800;

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let credentials = match (args.access_key, args.secret) {
        (Some(id), Some(secret)) => Credentials::Signing { id, secret },
        (None, None) => Credentials::Bearer(args.key),
        // Checked here, because clap checks global options before and after the subcommand
        // separately.
        (Some(_), None) => bail!("--access-key needs --secret"),
        (None, Some(_)) => bail!("--secret needs --access-key"),
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
            Self::Disconnect { uid } => (Action::DisconnectUser, json!({"UserId": uid})),
            Self::Ban { whom, seconds, until_lifted } => match whom.login_ban() {
                Some(user) => {
                    let seconds = if *until_lifted { 0 } else { *seconds };
                    (Action::BanUser, json!({"UserId": user, "Seconds": seconds}))
                }
                None if !ROOM_BAN_SECONDS.contains(seconds) => {
                    bail!("a ban from rooms lasts from 10 seconds to 7 days, not {seconds} s");
                }
                None => {
                    let mut fields = whom.fields();
                    fields["ForbiddenInterval"] = json!(seconds);
                    (Action::BanRoomUser, fields)
                }
            },
            Self::Unban { whom } => match whom.login_ban() {
                Some(user) => (Action::UnbanUser, json!({"UserId": user})),
                None => (Action::UnbanRoomUser, whom.fields()),
            },
            Self::Revoke { whose, issued_before } => {
                let mut fields = json!({});
                if let Some(user) = &whose.user {
                    fields["UserId"] = json!(user);
                }
                if let Some(second) = issued_before {
                    fields["IssuedBefore"] = json!(second);
                }
                (Action::RevokeTokens, fields)
            }
            Self::Users { page } => (Action::ListUsers, page.fields()),
            Self::Rooms { page } => (Action::ListRooms, page.fields()),
            Self::Stats => (Action::GetStats, json!({})),
            Self::Online { uids } => (Action::GetUserOnlineStatus, json!({"UserIds": uids})),
            Self::Room { room } => (Action::GetRoomOnlineUsers, json!({"RoomId": room})),
        })
    }

    /// Describes the result for people.
    fn tell(&self, result: Value) -> anyhow::Result<String> {
        Ok(match self {
            Self::Send { uid, room, .. } => match (read::<Sent>(result)?.receivers, room) {
                (0, None) => format!("accepted, but {uid} is not logged in: nobody gets it"),
                (0, Some(room)) => format!("accepted, but {uid} is not in {room}: nobody gets it"),
                _ => format!("queued for {uid}"),
            },
            Self::Broadcast { room, .. } => match read::<Sent>(result)?.receivers {
                0 => format!("accepted, but nobody is in {room}"),
                count => format!("queued for {count} in {room}"),
            },
            Self::Kick { uid, room } => match read::<Removed>(result)?.members {
                0 => format!("{uid} was not in {room}"),
                _ => format!("{uid} is out of {room}, and may join again"),
            },
            Self::Dismiss { room } => match read::<Removed>(result)?.members {
                0 => format!("nobody was in {room}"),
                count => format!("{count} put out of {room}, who may join again"),
            },
            Self::Disconnect { uid } => match read::<Ended>(result)?.sessions {
                0 => format!("{uid} was not logged in"),
                _ => format!("{uid} is logged out, and may log in again"),
            },
            Self::Ban { whom, seconds, until_lifted } => match whom.login_ban() {
                Some(user) => {
                    let was_there = match read::<Ended>(result)?.sessions {
                        0 => "was not logged in",
                        _ => "is logged out",
                    };
                    let lasting = match until_lifted {
                        true => "until the ban is lifted".to_owned(),
                        false => format!("for {seconds} s"),
                    };
                    format!("{user} {was_there}, and is banned {} {lasting}", whom.scope())
                }
                None => format!("{} is banned {} for {seconds} s", whom.subject(), whom.scope()),
            },
            Self::Unban { whom } => {
                let is = match read::<Unbanned>(result)?.was_banned {
                    true => "is no longer",
                    false => "was not",
                };
                format!("{} {is} banned {}", whom.subject(), whom.scope())
            }
            Self::Revoke { whose, .. } => {
                let Revoked { sessions, issued_before, .. } = read(result)?;
                let whose = whose.user.as_deref().unwrap_or("all users");
                match issued_before {
                    0 => format!("no token of {whose} is revoked"),
                    _ => format!(
                        "tokens of {whose} are valid if they were issued at {} or later; sessions \
                         ended: {sessions}",
                        moment(issued_before, unix_now())
                    ),
                }
            }
            Self::Users { .. } => tables::users(&read::<UserList>(result)?),
            Self::Rooms { .. } => tables::rooms(&read::<RoomList>(result)?),
            Self::Stats => tables::stats(&read::<Stats>(result)?),
            Self::Online { .. } => {
                let statuses = read::<UserStatuses>(result)?.users;
                let lines = statuses
                    .iter()
                    .map(|user| format!("{}: {}", user.user_id, tables::status(user.status)));
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

impl Page {
    fn fields(&self) -> Value {
        json!({"After": self.after.as_deref().unwrap_or_default(), "Limit": self.limit})
    }
}

impl Whom {
    /// The user, if the ban is from logging in.
    fn login_ban(&self) -> Option<&str> {
        self.user.as_deref().filter(|_| self.room.is_none() && !self.everywhere)
    }

    /// The fields of a ban from a room or from all rooms.
    fn fields(&self) -> Value {
        let mut fields = json!({});
        if let Some(user) = &self.user {
            fields["UserId"] = json!(user);
        }
        if let Some(room) = &self.room {
            fields["RoomId"] = json!(room);
        }
        fields
    }

    /// The user or room that is banned.
    fn subject(&self) -> &str {
        self.user.as_deref().unwrap_or("everybody")
    }

    /// What the ban excludes from.
    fn scope(&self) -> String {
        match &self.room {
            Some(room) => format!("from {room}"),
            None if self.everywhere => "from all rooms and from sending to users".to_owned(),
            None => "from logging in".to_owned(),
        }
    }
}

fn read<T: DeserializeOwned>(result: Value) -> anyhow::Result<T> {
    Ok(serde_json::from_value(result)?)
}
