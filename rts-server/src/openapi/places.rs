//! Who has how many of the connections, and which of them ends when there is no place for another.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use super::timed::Progress;

/// Connections at a moment.
pub(super) const CONNECTIONS_MAX: usize = 1_024;
/// Connections at a moment of one address, or one /64 of IPv6: half of all. Enough for a proxy
/// through which everybody comes.
pub(super) const CONNECTIONS_PER_ADDRESS_MAX: usize = CONNECTIONS_MAX / 2;

/// The open connections. For one that comes when all places are taken, the connection ends that has
/// waited longest, of the address that has most: so nobody keeps others out by holding connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    /// By numbers that grow.
    connections: HashMap<u64, Connection>,
    of_address: HashMap<IpAddr, usize>,
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
        let crowded = open.crowded(address(peer));
        let ended = match crowded.map(|crowded| open.end_longest_waiting(crowded)) {
            Some(None) => return Taken::Nothing,
            ended => ended.flatten(),
        };
        open.last += 1;
        let number = open.last;
        *open.of_address.entry(address(peer)).or_default() += 1;
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
    /// The address that has to give a place if one more comes from `newcomer`.
    fn crowded(&self, newcomer: IpAddr) -> Option<IpAddr> {
        let of_newcomer = self.of_address.get(&newcomer).copied().unwrap_or_default();
        if of_newcomer >= CONNECTIONS_PER_ADDRESS_MAX {
            return Some(newcomer);
        }
        let most = self.of_address.iter().max_by_key(|(address, count)| (**count, **address));
        most.filter(|_| self.connections.len() >= CONNECTIONS_MAX).map(|(address, _)| *address)
    }

    fn end_longest_waiting(&mut self, of: IpAddr) -> Option<SocketAddr> {
        let theirs = self.connections.iter().filter(|(_, one)| address(one.peer) == of);
        let waiting =
            theirs.filter_map(|(number, one)| Some((one.progress.waits_since()?, *number)));
        let (_, number) = waiting.min()?;
        // It may have got a request since.
        let ends = self.connections.get(&number).is_some_and(|one| one.progress.end());
        if ends { self.remove(number) } else { None }
    }

    fn remove(&mut self, number: u64) -> Option<SocketAddr> {
        let peer = self.connections.remove(&number)?.peer;
        if let Some(count) = self.of_address.get_mut(&address(peer)) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&address(peer));
            }
        }
        Some(peer)
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
    match peer.ip().to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
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
        let served = full(&places, &["192.0.2.1", "192.0.2.2"]);
        // The first of 192.0.2.2 is being answered, so the second has waited longest.
        assert!(served[1].0.head_is_here());
        let Taken::InsteadOf(ended, _place) = take(&places, "192.0.2.3") else {
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
        assert!(open.connections.is_empty() && open.of_address.is_empty());
    }

    #[test]
    fn a_mapped_address_is_what_it_stands_for() {
        assert_eq!(address(peer("::ffff:192.0.2.1")), address(peer("192.0.2.1")));
    }
}
