//! The view: which nodes form the cluster.

mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::limits::{MEMBERS_MAX, NODE_NUMBERS, REMOVED_MAX, SHARDS_MAX};
pub use names::{BadName, ClusterName, NodeName};

/// One life of a node: random bits that each start of its process draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// Identifies a view: random bits that its author draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewId(pub u128);

/// The number of a view. Each later view has the next number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Which view a node has. A register that loses what it has acknowledged leads to two views of one
/// number, so the number alone does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewRef {
    /// Its number.
    pub epoch: Epoch,
    /// Its identity.
    pub id: ViewId,
}

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It learns what it needs to serve.
    Joining,
    /// It serves users, and decides about its part of them.
    Up,
    /// It serves the users that it has, and decides about none.
    Draining,
}

/// A node in a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: NodeName,
    /// Its life.
    pub incarnation: Incarnation,
    /// The number of its shards, which is its weight.
    pub shards: u8,
    /// The version of the protocol between nodes that it speaks.
    pub version: u16,
    /// What it does.
    pub state: MemberState,
}

/// Which nodes form the cluster. All nodes that act have the same one, or the next one.
#[derive(Clone, PartialEq, Eq)]
pub struct View {
    id: ViewId,
    /// The view before it.
    parent: Option<ViewId>,
    epoch: Epoch,
    seed: u64,
    members: Vec<Member>,
    /// By member, its number.
    numbers: Vec<u8>,
    /// The number from which on the next new member gets the first free one.
    next_number: u8,
    /// The nodes that were removed last, in the order of their removals.
    removed: Vec<Incarnation>,
}

/// What a view that was written has besides its members.
pub(crate) struct Rest {
    /// The numbers of the members, in their order.
    pub(crate) numbers: Vec<u8>,
    pub(crate) next_number: u8,
    pub(crate) removed: Vec<Incarnation>,
}

/// Members that cannot form a view.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// No members, or too many.
    #[error("a view has 1 to {MEMBERS_MAX} members, and not {0}")]
    Count(usize),
    /// Two members have one name.
    #[error("two nodes have the name {0}")]
    Name(NodeName),
    /// Two members have one incarnation.
    #[error("two nodes have the incarnation {:016x}", .0.0)]
    Incarnation(Incarnation),
    /// A member without shards, or with too many.
    #[error("node {name} has {shards} shards, and 1 to {SHARDS_MAX} are allowed")]
    Shards {
        /// The member.
        name: NodeName,
        /// The number of its shards.
        shards: u8,
    },
    /// A member was removed before.
    #[error("the incarnation {:016x} was removed", .0.0)]
    Removed(Incarnation),
    /// The numbers of members that were read are not theirs alone, or too great.
    #[error("each member has a number below {NODE_NUMBERS} of its own")]
    Numbers,
}

impl View {
    /// The first view of a cluster. `seed` spreads users and rooms over its nodes, and users must
    /// not know it.
    ///
    /// # Errors
    ///
    /// The members cannot form a view.
    pub fn first(id: ViewId, seed: u64, members: Vec<Member>) -> Result<Self, ViewError> {
        let (numbers, next_number, removed) = (Vec::new(), 0, Vec::new());
        let (parent, epoch) = (None, Epoch(1));
        let first = Self { id, parent, epoch, seed, members, numbers, next_number, removed };
        Ok(first.checked()?.with_numbers(|_| None))
    }

    /// The view after this one. A node that was removed does not become a member again: it needs a
    /// new incarnation.
    ///
    /// # Errors
    ///
    /// The members cannot form a view.
    pub fn next(&self, id: ViewId, members: Vec<Member>) -> Result<Self, ViewError> {
        let (epoch, seed) = (Epoch(self.epoch.0.saturating_add(1)), self.seed);
        let (parent, numbers, next_number) = (Some(self.id), Vec::new(), self.next_number);
        let stays = |node: Incarnation| members.iter().any(|member| member.incarnation == node);
        let gone =
            self.members.iter().map(|member| member.incarnation).filter(|node| !stays(*node));
        let mut removed: Vec<Incarnation> = self.removed.iter().copied().chain(gone).collect();
        removed.drain(..removed.len().saturating_sub(REMOVED_MAX));
        let next = Self { id, parent, epoch, seed, members, numbers, next_number, removed };
        Ok(next.checked()?.with_numbers(|member| self.number(member)))
    }

    /// A view that was read.
    pub(crate) fn restored(
        id: ViewId,
        parent: Option<ViewId>,
        epoch: Epoch,
        seed: u64,
        members: Vec<Member>,
        rest: Rest,
    ) -> Result<Self, ViewError> {
        let Rest { numbers: of_members, next_number, removed } = rest;
        let incarnations = members.iter().map(|member| member.incarnation);
        let known: BTreeMap<_, _> = incarnations.zip(of_members.iter().copied()).collect();
        let different: BTreeSet<_> = of_members.iter().collect();
        let greatest = of_members.iter().copied().fold(next_number, u8::max);
        let is_valid =
            [of_members.len(), different.len()] == [members.len(); 2] && greatest < NODE_NUMBERS;
        let numbers = Vec::new();
        let view = Self { id, parent, epoch, seed, members, numbers, next_number, removed };
        let view = view.checked()?;
        if is_valid {
            Ok(view.with_numbers(|member| known.get(&member).copied()))
        } else {
            Err(ViewError::Numbers)
        }
    }

    /// Gives a number to each member that has none.
    fn with_numbers(mut self, known: impl Fn(Incarnation) -> Option<u8>) -> Self {
        let known: Vec<_> = self.members.iter().map(|member| known(member.incarnation)).collect();
        let mut next = self.next_number;
        let after = |number: u8| (number + 1) % NODE_NUMBERS;
        let mut new = || {
            while known.contains(&Some(next)) {
                next = after(next);
            }
            let number = next;
            next = after(next);
            number
        };
        self.numbers = known.iter().map(|number| number.unwrap_or_else(&mut new)).collect();
        self.next_number = next;
        self
    }

    /// Sorts the members by name, and checks them.
    fn checked(mut self) -> Result<Self, ViewError> {
        let members = &mut self.members;
        if !(1..=MEMBERS_MAX).contains(&members.len()) {
            return Err(ViewError::Count(members.len()));
        }
        members.sort_by(|one, other| one.name.cmp(&other.name));
        if let Some(two) = members.windows(2).find(|two| two[0].name == two[1].name) {
            return Err(ViewError::Name(two[0].name.clone()));
        }
        let mut incarnations: Vec<_> = members.iter().map(|member| member.incarnation).collect();
        incarnations.sort_unstable();
        if let Some(two) = incarnations.windows(2).find(|two| two[0] == two[1]) {
            return Err(ViewError::Incarnation(two[0]));
        }
        let is_removed = |member: &&Member| self.removed.contains(&member.incarnation);
        if let Some(member) = members.iter().find(is_removed) {
            return Err(ViewError::Removed(member.incarnation));
        }
        let has_shards = |member: &&Member| (1..=SHARDS_MAX).contains(&member.shards);
        if let Some(member) = members.iter().find(|member| !has_shards(member)) {
            let (name, shards) = (member.name.clone(), member.shards);
            return Err(ViewError::Shards { name, shards });
        }
        Ok(self)
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> ViewId {
        self.id
    }

    /// Its number and identity.
    #[must_use]
    pub fn reference(&self) -> ViewRef {
        ViewRef { epoch: self.epoch, id: self.id }
    }

    /// The identity of the view before it. The first one has none.
    #[must_use]
    pub fn parent(&self) -> Option<ViewId> {
        self.parent
    }

    /// Its number.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The seed of the spread of users and rooms.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Its members in the order of their names.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member with this incarnation.
    #[must_use]
    pub fn member(&self, incarnation: Incarnation) -> Option<&Member> {
        self.members.iter().find(|member| member.incarnation == incarnation)
    }

    /// The number of the member with this incarnation, below [`NODE_NUMBERS`]. It keeps the number.
    /// After it, at least 32 other nodes join before one gets the same number.
    #[must_use]
    pub fn number(&self, incarnation: Incarnation) -> Option<u8> {
        let is_it = |member: &Member| member.incarnation == incarnation;
        self.numbers.get(self.members.iter().position(is_it)?).copied()
    }

    /// A number that is less for the member that came last than for all others. A removal changes
    /// none of those numbers.
    pub(crate) fn seniority(&self, incarnation: Incarnation) -> u8 {
        let number = self.number(incarnation).unwrap_or(0);
        (self.next_number + NODE_NUMBERS - 1 - number) % NODE_NUMBERS
    }

    /// Whether this node was a member and is one no longer. The last [`REMOVED_MAX`] such nodes are
    /// known.
    #[must_use]
    pub fn has_removed(&self, incarnation: Incarnation) -> bool {
        self.removed.contains(&incarnation)
    }

    /// What it has besides its members.
    pub(crate) fn rest(&self) -> Rest {
        let (numbers, removed) = (self.numbers.clone(), self.removed.clone());
        Rest { numbers, next_number: self.next_number, removed }
    }

    /// Whether this number of members is a majority. Any two majorities have a member in common.
    #[must_use]
    pub fn is_majority(&self, count: usize) -> bool {
        2 * count > self.members.len()
    }
}

/// Hides the seed, which is a secret.
impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("id", &self.id)
            .field("parent", &self.parent)
            .field("epoch", &self.epoch)
            .field("members", &self.members)
            .field("numbers", &self.numbers)
            .field("removed", &self.removed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{member, name};

    fn view(members: Vec<Member>) -> Result<View, ViewError> {
        View::first(ViewId(1), 7, members)
    }

    #[test]
    fn members_are_in_the_order_of_their_names() {
        let view = view(vec![member("b", 1), member("a", 2)]).expect("a valid view");
        let names: Vec<_> = view.members().iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(view.member(Incarnation(1)).map(|member| member.name.as_str()), Some("b"));
        assert_eq!(view.member(Incarnation(3)), None);
    }

    #[test]
    fn next_view_has_the_next_number_and_knows_its_parent() {
        let first = view(vec![member("a", 1)]).expect("a valid view");
        let second = first.next(ViewId(2), vec![member("a", 1), member("b", 2)]);
        let second = second.expect("a valid view");
        assert_eq!((first.epoch(), second.epoch()), (Epoch(1), Epoch(2)));
        assert_eq!((second.parent(), second.seed()), (Some(first.id()), first.seed()));
    }

    #[test]
    fn members_keep_their_numbers() {
        let first = view(vec![member("b", 1), member("c", 2)]).expect("a valid view");
        assert_eq!(first.number(Incarnation(1)), Some(0));
        let second = first.next(ViewId(2), vec![member("a", 3), member("c", 2)]);
        let second = second.expect("a valid view");
        let numbers = [1, 2, 3].map(|incarnation| second.number(Incarnation(incarnation)));
        assert_eq!(numbers, [None, Some(1), Some(2)]);
    }

    #[test]
    fn number_is_given_again_after_at_least_32_others() {
        let stay = || (0..31).map(|n| member(&format!("n{n:02}"), n + 1));
        let with_last = |last: u64| stay().chain([member("z", last)]).collect::<Vec<_>>();
        let mut present = view(with_last(100)).expect("a valid view");
        let first = present.number(Incarnation(100));
        let mut others = 0;
        for last in 101_u64.. {
            present = present.next(ViewId(last.into()), with_last(last)).expect("a valid view");
            if present.number(Incarnation(last)) == first {
                break;
            }
            others += 1;
        }
        assert_eq!(others, 32);
    }

    #[test]
    fn removed_node_never_returns_with_its_incarnation() {
        let first = view(vec![member("a", 1), member("b", 2)]).expect("a valid view");
        let alone = first.next(ViewId(2), vec![member("a", 1)]).expect("a valid view");
        assert!(alone.has_removed(Incarnation(2)) && !first.has_removed(Incarnation(2)));
        let again = |node| alone.next(ViewId(3), vec![member("a", 1), member("b", node)]);
        assert_eq!(again(2), Err(ViewError::Removed(Incarnation(2))));
        assert!(again(3).is_ok());
    }

    #[test]
    fn view_knows_the_last_removed_nodes() {
        let mut present = view(vec![member("a", 1), member("b", 1_000)]).expect("a valid view");
        let count = REMOVED_MAX as u64;
        for node in 1_001..=1_000 + count {
            let next = present.next(ViewId(node.into()), vec![member("a", 1), member("b", node)]);
            present = next.expect("a valid view");
        }
        assert!(present.has_removed(Incarnation(1_000)));
        let next = present.next(ViewId(1), vec![member("a", 1)]).expect("a valid view");
        assert!(!next.has_removed(Incarnation(1_000)) && next.has_removed(Incarnation(1_001)));
    }

    #[test]
    fn view_has_1_to_32_members() {
        let members = |count: usize| -> Vec<Member> {
            (0..count).map(|n| member(&format!("n{n}"), n as u64 + 1)).collect()
        };
        assert_eq!(view(members(0)), Err(ViewError::Count(0)));
        assert!(view(members(1)).is_ok());
        assert!(view(members(MEMBERS_MAX)).is_ok());
        let too_many = MEMBERS_MAX + 1;
        assert_eq!(view(members(too_many)), Err(ViewError::Count(too_many)));
    }

    #[test]
    fn names_and_incarnations_differ_and_shards_are_bounded() {
        let twice = view(vec![member("a", 1), member("a", 2)]);
        assert_eq!(twice, Err(ViewError::Name(name("a"))));
        let twice = view(vec![member("a", 1), member("b", 1)]);
        assert_eq!(twice, Err(ViewError::Incarnation(Incarnation(1))));
        for (shards, is_valid) in [(0, false), (1, true), (SHARDS_MAX, true)] {
            let view = view(vec![Member { shards, ..member("a", 1) }]);
            assert_eq!(view.is_ok(), is_valid, "{shards}");
        }
        let too_many = view(vec![Member { shards: SHARDS_MAX + 1, ..member("a", 1) }]);
        let shards = SHARDS_MAX + 1;
        assert_eq!(too_many, Err(ViewError::Shards { name: name("a"), shards }));
    }

    #[test]
    fn majorities_have_a_member_in_common() {
        for (members, least) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
            let all = (0..members).map(|n| member(&format!("n{n}"), n + 1)).collect();
            let view = view(all).expect("a valid view");
            assert!(view.is_majority(least) && !view.is_majority(least - 1), "{members}");
        }
    }
}
