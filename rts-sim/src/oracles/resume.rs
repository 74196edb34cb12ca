//! Links that break and are replaced: a short break is invisible to others, and attempts are paced
//! (I28, I44).

use std::collections::BTreeSet;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::{ConnectionState, LeaveReason, LogoutReason};
use rts_testkit::EngineIndex;

use super::pacing::Pacing;
use super::{Oracle, Violation, ensure};
use crate::engine::Login;
use crate::model::Model;
use crate::plan::{Command, Step};
use crate::trace::{Call, Entry, Line};

#[derive(Debug, Default)]
pub(super) struct Resume {
    pacing: Pacing,
    /// Whether a fault happened that may keep a session away for longer than its grace period.
    is_harsh: bool,
    /// Users of an app that logged out or in, or whose session was ended for a cause.
    excused: BTreeSet<(usize, String)>,
}

impl Oracle for Resume {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Dialled { who } => self.pacing.dialled(model, line.at, *who),
            Entry::Fault(step) => {
                self.is_harsh |= !matches!(
                    step,
                    Step::Cut { .. }
                        | Step::Hop { .. }
                        | Step::BreakOff { .. }
                        | Step::CutAll
                        | Step::WallJump { .. }
                        | Step::NodeWallJump { .. }
                        | Step::NodeDrains { .. }
                        | Step::NodeReopens { .. }
                        | Step::RotateKey { .. }
                        | Step::Unstick
                        | Step::Harmed { .. }
                );
                Ok(())
            }
            // A session with a revoked token ends like one whose grace period is over.
            Entry::Commanded { command: Command::Revoke { .. }, .. }
            | Entry::Requested { command: Command::Revoke { .. }, .. } => {
                self.is_harsh = true;
                Ok(())
            }
            Entry::Call { who, call, .. } => {
                match call {
                    Call::Login { uid, .. } => {
                        self.excused.insert((model.engines[*who].app, uid.clone()));
                    }
                    Call::Logout | Call::Destroy => self.excuse(model, *who),
                    Call::NetworkChanged | Call::Refresh => {}
                    _ => return Ok(()),
                }
                self.pacing.begins_anew(*who);
                Ok(())
            }
            Entry::Event { who, event } => match event {
                Event::LoginResult { .. } => {
                    self.pacing.begins_anew(*who);
                    Ok(())
                }
                Event::ConnectionStateChanged(
                    ConnectionState::Connected | ConnectionState::Reconnected,
                ) => {
                    self.pacing.is_up(*who);
                    Ok(())
                }
                Event::Logout(LogoutReason::Displaced | LogoutReason::PutOut) => {
                    self.excuse(model, *who);
                    Ok(())
                }
                Event::Room { event: RoomEvent::UserLeft { uid, reason }, .. } => {
                    let app = model.engines[*who].app;
                    let is_excused = self.is_harsh
                        || *reason != LeaveReason::Dropped
                        || self.excused.contains(&(app, uid.as_str().to_owned()));
                    ensure(is_excused, || {
                        format!(
                            "I28: links broke and nothing else, and #{who} got the event that {uid} was dropped"
                        )
                    })
                }
                _ => Ok(()),
            },
            Entry::Closed { who, code: Some(code) } if code.ends_session() => {
                self.excuse(model, *who);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Resume {
    fn excuse(&mut self, model: &Model, who: EngineIndex) {
        let engine = &model.engines[who];
        if let Login::LoggedIn(uid) | Login::LoggingIn(uid) | Login::Rejected(uid) = &engine.login {
            self.excused.insert((engine.app, uid.clone()));
        }
    }
}
