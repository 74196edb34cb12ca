use std::net::{IpAddr, Ipv4Addr};

use super::*;

fn network(number: u8) -> Network {
    Network::of(Ipv4Addr::new(192, 0, 2, number).into())
}

fn in_site(site: u16, number: u16) -> Network {
    let ip: IpAddr = format!("2001:db8:{site:x}:{number:x}::1").parse().expect("an address");
    Network::of(ip)
}

fn queue(links: impl IntoIterator<Item = (u64, Lane, Network)>) -> FairQueue<u64> {
    let mut queue = FairQueue::default();
    for (id, lane, network) in links {
        queue.push(LinkId(id), QueueKey { lane, network }, id);
    }
    queue
}

fn unknown(links: &[(u64, u8)]) -> FairQueue<u64> {
    queue(links.iter().map(|(id, from)| (*id, Lane::Unknown, network(*from))))
}

fn pop(queue: &mut FairQueue<u64>, per_second: u32, now: Instant) -> Option<u64> {
    match queue.next(per_second, now) {
        Next::Job(_, _, job) => Some(job),
        Next::Wait(_) | Next::Empty => None,
    }
}

fn pop_all(queue: &mut FairQueue<u64>, per_second: u32, now: Instant) -> Vec<u64> {
    std::iter::from_fn(|| pop(queue, per_second, now)).collect()
}

fn is_empty<T>(queue: &FairQueue<T>) -> bool {
    queue.waiting.is_empty() && queue.lanes.members.is_empty() && queue.lanes.order.is_empty()
}

#[test]
fn networks_take_turns_and_keep_the_order_of_links() {
    let mut queue = unknown(&[(1, 1), (2, 1), (3, 1), (4, 2), (5, 1), (6, 3), (7, 2)]);
    assert_eq!(pop_all(&mut queue, 0, Instant::now()), [1, 4, 6, 2, 7, 3, 5]);
    assert!(is_empty(&queue));
}

/// However many networks an attacker has in one site, they get the turns of one address.
#[test]
fn networks_of_ipv6_site_share_the_turns_of_one() {
    let of_site = (1..=6).map(|id| (id, Lane::Unknown, in_site(1, id as u16 / 4)));
    let others = [(7, Lane::Unknown, network(1)), (8, Lane::Unknown, in_site(2, 0))];
    let mut queue = queue(of_site.chain(others));
    assert_eq!(pop_all(&mut queue, 0, Instant::now()), [1, 7, 8, 4, 2, 5, 3, 6]);
}

#[test]
fn removed_links_leave_nothing_behind() {
    let mut queue = unknown(&[(1, 1), (2, 1), (3, 2), (4, 2)]);
    assert_eq!(queue.remove(LinkId(1)), Some(1));
    assert_eq!(queue.remove(LinkId(1)), None);
    assert_eq!(queue.remove(LinkId(4)), Some(4));
    assert_eq!(pop_all(&mut queue, 0, Instant::now()), [2, 3]);
    queue.push(LinkId(5), QueueKey { lane: Lane::Free, network: in_site(1, 1) }, 5);
    assert_eq!(queue.remove(LinkId(5)), Some(5));
    assert!(is_empty(&queue));
}

#[test]
fn network_without_links_takes_no_turn() {
    let mut queue = unknown(&[(1, 1), (2, 2)]);
    assert_eq!(queue.remove(LinkId(1)), Some(1));
    assert_eq!(pop_all(&mut queue, 0, Instant::now()), [2]);
    assert!(is_empty(&queue));
}

#[test]
fn handshakes_begin_in_a_burst_and_then_at_the_rate() {
    let start = Instant::now();
    // Each link is from a network of its own.
    let mut queue = queue((1..=100).map(|id| (id, Lane::Unknown, network(id as u8))));
    assert_eq!(pop_all(&mut queue, 4, start), (1..=20).collect::<Vec<_>>());
    let Next::Wait(wait) = queue.next(4, start) else { panic!("80 of them wait") };
    assert_eq!(wait, Duration::from_millis(250));
    assert_eq!(pop(&mut queue, 4, start + Duration::from_millis(249)), None);
    assert_eq!(pop_all(&mut queue, 4, start + wait), [21]);
    assert_eq!(pop_all(&mut queue, 4, start + Duration::from_millis(1_250)), [22, 23, 24, 25]);
    assert_eq!(pop_all(&mut queue, 0, start + wait), (26..=100).collect::<Vec<_>>());
    assert!(matches!(queue.next(4, start), Next::Empty));
}

#[test]
fn begun_and_exempt_handshakes_ignore_the_rate() {
    let now = Instant::now();
    let mut queue = queue((1..=10).map(|id| (id, Lane::Unknown, network(1))));
    assert_eq!(pop_all(&mut queue, 1, now), [1, 2, 3, 4, 5]);
    for id in 11..=30 {
        queue.push(LinkId(id), QueueKey { lane: Lane::Free, network: network(2) }, id);
    }
    assert_eq!(pop_all(&mut queue, 1, now), (11..=30).collect::<Vec<_>>());
    assert_eq!(
        pop(&mut queue, 1, now + Duration::from_secs(1)),
        Some(6),
        "the others used no token"
    );
}

#[test]
fn silent_link_returns_its_token() {
    let now = Instant::now();
    let mut queue = queue((1..=100).map(|id| (id, Lane::Unknown, network(1))));
    for id in 1..=50 {
        assert_eq!(pop(&mut queue, 1, now), Some(id));
        queue.did_not_begin();
    }
    assert_eq!(pop_all(&mut queue, 1, now), [51, 52, 53, 54, 55]);
}

/// Unknown networks leave half of the handshakes to networks of known users, however many they are.
#[test]
fn known_networks_have_half_of_the_turns() {
    let strangers = (1..=200).map(|id| (id, Lane::Unknown, network(id as u8)));
    let users = (201..=203).map(|id| (id, Lane::Known, network(id as u8)));
    let mut queue = queue(strangers.chain(users));
    let now = Instant::now();
    assert_eq!(pop_all(&mut queue, 2, now), [1, 201, 2, 202, 3, 203, 4, 5, 6, 7]);
    // The converse: an unknown link gets in while all known users reconnect.
    for id in 301..=400 {
        queue.push(LinkId(id), QueueKey { lane: Lane::Known, network: network(id as u8) }, id);
    }
    let later = now + Duration::from_secs(1);
    assert_eq!(pop_all(&mut queue, 2, later), [8, 301]);
}

/// The turns hold, whatever happens to links whose handshakes have begun.
#[test]
fn each_lane_has_its_turns() {
    let now = Instant::now();
    let free = (1..=6).map(|id| (id, Lane::Free, network(1)));
    let known = (11..=16).map(|id| (id, Lane::Known, network(2)));
    let unknown = (21..=26).map(|id| (id, Lane::Unknown, network(3)));
    let mut queue = queue(free.chain(known).chain(unknown));
    let first: Vec<_> = (0..9).filter_map(|_| pop(&mut queue, 0, now)).collect();
    assert_eq!(first, [1, 11, 21, 2, 12, 22, 3, 13, 23]);
}
