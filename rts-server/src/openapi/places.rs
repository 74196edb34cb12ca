//! Who has how many of the connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections at a moment of one address, or one /64 of IPv6: half of all, so that one alone keeps
/// nobody out. Enough for a proxy through which everybody comes.
pub(super) const CONNECTIONS_PER_ADDRESS_MAX: usize = super::listen::CONNECTIONS_MAX / 2;

/// The connections of each address.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    /// Nothing when this address has all that it may.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Place> {
        let address = network(peer);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_default();
        if *count >= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// One subscriber has at least a /64 of IPv6.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_one_more_when_one_of_them_is_free() {
        let places = Places::default();
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let mut taken: Vec<_> = (0..CONNECTIONS_PER_ADDRESS_MAX)
            .map(|number| places.take(ip(&format!("2001:db8::{number:x}"))).expect("a place"))
            .collect();
        assert!(places.take(ip("2001:db8::ffff:1")).is_none());
        assert!(places.take(ip("2001:db8:0:1::1")).is_some());
        assert!(places.take(ip("192.0.2.1")).is_some());
        taken.pop();
        assert!(places.take(ip("2001:db8::ffff:1")).is_some());
        taken.clear();
        assert!(places.taken.lock().expect("it is ours").is_empty());
    }

    #[test]
    fn a_mapped_address_is_what_it_stands_for() {
        assert_eq!(
            network("::ffff:192.0.2.1".parse().expect("one")),
            network("192.0.2.1".parse().expect("one"))
        );
    }
}
