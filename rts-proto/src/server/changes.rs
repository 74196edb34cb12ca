//! The tables of a cluster's homes, one after the other: how far this shard is with the change to
//! the next one, and how far it knows the other shards to be.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::home_table::HomeTable;
use super::io::HomesStep;
use super::placement::ShardId;
use crate::Instant;
use crate::planted::{Bug, planted};

/// A change to the next table has three steps. A shard takes a step when all shards have taken the
/// one before:
///
/// 1. [`Switched`](HomesStep::Switched): it addresses users and rooms by the next table. Former
///    homes still decide about what comes to them.
/// 2. [`HandedOver`](HomesStep::HandedOver): nobody addresses former homes any more. A former home
///    gives the answers that it owes, sends the next one what it knows, and decides no more.
/// 3. [`Settled`](HomesStep::Settled): everything that former homes have sent has arrived here.
///
/// When all shards have settled, nothing from a former home is under way, and the next homes begin
/// to decide. So no two shards decide about a name, and nothing overtakes what went through a
/// former home. Names whose homes stay are not affected.
///
/// If a node was removed, what it knew about the names whose home it was is lost. All shards have
/// to agree which names these are, because each of them reports what it has of them. But they do
/// not agree which changes are over: a node may crash when only some shards know of its last step.
/// So a shard judges by the tables alone. A name is lost if one of its homes was removed since the
/// last change that removed no node. That one began when the one before it was over everywhere.
#[derive(Debug)]
pub(super) struct Changes {
    own: ShardId,
    /// By which this shard addresses.
    table: HomeTable,
    /// The tables before it, the latest one last: those since the last change that removed no node
    /// began. They are kept when a change is over.
    formers: Vec<HomeTable>,
    /// The epoch of the latest table by which this shard decides about all names whose home it is.
    served: Option<u64>,
    change: Option<Change>,
    /// Later tables, which wait until this change is over.
    later: VecDeque<Later>,
    /// The table and the last step that each other shard has reached.
    reached: BTreeMap<ShardId, (u64, HomesStep)>,
    /// Whether a step may be possible that was not possible before.
    has_news: bool,
    /// The moment for which this shard waits, or has waited.
    waits_until: Instant,
}

#[derive(Debug)]
struct Change {
    /// The last step that this shard has taken. `None` before the first one.
    step: Option<HomesStep>,
    /// Before this moment, no next home decides.
    serve_after: Instant,
}

#[derive(Debug)]
struct Later {
    table: HomeTable,
    serve_after: Instant,
}

/// What a shard does next in a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Takes this step, and lets the other shards know.
    Take(HomesStep),
    /// Looks again at this moment, which it has not waited for so far.
    Wait(Instant),
    /// Decides about all names whose home it is. The change is over after that.
    Serve,
}

impl Changes {
    /// The first table of a shard. A shard that joins a cluster is no home at first.
    pub(super) fn new(own: ShardId, table: HomeTable, joins: bool) -> Self {
        let change = joins.then_some(Change { step: None, serve_after: Instant::ORIGIN });
        let served = (!joins).then_some(table.epoch());
        let (formers, later, reached) = (Vec::new(), VecDeque::new(), BTreeMap::new());
        let (has_news, waits_until) = (joins, Instant::ORIGIN);
        Self { own, table, formers, served, change, later, reached, has_news, waits_until }
    }

    pub(super) fn table(&self) -> &HomeTable {
        &self.table
    }

    /// The latest table, which says which nodes there are.
    pub(super) fn latest(&self) -> &HomeTable {
        self.later.back().map_or(&self.table, |later| &later.table)
    }

    /// Adds a later table. Returns the shards of the one before that it lacks. `None` if it is not
    /// later.
    pub(super) fn add(&mut self, table: HomeTable, serve_after: Instant) -> Option<Vec<ShardId>> {
        if table.epoch() <= self.latest().epoch() {
            return None;
        }
        let removed = self.latest().shards().filter(|shard| !table.has(shard.node())).collect();
        self.later.push_back(Later { table, serve_after });
        self.has_news = true;
        Some(removed)
    }

    /// Another shard has taken a step.
    pub(super) fn reached(&mut self, shard: ShardId, epoch: u64, step: HomesStep) {
        self.reached.insert(shard, (epoch, step));
        self.has_news = true;
    }

    /// What this shard waits for may have come: a moment, or its last answer as a former home.
    pub(super) fn look_again(&mut self) {
        self.has_news = true;
    }

    /// Whether a shard has handed over, in the present change.
    pub(super) fn has_handed_over(&self, shard: ShardId) -> bool {
        if shard == self.own {
            let step = self.change.as_ref().and_then(|change| change.step);
            return step >= Some(HomesStep::HandedOver);
        }
        self.reached.get(&shard) >= Some(&(self.table.epoch(), HomesStep::HandedOver))
    }

    /// Whether another shard addresses by a later table than this one.
    pub(super) fn is_ahead(&self, shard: ShardId) -> bool {
        self.reached.get(&shard).is_some_and(|(epoch, _)| *epoch > self.table.epoch())
    }

    /// The shards of the present table, without this one and those of removed nodes.
    pub(super) fn others(&self) -> Vec<ShardId> {
        let is_removed = |node| self.later.iter().any(|later| !later.table.has(node));
        let others = self.table.shards().filter(|shard| *shard != self.own);
        others.filter(|shard| !is_removed(shard.node())).collect()
    }

    /// Whether a step may be possible that was not possible before.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        self.has_news
    }

    /// What to do next, if it can be done. `owes_answers`: as a former home, which hands over when
    /// it has given them.
    pub(super) fn next(&mut self, now: Instant, owes_answers: bool) -> Option<Next> {
        self.has_news = false;
        let Some(change) = &self.change else { return self.begin() };
        let Some(taken) = change.step else { return self.take(HomesStep::Switched) };
        let needed = (self.table.epoch(), taken);
        let has_reached =
            |shard: ShardId| self.reached.get(&shard).is_some_and(|reached| *reached >= needed);
        if !self.others().into_iter().all(has_reached) && !planted(Bug::HomesNotAwaited) {
            return None;
        }
        match taken {
            HomesStep::Switched if owes_answers => None,
            HomesStep::Switched => self.take(HomesStep::HandedOver),
            // A removed node may have granted users to this shard, which never learns of it.
            HomesStep::HandedOver if !self.removed_have_handed_over() => self.begin(),
            HomesStep::HandedOver => self.take(HomesStep::Settled),
            // A node was removed. What it knew as a home comes with the change to the next table.
            HomesStep::Settled if self.is_node_removed() => self.begin(),
            // The next table is on its way to this shard too, and lacks a node.
            HomesStep::Settled if self.is_any_ahead() => None,
            HomesStep::Settled if change.serve_after > now => self.wait_until(change.serve_after),
            HomesStep::Settled => Some(Next::Serve),
        }
    }

    /// Whether a table that this shard has yet to change to lacks a node of this one.
    fn is_node_removed(&self) -> bool {
        self.later.iter().any(|later| later.table.lacks_node_of(&self.table))
    }

    /// Whether the nodes of this table that a later one lacks have sent all that they knew.
    fn removed_have_handed_over(&self) -> bool {
        let needed = (self.table.epoch(), HomesStep::HandedOver);
        let others = self.others();
        let removed =
            self.table.shards().filter(|shard| *shard != self.own && !others.contains(shard));
        removed.into_iter().all(|shard| self.reached.get(&shard) >= Some(&needed))
    }

    /// Whether another shard addresses by a later table than this one.
    fn is_any_ahead(&self) -> bool {
        self.reached.values().any(|(epoch, _)| *epoch > self.table.epoch())
    }

    fn wait_until(&mut self, moment: Instant) -> Option<Next> {
        let is_known = core::mem::replace(&mut self.waits_until, moment) == moment;
        (!is_known).then_some(Next::Wait(moment))
    }

    fn take(&mut self, step: HomesStep) -> Option<Next> {
        self.change.as_mut()?.step = Some(step);
        Some(Next::Take(step))
    }

    fn begin(&mut self) -> Option<Next> {
        let Later { table, serve_after } = self.later.pop_front()?;
        let former = core::mem::replace(&mut self.table, table);
        let before = self.change.take();
        if before.is_none() && !self.table.lacks_node_of(&former) {
            self.formers.clear();
        }
        self.formers.push(former);
        let serve_after = before.map_or(serve_after, |before| serve_after.max(before.serve_after));
        self.change = Some(Change { step: None, serve_after });
        self.take(HomesStep::Switched)
    }

    /// The change is over: this shard decides about all names whose home it is.
    pub(super) fn end(&mut self) {
        self.change = None;
        self.served = Some(self.table.epoch());
    }

    /// Whether homes change now.
    #[inline]
    pub(super) fn is_changing(&self) -> bool {
        self.change.is_some()
    }

    /// The epoch of the latest table by which this shard decides about all names whose home it is.
    pub(super) fn served_epoch(&self) -> Option<u64> {
        self.served
    }
}

/// What is true of a name while homes change.
impl Changes {
    /// Whether this shard does not decide yet about a name whose home it is.
    #[inline]
    pub(super) fn is_unserved(&self, hash: u64) -> bool {
        self.is_changing() && (self.comes_here(hash) || self.is_lost(hash))
    }

    /// The home that a name had before this change.
    pub(super) fn former_home(&self, hash: u64) -> Option<ShardId> {
        self.formers.last().filter(|_| self.is_changing()).map(|table| table.home(hash))
    }

    /// Whether what a home knew about a name is lost with its node. All shards agree on that.
    pub(super) fn is_lost(&self, hash: u64) -> bool {
        self.is_changing() && self.is_removed(&self.formers, hash)
    }

    /// Whether the answer of a home may be lost with its node. Former homes have answered before
    /// this shard began to serve.
    pub(super) fn is_answer_lost(&self, hash: u64) -> bool {
        self.is_changing() && self.is_removed(self.unserved_formers(), hash)
    }

    /// Whether this shard may know only a part about a name whose home it was: what the home before
    /// has sent, and was removed before it had sent everything, or may have been.
    pub(super) fn is_partial(&self, hash: u64) -> bool {
        self.is_lost(hash) && self.comes_here(hash)
    }

    fn is_removed(&self, formers: &[HomeTable], hash: u64) -> bool {
        formers.iter().any(|former| !self.table.has(former.home(hash).node()))
    }

    /// Whether this shard was not the home all the time since it served last.
    fn comes_here(&self, hash: u64) -> bool {
        let is_elsewhere = |former: &HomeTable| former.home(hash) != self.own;
        self.served.is_none() || self.unserved_formers().iter().any(is_elsewhere)
    }

    /// The tables before this one, from the latest one on by which this shard decided about all
    /// names.
    fn unserved_formers(&self) -> &[HomeTable] {
        let is_older = |former: &HomeTable| Some(former.epoch()) < self.served;
        &self.formers[self.formers.partition_point(is_older)..]
    }
}

#[cfg(test)]
mod tests;
