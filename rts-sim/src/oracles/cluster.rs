//! The nodes of a cluster: no two of them decide about one name, grants have an order, and after
//! the faults nothing is under way any more (I6, I42, I43).

use std::collections::{BTreeMap, BTreeSet};

use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::names::node_of;
use crate::peer_entry::PeerEntry;
use crate::trace::{Entry, Line, Phase};

#[derive(Debug, Default)]
pub(super) struct Cluster {
    /// The latest grant of each user of an app.
    tenures: BTreeMap<(usize, String), u64>,
    /// The nodes that have shards. When none is left, nobody knows of a grant any more, and a
    /// register that forgot views lets their numbers begin again at a lower one.
    members: BTreeSet<usize>,
    /// The numbers of nodes that were removed. What they get has no effect.
    removed: BTreeSet<usize>,
    phase: Option<Phase>,
}

impl Oracle for Cluster {
    fn see(&mut self, _: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::NodeServes { node, epoch, outside } => ensure(outside.is_empty(), || {
                format!(
                    "I6: node {node} decides by view {epoch}, and {outside:?} act outside of it"
                )
            }),
            Entry::EntriesArrived { to, entries, .. } => {
                entries.iter().try_for_each(|entry| self.arrived(*to, entry))
            }
            Entry::NodeHasView { node, .. } => {
                self.members.insert(*node);
                Ok(())
            }
            Entry::NodeEnded { node, .. } => {
                if self.members.remove(node) && self.members.is_empty() {
                    self.tenures.clear();
                }
                Ok(())
            }
            Entry::NodesRemoved(removed) => {
                self.removed.extend(&removed.nodes);
                Ok(())
            }
            Entry::Restarted => {
                *self = Self { phase: self.phase, ..Self::default() };
                Ok(())
            }
            Entry::Phase(phase) => {
                self.phase = Some(*phase);
                Ok(())
            }
            Entry::Gauges { homes_move, on_their_way, .. }
                if self.phase >= Some(Phase::Settled) =>
            {
                ensure(!homes_move, || "I43: homes move, with nothing wrong".to_owned())?;
                ensure(*on_their_way == 0, || {
                    format!("I42: nothing is said, and {on_their_way} entries are on their way")
                })
            }
            _ => Ok(()),
        }
    }
}

impl Cluster {
    /// A user is granted to one shard after the other.
    fn arrived(&mut self, to: usize, entry: &PeerEntry) -> Result<(), Violation> {
        let PeerEntry::UserGranted { app, uid, tenure } = entry else { return Ok(()) };
        if self.removed.contains(&node_of(to)) {
            return Ok(());
        }
        let before = self.tenures.insert((*app, uid.clone()), *tenure);
        ensure(before.is_none_or(|before| before < *tenure), || {
            format!("I6: {uid} of app {app} has grant {tenure} after {before:?}")
        })
    }
}
