//! Memberships, as the members know them.

use std::collections::BTreeSet;

use super::{Rooms, Violation, ensure};
use crate::model::Model;

/// The members of the room, as one handle knows them.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) uids: BTreeSet<String>,
    pub(super) notices_stopped: bool,
}

impl Rooms {
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
                let holds = members.notices_stopped || others == members.uids;
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
