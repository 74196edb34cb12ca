//! The core's allocations and memory. Allocations are counted in the whole process, so this test
//! has one thread.

use std::alloc::System;

use bytes::Bytes;
use rts_benches::{Hall, ack, broadcast, send};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: u64 = 200;
/// The number of sessions, unless the command line has another.
const SESSIONS: u64 = 10_000;
const MEMBERS: u64 = 1_000;
/// The bound for a message, its delivery, its acknowledgements and its result.
const P2P_ALLOCATIONS_MAX: u64 = 6;
/// The bound for a broadcast, whatever its number of receivers.
const BROADCAST_ALLOCATIONS_MAX: u64 = 7;
/// The bound for a user that is logged in and idle, with its link, in bytes.
const SESSION_BYTES_MAX: u64 = 490;

fn counted(call: impl FnOnce()) -> Stats {
    let region = Region::new(ALLOCATOR);
    call();
    region.change()
}

fn allocations(stats: Stats) -> u64 {
    (stats.allocations + stats.reallocations) as u64
}

fn main() {
    let payload = Bytes::from(vec![b'x'; 100]);
    one_message_at_a_time(&payload);
    fan_out(&payload);
    let sessions = std::env::args().nth(1).and_then(|count| count.parse().ok());
    idle_sessions(sessions.unwrap_or(SESSIONS));
    println!("the core allocates little for a message and nothing for a member");
}

/// A message, its delivery, its acknowledgement and its result.
fn one_message_at_a_time(payload: &Bytes) {
    let mut hall = Hall::new(2);
    let message = send(1, 1, payload);
    let mut round = |round: u64| {
        let acks = [ack(round), ack(round)];
        let stats = counted(|| {
            let [delivery, result] = acks;
            hall.receive(0, message.clone());
            hall.tick();
            hall.drain(|_, bytes| drop(bytes));
            hall.receive(1, delivery);
            hall.tick();
            hall.drain(|_, bytes| drop(bytes));
            hall.receive(0, result);
        });
        allocations(stats)
    };
    // After these rounds, all growing buffers have grown.
    let _: u64 = (1..=ROUNDS).map(&mut round).sum();
    let total: u64 = (ROUNDS + 1..=2 * ROUNDS).map(round).sum();
    assert!(total <= P2P_ALLOCATIONS_MAX * ROUNDS, "{total} in {ROUNDS} rounds");
}

fn fan_out(payload: &Bytes) {
    let mut hall = Hall::new(MEMBERS + 1);
    let mut received = hall.join_all(MEMBERS + 1);
    let message = broadcast(1, payload);
    let mut round = || {
        let acks: Vec<Bytes> = received
            .iter_mut()
            .map(|received| {
                *received += 1;
                ack(*received)
            })
            .collect();
        let stats = counted(|| {
            hall.receive(0, message.clone());
            hall.tick();
            hall.drain(|_, bytes| drop(bytes));
            for (user, ack) in acks.into_iter().enumerate() {
                hall.receive(user as u64, ack);
            }
        });
        allocations(stats)
    };
    round();
    let total: u64 = (0..10).map(|_| round()).sum();
    assert!(
        total <= 10 * BROADCAST_ALLOCATIONS_MAX,
        "{total} for 10 broadcasts to {MEMBERS} members"
    );
}

/// Measures the memory of a user that is logged in and idle.
fn idle_sessions(sessions: u64) {
    let mut halls = Vec::with_capacity(1);
    let stats = counted(|| halls.push(Hall::new(sessions)));
    let kept = stats.bytes_allocated as u64 - stats.bytes_deallocated as u64;
    println!("{sessions} sessions: {} bytes each", kept / sessions);
    assert!(kept / sessions <= SESSION_BYTES_MAX, "{} bytes a session", kept / sessions);
    drop(halls);
}
