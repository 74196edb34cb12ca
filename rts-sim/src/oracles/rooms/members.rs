//! Memberships, as the members know them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::Instant;

use super::{Handle, Rooms, Violation, ensure};
use crate::model::Model;
use crate::trace::Removed;

/// The members of the room, as one handle knows them.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) uids: BTreeSet<String>,
    /// Users that may be gone without a notice, because the home of the room was lost, and how
    /// often. Notices of their joins may be on their way: a member whose link was down gets those
    /// of all homes together.
    pub(super) doubtful: BTreeMap<String, u32>,
    /// Users that may be in the room without a notice, for the same reason.
    pub(super) hidden: BTreeSet<String>,
    pub(super) notices_stopped: bool,
    /// The moment of the join, if the home of the room was lost while its answer was under way. The
    /// names that come with the answer may be of that home.
    pub(super) of_lost_home: Option<Instant>,
}

impl Members {
    /// A home was lost, and with it perhaps the notice that this user has left.
    pub(super) fn may_be_gone(&mut self, uid: &str) {
        *self.doubtful.entry(uid.to_owned()).or_default() += 1;
    }

    /// A notice shows what one lost home did not tell of a user. False if none was lost.
    pub(super) fn is_explained(&mut self, uid: &str) -> bool {
        let Some(times) = self.doubtful.get_mut(uid) else { return false };
        *times -= 1;
        if *times == 0 {
            self.doubtful.remove(uid);
        }
        true
    }
}

impl Rooms {
    /// Nodes were removed, and with them the homes of rooms.
    pub(super) fn homes_lost(&mut self, model: &Model, now: Instant, removed: &Removed) {
        self.homes_lost.extend(removed.rooms.iter().map(|room| (room.clone(), now)));
        self.unserved.extend(removed.rooms.iter().cloned());
        for ((who, key), members) in &mut self.members {
            let engine = &model.engines[*who];
            let Some(room) = engine.rooms.get(key) else { continue };
            if removed.rooms.contains(&(engine.app, room.id.clone())) {
                let lately = model.lately_in_rooms(now, engine.app);
                let lately = lately.filter(|(id, _)| *id == room.id);
                members.hidden.extend(lately.map(|(_, uid)| uid.to_owned()));
                let doubtful: Vec<_> = members.uids.union(&members.hidden).cloned().collect();
                doubtful.iter().for_each(|uid| members.may_be_gone(uid));
            }
        }
    }

    /// A node decides about its homes. A join that was asked for before waits for the home of its
    /// room until then, and has the names that are left of the lost home.
    pub(super) fn homes_serve(&mut self, model: &Model, now: Instant) {
        if !model.loss_is_new {
            self.unserved.clear();
        }
        for room in &self.unserved {
            self.homes_lost.insert(room.clone(), now);
        }
    }

    /// The members that a join does not name. It has taken this time.
    pub(super) fn members_at_join(
        &self,
        model: &Model,
        now: Instant,
        (who, key): Handle,
        elapsed: Duration,
    ) -> Members {
        let engine = &model.engines[who];
        let Some(room) = engine.rooms.get(&key) else { return Members::default() };
        let lost = self.homes_lost.get(&(engine.app, room.id.clone()));
        if lost.is_none_or(|lost| now.since(*lost) > elapsed) {
            return Members::default();
        }
        let lately = model.lately_in_rooms(now, engine.app);
        let lately = lately.filter(|(id, _)| *id == room.id);
        let hidden: BTreeSet<String> = lately.map(|(_, uid)| uid.to_owned()).collect();
        let doubtful = hidden.iter().map(|uid| (uid.clone(), 1)).collect();
        Members { hidden, doubtful, of_lost_home: Some(now), ..Members::default() }
    }

    /// I27: each member knows the true members of its room.
    pub(super) fn members_are_known(&self, model: &Model) -> Result<(), Violation> {
        for (who, engine) in model.engines.iter().enumerate() {
            let Some(own) = engine.login.live() else { continue };
            for (key, id) in engine.joined() {
                let Some(members) = self.members.get(&(who, key)) else { continue };
                let others = model.live(engine.app).filter(|(other, uid)| {
                    *uid != own && model.engines[*other].joined().any(|(_, room)| room == id)
                });
                let others: BTreeSet<String> = others.map(|(_, uid)| uid.to_owned()).collect();
                let mut extra = members.uids.difference(&others);
                let holds = members.notices_stopped
                    || others.is_subset(&members.uids.union(&members.hidden).cloned().collect())
                        && extra.all(|uid| members.doubtful.contains_key(uid));
                ensure(holds, || {
                    format!(
                        "I27: #{who} believes that {:?} are in {id}, and {others:?} are",
                        members.uids
                    )
                })?;
            }
        }
        Ok(())
    }
}
