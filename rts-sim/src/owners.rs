//! The shards that own the users of a cluster, or may own them as far as their homes know.

use std::collections::{BTreeMap, BTreeSet};

use super::names::node_of;
use super::peer_entry::PeerEntry;
use super::trace::Removed;

/// A user of an app.
type User = (usize, String);

/// The shards that asked the homes of users in other shards, and have not released the users since.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    of: BTreeMap<User, BTreeSet<usize>>,
    /// The numbers of nodes that were removed.
    removed: BTreeSet<usize>,
}

impl Owners {
    /// An entry of one shard arrived at another. Returns the user for whom a removed node has
    /// asked. A home may learn of that before it learns of the removal.
    pub(crate) fn arrived(&mut self, from: usize, to: usize, entry: &PeerEntry) -> Option<User> {
        match entry {
            PeerEntry::UserAsked { app, uid } => {
                let user = (*app, uid.clone());
                if self.removed.contains(&node_of(from)) {
                    return Some(user);
                }
                self.of.entry(user).or_default().insert(from);
            }
            PeerEntry::UserGranted { app, uid, .. } => {
                self.of.entry((*app, uid.clone())).or_default().insert(to);
            }
            PeerEntry::UserMoved { app, uid, owner } => {
                self.of.entry((*app, uid.clone())).or_default().insert(*owner);
            }
            PeerEntry::UserDenied { app, uid } => self.remove((*app, uid.clone()), to),
            PeerEntry::UserReleased { app, uid } => self.remove((*app, uid.clone()), from),
            _ => {}
        }
        None
    }

    fn remove(&mut self, user: User, shard: usize) {
        if let Some(shards) = self.of.get_mut(&user) {
            shards.remove(&shard);
        }
    }

    /// Nodes were removed. Returns the users whose owners may have been in them.
    pub(crate) fn lost(&mut self, removed: &Removed) -> Vec<User> {
        self.removed.extend(&removed.nodes);
        let is_lost = |shard: &usize| removed.nodes.contains(&node_of(*shard));
        let mut lost = Vec::new();
        for (user, shards) in &mut self.of {
            let before = shards.len();
            shards.retain(|shard| !is_lost(shard));
            if shards.len() < before {
                lost.push(user.clone());
            }
        }
        lost
    }
}
