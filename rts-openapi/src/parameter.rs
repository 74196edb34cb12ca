//! The parameters of actions. Each is described once for the document.

use rts_proto::limits::{
    APP_ID_BYTES, BAN_MAX, BAN_MIN, ID_BYTES_MAX, PAYLOAD_BYTES_MAX,
    ROOM_UNICAST_PAYLOAD_BYTES_MAX, ROOM_UNICAST_RECEIVERS_MAX,
};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Schema, Type};

use crate::{CLOCK_SKEW_SECONDS_MAX, LIST_ITEMS, LIST_ITEMS_MAX, STATUS_USERS_MAX};

const ROOM_PATTERN: &str = "^[A-Za-z0-9_@-]+$";
const USER_PATTERN: &str = "^[A-Za-z0-9_@.-]+$";

/// A parameter. Two parameters of one name belong to different actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    AppId,
    From,
    To,
    /// `To` with several receivers.
    Receivers,
    RoomId,
    UserId,
    UserIds,
    Binary,
    Message,
    /// `Message` to members of a room.
    RoomMessage,
    ForbiddenInterval,
    Seconds,
    IssuedBefore,
    /// `After`, a user id.
    AfterUser,
    /// `After`, a room id.
    AfterRoom,
    Limit,
}

impl Parameter {
    /// The name in a query, in a body, or in the template of a path.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AppId => "AppId",
            Self::From => "From",
            Self::To | Self::Receivers => "To",
            Self::RoomId => "RoomId",
            Self::UserId => "UserId",
            Self::UserIds => "UserIds",
            Self::Binary => "Binary",
            Self::Message | Self::RoomMessage => "Message",
            Self::ForbiddenInterval => "ForbiddenInterval",
            Self::Seconds => "Seconds",
            Self::IssuedBefore => "IssuedBefore",
            Self::AfterUser | Self::AfterRoom => "After",
            Self::Limit => "Limit",
        }
    }

    pub(crate) fn description(self) -> String {
        let message = |bytes: usize| {
            format!(
                "Text of at most {bytes} bytes of UTF-8; with `Binary`, base64 (standard, padded) of at most {bytes} bytes."
            )
        };
        let what = match self {
            Self::AppId => "The app.",
            Self::From => {
                "The sender's name, in the form of a user id. Choose a name that no user has, and list it in \
                 `reserved_uids`."
            }
            Self::To => "The receiver.",
            Self::Receivers => "The receivers. A user who is not in the room gets nothing.",
            Self::RoomId => "The room.",
            Self::UserId => "The user.",
            Self::UserIds => "The users.",
            Self::Binary => "Whether `Message` is bytes in base64. Default: false.",
            Self::Message => return message(PAYLOAD_BYTES_MAX),
            Self::RoomMessage => return message(ROOM_UNICAST_PAYLOAD_BYTES_MAX),
            Self::ForbiddenInterval => {
                let (min, max) = (BAN_MIN.as_secs(), BAN_MAX.as_secs());
                return format!(
                    "The length of the ban, from {min} to {max} seconds. A number outside counts as the nearer bound. \
                     0 or absent: no ban."
                );
            }
            Self::Seconds => "The length of the ban in seconds. 0 or absent: until `UnbanUser`.",
            Self::IssuedBefore => {
                let minutes = CLOCK_SKEW_SECONDS_MAX / 60;
                return format!(
                    "Tokens issued before this Unix time in seconds are revoked. At most {minutes} minutes ahead of the \
                     server's clock. Absent: all tokens until now, including those of this second. An earlier time \
                     than in an earlier call has no effect. 0 takes the revocation back."
                );
            }
            Self::AfterUser | Self::AfterRoom => {
                "The page begins after this id, in the order of ids. Absent: from the first."
            }
            Self::Limit => return format!("Entries of the page. Default: {LIST_ITEMS}."),
        };
        what.to_owned()
    }

    /// The schema of the values. Values outside of its bounds are refused. Numbers whose schema has
    /// no bounds are bounded elsewhere.
    pub(crate) fn schema(self) -> Schema {
        match self {
            Self::AppId => {
                let app = text(APP_ID_BYTES, "123456781234567812345678");
                app.min_length(Some(APP_ID_BYTES)).pattern(Some("^[A-Za-z0-9]+$")).into()
            }
            Self::From => user("system").into(),
            Self::To | Self::UserId => user("bob").into(),
            Self::AfterUser => user("alice").into(),
            Self::RoomId | Self::AfterRoom => {
                let room = text(ID_BYTES_MAX, "lobby").min_length(Some(1));
                room.pattern(Some(ROOM_PATTERN)).into()
            }
            Self::Receivers => users(ROOM_UNICAST_RECEIVERS_MAX).into(),
            Self::UserIds => users(STATUS_USERS_MAX).into(),
            Self::Binary => {
                // No `default`: the generator for TypeScript makes a field with a default a
                // required one.
                ObjectBuilder::new().schema_type(Type::Boolean).into()
            }
            Self::Message => message(PAYLOAD_BYTES_MAX, "hi bob").into(),
            Self::RoomMessage => message(ROOM_UNICAST_PAYLOAD_BYTES_MAX, "psst").into(),
            Self::ForbiddenInterval | Self::Seconds => number(0, 3_600).into(),
            Self::IssuedBefore => number(0, 1_700_000_000).maximum(Some(u32::MAX)).into(),
            Self::Limit => number(1, LIST_ITEMS).maximum(Some(LIST_ITEMS_MAX)).into(),
        }
    }

    /// The schema with its description.
    pub(crate) fn described(self) -> Schema {
        let description = Some(self.description());
        match self.schema() {
            Schema::Object(mut object) => {
                object.description = description;
                Schema::Object(object)
            }
            Schema::Array(mut array) => {
                array.description = description;
                Schema::Array(array)
            }
            other => other,
        }
    }
}

fn text(max: usize, example: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).max_length(Some(max)).examples([example])
}

fn user(example: &str) -> ObjectBuilder {
    text(ID_BYTES_MAX, example).min_length(Some(1)).pattern(Some(USER_PATTERN))
}

fn users(max: usize) -> ArrayBuilder {
    let list = ArrayBuilder::new().items(user("bob")).min_items(Some(1)).max_items(Some(max));
    list.examples([vec!["bob"]])
}

/// A message. Its longest encoding is base64.
fn message(bytes_max: usize, example: &str) -> ObjectBuilder {
    text(bytes_max.div_ceil(3) * 4, example)
}

fn number(min: u64, example: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min)).examples([example])
}
