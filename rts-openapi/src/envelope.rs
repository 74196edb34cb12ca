//! The envelope of answers, and results of actions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Error;

/// The name of the service, in signatures and answers.
pub const SERVICE: &str = "rtc";

/// The envelope of every answer, successful or failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Envelope<T> {
    /// The request, and its error if it has failed.
    pub response_metadata: Metadata,
    /// The result of the action. `null` after an error.
    pub result: Option<T>,
}

/// The request, and its error if it has failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Metadata {
    /// An id of this request, which the server's log has too.
    pub request_id: String,
    /// The action of the request.
    pub action: String,
    /// The version of the request.
    pub version: String,
    /// Always `rtc`.
    pub service: String,
    /// The region of the signature. Empty for a bearer key.
    pub region: String,
    /// The error. Absent after a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<Failure>,
}

/// An error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Failure {
    /// The number of the code. 0 for a code without a number.
    #[serde(rename = "CodeN")]
    pub number: u32,
    /// The name of the code, for programs.
    #[serde(rename = "Code")]
    pub code: String,
    /// The description, for people.
    #[serde(rename = "Message")]
    pub message: String,
}

impl Metadata {
    /// The metadata of a request without an error.
    #[must_use]
    pub fn new(request_id: String, action: &str, version: &str) -> Self {
        Self {
            request_id,
            action: action.to_owned(),
            version: version.to_owned(),
            service: SERVICE.to_owned(),
            region: String::new(),
            error: None,
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let (number, code) = (error.code.number(), error.code.name().to_owned());
        Self { number, code, message: error.message.clone() }
    }
}

/// The message is queued.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Sent {
    /// `success`
    pub message: String,
    /// The number of sessions that it is queued for. 0 if no receiver is there, which is no error.
    pub receivers: usize,
}

/// The members are removed from the room.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Removed {
    /// `success`
    pub message: String,
    /// The number of removed members. 0 if there was none, which is no error.
    pub members: usize,
}

/// The ban is in force. The contract spells the field of this answer in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Banned {
    /// `success`
    pub message: String,
}

/// The members of a room. Without `RoomExists` the other fields are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct OnlineUsers {
    /// Whether the room has members.
    pub room_exists: bool,
    /// The number of members.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total_user: Option<usize>,
    /// The user ids of the members, sorted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub visible_user_list: Option<Vec<String>>,
    /// Always 0: every member of an RTS room is visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total_invisible_user: Option<usize>,
    /// Always empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub invisible_user_list: Option<Vec<String>>,
}

/// The online status of users.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserStatuses {
    /// In the order of the request.
    pub users: Vec<UserStatus>,
}

/// The online status of a user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserStatus {
    /// The user id.
    pub user_id: String,
    /// 0 offline; 1 online; 2 silent for 15 s or more.
    #[schema(maximum = 2)]
    pub status: u32,
}
