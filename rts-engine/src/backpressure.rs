//! Bounds on events that the application has not taken. At these bounds the engine stops reading
//! its link.

use rts_proto::client::{Event, RoomEvent};

/// Untaken events at which the link is not read.
pub(crate) const EVENTS_MAX: usize = 1_024;
/// Bytes of payload in untaken events at which the link is not read.
pub(crate) const EVENT_BYTES_MAX: usize = 8 * 1_048_576;

/// The bytes of payload in an event, as counted against [`EVENT_BYTES_MAX`].
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
