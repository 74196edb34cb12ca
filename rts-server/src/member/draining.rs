//! Emptying this node, so that its users go on at other nodes of the cluster.
//!
//! A node that drains is no home any more. When the others have its homes, it turns new links away
//! and closes those that it has, at a rate. Its clients come back at other nodes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use rts_cluster::membership::Wish;
use rts_cluster::view::{Incarnation, MemberState};
use rts_transport_tokio::server::Node;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::shards::Shards;
use crate::cluster::NodeStatus;

/// The time between two steps.
const STEP: Duration = Duration::from_millis(100);
/// The clients of one step come back spread over this time.
const RETRY_AFTER_MAX: Duration = Duration::from_millis(200);
/// The time after the end of the last session in which this node passes on what comes late for
/// sessions that have moved, such as results. After it, senders no longer wait for results.
const LATE: Duration = Duration::from_secs(10);
/// The time between two lines in the log about what is left.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Whether this node drains, and how far it is.
#[derive(Debug)]
pub(crate) struct Draining {
    own: Incarnation,
    shards: Arc<Shards>,
    status: watch::Receiver<NodeStatus>,
    /// No more links are closed in a second.
    links_per_second: u32,
    is_fixed: bool,
    order: watch::Sender<Order>,
    stage: watch::Sender<Stage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Serve,
    Drain,
    /// Drain before the end of the process, which is not taken back.
    End,
}

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It does not drain.
    Serves,
    /// No other node is there that its users could go to. It serves until there is one.
    Alone,
    /// The others take its homes. It still serves.
    HandsOver,
    /// It closes links, and has these sessions. Those that have moved may still get something here.
    Empties {
        /// Also those without a link.
        sessions: usize,
    },
    /// It has nothing left to do.
    Drained,
}

/// Why a node does not begin or cease to drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no other node is up that could take its users")]
    Alone,
    #[error(
        "the nodes of a fixed set (arbiter = \"static\") do not drain: their homes cannot move"
    )]
    Fixed,
    #[error("this node ends, which cannot be taken back")]
    Ends,
}

impl Draining {
    pub(super) fn new(
        own: Incarnation,
        shards: Arc<Shards>,
        status: watch::Receiver<NodeStatus>,
        links_per_second: u32,
        is_fixed: bool,
    ) -> Self {
        let (order, stage) = (watch::Sender::new(Order::Serve), watch::Sender::new(Stage::Serves));
        Self { own, shards, status, links_per_second, is_fixed, order, stage }
    }

    pub(crate) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Begins to drain, if there is another node for the users.
    pub(crate) fn begin(&self) -> Result<(), Refusal> {
        if self.is_fixed {
            return Err(Refusal::Fixed);
        }
        if !self.others().any(|state| state == MemberState::Up) {
            return Err(Refusal::Alone);
        }
        self.order.send_if_modified(|order| {
            let is_new = *order == Order::Serve;
            if is_new {
                *order = Order::Drain;
            }
            is_new
        });
        Ok(())
    }

    /// Ceases to drain.
    pub(crate) fn cancel(&self) -> Result<(), Refusal> {
        if *self.order.borrow() == Order::End {
            return Err(Refusal::Ends);
        }
        self.order.send_replace(Order::Serve);
        Ok(())
    }

    /// Drains before the end of the process. Returns when nothing is left to do, or no other node
    /// is there for the sessions. Cancel safe.
    pub(super) async fn empty_before_end(&self) {
        if self.is_fixed || self.others().next().is_none() {
            return;
        }
        self.order.send_replace(Order::End);
        let is_over = |stage: &Stage| matches!(stage, Stage::Alone | Stage::Drained);
        // The sender is in `self`.
        let _ = self.stage.subscribe().wait_for(is_over).await;
    }

    /// Carries out the orders. Never ends.
    pub(super) async fn run(&self, node: Node) {
        let mut order = self.order.subscribe();
        let is_serve = |order: &Order| *order == Order::Serve;
        loop {
            // The sender is in `self`.
            let _ = order.wait_for(|order| !is_serve(order)).await;
            tracing::info!("this node drains: it gives up its homes, and then its links");
            self.shards.wish(Wish::Be(MemberState::Draining));
            tokio::select! {
                never = self.empty(&node) => match never {},
                _ = order.wait_for(is_serve) => {}
            }
            node.reopen();
            self.shards.wish(Wish::Be(MemberState::Up));
            self.stage.send_replace(Stage::Serves);
            tracing::info!("this node drains no more: it takes links and homes again");
        }
    }

    async fn empty(&self, node: &Node) -> Infallible {
        while !self.has_handed_over() {
            self.reach(self.stage_before_links());
            sleep(STEP).await;
        }
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rate = Rate::new(self.links_per_second);
        let (mut is_open, mut reported_at, mut last_session_at) = (true, None, None::<Instant>);
        loop {
            steps.tick().await;
            // Its clients would not hear a frozen node.
            if !node.may_act() {
                continue;
            }
            if !self.others().any(|state| state == MemberState::Up) {
                if !std::mem::replace(&mut is_open, true) {
                    node.reopen();
                }
                self.reach(self.stage_before_links());
                continue;
            }
            is_open = false;
            node.drain(rate.links_of_step(), RETRY_AFTER_MAX);
            let sessions = node.sessions();
            if sessions > 0 {
                last_session_at = Some(Instant::now());
            }
            if last_session_at.is_none_or(|at| at.elapsed() >= LATE) {
                if self.reach(Stage::Drained) {
                    tracing::info!("this node is drained: no session is left");
                }
                continue;
            }
            let is_news = self.reach(Stage::Empties { sessions });
            let is_due = reported_at.is_none_or(|at: Instant| at.elapsed() >= REPORT_EVERY);
            if is_news && is_due {
                tracing::info!(sessions, "draining: these sessions are left");
                reported_at = Some(Instant::now());
            }
        }
    }

    /// Returns whether the stage is another one than before.
    fn reach(&self, stage: Stage) -> bool {
        self.stage.send_if_modified(|present| std::mem::replace(present, stage) != stage)
    }

    /// It waits for a node that joins, but not for nobody.
    fn stage_before_links(&self) -> Stage {
        match self.others().next() {
            Some(_) => Stage::HandsOver,
            None => Stage::Alone,
        }
    }

    /// Whether all nodes decide by homes without this node.
    fn has_handed_over(&self) -> bool {
        let status = self.status.borrow();
        status.view.as_ref().is_some_and(|view| {
            let own = view.member(self.own).map(|member| member.state);
            let is_served = self.shards.served().is_some_and(|served| served >= view.epoch());
            own == Some(MemberState::Draining) && is_served
        })
    }

    /// Whether it is the only node.
    pub(super) fn is_alone(&self) -> bool {
        let status = self.status.borrow();
        status.view.as_ref().is_none_or(|view| view.members().len() == 1)
    }

    /// The states of other nodes that are, or are about to be, there for users.
    fn others(&self) -> impl Iterator<Item = MemberState> {
        let status = self.status.borrow();
        let members = status.view.iter().flat_map(|view| view.members());
        let others = members.filter(|member| member.incarnation != self.own);
        let states = others.map(|member| member.state);
        let states: Vec<_> = states.filter(|state| *state != MemberState::Draining).collect();
        states.into_iter()
    }
}

/// Links of one step after the other, at a rate.
struct Rate {
    links_per_second: u128,
    /// Thousandths of a link that are left of the steps before.
    rest: u128,
}

impl Rate {
    fn new(links_per_second: u32) -> Self {
        Self { links_per_second: links_per_second.into(), rest: 0 }
    }

    fn links_of_step(&mut self) -> usize {
        let thousandths = self.rest + self.links_per_second * STEP.as_millis();
        self.rest = thousandths % 1_000;
        usize::try_from(thousandths / 1_000).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_steps_close_the_links_of_a_second() {
        for links_per_second in [1, 3, 10, 499, 500, u32::MAX] {
            let mut rate = Rate::new(links_per_second);
            let of_steps: Vec<_> = (0..10).map(|_| rate.links_of_step()).collect();
            assert_eq!(of_steps.iter().sum::<usize>(), links_per_second as usize);
            let least = links_per_second as usize / 10;
            assert!(of_steps.iter().all(|links| (least..=least + 1).contains(links)));
        }
    }
}
