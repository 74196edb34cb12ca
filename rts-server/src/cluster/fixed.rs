//! A cluster whose members are fixed: a view that never changes, without a register.

use std::convert::Infallible;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rts_cluster::membership::{CasResult, Revision};
use rts_cluster::view::{Incarnation, Member, MemberState, NodeName, View, ViewError, ViewId};
use sha2::Sha256;

use super::arbiter::Arbiter;

/// The members of a fixed cluster. All its nodes have the same set.
///
/// The incarnations of the nodes follow from the whole set. So nodes with different sets do not
/// count for each other, and form different clusters.
#[derive(Clone)]
pub struct StaticSet {
    key: Hmac<Sha256>,
    nodes: Vec<(NodeName, u8)>,
}

impl StaticSet {
    /// The set of these nodes with the numbers of their shards, in any order. `secret` has at least
    /// 16 random bytes, which users do not know. `generation` is a number that was in no earlier
    /// set.
    #[must_use]
    pub fn new(secret: &[u8], generation: u64, mut nodes: Vec<(NodeName, u8)>) -> Self {
        nodes.sort();
        let mut key = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        key.update(&generation.to_be_bytes());
        for (name, shards) in &nodes {
            key.update(name.as_str().as_bytes());
            key.update(&[0, *shards]);
        }
        Self { key, nodes }
    }

    /// The incarnation of a node of the set. One process may use it, once: see
    /// [`Life::begin_as`](super::Life::begin_as).
    #[must_use]
    pub fn incarnation(&self, name: &NodeName) -> Incarnation {
        let bits = self.derived(b"incarnation", name.as_str()) as u64;
        // 0 is no incarnation.
        Incarnation(bits.max(1))
    }

    /// The only view of the cluster.
    ///
    /// # Errors
    ///
    /// The nodes cannot form a view.
    pub fn view(&self, version: u16) -> Result<View, ViewError> {
        let member = |(name, shards): &(NodeName, u8)| Member {
            name: name.clone(),
            incarnation: self.incarnation(name),
            shards: *shards,
            version,
            state: MemberState::Up,
        };
        let members = self.nodes.iter().map(member).collect();
        View::first(ViewId(self.derived(b"view", "")), self.derived(b"seed", "") as u64, members)
    }

    fn derived(&self, what: &[u8], of: &str) -> u128 {
        // No name contains the byte 0.
        let key = self.key.clone().chain_update(what).chain_update([0]).chain_update(of);
        let bytes: [u8; 32] = key.finalize().into_bytes().into();
        bytes.into_iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(byte))
    }
}

/// Hides the key, from which the seed follows.
impl std::fmt::Debug for StaticSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaticSet").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

/// A view that never changes, for clusters without a register.
///
/// Nodes without a register cannot agree on a change: two halves would agree on two. So there is no
/// change, neither by votes nor by an operator, and the rest follows:
///
/// - A node acts while a majority of the set hears it, as with any arbiter. Never do two nodes own
///   one user.
/// - Of two nodes, none goes on without the other: there is no third one that votes.
/// - A member that the others did not hear for
///   [`SUSPECT`](rts_cluster::limits::SUSPECT), 5.5 s, or whose process ended, never acts again:
///   the others have promised not to grant it anything in this view. Its part of the users and
///   rooms is served by nobody.
/// - A node that starts again is no member. Its peers would take its first entries for old ones.
/// - To replace a member, stop all nodes and start them with a set of a greater generation.
///
/// So this arbiter suits tests, and sets whose nodes start and end together. Others need a
/// register.
#[derive(Clone, Debug)]
pub struct StaticArbiter {
    view: View,
}

impl StaticArbiter {
    /// Every read gives this view.
    #[must_use]
    pub fn new(view: View) -> Self {
        Self { view }
    }
}

impl Arbiter for StaticArbiter {
    type Error = Infallible;

    async fn read(&self) -> Result<Option<(Revision, View)>, Infallible> {
        Ok(Some((Revision(1), self.view.clone())))
    }

    /// Always a conflict.
    async fn cas(&self, _expected: Option<Revision>, _view: View) -> CasResult {
        CasResult::Conflict
    }

    /// Never votes: of two nodes, none goes on without the other.
    async fn vote(&self, _view: ViewId, _remove: Incarnation) -> Option<Incarnation> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NodeName {
        NodeName::new(text).expect("a valid name")
    }

    fn set(secret: &str, generation: u64, nodes: &[(&str, u8)]) -> StaticSet {
        let nodes = nodes.iter().map(|(node, shards)| (name(node), *shards)).collect();
        StaticSet::new(secret.as_bytes(), generation, nodes)
    }

    #[test]
    fn nodes_with_the_same_set_have_the_same_view() {
        let one = set("secret", 1, &[("a", 1), ("b", 2)]).view(1).expect("a valid view");
        let other = set("secret", 1, &[("b", 2), ("a", 1)]).view(1).expect("a valid view");
        assert_eq!(one, other);
        assert_eq!(one.members().len(), 2);
        let a = set("secret", 1, &[("a", 1), ("b", 2)]).incarnation(&name("a"));
        assert_eq!(one.member(a).map(|member| &member.name), Some(&name("a")));
    }

    #[test]
    fn nodes_with_different_sets_do_not_know_each_other() {
        let sets = [
            set("secret", 1, &[("a", 1), ("b", 1)]),
            set("another", 1, &[("a", 1), ("b", 1)]),
            set("secret", 2, &[("a", 1), ("b", 1)]),
            set("secret", 1, &[("a", 1), ("b", 2)]),
            set("secret", 1, &[("a", 1), ("c", 1)]),
            set("secret", 1, &[("a", 1), ("b", 1), ("c", 1)]),
        ];
        let views: Vec<View> = sets.iter().map(|set| set.view(1).expect("a valid view")).collect();
        for (number, set) in sets.iter().enumerate() {
            let a = set.incarnation(&name("a"));
            let known = views.iter().map(|view| view.member(a).is_some());
            let expected = (0..views.len()).map(|view| view == number);
            assert!(known.eq(expected), "set {number}");
        }
    }

    #[test]
    fn invalid_sets_are_refused() {
        assert_eq!(set("secret", 1, &[]).view(1), Err(ViewError::Count(0)));
        let twice = set("secret", 1, &[("a", 1), ("a", 2)]).view(1);
        assert_eq!(twice, Err(ViewError::Name(name("a"))));
    }

    #[test]
    fn secret_and_seed_are_not_shown() {
        let set = set("secret", 1, &[("a", 1)]);
        let view = set.view(1).expect("a valid view");
        let shown = format!("{set:?} {:?}", StaticArbiter::new(view.clone()));
        assert!(shown.contains("\"a\""), "{shown}");
        assert!(!shown.contains("key") && !shown.contains(&view.seed().to_string()), "{shown}");
    }

    #[tokio::test]
    async fn view_never_changes() {
        let view = set("secret", 1, &[("a", 1), ("b", 1)]).view(1).expect("a valid view");
        let arbiter = StaticArbiter::new(view.clone());
        let next = view.next(ViewId(2), view.members()[..1].to_vec()).expect("a valid view");
        for expected in [None, Some(Revision(1)), Some(Revision(2))] {
            assert_eq!(arbiter.cas(expected, next.clone()).await, CasResult::Conflict);
        }
        let remove = view.members()[0].incarnation;
        assert_eq!(arbiter.vote(view.id(), remove).await, None);
        assert_eq!(arbiter.read().await, Ok(Some((Revision(1), view))));
    }
}
