//! The results of questions, as the application gets them.

use alloc::string::String;

use crate::client::event::{Event, RoomEvent};
use crate::client::rooms::Rooms;
use crate::client::shared::Shared;
use crate::{BroadcastCode, MessageId, OnlineStatus, Reply, RoomKey, SendCode, ServerParamsCode};

/// The one result of a question. Only this calls results back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Send(MessageId, SendCode),
    /// By the room handle and its own number of the broadcast.
    Broadcast(RoomKey, MessageId, BroadcastCode),
    Status(String, OnlineStatus),
    ServerParams(ServerParamsCode),
    ServerSend(MessageId, SendCode, Reply),
}

impl Outcome {
    /// Calls back the result. A destroyed room gets none.
    pub(crate) fn call_back(self, rooms: &Rooms, shared: &mut Shared) {
        match self {
            Self::Send(id, code) => shared.emit(Event::MessageSendResult { id, code }),
            Self::Broadcast(room, id, code) => {
                rooms.emit(room, RoomEvent::MessageSendResult { id, code }, shared);
            }
            Self::Status(uid, status) => shared.emit(Event::PeerOnlineStatus { uid, status }),
            Self::ServerParams(code) => shared.emit(Event::ServerParamsSetResult(code)),
            Self::ServerSend(id, code, reply) => {
                shared.emit(Event::ServerMessageSendResult { id, code, reply });
            }
        }
    }
}
