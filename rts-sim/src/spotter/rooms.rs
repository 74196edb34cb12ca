//! Situations in rooms.

use rts_proto::client::{JoinType, RoomEvent};
use rts_proto::{BroadcastCode, ConnectionState, Instant, LeaveReason, RoomState};
use rts_testkit::EngineIndex;

use super::Spotter;
use crate::engine::{Engine, RoomPhase};
use crate::situations::Situation;
use crate::trace::Call;

impl Spotter {
    pub(super) fn room_event(
        &mut self,
        engine: &Engine,
        now: Instant,
        who: EngineIndex,
        phase: Option<RoomPhase>,
        event: &RoomEvent,
    ) {
        match event {
            RoomEvent::Joined { how: JoinType::Resumed, .. } => self.met(Situation::RoomResumed),
            RoomEvent::Joined { how: JoinType::Anew, .. } => {
                let is_reported = engine.connection == Some(ConnectionState::Reconnected);
                self.met(match is_reported {
                    true => Situation::Rejoined,
                    false => Situation::RejoinedAfterQuietBreak,
                });
            }
            RoomEvent::StateChanged { uid: None, .. } => self.met(Situation::JoinWithoutLogin),
            RoomEvent::StateChanged { state: RoomState::JoinFailed, .. }
                if engine.login.live().is_some() =>
            {
                self.met(Situation::JoinRefused);
            }
            RoomEvent::Left => {
                self.met(Situation::Left);
                let is_at_once = matches!(
                    &self.last_call,
                    Some((caller, at, Call::LeaveRoom { .. })) if *caller == who && *at == now
                );
                if is_at_once {
                    self.met(Situation::LeftAtOnce);
                }
            }
            RoomEvent::MessageReceived { .. } => {
                self.met(Situation::BroadcastHeard);
                if matches!(phase, Some(RoomPhase::Leaving { .. })) {
                    self.met(Situation::HeardWhileLeaving);
                }
            }
            RoomEvent::MessageSendResult { code, .. } => match code {
                BroadcastCode::Ok => self.met(Situation::BroadcastOk),
                BroadcastCode::Timeout => self.met(Situation::BroadcastTimeout),
                BroadcastCode::Broken => self.met(Situation::BroadcastBroken),
                BroadcastCode::OverRate => self.met(Situation::BroadcastOverRate),
                BroadcastCode::NotInRoom => self.met(Situation::BroadcastNotInRoom),
                BroadcastCode::TooLong => self.met(Situation::BroadcastTooLong),
                _ => {}
            },
            RoomEvent::UserLeft { reason, .. } => match reason {
                LeaveReason::Left => self.met(Situation::SawLeave),
                LeaveReason::Dropped => self.met(Situation::SawDrop),
                LeaveReason::Kicked => {}
            },
            RoomEvent::Joined { .. }
            | RoomEvent::StateChanged { .. }
            | RoomEvent::UserMessageReceived { .. }
            | RoomEvent::UserJoined(_) => {}
        }
    }
}
