//! What a node knows of its cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use rts_cluster::view::{Epoch, Incarnation, MemberState, NodeName};
use tokio::sync::watch;

use super::draining::{Draining, Stage};
use super::shards::Shards;
use crate::cluster::{Figures, NodeStatus};

/// What this node knows of its cluster, for operators.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    name: NodeName,
    status: watch::Receiver<NodeStatus>,
    shards: Arc<Shards>,
    draining: Arc<Draining>,
}

impl Standing {
    pub(super) fn new(
        name: NodeName,
        status: watch::Receiver<NodeStatus>,
        shards: Arc<Shards>,
        draining: Arc<Draining>,
    ) -> Self {
        Self { name, status, shards, draining }
    }

    /// The name of the node.
    pub(crate) fn node(&self) -> &str {
        self.name.as_str()
    }

    pub(crate) fn status(&self) -> NodeStatus {
        self.status.borrow().clone()
    }

    /// The epoch of the latest view that all shards of this node serve.
    pub(crate) fn served(&self) -> Option<Epoch> {
        self.shards.served()
    }

    /// Waits until the node serves a view in which it is up. Cancel safe.
    pub(super) async fn until_up(&self, own: Incarnation) {
        let is_up = |served: &u64| {
            self.status.borrow().view.as_ref().is_some_and(|view| {
                let state = view.member(own).map(|member| member.state);
                state == Some(MemberState::Up) && *served >= view.epoch().0
            })
        };
        self.shards.until_served(is_up).await;
    }

    /// By the number of a member, of how many slots it is the home.
    pub(crate) fn homes(&self) -> BTreeMap<u8, usize> {
        self.shards.homes()
    }

    /// What this node has sent and received, at this moment.
    pub(crate) async fn figures(&self) -> Figures {
        self.shards.figures().await
    }

    /// Whether clients should come to this node now.
    pub(crate) fn is_ready(&self) -> bool {
        let serves = self.draining.stage() == Stage::Serves;
        self.status.borrow().may_act && self.served().is_some() && serves
    }

    /// Whether it drains, and orders to do so.
    pub(crate) fn draining(&self) -> &Draining {
        &self.draining
    }
}
