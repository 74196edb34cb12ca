//! All shards of a server on their threads, with the driver's reactors and mailboxes, but without
//! sockets: clients are streams in memory that live in the thread of their shard. A client costs
//! little, so that the figures are those of the server. It checks that each message arrives once
//! and in order.

mod client;
mod player;
mod runtime;
mod tally;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use rts_driver::server::{Acceptor, Authenticate, Node, PostToAppServer};
use rts_driver::server::{Begun, Posting};
use rts_proto::server::{Credentials, Placement, Post, PostProgress, Server, Target, Verdict};
use rts_proto::{AppId, UserId};

use crate::figures::{Cost, Moment};
use crate::hall::without_rates;
use client::Client;
use player::{Player, Role};
use runtime::{Arrivals, Memory};
use tally::Tallies;

/// The seed of the homes of users and rooms. The figures depend on how evenly they are spread.
const SEED: u64 = 1;
const APP_ID: &str = "123456781234567812345678";
/// The pause between two looks at the clients.
const LOOK: Duration = Duration::from_millis(1);
/// The time for clients to log in, and for messages under way when the sending ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the clients of a node do. All of it is in closed loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Pairs of a sender and a receiver, each with this number of messages under way. Counts
    /// results.
    Pairs {
        /// The number of pairs.
        pairs: u64,
        /// Messages under way in each.
        window: u64,
    },
    /// One pair of users of different shards, if there are several, and one message under way.
    OnePair,
    /// Rooms whose members broadcast in turn. Counts deliveries.
    Rooms {
        /// The number of rooms.
        rooms: u64,
        /// The members of each.
        members: u64,
        /// Broadcasts under way in each.
        window: u64,
    },
}

/// Runs the traffic on a node of this number of shards, and measures it for `duration` when it has
/// run for `warm_up`.
///
/// # Errors
///
/// A message was lost, repeated, swapped or refused, or clients could not log in.
///
/// # Panics
///
/// If the system cannot start a thread.
pub fn run(
    shards: usize,
    traffic: Traffic,
    warm_up: Duration,
    duration: Duration,
) -> Result<Cost, String> {
    run_from(&Barrier::new(1), shards, traffic, warm_up, duration)
}

/// Runs the traffic on each of this number of nodes with one shard, at the same time. They share
/// nothing but the machine, so no node of several shards can do more.
///
/// # Errors
///
/// As [`run`].
///
/// # Panics
///
/// If the system cannot start a thread.
pub fn run_apart(
    nodes: usize,
    traffic: Traffic,
    warm_up: Duration,
    duration: Duration,
) -> Result<Cost, String> {
    let start = Barrier::new(nodes);
    let one = || run_from(&start, 1, traffic, warm_up, duration);
    let costs: Result<Vec<Cost>, String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..nodes).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let costs = costs?;
    // Each node measured the CPU time of all.
    let first = *costs.first().ok_or("no nodes")?;
    Ok(Cost { count: costs.iter().map(|cost| cost.count).sum(), ..first })
}

fn run_from(
    start: &Barrier,
    shards: usize,
    traffic: Traffic,
    warm_up: Duration,
    duration: Duration,
) -> Result<Cost, String> {
    // As in the server, the only shard runs in the runtime of the caller.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(measure(start, shards, traffic, warm_up, duration))
}

async fn measure(
    start: &Barrier,
    shards: usize,
    traffic: Traffic,
    warm_up: Duration,
    duration: Duration,
) -> Result<Cost, String> {
    let placements: Vec<Placement> = Placement::of_node(shards, SEED).collect();
    let roles = traffic.roles(&placements[0]);
    let tallies = Arc::new(Tallies::new(roles.len()));
    let clients = roles.into_iter().enumerate().map(|(number, (uid, role))| {
        let tally = tallies.of_client(number);
        Client::new(app_id(), uid, Player::new(role, Arc::clone(&tally)), tally)
    });
    let server = |placement| {
        let mut config = without_rates();
        config.placement = placement;
        Server::new(config, 1)
    };
    let servers = placements.into_iter().map(server).collect();
    let node = Node::<Memory>::with_poster(servers, Arc::new(Anybody::default()), Arc::new(Nobody));
    let arrivals = Arrivals::new(clients);
    let served = tokio::spawn({
        let node = node.clone();
        async move { node.serve(arrivals, Acceptor::plain()).await }
    });
    let is_ready = tallies.wait(PATIENCE, "the clients are ready", Tallies::all_ready).await;
    // Nothing else runs in this thread yet.
    start.wait();
    is_ready?;
    tallies.start();
    tokio::time::sleep(warm_up).await;
    let (begin, before) = (Moment::now(), traffic.done(&tallies));
    tokio::time::sleep(duration).await;
    // A short one on a busy machine would measure nothing.
    let has_done = |tallies: &Tallies| traffic.done(tallies) > before;
    tallies.wait(PATIENCE, "a message arrived", has_done).await?;
    let cost = begin.cost(traffic.done(&tallies) - before);
    tallies.stop();
    let receivers = traffic.receivers();
    tallies.wait(PATIENCE, "all messages arrived", |tallies| tallies.is_over(receivers)).await?;
    node.shutdown(Duration::ZERO);
    let served = served.await.map_err(|error| error.to_string())?;
    served.map_err(|error| error.to_string())?;
    tallies.fault().map_or(Ok(cost), Err)
}

impl Traffic {
    /// Every user, and what it does.
    fn roles(self, placement: &Placement) -> Vec<(UserId, Role)> {
        match self {
            Self::Pairs { pairs, window } => {
                let pair = |pair| pair_of(uid(2 * pair), uid(2 * pair + 1), window);
                (0..pairs).flat_map(pair).collect()
            }
            Self::OnePair => {
                let shard_of = |uid: &UserId| placement.of_user(&app_id(), uid.as_str()).number();
                let user_of =
                    |shard| (0..).map(uid).filter(move |uid| shard_of(uid) == shard).take(2);
                // In a node of one shard, the second of its users is the receiver.
                let sender = user_of(0).next().expect("endless");
                let receiver = user_of(placement.count() - 1).last().expect("endless");
                pair_of(sender, receiver, 1).into()
            }
            Self::Rooms { rooms, members, window } => {
                let users = 0..rooms * members;
                let role = |user| Role::Member {
                    room: user / members,
                    place: user % members,
                    members,
                    lanes: window,
                };
                users.map(|user| (uid(user), role(user))).collect()
            }
        }
    }

    /// How many users get each message.
    fn receivers(self) -> u64 {
        match self {
            Self::Pairs { .. } | Self::OnePair => 1,
            Self::Rooms { members, .. } => members - 1,
        }
    }

    fn done(self, tallies: &Tallies) -> u64 {
        match self {
            Self::Pairs { .. } | Self::OnePair => tallies.results(),
            Self::Rooms { .. } => tallies.deliveries(),
        }
    }
}

fn pair_of(sender: UserId, receiver: UserId, window: u64) -> [(UserId, Role); 2] {
    let role = Role::Sender { to: receiver.clone(), window };
    [(sender, role), (receiver, Role::Receiver)]
}

fn uid(user: u64) -> UserId {
    UserId::new(&format!("user-{user}")).expect("well formed")
}

fn app_id() -> AppId {
    AppId::new(APP_ID).expect("well formed")
}

/// Accepts every login.
#[derive(Debug, Default)]
struct Anybody {
    last_claim: AtomicU64,
}

impl Authenticate for Anybody {
    fn authenticate(&self, _: &Credentials) -> Verdict {
        let claim = self.last_claim.fetch_add(1, Ordering::Relaxed) + 1;
        Verdict::Accept { claim, issued_at: 0 }
    }
}

/// There are no app servers.
struct Nobody;

impl PostToAppServer for Nobody {
    fn allows(&self, _: &Target) -> bool {
        false
    }

    fn post(&self, _: Post, _: Begun) -> Posting {
        Box::pin(std::future::ready(PostProgress::NotReached))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pair_is_of_the_first_and_last_shard() {
        for shards in [1, 2, 4] {
            let placement = Placement::of_node(shards, SEED).next().expect("the first");
            let roles = Traffic::OnePair.roles(&placement);
            let [(sender, _), (receiver, _)] = &roles[..] else { panic!("a pair") };
            assert_ne!(sender, receiver);
            let shard = |uid: &UserId| placement.of_user(&app_id(), uid.as_str()).number();
            assert_eq!([shard(sender), shard(receiver)], [0, shards - 1]);
        }
    }

    #[test]
    fn everything_arrives_on_any_number_of_shards() {
        let traffics = [
            Traffic::Pairs { pairs: 20, window: 8 },
            Traffic::OnePair,
            Traffic::Rooms { rooms: 5, members: 4, window: 2 },
        ];
        for (traffic, shards) in traffics.into_iter().flat_map(|t| [1, 3].map(|s| (t, s))) {
            let cost = run(shards, traffic, Duration::ZERO, Duration::from_millis(20));
            let cost = cost.unwrap_or_else(|error| panic!("{traffic:?} on {shards}: {error}"));
            assert!(cost.count > 0, "{traffic:?} on {shards}");
        }
    }

    #[test]
    fn nodes_apart_are_counted_together() {
        let traffic = Traffic::Pairs { pairs: 5, window: 8 };
        let cost = run_apart(3, traffic, Duration::ZERO, Duration::from_millis(20));
        assert!(cost.expect("all arrived").count > 0);
    }
}
