//! Every run of three nodes over some rounds, with beats that are late or lost, a node that pauses,
//! and a register that is away or whose answers are lost.
//!
//! The nodes are the real ones. A round takes so long that a lease ends in the fourth round after
//! the beat that it counts from, and a silent node may be voted out in the same round. What happens
//! stays as it is from round to round, and changes two or three times in a run.

mod three;

use std::hash::{Hash, Hasher};

use stateright::{Checker, Model, Property};

use three::{NODES, OfRegister, Round, Three, Way};

const FROZEN: &str = "a member is frozen";
const REMOVED: &str = "a node is removed";

/// What may happen.
#[derive(Clone, Debug)]
struct Story {
    begins: fn() -> Three,
    rounds: u64,
    /// What may happen in a round.
    choices: Vec<Round>,
    /// How often that may change.
    changes: u32,
}

#[derive(Clone, Debug)]
struct State {
    three: Three,
    rounds_left: u64,
    last: Round,
    changes_left: u32,
    /// Identifies the state of the nodes.
    key: u64,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let of = |state: &Self| (state.key, state.rounds_left, state.last, state.changes_left);
        of(self) == of(other)
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.key, self.rounds_left, self.last, self.changes_left).hash(hasher);
    }
}

impl Model for Story {
    type State = State;
    type Action = Round;

    fn init_states(&self) -> Vec<State> {
        let three = (self.begins)();
        let key = three.key();
        let (rounds_left, changes_left) = (self.rounds, self.changes);
        vec![State { three, rounds_left, last: Round::QUIET, changes_left, key }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Round>) {
        if state.rounds_left > 0 {
            let may_be = |round: &&Round| **round == state.last || state.changes_left > 0;
            actions.extend(self.choices.iter().filter(may_be));
        }
    }

    fn next_state(&self, before: &State, round: Round) -> Option<State> {
        let mut three = before.three.clone();
        three.round(round);
        let key = three.key();
        let changes_left = before.changes_left - u32::from(round != before.last);
        let rounds_left = before.rounds_left - 1;
        Some(State { three, rounds_left, last: round, changes_left, key })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("removed nodes act no more", |_, state: &State| {
                state.three.fault().is_none()
            }),
            Property::sometimes(FROZEN, |_, state: &State| state.three.has_frozen_member()),
            Property::sometimes(REMOVED, |_, state: &State| state.three.members() < NODES),
        ]
    }
}

/// Quiet, and these pairs of nodes apart: what the first sends the second one goes this way.
fn ways(pairs: &[(usize, usize)], way: Way) -> Round {
    let mut round = Round::QUIET;
    pairs.iter().for_each(|(from, to)| round.ways[*from][*to] = way);
    round
}

/// All combinations of these ways for each of these pairs of nodes.
fn all_ways(pairs: &[(usize, usize)], of_one: &[Way]) -> Vec<Round> {
    let with = |rounds: Vec<Round>, (from, to): &(usize, usize)| {
        let each = rounds.iter().flat_map(|round| of_one.iter().map(move |way| (*round, *way)));
        let changed = each.map(|(mut round, way)| {
            round.ways[*from][*to] = way;
            round
        });
        changed.collect()
    };
    pairs.iter().fold(vec![Round::QUIET], with)
}

/// Each of these rounds, changed in each of these ways.
fn each<T: Copy>(rounds: &[Round], all: &[T], change: fn(&mut Round, T)) -> Vec<Round> {
    let with = |round: &Round| {
        let round = *round;
        all.iter().map(move |what| {
            let mut round = round;
            change(&mut round, *what);
            round
        })
    };
    rounds.iter().flat_map(with).collect()
}

const FROM_LAST: [(usize, usize); 2] = [(2, 0), (2, 1)];
const TO_LAST: [(usize, usize); 2] = [(0, 2), (1, 2)];
/// The last node and the others.
const WITH_LAST: [(usize, usize); 4] = [(2, 0), (2, 1), (0, 2), (1, 2)];

/// Beats of the last node, or to it, are lost, each pair by itself. Or the others do not hear each
/// other.
fn losses() -> Story {
    let mut choices = all_ways(&WITH_LAST, &[Way::Prompt, Way::Lost]);
    choices.push(ways(&[(0, 1), (1, 0)], Way::Lost));
    choices.push(ways(&[(0, 1), (1, 0), (2, 0), (0, 2)], Way::Lost));
    Story { begins: Three::formed, rounds: 9, choices, changes: 2 }
}

/// Beats of the last node, or the answers to them, are late or lost.
fn delays() -> Story {
    let from = all_ways(&FROM_LAST, &[Way::Prompt, Way::Late, Way::Lost]);
    let choices = each(&from, &[Way::Prompt, Way::Late], |round, way| {
        TO_LAST.iter().for_each(|(from, to)| round.ways[*from][*to] = way);
    });
    Story { begins: Three::formed, rounds: 8, choices, changes: 2 }
}

/// Nodes pause, one at a time, while the beats of the last one are prompt or late.
fn pauses() -> Story {
    let ways = [Way::Prompt, Way::Late].map(|way| ways(&FROM_LAST, way));
    let paused = [None, Some(0), Some(1), Some(2)];
    let choices = each(&ways, &paused, |round, paused| round.paused = paused);
    Story { begins: Three::formed, rounds: 8, choices, changes: 3 }
}

/// The register is away, or its answers are lost, while the last node is cut off in several ways.
fn registers() -> Story {
    let cuts = [&[][..], &FROM_LAST, &WITH_LAST].map(|cut| ways(cut, Way::Lost));
    let all = [OfRegister::Answers, OfRegister::AnswersAreLost, OfRegister::Away];
    let choices = each(&cuts, &all, |round, register| round.register = register);
    Story { begins: Three::formed, rounds: 9, choices, changes: 3 }
}

/// The last node has started again. The certificate of its former life comes to a node.
fn certificates() -> Story {
    let cuts = [&[][..], &FROM_LAST, &WITH_LAST].map(|cut| ways(cut, Way::Lost));
    let all = [None, Some(0), Some(1), Some(2)];
    let choices = each(&cuts, &all, |round, node| round.certified = node);
    Story { begins: Three::with_a_restarted_node, rounds: 8, choices, changes: 2 }
}

/// Plays every run. Returns the number of states, and what was found: faults, and what has to
/// happen in some run.
fn play(story: Story) -> (usize, Vec<String>, Vec<&'static str>) {
    let checker = story.checker().spawn_dfs().join();
    let (mut faults, mut reached) = (Vec::new(), Vec::new());
    for (name, path) in checker.discoveries() {
        match path.last_state().three.fault().map(str::to_owned) {
            Some(fault) => faults.push(format!("{fault} after {:#?}", path.into_actions())),
            None => reached.push(name),
        }
    }
    reached.sort_unstable();
    (checker.unique_state_count(), faults, reached)
}

#[cfg(not(rts_planted))]
mod without_bugs {
    use super::*;

    #[track_caller]
    fn holds(story: Story, states_min: usize) {
        let (states, faults, reached) = play(story);
        assert_eq!(faults, [""; 0]);
        assert_eq!(reached, [FROZEN, REMOVED]);
        assert!(states >= states_min, "only {states} states");
    }

    #[test]
    fn node_whose_beats_are_lost_acts_no_more_when_it_is_removed() {
        holds(losses(), 20_000);
    }

    #[test]
    fn lease_counts_from_beats_and_not_from_late_answers() {
        holds(delays(), 10_000);
    }

    #[test]
    fn node_that_pauses_acts_no_more_when_it_is_removed() {
        holds(pauses(), 10_000);
    }

    #[test]
    fn change_whose_answer_was_lost_removes_nobody_who_acts() {
        holds(registers(), 10_000);
    }

    #[test]
    fn certificate_of_a_former_life_removes_nobody_who_acts() {
        holds(certificates(), 1_000);
    }
}

/// `.ci/run` builds these tests with planted bugs too.
#[cfg(rts_planted)]
#[test]
fn bugs_are_found() {
    use rts_proto::planted::{Bug, plant};
    let all = [
        (Bug::VoteWithoutPromise, losses as fn() -> Story),
        (Bug::LeaseFromLastBeat, delays),
        (Bug::LeaseTooLong, pauses),
        (Bug::SuspectTooEarly, losses),
        (Bug::MinorityDecides, losses),
        (Bug::GrantOfAnyView, registers),
        (Bug::DeathOfAnother, certificates),
    ];
    let has = |bug: &Bug| all.iter().any(|(of, _)| of == bug);
    assert!(Bug::OF_LEASE_MODEL.iter().all(has), "one of them is not looked for");
    for (bug, story) in all {
        plant(Some(bug));
        let (_, faults, _) = play(story());
        plant(None);
        assert!(!faults.is_empty(), "{bug:?}");
    }
}
