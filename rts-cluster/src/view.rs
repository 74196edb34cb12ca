//! The view: which nodes form the cluster.

use std::fmt;

use crate::limits::{MEMBERS_MAX, NAME_BYTES_MAX, SHARDS_MAX};

/// The name of a node, which its operator chose. 1 to 32 characters of `a-z`, `0-9` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(String);

/// A text that is not the name of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a node has 1 to {NAME_BYTES_MAX} characters of a-z, 0-9 and -")]
pub struct BadName;

impl NodeName {
    /// Checks the characters and the length.
    ///
    /// # Errors
    ///
    /// The text is not the name of a node.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let is_valid = (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if is_valid { Ok(Self(name.to_owned())) } else { Err(BadName) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// One life of a node: random bits that each start of its process draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u64);

/// Identifies a view: random bits that its author draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewId(pub u128);

/// The number of a view. Each later view has the next number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

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
}

impl View {
    /// The first view of a cluster. `seed` spreads users and rooms over its nodes, and users must
    /// not know it.
    ///
    /// # Errors
    ///
    /// The members cannot form a view.
    pub fn first(id: ViewId, seed: u64, members: Vec<Member>) -> Result<Self, ViewError> {
        Self { id, parent: None, epoch: Epoch(1), seed, members }.checked()
    }

    /// The view after this one.
    ///
    /// # Errors
    ///
    /// The members cannot form a view.
    pub fn next(&self, id: ViewId, members: Vec<Member>) -> Result<Self, ViewError> {
        let (epoch, seed) = (Epoch(self.epoch.0.saturating_add(1)), self.seed);
        Self { id, parent: Some(self.id), epoch, seed, members }.checked()
    }

    /// A view that was read.
    pub(crate) fn restored(
        id: ViewId,
        parent: Option<ViewId>,
        epoch: Epoch,
        seed: u64,
        members: Vec<Member>,
    ) -> Result<Self, ViewError> {
        Self { id, parent, epoch, seed, members }.checked()
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

    /// Whether this number of members is a majority. Any two majorities have a member in common.
    #[must_use]
    pub fn is_majority(&self, count: usize) -> bool {
        2 * count > self.members.len()
    }

    /// The version that all members speak.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.members.iter().map(|member| member.version).min().unwrap_or(0)
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
    fn names_have_a_small_alphabet_and_1_to_32_characters() {
        let longest = "a".repeat(NAME_BYTES_MAX);
        for valid in ["a", "node-1", "0", &longest] {
            assert_eq!(NodeName::new(valid).map(|name| name.to_string()), Ok(valid.to_owned()));
        }
        let too_long = "a".repeat(NAME_BYTES_MAX + 1);
        for invalid in ["", "Node", "a.b", "a b", "ä", "a*", &too_long] {
            assert_eq!(NodeName::new(invalid), Err(BadName), "{invalid:?}");
        }
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

    #[test]
    fn oldest_member_decides_the_version() {
        let old = Member { version: 1, ..member("b", 2) };
        let view = view(vec![Member { version: 2, ..member("a", 1) }, old]);
        assert_eq!(view.expect("a valid view").version(), 1);
    }
}
