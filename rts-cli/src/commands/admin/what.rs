//! The subcommands of `rts admin`, and their options.

use anyhow::bail;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub(super) enum What {
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
pub(super) struct How {
    /// The sender's name, as receivers see it
    #[arg(long, default_value = "system")]
    pub(super) from: String,
    /// The message is bytes in base64
    #[arg(long)]
    base64: bool,
}

/// Nothing here may be empty, as from a variable of a script that is not set: the server takes that
/// for absent, and a ban of one user would be one of everybody.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct Whom {
    /// The user; without --room and --everywhere the ban is from logging in
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(super) user: Option<String>,
    /// The room; without --user the ban holds for all users
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(super) room: Option<String>,
    /// All rooms, and sending to users; the user stays logged in
    #[arg(long, requires = "user", conflicts_with = "room")]
    pub(super) everywhere: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Whose {
    /// Revoke the tokens of this user
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(super) user: Option<String>,
    /// Revoke the tokens of all users of the app
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Page {
    /// List only ids after this one, in the order of ids
    #[arg(long, value_name = "ID")]
    pub(super) after: Option<String>,
    /// The number of entries, from 1 to 1,000
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000), default_value_t = 100)]
    pub(super) limit: u64,
}

impl How {
    pub(super) fn message(&self, message: &str, mut fields: Value) -> anyhow::Result<Value> {
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
    pub(super) fn fields(&self) -> Value {
        json!({"After": self.after.as_deref().unwrap_or_default(), "Limit": self.limit})
    }
}

impl Whom {
    /// The user, if the ban is from logging in.
    pub(super) fn login_ban(&self) -> Option<&str> {
        self.user.as_deref().filter(|_| self.room.is_none() && !self.everywhere)
    }

    /// The fields of a ban from a room or from all rooms.
    pub(super) fn fields(&self) -> Value {
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
    pub(super) fn subject(&self) -> &str {
        self.user.as_deref().unwrap_or("everybody")
    }

    /// What the ban excludes from.
    pub(super) fn scope(&self) -> String {
        match &self.room {
            Some(room) => format!("from {room}"),
            None if self.everywhere => "from all rooms and from sending to users".to_owned(),
            None => "from logging in".to_owned(),
        }
    }
}
