//! How far the nodes are that drain.

use std::time::Duration;

use rts_cluster::membership::Wish;
use rts_cluster::node::Input;
use rts_cluster::view::{MemberState, View};
use rts_proto::Instant;

use super::{Cluster, Life, NodeIndex};

/// The time between two steps, as in `rts-server`.
const STEP: Duration = Duration::from_millis(100);
/// The time after the end of the last session in which a node passes on what comes late.
const LATE: Duration = Duration::from_secs(10);
/// The time for the others to remove a node that leaves.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);

/// A node that drains.
#[derive(Debug)]
pub(super) struct Draining {
    links_per_second: u32,
    /// Thousandths of a link that are left of the steps before.
    rest: u32,
    next_step: Instant,
    has_handed_over: bool,
    /// Whether it takes links.
    is_open: bool,
    last_session: Option<Instant>,
    is_drained: bool,
    /// The process ends when it is drained, or at this moment.
    ends_at: Option<Instant>,
    /// Before this moment, the others should remove it.
    leaves_before: Option<Instant>,
}

/// What a node that drains does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It takes links again.
    Reopens,
    /// It closes this number of links at most.
    Closes(usize),
    /// It closes all that is left, and leaves the cluster.
    Leaves,
    /// Its process ends.
    Ends,
}

impl Draining {
    fn new(now: Instant, links_per_second: u32) -> Self {
        Self {
            links_per_second,
            rest: 0,
            next_step: now,
            has_handed_over: false,
            is_open: true,
            last_session: None,
            is_drained: false,
            ends_at: None,
            leaves_before: None,
        }
    }

    fn links_of_step(&mut self) -> usize {
        let step = u32::try_from(STEP.as_millis()).expect("a short step");
        let thousandths = self.rest + self.links_per_second * step;
        self.rest = thousandths % 1_000;
        (thousandths / 1_000) as usize
    }
}

impl Life {
    /// Whether clients should come to this node.
    pub(super) fn is_ready(&self) -> bool {
        self.draining.is_none()
    }

    /// Whether its process ends when it is drained.
    pub(crate) fn is_ending(&self) -> bool {
        self.draining.as_ref().is_some_and(|draining| draining.ends_at.is_some())
    }

    /// When it does the next step of a drain.
    pub(super) fn next_step(&self) -> Option<Instant> {
        self.draining.as_ref().map(|draining| draining.next_step)
    }

    /// The states of other nodes that are, or are about to be, there for its users.
    fn others(&self) -> impl Iterator<Item = MemberState> {
        let members = self.node.view().into_iter().flat_map(View::members);
        let others = members.filter(|member| member.incarnation != self.incarnation);
        others.map(|member| member.state).filter(|state| *state != MemberState::Draining)
    }

    /// Whether all nodes decide by homes without this node.
    fn has_handed_over(&self) -> bool {
        self.node.view().is_some_and(|view| {
            let own = view.member(self.incarnation).map(|member| member.state);
            own == Some(MemberState::Draining) && self.served == Some(view.epoch())
        })
    }

    fn wish(&mut self, now: Instant, wish: Wish) {
        self.handle(now, Input::Wish(wish));
    }

    /// The next step, with this number of sessions.
    fn step(&mut self, now: Instant, sessions: usize) -> Option<Step> {
        let acts = self.acts(now);
        let is_anybody_up = self.others().any(|state| state == MemberState::Up);
        let is_alone = self.others().next().is_none();
        let hands_over = self.has_handed_over();
        let is_acknowledged = self.node.is_acknowledged();
        let draining = self.draining.as_mut()?;
        draining.next_step = now + STEP;
        if let Some(before) = draining.leaves_before {
            if before <= now {
                return Some(Step::Ends);
            }
            if is_acknowledged {
                self.wish(now, Wish::Leave);
            }
            return None;
        }
        let is_over = draining.is_drained || is_alone;
        if draining.ends_at.is_some_and(|at| at <= now || is_over) {
            draining.leaves_before = Some(now + LEAVE_PATIENCE);
            return Some(Step::Leaves);
        }
        draining.has_handed_over |= hands_over;
        // Its clients would not hear a frozen node.
        if !draining.has_handed_over || !acts {
            return None;
        }
        if !is_anybody_up {
            return (!std::mem::replace(&mut draining.is_open, true)).then_some(Step::Reopens);
        }
        draining.is_open = false;
        if sessions > 0 {
            draining.last_session = Some(now);
        }
        draining.is_drained = draining.last_session.is_none_or(|at| at + LATE <= now);
        Some(Step::Closes(draining.links_of_step()))
    }
}

impl Cluster {
    /// A node begins to drain, if it does not, and there is another one for its users. With
    /// `ends_at` its process ends when it is drained, or at that moment. Returns whether it drains.
    pub(crate) fn drain(
        &mut self,
        now: Instant,
        node: NodeIndex,
        links_per_second: u32,
        ends_at: Option<Instant>,
    ) -> bool {
        let Some(life) = self.life_mut(node).filter(|life| life.map.is_some()) else {
            return false;
        };
        if ends_at.is_none() && !life.others().any(|state| state == MemberState::Up) {
            return life.draining.is_some();
        }
        if life.draining.is_none() {
            life.wish(now, Wish::Be(MemberState::Draining));
        }
        let draining = life.draining.get_or_insert_with(|| Draining::new(now, links_per_second));
        draining.ends_at = draining.ends_at.or(ends_at);
        true
    }

    /// A node ceases to drain, unless its process is to end. Returns whether it drained.
    pub(crate) fn cancel_drain(&mut self, now: Instant, node: NodeIndex) -> bool {
        let Some(life) = self.life_mut(node).filter(|life| !life.is_ending()) else {
            return false;
        };
        if life.draining.take().is_none() {
            return false;
        }
        life.wish(now, Wish::Be(MemberState::Up));
        true
    }

    /// Whether a node that drains has nothing left to do.
    pub(crate) fn is_drained(&self, node: NodeIndex) -> bool {
        let draining = self.life(node).and_then(|life| life.draining.as_ref());
        draining.is_some_and(|draining| draining.is_drained)
    }

    /// Whether a node that drains has its next step to do.
    pub(crate) fn has_step(&self, now: Instant, node: NodeIndex) -> bool {
        let life = self.life(node);
        life.is_some_and(|life| {
            life.paused_until <= now && life.next_step().is_some_and(|at| at <= now)
        })
    }

    /// The next step of a node that drains and has this number of sessions.
    pub(crate) fn step(&mut self, now: Instant, node: NodeIndex, sessions: usize) -> Option<Step> {
        self.life_mut(node)?.step(now, sessions)
    }
}
