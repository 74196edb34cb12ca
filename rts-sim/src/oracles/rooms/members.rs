//! Memberships, as the members know them.

use std::collections::BTreeSet;

use rts_proto::Instant;

use super::{Rooms, Violation, ensure};
use crate::model::Model;
use crate::trace::Removed;

/// The members of the room, as one handle knows them.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) uids: BTreeSet<String>,
    /// Users that may be gone without a notice, because the home of the room was lost. Notices of
    /// their joins may be on their way.
    pub(super) doubtful: BTreeSet<String>,
    /// Users that may be in the room without a notice, for the same reason.
    pub(super) hidden: BTreeSet<String>,
    pub(super) notices_stopped: bool,
}

impl Rooms {
    /// Nodes were removed, and with them the homes of rooms.
    pub(super) fn homes_lost(&mut self, model: &Model, now: Instant, removed: &Removed) {
        for ((who, key), members) in &mut self.members {
            let engine = &model.engines[*who];
            let Some(room) = engine.rooms.get(key) else { continue };
            if removed.rooms.contains(&(engine.app, room.id.clone())) {
                let lately = model.lately_in_rooms(now, engine.app);
                let lately = lately.filter(|(id, _)| *id == room.id);
                members.hidden.extend(lately.map(|(_, uid)| uid.to_owned()));
                members.doubtful = members.uids.union(&members.hidden).cloned().collect();
            }
        }
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
                        && extra.all(|uid| members.doubtful.contains(uid));
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
