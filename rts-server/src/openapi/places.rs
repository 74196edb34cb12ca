//! Who has how many of the connections, and which of them ends when there is no place for another.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use super::timed::Progress;

/// Connections at a moment.
pub(super) const CONNECTIONS_MAX: usize = 1_024;
/// Connections at a moment of one address, or one /64 of IPv6: half of all. Enough for a proxy
/// through which everybody comes.
pub(super) const CONNECTIONS_PER_ADDRESS_MAX: usize = CONNECTIONS_MAX / 2;

/// The open connections. For one that comes when all places are taken, one of those ends that wait
/// for the other side: of the site and address that have most, the one that has waited longest. So
/// nobody keeps others out by holding connections, and none ends while its request is carried out.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    /// By numbers that grow.
    connections: HashMap<u64, Connection>,
    of_address: HashMap<IpAddr, usize>,
    of_site: HashMap<IpAddr, usize>,
    last: u64,
}

#[derive(Debug)]
struct Connection {
    peer: SocketAddr,
    progress: Arc<Progress>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    number: u64,
}

/// What a new connection gets.
#[derive(Debug)]
pub(super) enum Taken {
    Free(Place),
    /// The connection of this one was told to end.
    InsteadOf(SocketAddr, Place),
    /// All that could end are being answered.
    Nothing,
}

impl Places {
    /// A place for a connection from `peer`, whose requests are at `progress`.
    pub(super) fn take(&self, peer: SocketAddr, progress: Arc<Progress>) -> Taken {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = if open.is_crowded(address(peer)) {
            let Some(ended) = open.end_one_for(address(peer)) else { return Taken::Nothing };
            Some(ended)
        } else {
            None
        };
        open.last += 1;
        let number = open.last;
        *open.of_address.entry(address(peer)).or_default() += 1;
        *open.of_site.entry(site(peer)).or_default() += 1;
        open.connections.insert(number, Connection { peer, progress });
        drop(open);
        let place = Place { places: self.clone(), number };
        match ended {
            Some(ended) => Taken::InsteadOf(ended, place),
            None => Taken::Free(place),
        }
    }
}

impl Open {
    /// Whether one more from this address has to take the place of another.
    fn is_crowded(&self, newcomer: IpAddr) -> bool {
        self.connections.len() >= CONNECTIONS_MAX || self.has_all_of_its_own(newcomer)
    }

    fn has_all_of_its_own(&self, address: IpAddr) -> bool {
        self.of_address.get(&address).is_some_and(|count| *count >= CONNECTIONS_PER_ADDRESS_MAX)
    }

    /// Whose connection that was; none, if all that could end are being answered.
    fn end_one_for(&mut self, newcomer: IpAddr) -> Option<SocketAddr> {
        while let Some(number) = self.least_needed(newcomer) {
            // It may have got a request since, and then it is the turn of the next one.
            if self.connections.get(&number).is_some_and(|one| one.progress.end()) {
                return self.remove(number);
            }
        }
        None
    }

    /// Of those that wait, the one whose site and address have most; of several, the one that has
    /// waited longest.
    fn least_needed(&self, newcomer: IpAddr) -> Option<u64> {
        let only = self.has_all_of_its_own(newcomer).then_some(newcomer);
        let waiting = self.connections.iter().filter_map(|(number, one)| {
            let address = address(one.peer);
            let since = one.progress.waits_since()?;
            let (of_site, of_address) =
                (self.of_site.get(&site(one.peer))?, self.of_address.get(&address)?);
            let is_meant = only.is_none_or(|only| only == address);
            is_meant.then_some((Reverse(of_site), Reverse(of_address), since, *number))
        });
        waiting.min().map(|(.., number)| number)
    }

    fn remove(&mut self, number: u64) -> Option<SocketAddr> {
        let peer = self.connections.remove(&number)?.peer;
        count_down(&mut self.of_address, address(peer));
        count_down(&mut self.of_site, site(peer));
        Some(peer)
    }
}

fn count_down(counts: &mut HashMap<IpAddr, usize>, of: IpAddr) {
    if let Some(count) = counts.get_mut(&of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&of);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(self.number);
    }
}

/// One subscriber has at least a /64 of IPv6.
fn address(peer: SocketAddr) -> IpAddr {
    first_bits(peer, 64)
}

/// And may have a /48, with 65,536 of them.
fn site(peer: SocketAddr) -> IpAddr {
    first_bits(peer, 48)
}

/// Of an address of IPv6; all of one of IPv4.
fn first_bits(peer: SocketAddr, count: u32) -> IpAddr {
    match peer.ip().to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & u128::MAX << (128 - count)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of docs/app-server.md.
    const CONNECTIONS_MAX: usize = 1_024;
    const CONNECTIONS_PER_ADDRESS_MAX: usize = 512;

    fn peer(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().expect("an address"), 1)
    }

    /// As many places as there are, for connections of these addresses.
    fn full(places: &Places, from: &[&str]) -> Vec<(Arc<Progress>, Place)> {
        let one = |number: usize| {
            let progress = Arc::new(Progress::default());
            match places.take(peer(from[number % from.len()]), Arc::clone(&progress)) {
                Taken::Free(place) => (progress, place),
                other => panic!("connection {number}: {other:?}"),
            }
        };
        (0..CONNECTIONS_MAX.min(from.len() * CONNECTIONS_PER_ADDRESS_MAX)).map(one).collect()
    }

    fn take(places: &Places, ip: &str) -> Taken {
        places.take(peer(ip), Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_so_many_places_and_one_more_takes_that_of_its_longest_waiting() {
        let places = Places::default();
        let mut served = full(&places, &["2001:db8::1"]);
        assert!(matches!(take(&places, "2001:db8::ffff:1"), Taken::InsteadOf(..)));
        assert!(!served[0].0.head_is_here() && served[1].0.head_is_here());
        // The place of the last one was given back with the one that it was given to.
        served.pop();
        assert!(matches!(take(&places, "2001:db8::ffff:1"), Taken::Free(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn for_one_of_another_address_the_one_ends_that_waited_longest_of_the_greediest() {
        let places = Places::default();
        let half = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.2"];
        let served = full(&places, &half);
        // The first of 192.0.2.2 is being answered, so the second has waited longest.
        assert!(served[1].0.head_is_here());
        let Taken::InsteadOf(ended, _place) = take(&places, "192.0.2.4") else {
            panic!("a place");
        };
        assert_eq!(ended, peer("192.0.2.2"));
        assert!(!served[3].0.head_is_here(), "it is to end, and is not answered any more");
        assert!(served[0].0.head_is_here() && served[5].0.head_is_here(), "the others go on");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_ends_while_it_is_answered() {
        let places = Places::default();
        let served = full(&places, &["192.0.2.1"]);
        assert!(served.iter().all(|(progress, _)| progress.head_is_here()));
        assert!(matches!(take(&places, "192.0.2.1"), Taken::Nothing));
        assert!(matches!(take(&places, "192.0.2.2"), Taken::Free(_)));
        served[7].0.is_answered();
        assert!(matches!(take(&places, "192.0.2.1"), Taken::InsteadOf(..)));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_left_of_connections_that_are_over() {
        let places = Places::default();
        drop(full(&places, &["192.0.2.1", "2001:db8::1"]));
        let open = places.open.lock().expect("it is ours");
        assert!(open.connections.is_empty());
        assert!(open.of_address.is_empty() && open.of_site.is_empty());
    }

    /// An IPv6 address in a network of its own.
    fn in_site(number: usize) -> String {
        format!("2001:db8:1:{number:x}::1")
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_that_have_one_each_the_one_ends_that_waited_longest() {
        let places = Places::default();
        let ips: Vec<_> =
            (1..=CONNECTIONS_MAX).rev().map(|n| format!("10.0.{}.{}", n / 256, n % 256)).collect();
        let ips: Vec<&str> = ips.iter().map(String::as_str).collect();
        let mut served = full(&places, &ips);
        for (number, expected) in ["198.51.100.1", "192.0.2.1", "203.0.113.1"].iter().zip(0..) {
            let progress = Arc::default();
            let Taken::InsteadOf(ended, place) = places.take(peer(number), Arc::clone(&progress))
            else {
                panic!("a place");
            };
            assert_eq!(ended, peer(ips[expected]), "and neither the last one nor a newcomer");
            served.push((progress, place));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_site_that_has_most_makes_way_however_many_networks_it_has() {
        let places = Places::default();
        let honest = ["192.0.2.1"; 10].map(|ip| take(&places, ip));
        let attacker: Vec<_> =
            (10..CONNECTIONS_MAX).map(|number| take(&places, &in_site(number))).collect();
        assert!(honest.iter().chain(&attacker).all(|taken| matches!(taken, Taken::Free(_))));
        let mut newcomers = Vec::new();
        for number in 10..20 {
            let Taken::InsteadOf(ended, place) = take(&places, "198.51.100.1") else {
                panic!("a place");
            };
            assert_eq!(ended, peer(&in_site(number)));
            newcomers.push(place);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_of_the_greediest_are_answered_another_makes_way() {
        let places = Places::default();
        let served = full(&places, &["192.0.2.1", "192.0.2.2"]);
        let busy = served.iter().step_by(2);
        assert!(busy.into_iter().all(|(progress, _)| progress.head_is_here()));
        let two = served.iter().skip(1).step_by(2).skip(1);
        assert!(two.into_iter().all(|(progress, _)| progress.head_is_here()));
        let Taken::InsteadOf(ended, _place) = take(&places, "192.0.2.3") else {
            panic!("a place");
        };
        assert_eq!(ended, peer("192.0.2.2"), "the only one that waits");
        assert!(
            matches!(take(&places, "192.0.2.4"), Taken::InsteadOf(..)),
            "the newcomer waits too"
        );
    }

    /// Who sends a body byte by byte has nothing carried out, and makes way.
    #[tokio::test(start_paused = true)]
    async fn a_request_makes_way_while_its_body_comes_and_not_any_more_when_it_is_here() {
        let places = Places::default();
        let served = full(&places, &["192.0.2.1"]);
        for (progress, _) in &served {
            assert!(progress.head_is_here());
            progress.waits_for_body();
        }
        assert!(served[0].0.has_waited_for_body());
        assert!(matches!(take(&places, "192.0.2.1"), Taken::InsteadOf(..)));
        assert!(!served[1].0.has_waited_for_body(), "it is to end, and is not carried out");
        assert!(served[2..].iter().all(|(progress, _)| progress.has_waited_for_body()));
        assert!(!served[0].0.end(), "it is carried out, and is answered");
    }

    #[test]
    fn a_mapped_address_is_what_it_stands_for() {
        assert_eq!(address(peer("::ffff:192.0.2.1")), address(peer("192.0.2.1")));
    }
}
