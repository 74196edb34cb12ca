//! The backlog of an engine: as large as the contract demands, and no larger (§5.6, I38).

use rts_proto::client::{Event, RoomEvent};
use rts_proto::{BroadcastCode, SendCode};

use super::{Oracle, Violation, ensure};
use crate::engine::answered;
use crate::model::Model;
use crate::trace::{Call, Entry, Line};

/// The most sends of one engine without a result.
const OPEN_SENDS_MAX: usize = 2_048;
const OPEN_BYTES_MAX: usize = 8 * 1_048_576;

#[derive(Debug, Default)]
pub(super) struct Waiting;

impl Oracle for Waiting {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Call {
                who,
                call: Call::Send { .. } | Call::ServerSend { .. } | Call::Broadcast { .. },
                ..
            } => {
                let engine = &model.engines[*who];
                let (open, bytes) = (engine.open.len(), engine.open_bytes);
                ensure(open <= OPEN_SENDS_MAX && bytes <= OPEN_BYTES_MAX, || {
                    format!("I38: {open} sends of #{who} with {bytes} bytes have no result")
                })
            }
            Entry::Event { who, event } if is_over_rate(event) => {
                let engine = &model.engines[*who];
                let Some(send) = answered(event) else { return Ok(()) };
                // The server's answer takes longer, so this result is the engine's own.
                let Some((at, bytes)) = engine.open.get(&send) else { return Ok(()) };
                if *at != line.at {
                    return Ok(());
                }
                let (others, all_bytes) = (engine.open.len() - 1, engine.open_bytes);
                ensure(others >= OPEN_SENDS_MAX || all_bytes > OPEN_BYTES_MAX, || {
                    format!(
                        "§5.6: #{who} took no send of {bytes} bytes beside {others} others, {all_bytes} bytes in all"
                    )
                })
            }
            _ => Ok(()),
        }
    }
}

fn is_over_rate(event: &Event) -> bool {
    match event {
        Event::MessageSendResult { code, .. } | Event::ServerMessageSendResult { code, .. } => {
            *code == SendCode::OverRate
        }
        Event::Room { event: RoomEvent::MessageSendResult { code, .. }, .. } => {
            *code == BroadcastCode::OverRate
        }
        _ => false,
    }
}
