//! The register of a cluster, and its arbiter.

use std::collections::BTreeMap;
use std::time::Duration;

use rts_cluster::membership::{CasResult, Question, Revision};
use rts_cluster::node::Input;
use rts_cluster::view::{Incarnation, View, ViewId};
use rts_proto::Instant;

/// A question of a node to the register.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Read(Question),
    Cas(Question, Option<Revision>, View),
    Vote { question: Question, view: ViewId, remove: Incarnation },
}

impl Asked {
    /// The answer to a question that does not reach the register.
    pub(super) fn failed(&self) -> Input {
        match self {
            Self::Read(question) => Input::ReadFailed(*question),
            Self::Cas(question, ..) => Input::Cas(*question, CasResult::Unknown),
            Self::Vote { question, .. } => Input::Voted(*question, None),
        }
    }
}

/// What a node gets whose answer is lost.
pub(super) fn lost(answer: Input) -> Input {
    match answer {
        Input::Read(question, _) => Input::ReadFailed(question),
        Input::Cas(question, _) => Input::Cas(question, CasResult::Unknown),
        Input::Voted(question, _) => Input::Voted(question, None),
        other => other,
    }
}

/// The register that holds the view of a cluster.
#[derive(Debug)]
pub struct Register {
    value: Option<(Revision, View)>,
    /// The values before it.
    former: Vec<(Revision, View)>,
    has_forgotten: bool,
    votes: BTreeMap<ViewId, Incarnation>,
    random: fastrand::Rng,
    /// The time to the register, and back again.
    pub latency: Duration,
    /// Before this moment it answers nothing. Half of what it is asked to do is done all the same.
    pub down_until: Instant,
}

impl Register {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            value: None,
            former: Vec::new(),
            has_forgotten: false,
            votes: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
            latency: Duration::from_millis(1),
            down_until: Instant::ORIGIN,
        }
    }

    /// The register of a cluster that begins with this view.
    pub(super) fn found(&mut self, view: View) {
        self.value = Some((Revision(1), view));
        self.former.clear();
        self.has_forgotten = false;
        self.votes.clear();
    }

    /// It goes back to what it had this number of changes ago.
    pub(super) fn forget(&mut self, changes: usize) {
        for _ in 0..changes {
            if let Some(former) = self.former.pop() {
                self.value = Some(former);
                self.has_forgotten = true;
            }
        }
    }

    pub(super) fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// Somebody sets it by hand.
    pub(super) fn restore(&mut self, view: View) {
        self.has_forgotten = false;
        let next = Revision(self.value.as_ref().map_or(0, |(revision, _)| revision.0) + 1);
        self.value = Some((next, view));
    }

    /// The view of the cluster, if it has one.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.value.as_ref().map(|(_, view)| view)
    }

    /// The answer to a question, which arrives at the register now. `is_away`: whether the node
    /// that asks has lost the register meanwhile.
    pub(super) fn answer(&mut self, now: Instant, asked: Asked, is_away: bool) -> Input {
        let is_down = is_away || now < self.down_until;
        let is_done = !is_down || self.random.bool();
        match asked {
            Asked::Read(question) if is_down => Input::ReadFailed(question),
            Asked::Read(question) => Input::Read(question, self.value.clone()),
            Asked::Cas(question, expected, view) => {
                let present = self.value.as_ref().map(|(revision, _)| *revision);
                let is_expected = is_done && present == expected;
                if is_expected {
                    let next = Revision(present.map_or(0, |present| present.0) + 1);
                    self.former.extend(self.value.replace((next, view)));
                }
                let result = match (is_down, is_expected) {
                    (true, _) => CasResult::Unknown,
                    (false, true) => CasResult::Done,
                    (false, false) => CasResult::Conflict,
                };
                Input::Cas(question, result)
            }
            Asked::Vote { question, view, remove } => {
                let vote = is_done.then(|| *self.votes.entry(view).or_insert(remove));
                Input::Voted(question, vote.filter(|_| !is_down))
            }
        }
    }
}
