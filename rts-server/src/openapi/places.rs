//! The places for connections, and which connection ends when all places are taken.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use super::timed::Progress;

/// Most connections at a time.
pub(super) const CONNECTIONS_MAX: usize = 1_024;
/// Most connections at a time of one address, or one /64 of IPv6: half of all. This is enough for a
/// proxy that carries all requests.
pub(super) const CONNECTIONS_PER_ADDRESS_MAX: usize = CONNECTIONS_MAX / 2;

/// The open connections. If a connection arrives when all places are taken, a connection ends that
/// waits for its client. It is the one that has waited longest among those of the site and address
/// with most connections. Nobody can therefore keep others out by holding connections, and no
/// connection ends while its request is carried out.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    /// Connections by ascending number.
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

/// A place for a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    number: u64,
}

/// The result for a new connection.
#[derive(Debug)]
pub(super) enum Taken {
    Free(Place),
    /// A place for which another connection was asked to end, that of this address.
    InsteadOf(SocketAddr, Place),
    /// There is no place: every connection that could end is answering a request.
    Nothing,
}

impl Places {
    /// Takes a place for a connection from `peer`. `progress` is the state of its requests.
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
    /// Whether another connection must end before one from this address gets a place.
    fn is_crowded(&self, newcomer: IpAddr) -> bool {
        self.connections.len() >= CONNECTIONS_MAX || self.has_all_of_its_own(newcomer)
    }

    fn has_all_of_its_own(&self, address: IpAddr) -> bool {
        self.of_address.get(&address).is_some_and(|count| *count >= CONNECTIONS_PER_ADDRESS_MAX)
    }

    /// Ends a connection, and returns its address. `None` if every connection that could end is
    /// answering a request.
    fn end_one_for(&mut self, newcomer: IpAddr) -> Option<SocketAddr> {
        while let Some(number) = self.least_needed(newcomer) {
            // It may have got a request meanwhile. Then the next candidate is tried.
            if self.connections.get(&number).is_some_and(|one| one.progress.end()) {
                return self.remove(number);
            }
        }
        None
    }

    /// The connection to end: one that waits, of the site and address with most connections. Of
    /// several, the one that has waited longest.
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

/// Connections are counted by IPv4 address or IPv6 /64, because one subscriber has at least a /64.
fn address(peer: SocketAddr) -> IpAddr {
    first_bits(peer, 64)
}

/// One subscriber may also have a /48, which has 65,536 networks of 64 bits.
fn site(peer: SocketAddr) -> IpAddr {
    first_bits(peer, 48)
}

/// The first `count` bits of an IPv6 address, or the whole of an IPv4 address.
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

    /// Takes all places, for connections of these addresses in turn.
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
    async fn address_at_its_bound_replaces_its_longest_waiting() {
        let places = Places::default();
        let mut served = full(&places, &["2001:db8::1"]);
        assert!(matches!(take(&places, "2001:db8::ffff:1"), Taken::InsteadOf(..)));
        assert!(!served[0].0.head_arrived() && served[1].0.head_arrived());
        // Its place was freed together with the connection.
        served.pop();
        assert!(matches!(take(&places, "2001:db8::ffff:1"), Taken::Free(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn longest_waiting_of_largest_address_ends_for_newcomer() {
        let places = Places::default();
        let half = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.2"];
        let served = full(&places, &half);
        // The first connection of 192.0.2.2 is answering a request, so the second has waited
        // longest.
        assert!(served[1].0.head_arrived());
        let Taken::InsteadOf(ended, _place) = take(&places, "192.0.2.4") else {
            panic!("a place");
        };
        assert_eq!(ended, peer("192.0.2.2"));
        assert!(!served[3].0.head_arrived(), "an ending connection answers no request");
        assert!(served[0].0.head_arrived() && served[5].0.head_arrived(), "the others go on");
    }

    #[tokio::test(start_paused = true)]
    async fn answering_connections_do_not_end() {
        let places = Places::default();
        let served = full(&places, &["192.0.2.1"]);
        assert!(served.iter().all(|(progress, _)| progress.head_arrived()));
        assert!(matches!(take(&places, "192.0.2.1"), Taken::Nothing));
        assert!(matches!(take(&places, "192.0.2.2"), Taken::Free(_)));
        served[7].0.answer_ready();
        assert!(matches!(take(&places, "192.0.2.1"), Taken::InsteadOf(..)));
    }

    #[tokio::test(start_paused = true)]
    async fn ended_connections_leave_no_state() {
        let places = Places::default();
        drop(full(&places, &["192.0.2.1", "2001:db8::1"]));
        let open = places.open.lock().expect("not poisoned");
        assert!(open.connections.is_empty());
        assert!(open.of_address.is_empty() && open.of_site.is_empty());
    }

    /// An IPv6 address in a network of its own.
    fn in_site(number: usize) -> String {
        format!("2001:db8:1:{number:x}::1")
    }

    #[tokio::test(start_paused = true)]
    async fn longest_waiting_of_equals_ends() {
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
            assert_eq!(ended, peer(ips[expected]), "neither the last one nor a newcomer ends");
            served.push((progress, place));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn largest_site_yields_over_all_its_networks() {
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
    async fn another_address_yields_when_largest_is_answering() {
        let places = Places::default();
        let served = full(&places, &["192.0.2.1", "192.0.2.2"]);
        let busy = served.iter().step_by(2);
        assert!(busy.into_iter().all(|(progress, _)| progress.head_arrived()));
        let two = served.iter().skip(1).step_by(2).skip(1);
        assert!(two.into_iter().all(|(progress, _)| progress.head_arrived()));
        let Taken::InsteadOf(ended, _place) = take(&places, "192.0.2.3") else {
            panic!("a place");
        };
        assert_eq!(ended, peer("192.0.2.2"), "the only one that waits");
        assert!(
            matches!(take(&places, "192.0.2.4"), Taken::InsteadOf(..)),
            "the newcomer waits too"
        );
    }

    /// A client that sends its body byte by byte has nothing carried out, so its connection may
    /// end.
    #[tokio::test(start_paused = true)]
    async fn connection_may_end_until_its_body_is_complete() {
        let places = Places::default();
        let served = full(&places, &["192.0.2.1"]);
        for (progress, _) in &served {
            assert!(progress.head_arrived());
            progress.await_body();
        }
        assert!(served[0].0.body_arrived());
        assert!(matches!(take(&places, "192.0.2.1"), Taken::InsteadOf(..)));
        assert!(
            !served[1].0.body_arrived(),
            "the request of an ending connection is not carried out"
        );
        assert!(served[2..].iter().all(|(progress, _)| progress.body_arrived()));
        assert!(!served[0].0.end(), "a request that is carried out is answered");
    }

    #[test]
    fn mapped_address_counts_as_ipv4() {
        assert_eq!(address(peer("::ffff:192.0.2.1")), address(peer("192.0.2.1")));
    }
}
