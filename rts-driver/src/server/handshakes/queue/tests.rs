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
fn each_network_has_its_turn_and_its_own_links_keep_their_order() {
    let mut queue = unknown(&[(1, 1), (2, 1), (3, 1), (4, 2), (5, 1), (6, 3), (7, 2)]);
    assert_eq!(pop_all(&mut queue, 0, Instant::now()), [1, 4, 6, 2, 7, 3, 5]);
    assert!(is_empty(&queue));
}

/// However many networks an attacker has in one site, it has the turns of one address.
#[test]
fn an_ipv6_site_has_the_turns_of_one_address_and_its_networks_share_them() {
    let of_site = (1..=6).map(|id| (id, Lane::Unknown, in_site(1, id as u16 / 4)));
    let others = [(7, Lane::Unknown, network(1)), (8, Lane::Unknown, in_site(2, 0))];
    let mut queue = queue(of_site.chain(others));
    assert_eq!(pop_all(&mut queue, 0, Instant::now()), [1, 7, 8, 4, 2, 5, 3, 6]);
}

#[test]
fn what_is_removed_is_passed_over_and_leaves_nothing_behind() {
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
fn a_network_whose_links_were_all_removed_takes_no_turn() {
    let mut queue = unknown(&[(1, 1), (2, 2)]);
    assert_eq!(queue.remove(LinkId(1)), Some(1));
    assert_eq!(pop_all(&mut queue, 0, Instant::now()), [2]);
    assert!(is_empty(&queue));
}

#[test]
fn so_many_handshakes_begin_at_once_and_then_a_second_and_the_others_wait() {
    let start = Instant::now();
    // Each from a network of its own.
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
fn what_has_begun_or_is_exempt_waits_for_no_rate() {
    let now = Instant::now();
    let mut queue = queue((1..=10).map(|id| (id, Lane::Unknown, network(1))));
    assert_eq!(pop_all(&mut queue, 1, now), [1, 2, 3, 4, 5]);
    for id in 11..=30 {
        queue.push(LinkId(id), QueueKey { lane: Lane::Free, network: network(2) }, id);
    }
    assert_eq!(pop_all(&mut queue, 1, now), (11..=30).collect::<Vec<_>>());
    assert_eq!(pop(&mut queue, 1, now + Duration::from_secs(1)), Some(6), "they used nothing up");
}

#[test]
fn a_link_from_which_nothing_came_yet_uses_nothing_up() {
    let now = Instant::now();
    let mut queue = queue((1..=100).map(|id| (id, Lane::Unknown, network(1))));
    for id in 1..=50 {
        assert_eq!(pop(&mut queue, 1, now), Some(id));
        queue.did_not_begin();
    }
    assert_eq!(pop_all(&mut queue, 1, now), [51, 52, 53, 54, 55]);
}

/// Strangers from any number of networks leave half of what may begin to where users were.
#[test]
fn networks_where_somebody_has_logged_in_share_half_of_the_turns() {
    let strangers = (1..=200).map(|id| (id, Lane::Unknown, network(id as u8)));
    let users = (201..=203).map(|id| (id, Lane::Known, network(id as u8)));
    let mut queue = queue(strangers.chain(users));
    let now = Instant::now();
    assert_eq!(pop_all(&mut queue, 2, now), [1, 201, 2, 202, 3, 203, 4, 5, 6, 7]);
    // And the other way round: whom nobody knows gets in while all who are known come back.
    for id in 301..=400 {
        queue.push(LinkId(id), QueueKey { lane: Lane::Known, network: network(id as u8) }, id);
    }
    let later = now + Duration::from_secs(1);
    assert_eq!(pop_all(&mut queue, 2, later), [8, 301]);
}

/// Whatever goes on meanwhile of what has begun.
#[test]
fn each_kind_has_its_turn_beside_the_others() {
    let now = Instant::now();
    let free = (1..=6).map(|id| (id, Lane::Free, network(1)));
    let known = (11..=16).map(|id| (id, Lane::Known, network(2)));
    let unknown = (21..=26).map(|id| (id, Lane::Unknown, network(3)));
    let mut queue = queue(free.chain(known).chain(unknown));
    let first: Vec<_> = (0..9).filter_map(|_| pop(&mut queue, 0, now)).collect();
    assert_eq!(first, [1, 11, 21, 2, 12, 22, 3, 13, 23]);
}
