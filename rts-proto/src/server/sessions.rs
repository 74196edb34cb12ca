//! All sessions of a shard, and the tombstones of sessions whose clients must not log in again by
//! themselves.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::deadlines::{Deadlines, Due};
use super::io::Tenure;
use super::keys::SessionNumber;
use super::placement::ShardId;
use super::session::{Begin, Keys, Remains, Session};
#[cfg(test)]
use crate::kept::Kept;
use crate::slab::Slab;
use crate::wire::ResumeKey;
use crate::{AppId, CloseCode, Instant, UserId};

#[derive(Debug)]
pub(super) struct Sessions {
    slab: Slab<Box<Session>>,
    tombstones: BTreeMap<SessionNumber, Tombstone>,
    /// Sessions that have moved to other shards.
    departed: BTreeMap<SessionNumber, Departed>,
}

/// A session that has moved to another shard of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Departed {
    /// Its number there.
    pub(super) next: SessionNumber,
    pub(super) app_id: AppId,
    pub(super) uid: UserId,
    /// When the credentials of its login were issued.
    pub(super) issued_at: u32,
    pub(super) claim: u64,
    /// The grant of its user, until the other shard has got one.
    pub(super) tenure: Tenure,
}

/// The tombstone of a session whose client must not log in again by itself. With it, the client
/// gets the reason (§3.6, §3.10).
#[derive(Debug)]
struct Tombstone {
    keys: Keys,
    code: CloseCode,
}

impl Sessions {
    /// No sessions of this shard.
    pub(super) fn new(shard: ShardId) -> Self {
        let (tombstones, departed) = (BTreeMap::new(), BTreeMap::new());
        Self { slab: Slab::new(shard.slab()), tombstones, departed }
    }

    /// The shard of a session, if it is another one.
    pub(super) fn other_shard_of(&self, number: SessionNumber) -> Option<ShardId> {
        let shard = ShardId::of_session(number);
        (shard.slab() != self.slab.number()).then_some(shard)
    }

    /// Where a session is, if it is not in this shard: its shard, and its number there.
    pub(super) fn elsewhere(&self, number: SessionNumber) -> Option<(ShardId, SessionNumber)> {
        match self.other_shard_of(number) {
            Some(shard) => Some((shard, number)),
            None => {
                let next = self.departed.get(&number)?.next;
                Some((ShardId::of_session(next), next))
            }
        }
    }

    /// A session has moved to another shard. Entries for it are passed on until this moment.
    pub(super) fn depart(
        &mut self,
        number: SessionNumber,
        departed: Departed,
        deadlines: &mut Deadlines,
        until: Instant,
    ) {
        self.departed.insert(number, departed);
        deadlines.arm_for_good(until, Due::Departed(number));
    }

    /// A session that has moved to another shard.
    pub(super) fn departed(&self, number: SessionNumber) -> Option<&Departed> {
        self.departed.get(&number)
    }

    /// Sessions that have moved to other shards.
    pub(super) fn all_departed(&self) -> impl Iterator<Item = &Departed> {
        self.departed.values()
    }

    pub(super) fn forget_departed(&mut self, number: SessionNumber) {
        self.departed.remove(&number);
    }

    #[inline]
    pub(super) fn get(&self, number: SessionNumber) -> Option<&Session> {
        self.slab.get(number).map(|session| &**session)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: SessionNumber) -> Option<&mut Session> {
        self.slab.get_mut(number).map(|session| &mut **session)
    }

    /// Begins a session. Its grace period is checked at its deadline.
    pub(super) fn begin(
        &mut self,
        begin: Begin,
        deadlines: &mut Deadlines,
        now: Instant,
        grace_at: Instant,
    ) -> SessionNumber {
        self.slab.insert_with(|number| {
            let grace = deadlines.arm(grace_at, Due::SessionGrace(number));
            Box::new(Session::new(begin, grace, now))
        })
    }

    /// Ends a session.
    #[inline]
    pub(super) fn end(
        &mut self,
        number: SessionNumber,
        deadlines: &mut Deadlines,
    ) -> Option<Remains> {
        let (remains, grace) = self.slab.remove(number)?.into_remains();
        deadlines.disarm(grace, Due::SessionGrace(number));
        Some(remains)
    }

    /// Buries a session that is about to end: keeps its tombstone for as long as its client may ask
    /// to resume it.
    pub(super) fn bury(
        &mut self,
        number: SessionNumber,
        code: CloseCode,
        deadlines: &mut Deadlines,
        until: Instant,
    ) {
        let Some(session) = self.get(number) else { return };
        let keys = session.keys().clone();
        self.tombstones.insert(number, Tombstone { keys, code });
        deadlines.arm_for_good(until, Due::Tombstone(number));
    }

    /// Why the session with this number ended, if the key is one of its keys. The outer `None`
    /// means that the session has no tombstone.
    pub(super) fn buried(
        &self,
        number: SessionNumber,
        shown: &ResumeKey,
    ) -> Option<Option<CloseCode>> {
        let tombstone = self.tombstones.get(&number)?;
        Some(tombstone.keys.accept(shown).then_some(tombstone.code))
    }

    pub(super) fn forget_buried(&mut self, number: SessionNumber) {
        self.tombstones.remove(&number);
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Bytes in all windows.
    pub(super) fn window_bytes(&self) -> usize {
        self.slab.values().map(|session| session.flow.settled_bytes()).sum()
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { slab, tombstones, departed } = self;
        alloc::vec![
            ("sessions", slab.len()),
            ("tombstones", tombstones.len()),
            ("departed sessions", departed.len()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::deadlines::Timer;
    use crate::server::testing::{KEY, begin_session, end_session, number, shared};

    #[test]
    fn session_is_due_at_its_grace_unless_it_ends_before() {
        let mut shared = shared();
        let number = begin_session(&mut shared, "alice");
        let grace_at = shared.now() + shared.config.session_grace;
        assert_eq!(shared.deadlines.next_timer(), Some((grace_at, Timer::SessionGrace)));
        let remains = shared.sessions.end(number, &mut shared.deadlines);
        assert!(remains.is_some_and(|remains| remains.uid.as_str() == "alice"));
        assert_eq!(shared.deadlines.next_timer(), None);
        assert!(shared.sessions.end(number, &mut shared.deadlines).is_none());
    }

    #[test]
    fn key_of_a_buried_session_reveals_why_it_ended() {
        let mut shared = shared();
        let session = begin_session(&mut shared, "alice");
        let until = Instant::from_millis(1_000);
        shared.sessions.bury(session, CloseCode::PutOut, &mut shared.deadlines, until);
        end_session(&mut shared, session);
        assert_eq!(shared.deadlines.next_timer(), Some((until, Timer::Tombstone)));
        assert_eq!(shared.sessions.buried(session, &KEY), Some(Some(CloseCode::PutOut)));
        assert_eq!(shared.sessions.buried(session, &ResumeKey([9; 16])), Some(None));
        assert_eq!(shared.sessions.buried(number(99), &KEY), None);
        shared.sessions.forget_buried(session);
        assert_eq!(shared.sessions.buried(session, &KEY), None);
    }

    #[test]
    fn unknown_session_leaves_no_tombstone() {
        let mut shared = shared();
        let until = Instant::from_millis(1_000);
        shared.sessions.bury(number(1), CloseCode::PutOut, &mut shared.deadlines, until);
        assert_eq!(shared.sessions.buried(number(1), &KEY), None);
        assert_eq!(shared.deadlines.next_timer(), None);
    }
}
