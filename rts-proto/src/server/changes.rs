//! The tables of a cluster's homes, one after the other: how far this shard is with the change to
//! the next one, and how far it knows the other shards to be.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::home_table::HomeTable;
use super::io::HomesStep;
use super::placement::{NodeNumber, ShardId};

/// A change to the next table has three steps. A shard takes a step when all shards have taken the
/// one before:
///
/// 1. [`Switched`](HomesStep::Switched): it addresses users and rooms by the next table. Former
///    homes still decide about what comes to them.
/// 2. [`HandedOver`](HomesStep::HandedOver): nobody addresses former homes any more. A former home
///    sends the next one what it knows, and decides no more.
/// 3. [`Settled`](HomesStep::Settled): everything that former homes have sent has arrived here.
///
/// When all shards have settled, nothing from a former home is under way, and the next homes begin
/// to decide. So no two shards decide about a name, and nothing overtakes what went through a
/// former home. Names whose homes stay are not affected.
///
/// This holds for changes during which no node is removed. If a former home is removed before it
/// has handed over, shards may not agree about what is lost, because each of them judges by the
/// tables that it has gone through.
#[derive(Debug)]
pub(super) struct Changes {
    own: ShardId,
    /// By which this shard addresses.
    table: HomeTable,
    change: Option<Change>,
    /// Later tables, which wait until this change is over.
    later: VecDeque<HomeTable>,
    /// The table and the last step that each other shard has reached.
    reached: BTreeMap<ShardId, (u64, HomesStep)>,
    /// Whether a step may be possible that was not possible before.
    has_news: bool,
}

#[derive(Debug)]
struct Change {
    /// The last step that this shard has taken.
    step: Option<HomesStep>,
    /// The tables before, the latest one last. There are several if a node was removed before a
    /// change was over, because then the next homes may lack what that node knew. There are none in
    /// a shard that joins the cluster.
    formers: Vec<HomeTable>,
}

/// What a shard does next in a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Takes this step, and lets the other shards know.
    Take(HomesStep),
    /// Decides about all names whose home it is. The change is over after that.
    Serve,
}

impl Changes {
    /// The first table of a shard. A shard that joins a cluster has to get what the former homes
    /// know.
    pub(super) fn new(own: ShardId, table: HomeTable, joins: bool) -> Self {
        let change = joins.then(|| Change { step: None, formers: Vec::new() });
        let (later, reached) = (VecDeque::new(), BTreeMap::new());
        Self { own, table, change, later, reached, has_news: joins }
    }

    pub(super) fn table(&self) -> &HomeTable {
        &self.table
    }

    /// The latest table, which says which nodes there are.
    pub(super) fn latest(&self) -> &HomeTable {
        self.later.back().unwrap_or(&self.table)
    }

    /// Adds a later table. Returns the nodes that it lacks. `None` if it is not later.
    pub(super) fn add(&mut self, table: HomeTable) -> Option<Vec<NodeNumber>> {
        if table.epoch() <= self.latest().epoch() {
            return None;
        }
        let former = self.latest().nodes().map(|(node, _)| node);
        let removed = former.filter(|node| !table.has(*node)).collect();
        self.later.push_back(table);
        self.has_news = true;
        Some(removed)
    }

    /// Another shard has taken a step.
    pub(super) fn reached(&mut self, shard: ShardId, epoch: u64, step: HomesStep) {
        self.reached.insert(shard, (epoch, step));
        self.has_news = true;
    }

    /// Whether another shard addresses by a later table than this one.
    pub(super) fn is_ahead(&self, shard: ShardId) -> bool {
        self.reached.get(&shard).is_some_and(|(epoch, _)| *epoch > self.table.epoch())
    }

    /// Whether the last home of a name was in one of these nodes, and has sent less than it knew.
    pub(super) fn lacks(&self, hash: u64, removed: &[NodeNumber]) -> bool {
        let former = self.formers(hash).last().filter(|home| removed.contains(&home.node()));
        let reached = former.and_then(|home| self.reached.get(&home));
        let all_sent = (self.table.epoch(), HomesStep::HandedOver);
        former.is_some() && reached.is_none_or(|reached| *reached < all_sent)
    }

    /// Whether what a node knew as a home is lost.
    pub(super) fn have_lost_something(&self) -> bool {
        let formers = self.change.iter().flat_map(|change| &change.formers);
        formers.flat_map(HomeTable::nodes).any(|(node, _)| !self.latest().has(node))
    }

    /// The shards of the present table, without this one and those of removed nodes.
    pub(super) fn others(&self) -> Vec<ShardId> {
        let others = self.table.shards().filter(|shard| *shard != self.own);
        others.filter(|shard| !self.is_removed(shard.node())).collect()
    }

    /// Whether a step may be possible that was not possible before.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        self.has_news
    }

    /// What to do next, if it can be done.
    pub(super) fn next(&mut self) -> Option<Next> {
        self.has_news = false;
        let Some(change) = &self.change else { return self.begin(Vec::new()) };
        let Some(taken) = change.step else { return self.take(HomesStep::Switched) };
        let needed = (self.table.epoch(), taken);
        let has_reached =
            |shard: ShardId| self.reached.get(&shard).is_some_and(|reached| *reached >= needed);
        if !self.others().into_iter().all(has_reached) {
            return None;
        }
        match taken {
            HomesStep::Switched => self.take(HomesStep::HandedOver),
            HomesStep::HandedOver => self.take(HomesStep::Settled),
            HomesStep::Settled if self.lacks_something() => {
                let formers = self.change.take().map(|change| change.formers);
                self.begin(formers.unwrap_or_default())
            }
            HomesStep::Settled => Some(Next::Serve),
        }
    }

    fn take(&mut self, step: HomesStep) -> Option<Next> {
        self.change.as_mut()?.step = Some(step);
        Some(Next::Take(step))
    }

    fn begin(&mut self, mut formers: Vec<HomeTable>) -> Option<Next> {
        let next = self.later.pop_front()?;
        formers.push(core::mem::replace(&mut self.table, next));
        self.change = Some(Change { step: None, formers });
        self.take(HomesStep::Switched)
    }

    /// The change is over: this shard decides about all names whose home it is.
    pub(super) fn end(&mut self) {
        self.change = None;
    }

    /// Whether a node was removed that knew something as a former home. What it knew comes with
    /// the change to the table without it.
    fn lacks_something(&self) -> bool {
        let formers = self.change.iter().flat_map(|change| &change.formers);
        formers.flat_map(HomeTable::nodes).any(|(node, _)| self.is_removed(node))
    }

    /// Whether a table that this shard has yet to change to lacks this node.
    fn is_removed(&self, node: NodeNumber) -> bool {
        self.later.iter().any(|table| !table.has(node))
    }

    /// Whether this shard does not decide yet about a name whose home it is.
    #[inline]
    pub(super) fn is_unserved(&self, hash: u64) -> bool {
        match &self.change {
            None => false,
            Some(Change { formers, .. }) => {
                formers.is_empty() || formers.iter().any(|table| table.home(hash) != self.own)
            }
        }
    }

    /// The epoch of the latest table by which this shard decides about all names whose home it is.
    pub(super) fn served_epoch(&self) -> Option<u64> {
        match &self.change {
            None => Some(self.table.epoch()),
            Some(change) => change.formers.first().map(HomeTable::epoch),
        }
    }

    /// Whether homes change now.
    #[inline]
    pub(super) fn is_changing(&self) -> bool {
        self.change.is_some()
    }

    /// The homes that a name had before this change, the latest one last.
    pub(super) fn formers(&self, hash: u64) -> impl Iterator<Item = ShardId> {
        let tables = self.change.iter().flat_map(|change| &change.formers);
        tables.map(move |table| table.home(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(node: usize) -> ShardId {
        ShardId::of_node(NodeNumber::new(node).expect("valid"), 0).expect("valid")
    }

    /// Nodes of one shard each. The first one of them is the home of all.
    fn table(epoch: u64, nodes: &[usize]) -> HomeTable {
        let nodes: Vec<_> = nodes.iter().map(|node| shard(*node).node()).collect();
        let counts = nodes.iter().map(|node| (*node, 1));
        HomeTable::new(epoch, counts, |_| nodes[0]).expect("valid")
    }

    /// Shard 1 of a cluster of three, with the table of epoch 1.
    fn changes() -> Changes {
        Changes::new(shard(1), table(1, &[0, 1, 2]), false)
    }

    fn all_reach(changes: &mut Changes, others: &[usize], epoch: u64, step: HomesStep) {
        for other in others {
            assert_eq!(changes.next(), None, "a shard is missing");
            changes.reached(shard(*other), epoch, step);
        }
    }

    #[test]
    fn each_step_waits_for_all_shards_to_take_the_one_before() {
        let mut changes = changes();
        assert_eq!(changes.next(), None);
        assert_eq!(changes.add(table(2, &[1, 0, 2])), Some(Vec::new()));
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::Switched)));
        assert!(changes.is_unserved(7), "node 0 still decides");
        all_reach(&mut changes, &[0, 2], 2, HomesStep::Switched);
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::HandedOver)));
        all_reach(&mut changes, &[0, 2], 2, HomesStep::HandedOver);
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::Settled)));
        all_reach(&mut changes, &[0, 2], 2, HomesStep::Settled);
        assert_eq!(changes.next(), Some(Next::Serve));
        changes.end();
        assert!(!changes.is_unserved(7) && !changes.is_changing());
    }

    #[test]
    fn a_name_whose_home_stays_is_served_all_the_time() {
        let mut changes = Changes::new(shard(0), table(1, &[0, 1]), false);
        changes.add(table(2, &[0, 1, 2]));
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::Switched)));
        assert!(!changes.is_unserved(7));
    }

    #[test]
    fn a_shard_that_joins_serves_nothing_at_first() {
        let mut changes = Changes::new(shard(2), table(5, &[2, 0]), true);
        assert!(changes.is_unserved(7) && changes.has_news());
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::Switched)));
        assert_eq!(changes.next(), None);
        for step in [HomesStep::Switched, HomesStep::HandedOver, HomesStep::Settled] {
            changes.reached(shard(0), 5, step);
        }
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::HandedOver)));
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::Settled)));
        assert_eq!(changes.next(), Some(Next::Serve));
    }

    #[test]
    fn a_removed_node_is_not_awaited_and_what_it_knew_comes_with_the_next_change() {
        let mut changes = changes();
        changes.add(table(2, &[1, 0, 2]));
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::Switched)));
        let removed = changes.add(table(3, &[1, 2]));
        assert_eq!(removed, Some(alloc::vec![shard(0).node()]));
        assert!(changes.lacks(7, &removed.expect("some")), "it had not sent everything");
        for step in [HomesStep::Switched, HomesStep::HandedOver, HomesStep::Settled] {
            changes.reached(shard(2), 2, step);
        }
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::HandedOver)));
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::Settled)));
        // It does not serve what node 0 may have kept for itself.
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::Switched)));
        assert!(changes.is_unserved(7) && changes.have_lost_something());
        assert_eq!(changes.formers(7).collect::<Vec<_>>(), [shard(0), shard(1)]);
        assert_eq!(changes.others(), [shard(2)]);
    }

    #[test]
    fn a_table_is_taken_once_and_in_order() {
        let mut changes = changes();
        assert!(changes.add(table(1, &[1, 2])).is_none());
        assert!(changes.add(table(3, &[1, 2, 0])).is_some());
        assert!(changes.add(table(2, &[1, 2, 0])).is_none());
        assert!(!changes.is_ahead(shard(2)));
        changes.reached(shard(2), 3, HomesStep::Switched);
        assert!(changes.is_ahead(shard(2)));
        assert_eq!(changes.next(), Some(Next::Take(HomesStep::Switched)));
        assert!(!changes.is_ahead(shard(2)));
    }
}
