//! The lease of a node: whether it may act.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rts_proto::Instant;

use super::beat::Beat;
use crate::limits::LEASE;
use crate::planted::planted;
use crate::view::{Incarnation, View};

/// The beats that a node has sent, and the grants that answered them.
///
/// A grant counts from the moment at which the beat was sent, and the silence that lets its author
/// vote from the moment at which it arrived. So a node knows first that its lease has ended.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Lease {
    /// The numbers and times of beats whose grants would still count.
    sent: VecDeque<(u64, Instant)>,
    /// Until when each node grants, all of them in the present view.
    granted: BTreeMap<Incarnation, Instant>,
}

impl Lease {
    pub(super) fn beat_sent(&mut self, now: Instant, number: u64) {
        self.sent.push_back((number, now));
        while self.sent.front().is_some_and(|(_, at)| *at + LEASE <= now) {
            self.sent.pop_front();
        }
    }

    /// Takes a beat of another node. It grants what it answers, in its view.
    pub(super) fn heard(&mut self, beat: &Beat, view: &View, own: Incarnation) {
        let echo = beat.echoes.iter().find(|echo| echo.of == own);
        let counts = planted!(GrantOfAnyView) || beat.view == Some(view.reference());
        if let Some(echo) = echo.filter(|_| counts) {
            self.granted(beat.node.incarnation, echo.number);
        }
    }

    /// A node of the same view has heard this beat.
    fn granted(&mut self, by: Incarnation, number: u64) {
        let answered = self.sent.iter().find(|(sent, _)| *sent == number);
        let counts_from = if planted!(LeaseFromLastBeat) { self.sent.back() } else { answered };
        let Some((_, sent_at)) = counts_from else { return };
        let until = self.granted.entry(by).or_insert(*sent_at + LEASE);
        *until = (*until).max(*sent_at + LEASE);
    }

    /// Grants of an earlier view do not count.
    pub(super) fn view_changed(&mut self) {
        self.granted.clear();
    }

    /// The moment until which a majority of the view grants. `None` if none ever did. A node grants
    /// itself.
    pub(super) fn until(&self, view: &View, own: Incarnation) -> Option<Until> {
        let others = view.members().iter().filter(|member| member.incarnation != own);
        let mut until: Vec<_> =
            others.filter_map(|member| self.granted.get(&member.incarnation)).copied().collect();
        until.sort_unstable_by(|one, other| other.cmp(one));
        match (1..=view.members().len()).find(|count| view.is_majority(*count))? {
            1 => Some(Until::Ever),
            majority => {
                let too_long = if planted!(LeaseTooLong) { LEASE } else { Duration::ZERO };
                until.get(majority - 2).map(|until| Until::Moment(*until + too_long))
            }
        }
    }
}

/// The end of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// The node is the only one of its view.
    Ever,
    /// Before this moment the node may act.
    Moment(Instant),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::member;
    use crate::view::ViewId;

    const OWN: Incarnation = Incarnation(1);

    fn view(members: u64) -> View {
        let all = (1..=members).map(|n| member(&format!("n{n}"), n)).collect();
        View::first(ViewId(1), 7, all).expect("a valid view")
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn moment(millis: u64) -> Option<Until> {
        Some(Until::Moment(at(millis) + LEASE))
    }

    #[test]
    fn only_node_has_it_for_ever() {
        assert_eq!(Lease::default().until(&view(1), OWN), Some(Until::Ever));
    }

    #[test]
    fn majority_is_needed_and_its_oldest_grant_counts() {
        let mut lease = Lease::default();
        (0..3).for_each(|number| lease.beat_sent(at(number * 500), number));
        let (three, five) = (view(3), view(5));
        assert_eq!(lease.until(&three, OWN), None);
        lease.granted(Incarnation(2), 1);
        assert_eq!(lease.until(&three, OWN), moment(500));
        assert_eq!(lease.until(&five, OWN), None);
        lease.granted(Incarnation(3), 0);
        assert_eq!(lease.until(&five, OWN), moment(0));
        assert_eq!(lease.until(&three, OWN), moment(500), "the better one");
        lease.granted(Incarnation(3), 2);
        assert_eq!(lease.until(&five, OWN), moment(500));
        lease.granted(Incarnation(3), 0);
        assert_eq!(lease.until(&five, OWN), moment(500), "an old answer");
    }

    #[test]
    fn strangers_and_unknown_beats_grant_nothing() {
        let mut lease = Lease::default();
        lease.beat_sent(at(0), 0);
        lease.granted(Incarnation(4), 0);
        lease.granted(Incarnation(2), 9);
        assert_eq!(lease.until(&view(3), OWN), None);
    }

    #[test]
    fn grants_end_with_the_view() {
        let mut lease = Lease::default();
        lease.beat_sent(at(0), 0);
        lease.granted(Incarnation(2), 0);
        lease.view_changed();
        assert_eq!(lease.until(&view(3), OWN), None);
    }

    #[test]
    fn beats_older_than_a_lease_are_forgotten() {
        let mut lease = Lease::default();
        (0..1_000).for_each(|number| lease.beat_sent(at(number * 500), number));
        assert_eq!(lease.sent.len(), 10);
    }
}
