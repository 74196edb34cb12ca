//! Deadlines of a shard, in the order of time. Flushes and late acknowledgements are not among
//! them: they are in the order of their moments in queues of the [outbox](super::outbox).
//!
//! A part that waits for a moment arms a [`Deadline`] and keeps it. Only this type makes deadlines.
//! Returning one, with its [`Due`], is the only way to disarm it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;

use super::ban::Ban;
use super::io::RequestId;
use super::keys::SessionNumber;
#[cfg(test)]
use crate::kept::Kept;
use crate::{AppId, CallId, Instant, LinkId, RoomId, UserId};

/// Why a server has a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A burst of input is over: send acknowledgements and other output.
    Flush,
    /// The delay of an acknowledgement is over (§4.4).
    Acknowledge,
    /// A link has not logged in (§2.3).
    LoginDeadline,
    /// A session may have ended (§4.10).
    SessionGrace,
    /// A membership without a session ends (§6.9).
    OrphanedMembership,
    /// The tombstone of an ended session is dropped (§3.6).
    Tombstone,
    /// A ban ends (§6.2).
    BanExpiry,
    /// A login may have its turn, or a used-up rate of a user or a back end is full again (§3.9,
    /// §8.3).
    Tally,
    /// A user's budget is sufficient for a list of members (§6.3).
    Welcome,
    /// The wait of a message for the app server, or its post, has lasted too long (§11.7, §11.8).
    Post,
    /// The homes of a removed node may be served by others.
    Homes,
    /// A shard has not answered a request of a back end.
    Request,
    /// A session that moves to another shard has taken too long, or has been there for long enough.
    Move,
}

/// The subject of a deadline. It is small, because every session has one: rare subjects are boxed.
/// A message changes no deadline. A session's deadline is checked when it passes, and armed again
/// if bytes arrived in the meantime.
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
    Homes,
    Request(RequestId),
    Leaving(SessionNumber),
    Departed(SessionNumber),
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
            Self::Homes => Timer::Homes,
            Self::Request(_) => Timer::Request,
            Self::Leaving(_) | Self::Departed(_) => Timer::Move,
        }
    }
}

/// A moment for which a subject is armed.
#[must_use = "what is not kept cannot be disarmed"]
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn at(&self) -> Instant {
        self.0
    }
}

/// A deadline does not hold its subject. Every session has a deadline, and the subject would triple
/// its size. So the owner passes the subject again, and the tests fail if it is another one.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    armed: BTreeSet<(Instant, Due)>,
    /// The latest moment of a deadline that has passed.
    passed: Instant,
}

impl Deadlines {
    /// Arms `due` at this moment.
    pub(super) fn arm(&mut self, at: Instant, due: Due) -> Deadline {
        self.arm_for_good(at, due);
        Deadline(at)
    }

    /// Arms `due` at a moment, for subjects that are never disarmed.
    pub(super) fn arm_for_good(&mut self, at: Instant, due: Due) {
        let is_new = self.armed.insert((at, due));
        debug_assert!(is_new, "each due has one deadline at a time");
    }

    /// Arms `due` at another moment. Moments may be equal, so the former is disarmed first.
    pub(super) fn rearm(&mut self, deadline: &mut Deadline, at: Instant, due: Due) {
        let due = self.remove(deadline.0, due);
        *deadline = self.arm(at, due);
    }

    /// Disarms a deadline. Changes nothing when it has passed already.
    pub(super) fn disarm(&mut self, deadline: Deadline, due: Due) {
        self.remove(deadline.0, due);
    }

    fn remove(&mut self, at: Instant, due: Due) -> Due {
        let former = (at, due);
        let was_armed = self.armed.remove(&former);
        debug_assert!(was_armed || at <= self.passed, "{:?} was not armed then", former.1);
        former.1
    }

    pub(super) fn next_timer(&self) -> Option<(Instant, Timer)> {
        self.armed.first().map(|(at, due)| (*at, due.timer()))
    }

    /// The first subject whose moment has come, and that moment.
    #[inline]
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Due)> {
        let (at, _) = self.armed.first()?;
        if *at > now {
            return None;
        }
        self.passed = self.passed.max(*at);
        self.armed.pop_first()
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { armed, passed: _ } = self;
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
    fn deadlines_pass_in_order_and_not_early() {
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
    fn disarmed_deadline_never_passes() {
        let mut deadlines = Deadlines::default();
        let at = Instant::from_millis(10);
        let deadline = deadlines.arm(at, due(1));
        deadlines.arm_for_good(at, due(2));
        deadlines.disarm(deadline, due(1));
        assert_eq!(deadlines.pop_due(at), Some((at, due(2))));
        assert_eq!(deadlines.pop_due(at), None);
    }

    #[test]
    fn deadline_that_has_passed_may_be_disarmed() {
        let mut deadlines = Deadlines::default();
        let at = Instant::from_millis(10);
        let deadline = deadlines.arm(at, due(1));
        assert_eq!(deadlines.pop_due(at), Some((at, due(1))));
        deadlines.disarm(deadline, due(1));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic = "was not armed then"]
    fn deadline_of_another_subject_is_a_bug() {
        let mut deadlines = Deadlines::default();
        let deadline = deadlines.arm(Instant::from_millis(10), due(1));
        deadlines.disarm(deadline, due(2));
    }

    #[test]
    fn rearmed_deadline_passes_once_at_its_last_moment() {
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
