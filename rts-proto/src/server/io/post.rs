//! Posts of messages to the app server, and their progress (§11).

use crate::{AppId, MessageId, Payload, Reply, ServerParams, UserId};

/// One message that is posted to the app server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The app.
    pub app_id: AppId,
    /// The sender.
    pub uid: UserId,
    /// The sender's id of the message.
    pub id: MessageId,
    /// The URL, and the signature that is sent to it.
    pub params: ServerParams,
    /// The message.
    pub payload: Payload,
}

/// The driver's report about a post. All but [`Begun`](Self::Begun) end the post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostProgress {
    /// The status line has arrived, and the rest of the answer has not. From now on, a failed post
    /// has result 18 instead of 17.
    Begun,
    /// Status 200 and the whole body have arrived.
    Answered(Reply),
    /// Another status arrived, or an answer that is malformed, incomplete or too large.
    AnsweredBadly,
    /// No server was reached or answered, or the URL is no longer allowed.
    NotReached,
}
