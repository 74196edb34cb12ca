//! The shards that own the users of a cluster, or may own them as far as their homes know.

use std::collections::{BTreeMap, BTreeSet};

use super::names::node_of;
use super::peer_entry::PeerEntry;
use super::trace::Removed;

/// A user of an app.
type User = (usize, String);

#[derive(Debug, Default)]
pub(crate) struct Owners {
    of: BTreeMap<User, Owner>,
    /// The numbers of nodes that were removed.
    removed: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct Owner {
    /// The logins that asked the home of the user in another shard, and their shards.
    asked: BTreeSet<(usize, u64)>,
    /// The shards that have the user, with their grants, and have not released it. A shard has it
    /// until the home knows that its session has moved.
    granted: BTreeMap<usize, u64>,
}

impl Owner {
    /// No earlier grant is in force when a home makes the next one.
    fn granted(&mut self, shard: usize, tenure: u64) {
        self.granted.retain(|_, earlier| *earlier > tenure);
        self.granted.insert(shard, tenure);
    }
}

impl Owners {
    /// An entry of one shard arrived at another. Returns the user for whom a removed node has
    /// asked. A home may learn of that before it learns of the removal.
    pub(crate) fn arrived(&mut self, from: usize, to: usize, entry: &PeerEntry) -> Option<User> {
        let (user, is_lost) = match entry {
            PeerEntry::UserAsked { app, uid, shard, .. } => ((*app, uid.clone()), Some(*shard)),
            PeerEntry::UserReleased { app, uid, next, .. } => {
                ((*app, uid.clone()), next.map(|(shard, _)| shard))
            }
            PeerEntry::UserGranted { app, uid, .. }
            | PeerEntry::UserMoved { app, uid, .. }
            | PeerEntry::UserDenied { app, uid, .. } => ((*app, uid.clone()), None),
            _ => return None,
        };
        let is_lost = is_lost.is_some_and(|shard| self.removed.contains(&node_of(shard)));
        let owner = self.of.entry(user.clone()).or_default();
        match entry {
            PeerEntry::UserAsked { shard, login, .. } if !is_lost => {
                owner.asked.insert((*shard, *login));
            }
            PeerEntry::UserGranted { tenure, .. } => {
                owner.asked.retain(|(shard, _)| *shard != to);
                owner.granted(to, *tenure);
            }
            PeerEntry::UserMoved { owner: shard, tenure, .. } => {
                owner.granted.insert(*shard, *tenure);
            }
            PeerEntry::UserDenied { login, .. } => drop(owner.asked.remove(&(to, *login))),
            PeerEntry::UserReleased { next: None, .. } => drop(owner.granted.remove(&from)),
            PeerEntry::UserReleased { tenure, next: Some(next), .. } => {
                owner.granted.retain(|_, of| of != tenure);
                (!is_lost).then(|| owner.asked.insert(*next));
            }
            _ => {}
        }
        is_lost.then_some(user)
    }

    /// Whether a login waits for the home of a user, as far as entries show it.
    pub(crate) fn is_asked_for(&self, app: usize, uid: &str) -> bool {
        let owner = self.of.get(&(app, uid.to_owned()));
        owner.is_some_and(|owner| !owner.asked.is_empty())
    }

    /// Nodes were removed. Returns the users whose owners may have been in them.
    pub(crate) fn lost(&mut self, removed: &Removed) -> Vec<User> {
        self.removed.extend(&removed.nodes);
        let is_lost = |shard: &usize| removed.nodes.contains(&node_of(*shard));
        let mut lost = Vec::new();
        for (user, owner) in &mut self.of {
            let before = owner.asked.len() + owner.granted.len();
            owner.asked.retain(|(shard, _)| !is_lost(shard));
            owner.granted.retain(|shard, _| !is_lost(shard));
            if owner.asked.len() + owner.granted.len() < before {
                lost.push(user.clone());
            }
        }
        lost
    }
}
