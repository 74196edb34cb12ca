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

/// What was asked, and what went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Metadata {
    /// Names this request in the server's log.
    pub request_id: String,
    /// As it was asked.
    pub action: String,
    /// As it was asked.
    pub version: String,
    /// Always `rtc`.
    pub service: String,
    /// The region that the request was signed for; empty for a bearer key.
    pub region: String,
    /// Only after an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<Failure>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Failure {
    /// The code's number; 0 for a code that has only a name.
    #[serde(rename = "CodeN")]
    pub number: u32,
    /// The code's name, for programs.
    #[serde(rename = "Code")]
    pub code: String,
    /// For people.
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

/// The server took the message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Sent {
    /// `success`
    pub message: String,
    /// How many sessions it was queued for. 0 when nobody is there, which is no error.
    pub receivers: usize,
}

/// Nobody of those whom it is about is in the room.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Removed {
    /// `success`
    pub message: String,
    /// How many were in the room. 0 when nobody was there, which is no error.
    pub members: usize,
}

/// The ban is in force. The vendor's API spells the field of this answer in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Banned {
    /// `success`
    pub message: String,
}

/// Who is in a room. Without `RoomExists` the rest is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct OnlineUsers {
    /// Whether the room has members.
    pub room_exists: bool,
    /// How many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total_user: Option<usize>,
    /// Their ids, sorted.
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

/// Who is online.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserStatuses {
    /// In the order in which they were asked for.
    pub users: Vec<UserStatus>,
}

/// Whether one user is online.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserStatus {
    /// Who.
    pub user_id: String,
    /// 0 offline; 1 online; 2 silent for 15 s or more.
    #[schema(maximum = 2)]
    pub status: u32,
}
