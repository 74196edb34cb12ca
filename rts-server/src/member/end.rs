//! Why a node is no member of its cluster any more.

use std::fmt;

use rts_cluster::limits::{FROZEN_MAX, STALLED_MAX};
use rts_cluster::membership::Ended;

/// This node is no member of its cluster any more, and its sessions have ended. A new server of the
/// same configuration joins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MembershipEnded(pub Ended);

impl std::error::Error for MembershipEnded {}

impl fmt::Display for MembershipEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ended::Removed => f.write_str("the other nodes have removed this one from the cluster"),
            Ended::Frozen => write!(
                f,
                "no majority of the cluster has heard this node for {} s",
                FROZEN_MAX.as_secs()
            ),
            Ended::Overtaken => {
                f.write_str("the cluster has changed too often while this node waited to join")
            }
            Ended::Stalled => write!(
                f,
                "another node has acknowledged nothing from this one for {} s",
                STALLED_MAX.as_secs()
            ),
            Ended::Left => f.write_str("this node has left the cluster"),
        }
    }
}
