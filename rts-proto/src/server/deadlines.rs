//! Deadlines: the one place that knows what is due when.
//!
//! A part that waits for a moment arms a [`Deadline`] and keeps it. Nothing but this gives one
//! out, and giving it back, with the same [`Due`], is the only way to disarm it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;

use super::ban::Ban;
use super::keys::SessionNumber;
#[cfg(test)]
use crate::kept::Kept;
use crate::{AppId, CallId, Instant, LinkId, RoomId, UserId};

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
    BackEndRate(Box<AppId>),
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
            Self::Tally(..) | Self::BackEndRate(_) => Timer::Tally,
            Self::Welcome(_) => Timer::Welcome,
            Self::Post(_) => Timer::Post,
        }
    }
}

/// A moment for which something is armed.
#[must_use = "what is not kept cannot be disarmed"]
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn at(&self) -> Instant {
        self.0
    }
}

#[derive(Debug, Default)]
pub(super) struct Deadlines {
    armed: BTreeSet<(Instant, Due)>,
}

impl Deadlines {
    /// Makes `due` come up at this moment.
    pub(super) fn arm(&mut self, at: Instant, due: Due) -> Deadline {
        self.arm_for_good(at, due);
        Deadline(at)
    }

    /// The same for what nobody takes back.
    pub(super) fn arm_for_good(&mut self, at: Instant, due: Due) {
        let is_new = self.armed.insert((at, due));
        debug_assert!(is_new, "each due has one deadline at a time");
    }

    /// Makes `due` come up at another moment. Moments may be equal: the former is disarmed first.
    pub(super) fn rearm(&mut self, deadline: &mut Deadline, at: Instant, due: Due) {
        let former = (deadline.0, due);
        self.armed.remove(&former);
        *deadline = self.arm(at, former.1);
    }

    /// Takes it back. Changes nothing when it has come up already.
    pub(super) fn disarm(&mut self, deadline: Deadline, due: Due) {
        self.armed.remove(&(deadline.0, due));
    }

    pub(super) fn next_timer(&self) -> Option<(Instant, Timer)> {
        self.armed.first().map(|(at, due)| (*at, due.timer()))
    }

    /// The first of those whose moment has come, and that moment.
    #[inline]
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Due)> {
        let (at, _) = self.armed.first()?;
        if *at > now {
            return None;
        }
        self.armed.pop_first()
    }

    /// What is kept here, and how much of it.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { armed } = self;
        alloc::vec![("deadlines", armed.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(link: u64) -> Due {
        Due::LoginDeadline(LinkId(link))
    }

    #[test]
    fn what_is_armed_comes_up_in_the_order_of_its_moments_and_not_early() {
        let mut deadlines = Deadlines::default();
        for millis in [30, 10, 20] {
            deadlines.arm_for_good(Instant::from_millis(millis), due(millis));
        }
        let first = (Instant::from_millis(10), Timer::LoginDeadline);
        assert_eq!(deadlines.next_timer(), Some(first));
        assert_eq!(deadlines.pop_due(Instant::from_millis(9)), None);
        let now = Instant::from_millis(20);
        assert_eq!(deadlines.pop_due(now), Some((Instant::from_millis(10), due(10))));
        assert_eq!(deadlines.pop_due(now), Some((now, due(20))));
        assert_eq!(deadlines.pop_due(now), None);
    }

    #[test]
    fn what_is_disarmed_never_comes_up() {
        let mut deadlines = Deadlines::default();
        let at = Instant::from_millis(10);
        let deadline = deadlines.arm(at, due(1));
        deadlines.arm_for_good(at, due(2));
        deadlines.disarm(deadline, due(1));
        assert_eq!(deadlines.pop_due(at), Some((at, due(2))));
        assert_eq!(deadlines.pop_due(at), None);
    }

    #[test]
    fn what_is_armed_again_comes_up_once_at_its_last_moment_also_when_that_is_the_former() {
        for (former, last) in [(10, 20), (20, 10), (10, 10)] {
            let mut deadlines = Deadlines::default();
            let mut deadline = deadlines.arm(Instant::from_millis(former), due(1));
            let last = Instant::from_millis(last);
            deadlines.rearm(&mut deadline, last, due(1));
            assert_eq!(deadline.at(), last);
            assert_eq!(deadlines.pop_due(Instant::from_millis(30)), Some((last, due(1))));
            assert_eq!(deadlines.pop_due(Instant::from_millis(30)), None);
        }
    }
}
