//! Questions of an engine, and their answers.

use crate::{BroadcastCode, MessageId, OnlineStatus, Reply, SendCode, ServerParamsCode};

/// A question that is open, by the id that its answer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Question {
    /// A message to a user.
    Send(MessageId),
    /// A broadcast, by its number on the wire. Handles of one room may follow each other, and each
    /// counts its messages from 1.
    Broadcast(u64),
    /// A status query, by its number on the wire.
    Status(u64),
    /// Params for the app server, by their ticket.
    ServerParams(u64),
    /// A message to the app server.
    ServerSend(MessageId),
}

impl Question {
    /// Whether the question counts as an open send (`OPEN_SENDS_MAX`).
    pub(super) fn is_send(self) -> bool {
        match self {
            Self::Send(_) | Self::Broadcast(_) | Self::ServerSend(_) => true,
            Self::Status(_) | Self::ServerParams(_) => false,
        }
    }

    /// The answer when the question may have arrived or not.
    pub(crate) fn unknown(self) -> Answer {
        match self {
            Self::Send(id) => Answer::Send(id, SendCode::Timeout),
            Self::Broadcast(number) => Answer::Broadcast(number, BroadcastCode::Timeout),
            Self::Status(number) => Answer::Status(number, OnlineStatus::Unreachable),
            Self::ServerParams(ticket) => Answer::ServerParams(ticket, ServerParamsCode::Timeout),
            Self::ServerSend(id) => Answer::ServerSend(id, SendCode::Timeout, Reply::default()),
        }
    }

    /// The answer when the question certainly did not leave.
    pub(crate) fn not_sent(self) -> Answer {
        match self {
            Self::Send(id) => Answer::Send(id, SendCode::Broken),
            Self::Broadcast(number) => Answer::Broadcast(number, BroadcastCode::Broken),
            Self::Status(number) => Answer::Status(number, OnlineStatus::Unreachable),
            Self::ServerParams(ticket) => Answer::ServerParams(ticket, ServerParamsCode::Broken),
            Self::ServerSend(id) => Answer::ServerSend(id, SendCode::Broken, Reply::default()),
        }
    }
}

/// The result of a question, from the server, or from the engine if the server cannot answer.
#[derive(Debug)]
pub(crate) enum Answer {
    Send(MessageId, SendCode),
    Broadcast(u64, BroadcastCode),
    Status(u64, OnlineStatus),
    ServerParams(u64, ServerParamsCode),
    ServerSend(MessageId, SendCode, Reply),
}

impl Answer {
    /// The question that this answers.
    pub(super) fn question(&self) -> Question {
        match *self {
            Self::Send(id, _) => Question::Send(id),
            Self::Broadcast(number, _) => Question::Broadcast(number),
            Self::Status(number, _) => Question::Status(number),
            Self::ServerParams(ticket, _) => Question::ServerParams(ticket),
            Self::ServerSend(id, ..) => Question::ServerSend(id),
        }
    }
}
