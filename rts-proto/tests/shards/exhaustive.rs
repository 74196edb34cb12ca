//! Every order in which the entries of one user can arrive, while the user logs in at several
//! nodes, resumes its session, and its home moves.
//!
//! The shards are those of the server. What one shard does depends on what it got, and in which
//! order. So two paths with the same history of each shard lead to the same state.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use rts_proto::limits::LEAVING_MAX;
use rts_proto::server::Config;
use rts_proto::wire::{Accepted, Frame, Login, LoginAnswer, Resume};
use rts_proto::{LinkId, UserId};
use stateright::{Checker, Model, Property};

use crate::support::{Node, join, login};

/// The home of the user, at first.
const HOME: usize = 1;

/// What happens, beside what the shards do.
#[derive(Debug)]
struct Orders {
    /// The number of nodes, with one shard each.
    nodes: usize,
    /// A first session is at the first shard and in a room of the home. Its client has lost its
    /// link.
    has_first: bool,
    logins: &'static [Attempt],
    /// All homes move to this node.
    homes_move_to: Option<usize>,
}

/// A login at a shard.
#[derive(Debug)]
struct Attempt {
    shard: usize,
    /// It resumes the first session.
    resumes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    LogIn(usize),
    /// A shard gets the next table of homes.
    GetHomes(usize),
    /// A shard gets what another one has sent it.
    Deliver(usize, usize),
}

/// One state: how it was reached, and what is true in it.
#[derive(Clone, Debug)]
struct State {
    steps: Vec<Step>,
    histories: Vec<u64>,
    next: Vec<Step>,
    sessions: usize,
    /// What is wrong, if nothing more happens by itself.
    at_rest: Option<String>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.histories == other.histories
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.histories.hash(hasher);
    }
}

/// The shards, and what their clients have sent.
struct Run<'a> {
    orders: &'a Orders,
    cluster: Node,
    uid: UserId,
    had: Option<Accepted>,
    links: Vec<Option<LinkId>>,
    /// By shard, what it has got, in its order.
    histories: Vec<u64>,
}

impl<'a> Run<'a> {
    fn new(orders: &'a Orders) -> Self {
        let mut config = Config::default();
        config.logins_per_second = 0;
        let mut cluster = Node::cluster(&vec![1; orders.nodes], &config);
        let uid = cluster.user_at(HOME, "b");
        let room = cluster.room_at(HOME);
        let had = orders.has_first.then(|| {
            let (link, had) = cluster.log_in_at(0, login(&uid));
            cluster.say(link, join(&room, 1));
            cluster.end_burst();
            cluster.hang_up(link);
            cluster.end_burst();
            had
        });
        (cluster.holds_entries, cluster.holds_homes) = (true, true);
        if let Some(node) = orders.homes_move_to {
            cluster.move_homes_to(node);
        }
        let links = vec![None; orders.logins.len()];
        Self { orders, cluster, uid, had, links, histories: vec![0; orders.nodes] }
    }

    fn take(&mut self, step: Step) {
        let (shard, what) = match step {
            Step::LogIn(which) => {
                let Attempt { shard, resumes } = &self.orders.logins[which];
                let had = self.had.as_ref().filter(|_| *resumes);
                let resume =
                    had.map(|had| Resume { session: had.session, key: had.key, received: 0 });
                let claim = had.map_or(0, |had| had.claim);
                let login = Login { resume, claim, ..login(&self.uid) };
                let link = self.cluster.link_at(*shard, &[Frame::Login(login)]);
                self.links[which] = Some(link);
                (*shard, String::new())
            }
            Step::GetHomes(shard) => {
                self.cluster.give_homes(shard);
                (shard, String::new())
            }
            Step::Deliver(from, to) => {
                let what = self.cluster.oldest(from, to);
                self.cluster.deliver(from, to);
                (to, what)
            }
        };
        self.cluster.tick(shard);
        let mut hasher = DefaultHasher::new();
        (self.histories[shard], step, what).hash(&mut hasher);
        self.histories[shard] = hasher.finish();
    }

    fn next_steps(&self) -> Vec<Step> {
        let logins = (0..self.links.len()).filter(|which| self.links[*which].is_none());
        let nodes = self.orders.nodes;
        let homes = (0..nodes).filter(|shard| self.cluster.has_homes_coming(*shard));
        let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
        let pairs = pairs.filter(|(from, to)| self.cluster.under_way(*from, *to) > 0);
        let delivers = pairs.map(|(from, to)| Step::Deliver(from, to));
        logins.map(Step::LogIn).chain(homes.map(Step::GetHomes)).chain(delivers).collect()
    }

    fn into_state(mut self, steps: Vec<Step>) -> State {
        let (next, sessions) = (self.next_steps(), self.cluster.stats_of_all().sessions);
        let histories = std::mem::take(&mut self.histories);
        let at_rest = if next.is_empty() { self.fault_at_rest() } else { None };
        State { steps, histories, next, sessions, at_rest }
    }

    /// Each login has an answer. The last one to get the user has the only session, and the user
    /// can log in again everywhere.
    fn fault_at_rest(&mut self) -> Option<String> {
        if !self.cluster.homes_are_settled() {
            return Some("homes move for ever".to_owned());
        }
        let mut open = 0;
        for link in self.links.clone().into_iter().flatten() {
            let is_closed = self.cluster.closed(link).is_some();
            let frames = self.cluster.frames_to(link);
            let is_in = is_accepted(&frames);
            if !is_closed && !is_in {
                return Some(format!("{link} has no answer: {frames:?}"));
            }
            open += usize::from(!is_closed);
        }
        if open != 1 || self.cluster.stats_of_all().sessions != 1 {
            return Some(format!("{open} open links, {:?}", self.cluster.stats_of_all()));
        }
        (self.cluster.holds_entries, self.cluster.holds_homes) = (false, false);
        for shard in 0..self.orders.nodes {
            self.cluster.wait(LEAVING_MAX + Duration::from_secs(1));
            let link = self.cluster.link_at(shard, &[Frame::Login(login(&self.uid))]);
            let frames = self.cluster.frames_to(link);
            if !is_accepted(&frames) || self.cluster.stats_of_all().sessions != 1 {
                return Some(format!("no login at {shard}: {frames:?}"));
            }
        }
        None
    }
}

fn is_accepted(frames: &[Frame]) -> bool {
    let accepts = |frame: &Frame| matches!(frame, Frame::LoginAnswer(LoginAnswer::Accepted(_)));
    frames.iter().any(accepts)
}

impl Model for Orders {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![Run::new(self).into_state(Vec::new())]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        actions.extend(&state.next);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut run = Run::new(self);
        let steps: Vec<Step> = last.steps.iter().copied().chain([step]).collect();
        steps.iter().for_each(|step| run.take(*step));
        Some(run.into_state(steps))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one session", |_, state: &State| state.sessions <= 1),
            Property::always("answers at rest", |_, state: &State| state.at_rest.is_none()),
        ]
    }
}

/// Plays every order. Returns the number of states, and the faults that were found.
fn play(orders: Orders) -> (usize, Vec<String>) {
    let checker = orders.checker().spawn_dfs().join();
    let faults = checker.discoveries().into_iter().map(|(name, path)| {
        let last = path.last_state();
        format!("{name}: {:?} after {:?}", last.at_rest, last.steps)
    });
    (checker.unique_state_count(), faults.collect())
}

const fn fresh(shard: usize) -> Attempt {
    Attempt { shard, resumes: false }
}

const fn resumes(shard: usize) -> Attempt {
    Attempt { shard, resumes: true }
}

/// Logins at all nodes.
const THREE_LOGINS: Orders = Orders {
    nodes: 3,
    has_first: false,
    logins: &[fresh(0), fresh(1), fresh(2)],
    homes_move_to: None,
};
/// The session moves, and another login of the user displaces it.
const MOVE_AND_LOGIN: Orders =
    Orders { nodes: 3, has_first: true, logins: &[resumes(2), fresh(1)], homes_move_to: None };
/// Logins at both nodes, while the home of the user moves.
const HOME_MOVES: Orders =
    Orders { nodes: 2, has_first: false, logins: &[fresh(0), fresh(1)], homes_move_to: Some(0) };
/// The session moves while the homes of the user and of its room do.
const SESSION_AND_HOME_MOVE: Orders =
    Orders { nodes: 2, has_first: true, logins: &[resumes(1)], homes_move_to: Some(0) };

#[cfg(not(rts_planted))]
mod without_bugs {
    use super::*;

    #[track_caller]
    fn holds(orders: Orders, states_min: usize) {
        let (states, faults) = play(orders);
        assert_eq!(faults, [""; 0]);
        assert!(states >= states_min, "only {states} states");
    }

    #[test]
    fn one_of_three_logins_has_the_session() {
        holds(THREE_LOGINS, 100);
    }

    #[test]
    fn session_moves_or_is_displaced() {
        holds(MOVE_AND_LOGIN, 100);
    }

    #[test]
    fn no_login_is_lost_while_a_home_moves() {
        holds(HOME_MOVES, 1_000);
    }

    #[test]
    fn session_moves_while_its_home_does() {
        holds(SESSION_AND_HOME_MOVE, 300);
    }
}

/// `.ci/run` builds these tests with planted bugs too.
#[cfg(rts_planted)]
#[test]
fn bugs_are_found() {
    use rts_proto::planted::{Bug, plant};
    for (bug, orders) in [
        (Bug::GrantWithoutRevoke, THREE_LOGINS),
        (Bug::GrantWithoutRevoke, MOVE_AND_LOGIN),
        (Bug::HomesNotAwaited, HOME_MOVES),
        (Bug::TakenForgotten, SESSION_AND_HOME_MOVE),
    ] {
        plant(Some(bug));
        let (_, faults) = play(orders);
        plant(None);
        assert!(!faults.is_empty(), "{bug:?}");
    }
}
