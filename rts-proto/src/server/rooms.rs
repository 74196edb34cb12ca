//! Rooms of all apps: their members, and the notices to members of those who leave.

mod moves;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

use super::deadlines::Due;
use super::io::{Names, Report};
use super::keys::SessionNumber;
use super::outbox::{Audience, Audiences};
use super::room::{Away, Room};
use super::shared::Shared;
use super::tallies::Tallies;
#[cfg(test)]
use crate::kept::Kept;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{AppId, Instant, LeaveReason, RoomId, UserId};

/// An app has an entry while it has a room, and a room while it has a member.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    apps: BTreeMap<AppId, BTreeMap<RoomId, Room>>,
    /// Each change of memberships in any room makes a new audience.
    audiences: Audiences,
}

impl Rooms {
    pub(super) fn find(&self, app_id: &AppId, id: &RoomId) -> Option<&Room> {
        self.apps.get(app_id)?.get(id)
    }

    pub(super) fn find_mut(&mut self, app_id: &AppId, id: &RoomId) -> Option<&mut Room> {
        self.apps.get_mut(app_id)?.get_mut(id)
    }

    /// Finds a room of any app, for planted bugs.
    pub(super) fn find_in_any_app(&mut self, id: &RoomId) -> Option<&mut Room> {
        self.apps.values_mut().find_map(|rooms| rooms.get_mut(id))
    }

    /// Adds a user who is not a member.
    pub(super) fn add(
        &mut self,
        shared: &Shared,
        number: SessionNumber,
        app_id: &AppId,
        id: &RoomId,
        uid: UserId,
    ) {
        let audience = self.next_audience();
        let room = self.room_or_new(shared, app_id, id);
        room.add(uid, number, audience, &shared.config, shared.now());
    }

    fn room_or_new(&mut self, shared: &Shared, app_id: &AppId, id: &RoomId) -> &mut Room {
        let rooms = self.apps.entry(app_id.clone()).or_default();
        rooms.entry(id.clone()).or_insert_with(|| Room::new(&shared.config, shared.now()))
    }

    /// Gives a member its new session. False when the user is not a member.
    pub(super) fn come_back(
        &mut self,
        shared: &mut Shared,
        tallies: &mut Tallies,
        number: SessionNumber,
        app_id: &AppId,
        id: &RoomId,
        uid: &UserId,
    ) -> bool {
        let audience = self.next_audience();
        let Some(room) = self.find_mut(app_id, id).filter(|room| room.contains(uid)) else {
            return false;
        };
        if let Some(away) = room.come_back(uid, number, audience) {
            stop_waiting(shared, tallies, app_id, id, uid, away);
        }
        true
    }

    /// §6.9: the membership waits for the user's new session. False if nothing waits.
    pub(super) fn go_away(
        &mut self,
        shared: &mut Shared,
        app_id: &AppId,
        id: &RoomId,
        uid: &UserId,
        until: Instant,
    ) -> bool {
        let audience = self.next_audience();
        let Some(room) = self.find_mut(app_id, id).filter(|room| room.contains(uid)) else {
            return false;
        };
        if planted(Bug::OrphansForEver) {
            room.go_away(uid, Away::ForEver, audience);
            return false;
        }
        let deadline = shared.deadlines.arm(until, Due::orphaned_membership(app_id, id, uid));
        room.go_away(uid, Away::Until(deadline), audience);
        true
    }

    /// Removes a member and notifies the others. False when the user is not a member. The caller
    /// removes the room from the member's session.
    pub(super) fn remove(
        &mut self,
        shared: &mut Shared,
        tallies: &mut Tallies,
        app_id: &AppId,
        id: &RoomId,
        uid: &UserId,
        reason: LeaveReason,
    ) -> bool {
        let audience = self.next_audience();
        let Some(rooms) = self.apps.get_mut(app_id) else { return false };
        let Some(room) = rooms.get_mut(id) else { return false };
        let Some(was) = room.remove(uid, audience, &shared.config, shared.now()) else {
            return false;
        };
        let others: Vec<SessionNumber> =
            match !room.has_no_notices() && !planted(Bug::LeaveNotAnnounced) {
                true => room.sessions().collect(),
                false => Vec::new(),
            };
        let is_empty = room.is_empty();
        if is_empty {
            self.take_room(app_id, id);
        }
        if let Err(away) = was {
            stop_waiting(shared, tallies, app_id, id, uid, away);
        }
        if is_empty && planted(Bug::EmptiedReportedFirst) {
            shared.report(app_id, || Report::RoomEmptied { room: id.clone() });
        }
        shared.report(app_id, || Report::MemberLeft { room: id.clone(), uid: uid.clone(), reason });
        if is_empty && !planted(Bug::EmptiedReportedFirst) {
            shared.report(app_id, || Report::RoomEmptied { room: id.clone() });
        }
        let left = Frame::MemberLeft { room: id.clone(), uid: uid.clone(), reason }.encode();
        shared.push_to_each(others.into_iter(), &left);
        true
    }

    /// Removes all members without notices, and returns their sessions.
    pub(super) fn dissolve(
        &mut self,
        shared: &mut Shared,
        tallies: &mut Tallies,
        app_id: &AppId,
        id: &RoomId,
    ) -> Option<Vec<(UserId, Option<SessionNumber>)>> {
        let room = self.take_room(app_id, id)?;
        let mut members = Vec::with_capacity(room.len());
        for (uid, was) in room.into_members() {
            let number = match was {
                Ok(number) => Some(number),
                Err(away) => {
                    stop_waiting(shared, tallies, app_id, id, &uid, away);
                    None
                }
            };
            members.push((uid, number));
        }
        Some(members)
    }

    /// Rooms of which a user is a member, with and without a session. Looks at all rooms of the
    /// app.
    pub(super) fn of_user(&self, app_id: &AppId, uid: &UserId) -> Vec<RoomId> {
        let rooms = self.apps.get(app_id).into_iter().flatten();
        let joined = rooms.filter(|(_, room)| room.contains(uid));
        joined.map(|(id, _)| id.clone()).collect()
    }

    /// The names that a member gets when it joins.
    pub(super) fn names(&self, app_id: &AppId, id: &RoomId, asking: &UserId) -> Names {
        let Some(room) = self.find(app_id, id) else { return Names::default() };
        let names = room.names(asking).cloned().collect();
        Names { names, has_no_notices: room.has_no_notices() }
    }

    pub(super) fn app_ids(&self) -> impl Iterator<Item = &AppId> {
        self.apps.keys()
    }

    pub(super) fn len(&self, app_id: &AppId) -> usize {
        self.apps.get(app_id).map_or(0, BTreeMap::len)
    }

    /// Memberships in all rooms of an app.
    pub(super) fn memberships(&self, app_id: &AppId) -> usize {
        self.apps.get(app_id).map_or(0, |rooms| rooms.values().map(Room::len).sum())
    }

    /// Rooms of an app after `after`, in the order of their ids.
    pub(super) fn after(
        &self,
        app_id: &AppId,
        after: Option<&RoomId>,
    ) -> impl Iterator<Item = (&RoomId, &Room)> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let rooms = self.apps.get(app_id).map(|rooms| rooms.range::<RoomId, _>(behind));
        rooms.into_iter().flatten()
    }

    fn next_audience(&mut self) -> Audience {
        self.audiences.next()
    }

    fn take_room(&mut self, app_id: &AppId, id: &RoomId) -> Option<Room> {
        let rooms = self.apps.get_mut(app_id)?;
        let room = rooms.remove(id);
        if rooms.is_empty() {
            self.apps.remove(app_id);
        }
        room
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { apps, audiences: _ } = self;
        alloc::vec![("apps with rooms", apps.len())]
    }
}

/// A membership waits for a session, or no longer. It is counted where the user's session is, or at
/// the user's home.
pub(super) fn count_orphan(
    shared: &mut Shared,
    tallies: &mut Tallies,
    app_id: &AppId,
    id: &RoomId,
    uid: &UserId,
    waits: bool,
) {
    if !shared.tell_of_orphan(app_id, id, uid, waits) {
        tallies.count_orphan(shared, app_id, uid, id, waits);
    }
}

/// The membership no longer waits for a session.
fn stop_waiting(
    shared: &mut Shared,
    tallies: &mut Tallies,
    app_id: &AppId,
    id: &RoomId,
    uid: &UserId,
    away: Away,
) {
    if let Away::Until(deadline) = away {
        shared.deadlines.disarm(deadline, Due::orphaned_membership(app_id, id, uid));
        count_orphan(shared, tallies, app_id, id, uid, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::NOTICE_MEMBERS_MAX;
    use crate::server::Config;
    use crate::server::deadlines::Timer;
    use crate::server::io::Output;
    use crate::server::testing::{
        app_id, begin_linked_session, flushed_to, number, other_app_id, outputs, room_id, shared,
        uid,
    };

    const UNTIL: Instant = Instant::from_millis(1_000);

    /// A room of one app, and the state that its part is passed.
    struct Fixture {
        rooms: Rooms,
        shared: Shared,
        tallies: Tallies,
        app: AppId,
        room: RoomId,
    }

    impl Fixture {
        fn new() -> Self {
            let (rooms, tallies) = (Rooms::default(), Tallies::new(1));
            Self { rooms, shared: shared(), tallies, app: app_id(), room: room_id("lobby") }
        }

        fn add(&mut self, user: &str, session: SessionNumber) {
            self.rooms.add(&self.shared, session, &self.app, &self.room, uid(user));
        }

        fn remove(&mut self, user: &str) -> bool {
            let Self { rooms, shared, tallies, app, room } = self;
            rooms.remove(shared, tallies, app, room, &uid(user), LeaveReason::Left)
        }

        fn go_away(&mut self, user: &str) {
            let Self { rooms, shared, tallies, app, room } = self;
            if rooms.go_away(shared, app, room, &uid(user), UNTIL) {
                tallies.count_orphan_in(shared, app, &uid(user), room.clone());
            }
        }

        fn come_back(&mut self, user: &str, session: SessionNumber) -> bool {
            let Self { rooms, shared, tallies, app, room } = self;
            rooms.come_back(shared, tallies, session, app, room, &uid(user))
        }

        /// The audiences of its room and of another one.
        fn audiences(&self, other: &RoomId) -> [Audience; 2] {
            [&self.room, other].map(|id| {
                let room = self.rooms.find(&self.app, id).expect("it has a member");
                room.audience()
            })
        }

        fn orphans(&self, user: &str) -> usize {
            self.tallies.orphans(&self.app, &uid(user)).count()
        }
    }

    #[test]
    fn room_and_app_have_entries_until_the_last_member_leaves() {
        let mut fixture = Fixture::new();
        fixture.add("alice", number(1));
        fixture.add("bob", number(2));
        assert_eq!((fixture.rooms.len(&app_id()), fixture.rooms.memberships(&app_id())), (1, 2));
        assert!(fixture.rooms.find(&other_app_id(), &fixture.room).is_none());
        assert!(fixture.remove("alice"));
        assert!(!fixture.remove("alice"));
        assert_eq!((fixture.rooms.len(&app_id()), fixture.rooms.memberships(&app_id())), (1, 1));
        assert!(fixture.remove("bob"));
        assert_eq!((fixture.rooms.len(&app_id()), fixture.rooms.app_ids().count()), (0, 0));
    }

    #[test]
    fn leave_is_announced_to_at_most_500_members() {
        for (stay, is_notified) in [(NOTICE_MEMBERS_MAX, true), (NOTICE_MEMBERS_MAX + 1, false)] {
            let mut fixture = Fixture::new();
            let alice = begin_linked_session(&mut fixture.shared, "alice");
            fixture.add("alice", alice);
            for place in 1..=stay as u64 {
                fixture.add(&alloc::format!("u{place}"), number(1_000 + place));
            }
            assert!(fixture.remove("u1"));
            let (room, reason) = (fixture.room.clone(), LeaveReason::Left);
            let notice = Frame::MemberLeft { room, uid: uid("u1"), reason };
            let expected = if is_notified { alloc::vec![notice] } else { Vec::new() };
            assert_eq!(flushed_to(&mut fixture.shared, alice), expected);
        }
    }

    #[test]
    fn membership_waits_until_the_user_returns_or_is_removed() {
        let mut fixture = Fixture::new();
        let waits = Some((UNTIL, Timer::OrphanedMembership));
        fixture.add("alice", number(1));
        fixture.go_away("alice");
        assert_eq!((fixture.shared.deadlines.next_timer(), fixture.orphans("alice")), (waits, 1));
        assert!(fixture.come_back("alice", number(2)));
        assert_eq!((fixture.shared.deadlines.next_timer(), fixture.orphans("alice")), (None, 0));
        fixture.go_away("alice");
        assert!(fixture.remove("alice"));
        assert_eq!((fixture.shared.deadlines.next_timer(), fixture.orphans("alice")), (None, 0));
        assert!(!fixture.come_back("alice", number(3)));
        fixture.go_away("alice");
        assert_eq!((fixture.shared.deadlines.next_timer(), fixture.orphans("alice")), (None, 0));
    }

    #[test]
    fn dissolved_room_returns_members_and_leaves_no_deadline() {
        let mut fixture = Fixture::new();
        fixture.add("alice", number(1));
        fixture.add("bob", number(2));
        fixture.go_away("bob");
        let Fixture { rooms, shared, tallies, app, room } = &mut fixture;
        let members = rooms.dissolve(shared, tallies, app, room);
        assert_eq!(members, Some(alloc::vec![(uid("alice"), Some(number(1))), (uid("bob"), None)]));
        assert_eq!((fixture.shared.deadlines.next_timer(), fixture.orphans("bob")), (None, 0));
        assert_eq!(fixture.rooms.app_ids().count(), 0);
    }

    #[test]
    fn back_end_gets_leave_before_empty_room() {
        let mut fixture = Fixture::new();
        fixture.shared =
            Shared::new(Config { reported_apps: [app_id()].into(), ..Config::default() });
        fixture.add("alice", number(1));
        assert!(fixture.remove("alice"));
        let (room, reason) = (fixture.room.clone(), LeaveReason::Left);
        let left = Report::MemberLeft { room: room.clone(), uid: uid("alice"), reason };
        let reports = [left, Report::RoomEmptied { room }];
        let expected = reports.map(|report| Output::Report(app_id(), report));
        assert_eq!(outputs(&mut fixture.shared), expected);
    }

    #[test]
    fn every_membership_change_makes_a_new_audience() {
        let (mut fixture, other) = (Fixture::new(), room_id("other"));
        fixture.add("alice", number(1));
        fixture.rooms.add(&fixture.shared, number(2), &app_id(), &other, uid("bob"));
        let mut last = fixture.audiences(&other);
        let changes: [fn(&mut Fixture); 5] = [
            |fixture| fixture.add("bob", number(2)),
            |fixture| fixture.go_away("bob"),
            |fixture| assert!(fixture.come_back("bob", number(3))),
            |fixture| assert!(fixture.remove("bob")),
            |fixture| fixture.add("bob", number(3)),
        ];
        for change in changes {
            change(&mut fixture);
            let [changed, unchanged] = fixture.audiences(&other);
            assert!(changed > last[0] && changed > last[1], "another than any before");
            assert_eq!(unchanged, last[1]);
            last = [changed, unchanged];
        }
    }
}
