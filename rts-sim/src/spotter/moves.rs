//! Situations of sessions that move to another node, and of faults of a whole cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::Instant;

use super::Spotter;
use crate::peer_entry::PeerEntry;
use crate::plan::Step;
use crate::situations::Situation;
use crate::trace::{Entry, Line};

/// Two moves within this time are close.
const CLOSE: Duration = Duration::from_secs(10);

/// A user of an app.
type User = (usize, String);

#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Users whose session was asked for at another shard, and how often nodes had changed their
    /// view by then.
    asked: BTreeMap<User, u64>,
    moved: BTreeMap<User, Instant>,
    view_changes: u64,
    /// Nodes that drain, and those of them that end then.
    draining: BTreeSet<usize>,
    ending: BTreeSet<usize>,
    is_bus_away: bool,
    /// A node was frozen while the bus was away from all.
    was_frozen_by_outage: bool,
    /// The end of the longest partition.
    parted_until: Instant,
    /// By node, until when no other hears it, and until when it does not reach the register.
    unheard: BTreeMap<usize, Instant>,
    without_register: BTreeMap<usize, Instant>,
}

impl Spotter {
    pub(super) fn see_moves(&mut self, line: &Line) {
        match &line.entry {
            Entry::EntriesArrived { entries, .. } => {
                entries.iter().for_each(|entry| self.move_seen(line.at, entry));
            }
            Entry::NodeHasView { node, .. } => {
                self.moves.view_changes += 1;
                let away = self.moves.without_register.iter();
                let mut away = away.filter(|(other, until)| *other != node && **until > line.at);
                if away.next().is_some() {
                    self.met(Situation::ViewChangedWithoutRegister);
                }
            }
            Entry::NodeFrozen { node, on: true } => {
                self.moves.was_frozen_by_outage |= self.moves.is_bus_away;
                if self.moves.unheard.get(node).is_some_and(|until| *until > line.at) {
                    self.met(Situation::UnheardNodeFrozen);
                }
            }
            Entry::NodeFrozen { on: false, .. }
                if self.moves.was_frozen_by_outage && !self.moves.is_bus_away =>
            {
                self.moves.was_frozen_by_outage = false;
                self.met(Situation::WentOnAfterOutage);
            }
            Entry::NodeEnded { node, .. } => {
                self.moves.draining.remove(node);
                if self.moves.ending.remove(node) {
                    self.met(Situation::NodeRetired);
                }
            }
            Entry::Fault(step) => self.fault_seen(line.at, *step),
            Entry::Restarted => self.moves = Moves::default(),
            _ => {}
        }
    }

    fn move_seen(&mut self, now: Instant, entry: &PeerEntry) {
        let moves = &mut self.moves;
        match entry {
            PeerEntry::Resume { app, uid } => {
                moves.asked.insert((*app, uid.clone()), moves.view_changes);
            }
            PeerEntry::UserGranted { app, uid, .. } => {
                moves.asked.remove(&(*app, uid.clone()));
            }
            PeerEntry::UserDenied { app, uid, .. }
                if moves.asked.remove(&(*app, uid.clone())).is_some() =>
            {
                self.met(Situation::MoveRefused);
            }
            PeerEntry::SessionMoved { app, uid } => {
                let user = (*app, uid.clone());
                let asked = moves.asked.remove(&user);
                let have_homes_moved = asked.is_some_and(|changes| changes != moves.view_changes);
                let before = moves.moved.insert(user, now);
                let is_draining = !moves.draining.is_empty();
                if have_homes_moved {
                    self.met(Situation::HomesMovedDuringMove);
                }
                if before.is_some_and(|before| now.since(before) <= CLOSE) {
                    self.met(Situation::MovedTwice);
                }
                if is_draining {
                    self.met(Situation::MovedWhileDraining);
                }
            }
            _ => {}
        }
    }

    fn fault_seen(&mut self, now: Instant, step: Step) {
        let moves = &mut self.moves;
        let situation = match step {
            Step::NodeDrains { node, .. } => {
                moves.draining.insert(node);
                return;
            }
            Step::NodeRetires { node, .. } => {
                moves.draining.insert(node);
                moves.ending.insert(node);
                return;
            }
            Step::NodeReopens { node }
                if !moves.ending.contains(&node) && moves.draining.remove(&node) =>
            {
                Situation::DrainTakenBack
            }
            Step::BusAway { is_up } => {
                moves.is_bus_away = !is_up;
                return;
            }
            Step::RegisterAway { node, ms } => {
                moves.without_register.insert(node, now + Duration::from_millis(ms));
                return;
            }
            Step::NodesPart { ms, .. } | Step::NodesMute { ms, .. } => {
                let until = now + Duration::from_millis(ms);
                if let Step::NodesMute { nodes, .. } = step {
                    let muted = (0..8).filter(|node| nodes >> node & 1 == 1);
                    moves.unheard.extend(muted.map(|node| (node, until)));
                }
                let do_overlap = moves.parted_until > now;
                moves.parted_until = moves.parted_until.max(until);
                if !do_overlap {
                    return;
                }
                Situation::PartitionsOverlap
            }
            Step::RegisterForgets { .. } => Situation::RegisterForgot,
            Step::NodeWallJump { .. } => Situation::NodeClockJumped,
            _ => return,
        };
        self.met(situation);
    }
}
