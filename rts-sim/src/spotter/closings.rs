//! Links that the server closed, and peers that break the rules.

use rts_proto::client::Event;
use rts_proto::{CloseCode, LoginCode};

use super::Spotter;
use crate::situations::Situation;

impl Spotter {
    pub(super) fn closed(&mut self, code: CloseCode) {
        match code {
            CloseCode::Replaced => self.met(Situation::ClosedReplaced),
            CloseCode::Displaced => self.met(Situation::ClosedDisplaced),
            CloseCode::PutOut => self.met(Situation::ClosedPutOut),
            CloseCode::LoginAgain => self.met(Situation::ClosedLoginAgain),
            CloseCode::Silent => self.met(Situation::ClosedSilent),
            CloseCode::SlowConsumer => self.met(Situation::ClosedSlowConsumer),
            CloseCode::Shutdown => self.met(Situation::ClosedShutdown),
            CloseCode::LoginTimeout => self.met(Situation::ClosedLoginTimeout),
            _ => {}
        }
    }

    /// An engine whose links change bytes reported an event.
    pub(crate) fn harmed_event(&mut self, event: &Event) {
        match event {
            Event::Warning { .. } => self.met(Situation::HarmedGaveUp),
            Event::LoginResult { code: LoginCode::Ok, .. } => {}
            Event::LoginResult { .. } => self.met(Situation::HarmedRefused),
            _ => {}
        }
    }

    /// The server closed the link of an engine whose links change bytes.
    pub(crate) fn harmed_closed(&mut self, code: Option<CloseCode>) {
        if code.is_some_and(CloseCode::ends_session) {
            self.met(Situation::HarmedClosed);
        }
    }

    /// The server closed the link of a peer that broke the rules.
    pub(crate) fn attacker_closed(&mut self, code: Option<CloseCode>) {
        match code {
            Some(CloseCode::BadFrame) => self.met(Situation::AttackBadFrame),
            Some(CloseCode::FrameTooLarge) => self.met(Situation::AttackTooLarge),
            Some(CloseCode::UnexpectedFrame) => self.met(Situation::AttackUnexpected),
            Some(CloseCode::BadAck) => self.met(Situation::AttackBadAck),
            Some(CloseCode::UnsupportedVersion) => self.met(Situation::AttackBadVersion),
            Some(CloseCode::LoginTimeout) => self.met(Situation::AttackTimeout),
            Some(CloseCode::WindowExceeded) => self.met(Situation::AttackWindowExceeded),
            Some(CloseCode::Busy) => self.met(Situation::AttackManyLogins),
            _ => {}
        }
    }

    /// The number of joins that the server refused in each of two logins of one user.
    pub(crate) fn attacker_refused(&mut self, joins: [usize; 2]) {
        if joins[0] > 0 {
            self.met(Situation::AttackJoinsOverRate);
            if joins[1] > joins[0] {
                self.met(Situation::AttackLoginRenewedNothing);
            }
        }
    }
}
