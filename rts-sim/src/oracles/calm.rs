//! Nodes drain, are taken back and start again, and nothing else happens to them: nobody notices
//! (I14, I25, I28). No message and no broadcast fails, no session ends, and no member is seen to
//! leave.

use rts_proto::client::{Event, JoinType, RoomEvent};
use rts_proto::{BroadcastCode, ConnectionState, OnlineStatus, SendCode};

use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::trace::{Entry, Line, Phase};

#[derive(Debug, Default)]
pub(super) struct Calm {
    /// Whether the run is over. The healing breaks links, and may restart the server.
    is_over: bool,
}

impl Oracle for Calm {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        if self.is_over {
            return Ok(());
        }
        match &line.entry {
            Entry::Phase(Phase::Healing) => {
                self.is_over = true;
                Ok(())
            }
            Entry::SessionBegan { who } => ensure(model.engines[*who].sessions == 0, || {
                format!("I28: nodes drained and nothing else, and #{who} lost its session")
            }),
            Entry::Event { who, event } => {
                let is_unnoticed = match event {
                    Event::MessageSendResult { code, .. } => *code == SendCode::Ok,
                    Event::PeerOnlineStatus { status, .. } => *status == OnlineStatus::Online,
                    Event::Logout(_) => false,
                    Event::ConnectionStateChanged(state) => {
                        !matches!(state, ConnectionState::Lost | ConnectionState::Failed)
                    }
                    Event::Room { event, .. } => match event {
                        RoomEvent::MessageSendResult { code, .. } => *code == BroadcastCode::Ok,
                        RoomEvent::Joined { how, .. } => *how != JoinType::Anew,
                        RoomEvent::UserLeft { .. } => false,
                        _ => true,
                    },
                    _ => true,
                };
                ensure(is_unnoticed, || {
                    format!(
                        "I14, I25, I28: nodes drained and nothing else, and #{who} got {event:?}"
                    )
                })
            }
            _ => Ok(()),
        }
    }
}
