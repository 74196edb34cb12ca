//! A message for the app's own server, as a driver posts it, and what becomes of it (§11).

use crate::{AppId, MessageId, Payload, Reply, ServerParams, UserId};

/// One message on its way to the app's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The app whose server it is for.
    pub app_id: AppId,
    /// The sender.
    pub uid: UserId,
    /// The sender's number of the message.
    pub id: MessageId,
    /// Where it goes, and what is shown there.
    pub params: ServerParams,
    /// The message.
    pub payload: Payload,
}

/// What a driver has to say about a post. All but [`Begun`](Self::Begun) end it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostProgress {
    /// The status line has come, and the rest of the answer has not. From now on the post fails
    /// with result 18 and not 17.
    Begun,
    /// Status 200 and the whole body.
    Answered(Reply),
    /// Another status, or an answer that is malformed, broken off or too large.
    AnsweredBadly,
    /// Nobody could be reached or answered, or the url is no longer allowed.
    NotReached,
}
