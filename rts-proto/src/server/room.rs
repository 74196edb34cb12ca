//! One room: its members and its rate of broadcasts.

use alloc::collections::BTreeMap;

use super::config::Config;
use super::deadlines::Deadline;
use super::keys::SessionNumber;
use super::outbox::Audience;
use super::placement::{NodeNumber, ShardId};
use crate::limits::NOTICE_MEMBERS_MAX;
use crate::planted::{Bug, planted};
use crate::rate::TokenBucket;
use crate::{Instant, UserId};

#[derive(Debug)]
pub(super) struct Room {
    members: BTreeMap<UserId, Member>,
    broadcasts: TokenBucket,
    audience: Audience,
    /// Whether this audience has members at other nodes.
    beyond: Option<(Audience, bool)>,
}

/// A member with a session, or one whose session was superseded and who may return (§6.9).
#[derive(Debug)]
enum Member {
    Here(SessionNumber),
    Away(Away),
}

/// The end of a membership's wait for its user's new session.
#[derive(Debug)]
pub(super) enum Away {
    Until(Deadline),
    /// A planted bug.
    ForEver,
}

impl Room {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let broadcasts = TokenBucket::new(config.room_broadcasts_per_second, now);
        let (members, audience) = (BTreeMap::new(), Audience::default());
        Self { members, broadcasts, audience, beyond: None }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn contains(&self, uid: &UserId) -> bool {
        self.members.contains_key(uid)
    }

    /// Members in the order of their ids.
    pub(super) fn uids(&self) -> impl ExactSizeIterator<Item = &UserId> + Clone + use<'_> {
        self.members.keys()
    }

    /// The first members in the order of their ids, without the one who asks.
    pub(super) fn names(&self, asking: &UserId) -> impl Iterator<Item = &UserId> + Clone {
        let others =
            self.uids().filter(move |member| *member != asking || planted(Bug::SelfAmongMembers));
        others.take(NOTICE_MEMBERS_MAX)
    }

    /// §6.7: whether it has more than 500 members, so that no notices are sent.
    pub(super) fn has_no_notices(&self) -> bool {
        self.len() > NOTICE_MEMBERS_MAX
    }

    /// The sessions of its members, in the order of their ids.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionNumber> {
        self.members.values().filter_map(Member::session)
    }

    pub(super) fn session_of(&self, uid: &UserId) -> Option<SessionNumber> {
        self.members.get(uid)?.session()
    }

    /// The sessions of all members but this one, without reading their names.
    pub(super) fn others(&self, number: SessionNumber) -> impl Iterator<Item = SessionNumber> {
        self.sessions().filter(move |other| *other != number)
    }

    pub(super) fn audience(&self) -> Audience {
        self.audience
    }

    /// Whether it has members at other nodes than this one.
    pub(super) fn is_beyond(&mut self, own: NodeNumber) -> bool {
        match self.beyond {
            Some((audience, is_beyond)) if audience == self.audience => is_beyond,
            _ => {
                let mut sessions = self.sessions();
                let is_beyond = sessions.any(|session| ShardId::of_session(session).node() != own);
                drop(sessions);
                self.beyond = Some((self.audience, is_beyond));
                is_beyond
            }
        }
    }

    /// Takes one broadcast from the rate that all senders share.
    pub(super) fn take_broadcast(&mut self, now: Instant) -> bool {
        self.broadcasts.take(now)
    }

    /// Adds a member.
    pub(super) fn add(
        &mut self,
        uid: UserId,
        number: SessionNumber,
        audience: Audience,
        config: &Config,
        now: Instant,
    ) {
        self.insert(uid, Member::Here(number), audience, config, now);
    }

    /// Adds a member that waits for a session.
    pub(super) fn add_waiting(
        &mut self,
        uid: UserId,
        deadline: Deadline,
        audience: Audience,
        config: &Config,
        now: Instant,
    ) {
        self.insert(uid, Member::Away(Away::Until(deadline)), audience, config, now);
    }

    fn insert(
        &mut self,
        uid: UserId,
        member: Member,
        audience: Audience,
        config: &Config,
        now: Instant,
    ) {
        self.members.insert(uid, member);
        self.audience = audience;
        if self.members.len() == NOTICE_MEMBERS_MAX {
            self.broadcasts.set_rate(config.large_room_broadcasts_per_second, now);
        }
    }

    /// Removes a member. Returns its session, or its wait for one.
    pub(super) fn remove(
        &mut self,
        uid: &UserId,
        audience: Audience,
        config: &Config,
        now: Instant,
    ) -> Option<Result<SessionNumber, Away>> {
        let member = self.members.remove(uid)?;
        self.audience = audience;
        if self.members.len() + 1 == NOTICE_MEMBERS_MAX {
            self.broadcasts.set_rate(config.room_broadcasts_per_second, now);
        }
        Some(member.into())
    }

    /// Sets a member's new session. Returns its wait, if it was away.
    pub(super) fn come_back(
        &mut self,
        uid: &UserId,
        number: SessionNumber,
        audience: Audience,
    ) -> Option<Away> {
        let member = self.members.get_mut(uid)?;
        self.audience = audience;
        match core::mem::replace(member, Member::Here(number)) {
            Member::Here(_) => None,
            Member::Away(away) => Some(away),
        }
    }

    /// The member's session was superseded, and the user may return.
    pub(super) fn go_away(&mut self, uid: &UserId, away: Away, audience: Audience) {
        if let Some(member) = self.members.get_mut(uid) {
            *member = Member::Away(away);
            self.audience = audience;
        }
    }

    /// Whether the member waits for a session until this moment.
    pub(super) fn is_away_until(&self, uid: &UserId, until: Instant) -> bool {
        match self.members.get(uid) {
            Some(Member::Away(Away::Until(deadline))) => deadline.at() == until,
            Some(Member::Away(Away::ForEver) | Member::Here(_)) | None => false,
        }
    }

    /// What is used up of the rate of broadcasts, in millionths of a broadcast.
    pub(super) fn used(&self, now: Instant) -> u64 {
        self.broadcasts.used(now)
    }

    pub(super) fn set_used(&mut self, used: u64) {
        self.broadcasts.set_used(used);
    }

    /// All members of a room that ended.
    pub(super) fn into_members(
        self,
    ) -> impl Iterator<Item = (UserId, Result<SessionNumber, Away>)> {
        self.members.into_iter().map(|(uid, member)| (uid, member.into()))
    }
}

impl Member {
    fn session(&self) -> Option<SessionNumber> {
        match self {
            Self::Here(number) => Some(*number),
            Self::Away(_) => None,
        }
    }
}

impl From<Member> for Result<SessionNumber, Away> {
    fn from(member: Member) -> Self {
        match member {
            Member::Here(number) => Ok(number),
            Member::Away(away) => Err(away),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::server::testing::{audience, number, uid};

    fn room_of(count: usize) -> Room {
        let config = Config::default();
        let mut room = Room::new(&config, Instant::ORIGIN);
        for place in 1..=count as u64 {
            let uid = uid(&alloc::format!("u{place}"));
            room.add(uid, number(place), audience(place), &config, Instant::ORIGIN);
        }
        room
    }

    #[test]
    fn every_change_of_receivers_makes_a_new_audience() {
        let (config, now) = (Config::default(), Instant::ORIGIN);
        let mut room = room_of(2);
        assert_eq!(room.audience(), audience(2));
        room.go_away(&uid("u1"), Away::ForEver, audience(3));
        assert_eq!(room.audience(), audience(3));
        assert!(room.come_back(&uid("u1"), number(9), audience(4)).is_some());
        assert_eq!(room.audience(), audience(4));
        assert_eq!(room.session_of(&uid("u1")), Some(number(9)));
        assert!(matches!(room.remove(&uid("u2"), audience(5), &config, now), Some(Ok(_))));
        assert_eq!(room.audience(), audience(5));
        assert!(room.remove(&uid("u2"), audience(6), &config, now).is_none());
        assert_eq!(room.audience(), audience(5));
    }

    #[test]
    fn members_are_in_the_order_of_their_ids() {
        let (config, now) = (Config::default(), Instant::ORIGIN);
        let mut room = Room::new(&config, now);
        for (place, user) in (1..).zip(["dora", "bob", "carol", "alice"]) {
            room.add(uid(user), number(place), audience(place), &config, now);
        }
        let sessions = |room: &Room| room.sessions().collect::<Vec<_>>();
        assert_eq!(sessions(&room), [4, 2, 3, 1].map(number));
        assert_eq!(room.others(number(2)).collect::<Vec<_>>(), [4, 3, 1].map(number));
        assert!(room.remove(&uid("bob"), audience(5), &config, now).is_some());
        room.go_away(&uid("carol"), Away::ForEver, audience(6));
        assert_eq!(sessions(&room), [4, 1].map(number));
        assert!(room.uids().eq(["alice", "carol", "dora"].map(uid).iter()));
    }

    #[test]
    fn large_room_has_the_smaller_rate_until_it_shrinks() {
        let config = Config {
            room_broadcasts_per_second: 5,
            large_room_broadcasts_per_second: 2,
            ..Config::default()
        };
        let takes = |room: &mut Room, now| (0..9).filter(|_| room.take_broadcast(now)).count();
        let mut room = Room::new(&config, Instant::ORIGIN);
        for place in 1..=NOTICE_MEMBERS_MAX as u64 {
            let uid = uid(&alloc::format!("u{place}"));
            room.add(uid, number(place), audience(place), &config, Instant::ORIGIN);
        }
        assert_eq!(takes(&mut room, Instant::ORIGIN), 2);
        room.remove(&uid("u1"), Audience::default(), &config, Instant::ORIGIN);
        assert_eq!(takes(&mut room, Instant::from_millis(1_000)), 5);
    }
}
