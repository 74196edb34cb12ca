//! Everything that happens because time passed.

use alloc::boxed::Box;

use super::Server;
use super::bans::Ban;
use super::session::{End, SessionNumber};
use crate::{
    AppId, CallId, CloseCode, Instant, LeaveReason, LinkId, ProtocolError, RoomId, UserId,
};

/// Why a server wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A burst of input is over: acknowledge it, and send what it brought.
    Flush,
    /// An acknowledgement for which nobody waits has waited for company long enough (§4.4).
    Acknowledge,
    /// A link has not logged in (§2.3).
    LoginDeadline,
    /// A session may be over (§4.10).
    SessionGrace,
    /// A membership without a session ends (§6.9).
    OrphanedMembership,
    /// A displaced session is forgotten (§3.6).
    Tombstone,
    /// A ban is over (§6.2).
    BanExpiry,
    /// A login may have its turn, or what a user or a back end used of its rates is there again
    /// (§3.9, §8.3).
    Tally,
    /// A user may be told again who is in a room (§6.3).
    Welcome,
    /// A message for the app's server has waited, or its post has lasted, long enough (§11.7,
    /// §11.8).
    Post,
}

/// A deadline, by what it is for. Small, since every session has one: what is rare is boxed.
/// Nothing here moves when a message does: a session's entry is looked at when it is due, and put
/// back if the session was heard from in the meantime.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    LoginDeadline(LinkId),
    SessionGrace(SessionNumber),
    OrphanedMembership(Box<(AppId, RoomId, UserId)>),
    Tombstone(SessionNumber),
    BanExpiry(Box<(AppId, Ban)>),
    Tally(Box<(AppId, UserId)>),
    EmptyApp(Box<AppId>),
    Welcome(SessionNumber),
    Post(CallId),
}

impl Due {
    pub(super) fn orphaned_membership(app_id: &AppId, room: &RoomId, uid: &UserId) -> Self {
        Self::OrphanedMembership(Box::new((app_id.clone(), room.clone(), uid.clone())))
    }

    pub(super) fn ban_expiry(app_id: &AppId, ban: &Ban) -> Self {
        Self::BanExpiry(Box::new((app_id.clone(), ban.clone())))
    }

    pub(super) fn tally(app_id: &AppId, uid: &UserId) -> Self {
        Self::Tally(Box::new((app_id.clone(), uid.clone())))
    }

    fn timer(&self) -> Timer {
        match self {
            Self::LoginDeadline(_) => Timer::LoginDeadline,
            Self::SessionGrace(_) => Timer::SessionGrace,
            Self::OrphanedMembership(..) => Timer::OrphanedMembership,
            Self::Tombstone(_) => Timer::Tombstone,
            Self::BanExpiry(..) => Timer::BanExpiry,
            Self::Tally(..) | Self::EmptyApp(_) => Timer::Tally,
            Self::Welcome(_) => Timer::Welcome,
            Self::Post(_) => Timer::Post,
        }
    }
}

impl Server {
    pub(super) fn next_timer(&self) -> Option<(Instant, Timer)> {
        let flush = self.dirty.since.map(|due| (due, Timer::Flush));
        let first = self.due.first().map(|(deadline, due)| (*deadline, due.timer()));
        let late_ack = self.late_acks.front().map(|ack| (ack.due, Timer::Acknowledge));
        [flush, late_ack, first].into_iter().flatten().min()
    }

    pub(super) fn fire_timers(&mut self, now: Instant) {
        while let Some((deadline, _)) = self.due.first() {
            if *deadline > now {
                break;
            }
            let Some((deadline, due)) = self.due.pop_first() else { break };
            self.settle_broadcasts();
            match due {
                Due::LoginDeadline(link) => self.misbehaved(now, link, ProtocolError::LoginTimeout),
                Due::SessionGrace(number) => self.grace_due(now, number),
                Due::OrphanedMembership(whose) => {
                    let (app_id, room, uid) = *whose;
                    self.membership_due(deadline, &app_id, &room, &uid);
                }
                Due::Tombstone(number) => drop(self.tombstones.remove(&number)),
                Due::BanExpiry(whose) => self.ban_expired(&whose.0, &whose.1),
                Due::Tally(whose) => self.tally_due(now, &whose.0, &whose.1),
                Due::EmptyApp(app_id) => self.empty_app_due(deadline, &app_id),
                Due::Welcome(number) => self.welcome_on(now, number),
                Due::Post(call) => self.post_due(now, call),
            }
            self.end_overrun(now);
        }
        self.late_acks_due(now);
    }

    fn grace_due(&mut self, now: Instant, number: SessionNumber) {
        let Some(session) = self.sessions.get_mut(number) else { return };
        let over_at = session.last_heard + self.config.session_grace;
        // Also when that has come meanwhile: sessions end in the order of their ends, however late
        // that is looked at.
        if over_at > session.grace_at {
            session.grace_at = over_at;
            self.due.insert((over_at, Due::SessionGrace(number)));
            return;
        }
        if let Some(link) = session.link {
            self.close(link, CloseCode::Silent, "nothing heard for the whole grace");
        }
        self.end_session(now, number, End::Dropped);
    }

    fn empty_app_due(&mut self, deadline: Instant, app_id: &AppId) {
        let Some(app) = self.apps.get_mut(app_id) else { return };
        if app.forget_at == Some(deadline) {
            app.forget_at = None;
            self.forget_empty_app(app_id);
        }
    }

    fn membership_due(&mut self, deadline: Instant, app_id: &AppId, room: &RoomId, uid: &UserId) {
        let Some(app) = self.apps.get_mut(app_id) else { return };
        let member = app.rooms.get(room).and_then(|room| room.members.get(uid));
        if member.is_some_and(|member| member.orphaned_until == Some(deadline)) {
            self.remove_member(app_id, room, uid, LeaveReason::Dropped);
            self.forget_empty_app(app_id);
        }
    }
}
