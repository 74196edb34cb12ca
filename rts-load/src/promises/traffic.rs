//! What the clients do: messages and broadcasts all the time, and joins of one room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::fleet::{Fleet, Player};
use super::history::{Room, User};

/// Most messages to one user in a row, which could overtake each other.
const ROW_MAX: u32 = 4;
/// One of this number of turns is a broadcast.
const TURNS_PER_BROADCAST: u32 = 10;
/// Turns at once before the server ends.
const FLOOD_TURNS: u32 = 4;
/// Most bytes of a payload, beside its name.
const BYTES_MAX: usize = 300;
/// The longest time in a room.
const STAY_MAX: Duration = Duration::from_millis(200);
/// Only a fault delays the answer to a join or a leave for so long.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// Messages between random users, and broadcasts in standing rooms, until it is stopped.
pub(crate) struct Traffic {
    is_over: Arc<AtomicBool>,
    talkers: JoinSet<()>,
}

impl Traffic {
    /// Starts it, with about this number of messages a second.
    pub(crate) fn start(
        fleet: &Arc<Fleet>,
        runtime: &Handle,
        users: u32,
        rate: u32,
        random: &mut Rng,
    ) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut talkers = JoinSet::new();
        // A row has (1 + ROW_MAX) / 2 messages on average.
        let rows = f64::from(rate.max(1)) * 2.0 / f64::from(1 + ROW_MAX);
        let pause = Duration::from_secs_f64(f64::from(users) / rows);
        for user in (0..users).map(User) {
            let (fleet, is_over, mut random) = (Arc::clone(fleet), is_over.clone(), random.fork());
            let talk = async move {
                while !is_over.load(Ordering::Relaxed) {
                    tokio::time::sleep(pause.mul_f64(2.0 * random.f64())).await;
                    if let Some(player) = fleet.newest_of(user) {
                        turn(&player, users, &mut random);
                    }
                }
            };
            talkers.spawn_on(talk, runtime);
        }
        Self { is_over, talkers }
    }

    /// Stops it, after the turn that each user waits for.
    pub(crate) async fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.talkers.join_all().await;
    }
}

/// Several turns at once, so that much is under way.
pub(crate) fn flood(player: &Player, users: u32, random: &mut Rng) {
    for _ in 0..FLOOD_TURNS {
        turn(player, users, random);
    }
}

fn turn(player: &Player, users: u32, random: &mut Rng) {
    if random.u32(0..TURNS_PER_BROADCAST) == 0 {
        player.broadcast(player.home(), random.usize(0..BYTES_MAX));
        return;
    }
    let to = User(random.u32(0..users));
    for _ in 0..random.u32(1..=ROW_MAX) {
        player.send(to, random.usize(0..BYTES_MAX));
    }
}

/// The joins of one room by all users.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    pub(crate) room: Room,
    pub(crate) joins_per_user: u32,
    /// Most users in the room.
    pub(crate) members_max: u32,
}

impl Crowd {
    /// Every user joins and leaves the room again and again. Some leave before they are in, some
    /// join again before they are out, and some broadcast.
    pub(crate) async fn run(&self, fleet: &Fleet, random: &mut Rng) {
        let places = Arc::new(Semaphore::new(self.members_max as usize));
        let mut visitors = JoinSet::new();
        for player in fleet.newest() {
            let visitor = Visitor {
                player,
                crowd: self.clone(),
                places: Arc::clone(&places),
                random: random.fork(),
            };
            visitors.spawn(visitor.visit());
        }
        visitors.join_all().await;
    }
}

struct Visitor {
    player: Arc<Player>,
    crowd: Crowd,
    places: Arc<Semaphore>,
    random: Rng,
}

impl Visitor {
    async fn visit(mut self) {
        let mut joins = 0;
        while joins < self.crowd.joins_per_user {
            let places = Arc::clone(&self.places);
            // It is never closed.
            let Ok(_place) = places.acquire_owned().await else { return };
            let room = self.crowd.room;
            self.player.join(room);
            joins += 1;
            if !self.one_in(8) && self.answered().await.is_none() {
                return;
            }
            self.stay().await;
            self.player.leave(room);
            if self.one_in(8) && joins < self.crowd.joins_per_user {
                self.player.join(room);
                joins += 1;
                if self.answered().await.is_none() {
                    return;
                }
                self.stay().await;
                self.player.leave(room);
            }
            if self.answered().await.is_none() {
                return;
            }
        }
    }

    async fn stay(&mut self) {
        if self.one_in(2) {
            if self.one_in(4) {
                self.player.broadcast(self.crowd.room, self.random.usize(0..BYTES_MAX));
            }
            tokio::time::sleep(STAY_MAX.mul_f64(self.random.f64())).await;
        }
    }

    async fn answered(&self) -> Option<bool> {
        self.player.answered(self.crowd.room, ANSWER_PATIENCE).await
    }

    fn one_in(&mut self, times: u32) -> bool {
        self.random.u32(0..times) == 0
    }
}
