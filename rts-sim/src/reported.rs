//! What the back ends know from reports.

use std::collections::{BTreeMap, BTreeSet};

use rts_proto::server::Report;

use super::trace::Removed;

/// The users and members of one app, as reported to its back end.
///
/// If the home of a user or of a room is lost with its node, so is what it has yet to report. So
/// the user may have gone, and so may the members, until the next report of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reported {
    pub(crate) online: BTreeSet<String>,
    pub(crate) rooms: BTreeMap<String, BTreeSet<String>>,
    doubtful_users: BTreeSet<String>,
    /// Users whose owners were lost, and how many. They may have reported that the user is offline,
    /// and the home does not know that.
    without_owner: BTreeMap<String, u32>,
    /// Rooms with their members.
    doubtful_members: BTreeSet<(String, String)>,
    /// Rooms with users that were about to join when the home was lost. Their memberships may wait
    /// for them at the next home, which does not know that nobody was told of them.
    hidden_members: BTreeSet<(String, String)>,
}

impl Reported {
    pub(crate) fn add(&mut self, report: &Report) {
        match report {
            Report::UserOnline { uid } => {
                self.doubtful_users.remove(uid.as_str());
                self.without_owner.remove(uid.as_str());
                self.online.insert(uid.as_str().to_owned());
            }
            Report::UserOffline { uid, .. } => {
                self.doubtful_users.remove(uid.as_str());
                if let Some(count) = self.without_owner.get_mut(uid.as_str()) {
                    *count = count.saturating_sub(1);
                }
                self.online.remove(uid.as_str());
            }
            Report::RoomCreated { room } => self.room_changed(room.as_str(), true),
            Report::RoomEmptied { room } => self.room_changed(room.as_str(), false),
            Report::MemberJoined { room, uid, .. } => {
                self.is_member_known(room.as_str(), uid.as_str());
                let members = self.rooms.entry(room.as_str().to_owned()).or_default();
                members.insert(uid.as_str().to_owned());
            }
            Report::MemberLeft { room, uid, .. } => {
                self.is_member_known(room.as_str(), uid.as_str());
                if let Some(members) = self.rooms.get_mut(room.as_str()) {
                    members.remove(uid.as_str());
                }
            }
        }
    }

    /// The node of a user's owner was removed.
    pub(crate) fn owner_lost(&mut self, uid: String) {
        *self.without_owner.entry(uid).or_default() += 1;
    }

    /// Whether the user can be reported offline.
    pub(crate) fn may_go(&self, uid: &str) -> bool {
        self.online.contains(uid) || self.without_owner.get(uid).is_some_and(|count| *count > 0)
    }

    fn is_member_known(&mut self, room: &str, uid: &str) {
        let member = (room.to_owned(), uid.to_owned());
        self.doubtful_members.remove(&member);
        self.hidden_members.remove(&member);
    }

    fn room_changed(&mut self, room: &str, exists: bool) {
        self.doubtful_members.retain(|(of, _)| of != room);
        self.hidden_members.retain(|(of, _)| of != room);
        match exists {
            true => drop(self.rooms.insert(room.to_owned(), BTreeSet::new())),
            false => drop(self.rooms.remove(room)),
        }
    }

    /// Nodes were removed. `lately` are users that were in rooms lately, or asked to join them.
    pub(crate) fn lost<'a>(
        &mut self,
        app: usize,
        removed: &Removed,
        lately: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        let users = removed.users.iter().filter(|(of, _)| *of == app);
        self.doubtful_users.extend(users.map(|(_, uid)| uid.clone()));
        for (_, room) in removed.rooms.iter().filter(|(of, _)| *of == app) {
            let members = self.rooms.get(room).into_iter().flatten();
            let members = members.map(|uid| (room.clone(), uid.clone()));
            self.doubtful_members.extend(members);
        }
        for (room, uid) in lately {
            let is_lost = removed.rooms.contains(&(app, room.to_owned()));
            if is_lost && !self.is_member(room, uid) {
                self.hidden_members.insert((room.to_owned(), uid.to_owned()));
            }
        }
    }

    /// Whether the user is certainly online.
    pub(crate) fn is_surely_online(&self, uid: &str) -> bool {
        self.online.contains(uid) && !self.doubtful_users.contains(uid)
    }

    pub(crate) fn is_member(&self, room: &str, uid: &str) -> bool {
        self.rooms.get(room).is_some_and(|members| members.contains(uid))
    }

    /// Whether the user may be a member without a report.
    pub(crate) fn may_be_member(&self, room: &str, uid: &str) -> bool {
        self.hidden_members.contains(&(room.to_owned(), uid.to_owned()))
    }

    /// Users that may be members of a room without a report.
    pub(crate) fn hidden_members(&self, room: &str) -> impl Iterator<Item = &str> {
        let of_room = self.hidden_members.iter().filter(move |(of, _)| of == room);
        of_room.map(|(_, uid)| uid.as_str())
    }

    /// Whether the room may have members without a report.
    pub(crate) fn may_have_members(&self, room: &str) -> bool {
        self.hidden_members.iter().any(|(of, _)| of == room)
    }

    /// Whether the user is certainly a member.
    pub(crate) fn is_sure_member(&self, room: &str, uid: &str) -> bool {
        let is_doubtful = || self.doubtful_members.contains(&(room.to_owned(), uid.to_owned()));
        self.is_member(room, uid) && !is_doubtful()
    }

    /// The members of a room who certainly are.
    pub(crate) fn sure_members(&self, room: &str) -> impl Iterator<Item = &str> {
        let members = self.rooms.get(room).into_iter().flatten().map(String::as_str);
        members.filter(move |uid| self.is_sure_member(room, uid))
    }

    /// The users, rooms and memberships that there certainly are.
    pub(crate) fn sure_counts(&self) -> (usize, usize, usize) {
        let online = self.online.iter().filter(|uid| self.is_surely_online(uid)).count();
        let of_rooms = self.rooms.keys().map(|room| self.sure_members(room).count());
        let of_rooms: Vec<usize> = of_rooms.collect();
        (online, of_rooms.iter().filter(|count| **count > 0).count(), of_rooms.iter().sum())
    }

    /// The users, rooms and memberships that there may be.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let memberships: usize = self.rooms.values().map(BTreeSet::len).sum();
        let hidden_rooms: BTreeSet<&String> =
            self.hidden_members.iter().map(|(room, _)| room).collect();
        let more_rooms = hidden_rooms.into_iter().filter(|room| !self.rooms.contains_key(*room));
        let rooms = self.rooms.len() + more_rooms.count();
        (self.online.len(), rooms, memberships + self.hidden_members.len())
    }

    /// Whether this can be the true state.
    pub(crate) fn can_be(
        &self,
        online: &BTreeSet<String>,
        rooms: &BTreeMap<String, BTreeSet<String>>,
    ) -> bool {
        let knows_room = |(room, members): (&String, &BTreeSet<String>)| {
            members.iter().all(|uid| self.is_member(room, uid) || self.may_be_member(room, uid))
        };
        let is_in =
            |room: &str, uid: &str| rooms.get(room).is_some_and(|members| members.contains(uid));
        let has_sure_members = |room: &String| self.sure_members(room).all(|uid| is_in(room, uid));
        online.is_subset(&self.online)
            && self.online.iter().all(|uid| online.contains(uid) || !self.is_surely_online(uid))
            && rooms.iter().all(knows_room)
            && self.rooms.keys().all(has_sure_members)
    }
}
