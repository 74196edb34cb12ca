//! How much the application may leave to be taken before the link is not read.

use rts_proto::client::{Event, RoomEvent};

/// With this many events that the application has not taken, the link is not read.
pub(crate) const EVENTS_MAX: usize = 1_024;
/// With this many bytes of payload in such events, the link is not read.
pub(crate) const EVENT_BYTES_MAX: usize = 8 * 1_048_576;

/// What an event adds to those bytes.
pub(crate) fn payload_bytes(event: &Event) -> usize {
    match event {
        Event::MessageReceived { payload, .. }
        | Event::Room {
            event:
                RoomEvent::MessageReceived { payload, .. }
                | RoomEvent::UserMessageReceived { payload, .. },
            ..
        } => payload.len(),
        Event::ServerMessageSendResult { reply, .. } => reply.len(),
        _ => 0,
    }
}
