//! Values for the tests of several files.

use crate::membership::{Beat, Wish};
use crate::view::{ClusterName, Incarnation, Member, MemberState, NodeName};

pub(crate) fn cluster_name() -> ClusterName {
    ClusterName::new("chat").expect("a valid name")
}

pub(crate) fn name(name: &str) -> NodeName {
    NodeName::new(name).expect("a valid name")
}

/// A member with one shard.
pub(crate) fn member(of: &str, incarnation: u64) -> Member {
    Member {
        name: name(of),
        incarnation: Incarnation(incarnation),
        shards: 1,
        version: 1,
        state: MemberState::Up,
    }
}

/// The first beat of a node that wants to be a member.
pub(crate) fn beat(node: Member) -> Beat {
    Beat {
        node,
        view: None,
        is_settled: false,
        is_served: false,
        number: 1,
        wish: Wish::Be(MemberState::Up),
        echoes: vec![],
        votes: vec![],
        dead: vec![],
        clock: 0,
    }
}
