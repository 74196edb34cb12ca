//! Keeps a flood out of the log: each network, and all together, have so many lines a second. One
//! network that floods does not take the lines of others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::bucket::{Bucket, Rate};
use crate::network::Network;

/// Lines of all that may come at once, and then a second.
const ALL: Rate = Rate { burst: 200.0, per_second: 50.0 };
/// The same of one network: an IPv4 address, or 64 bits of an IPv6 address.
const NETWORK: Rate = Rate { burst: 20.0, per_second: 1.0 };
/// The same of all exempt addresses together. Behind a proxy all clients have its address, so these
/// are the lines of many; the other half of [`ALL`] is for everybody else.
const EXEMPT: Rate = Rate { burst: 100.0, per_second: 25.0 };
/// Networks that are counted apart; those beyond share one count.
const NETWORKS_MAX: usize = 1_024;

/// Says which lines of a log to leave out while somebody floods, and counts them. Lines are about
/// addresses.
///
/// An IPv4 address, or 64 bits of an IPv6 address, has 20 lines at once and then one a second; all
/// together have 200 at once and then 50 a second. Of up to 1,024 such networks those that flood do
/// not take the lines of others. Exempt addresses, such as those of proxies, together have 100 at
/// once and then 25 a second.
#[derive(Debug, Default)]
pub struct Thinning {
    all: Bucket,
    exempt: Bucket,
    networks: HashMap<Option<Network>, Bucket>,
    left_out: u64,
}

impl Thinning {
    /// For one line about this address: how many lines were left out since the last one, or nothing
    /// when this one is to be left out.
    pub fn take(&mut self, address: Option<IpAddr>, now: Instant) -> Option<u64> {
        let network = self.counted_network(address.map(Network::of), now);
        let own = self.networks.entry(network).or_default();
        let has_room = take_of_both((own, NETWORK), (&mut self.all, ALL), now);
        self.counted(has_room)
    }

    /// [`take`](Self::take), for a line about an address for which the bounds of a network do not
    /// hold.
    pub fn take_exempt(&mut self, now: Instant) -> Option<u64> {
        let has_room = take_of_both((&mut self.exempt, EXEMPT), (&mut self.all, ALL), now);
        self.counted(has_room)
    }

    fn counted(&mut self, has_room: bool) -> Option<u64> {
        if has_room {
            return Some(std::mem::take(&mut self.left_out));
        }
        self.left_out += 1;
        None
    }

    /// The network, if there is room to count it apart.
    fn counted_network(&mut self, network: Option<Network>, now: Instant) -> Option<Network> {
        if self.networks.len() >= NETWORKS_MAX && !self.networks.contains_key(&network) {
            self.networks.retain(|_, bucket| !bucket.is_full(NETWORK, now));
            if self.networks.len() >= NETWORKS_MAX {
                return None;
            }
        }
        network
    }
}

/// A line of each, or of neither.
fn take_of_both(own: (&mut Bucket, Rate), all: (&mut Bucket, Rate), now: Instant) -> bool {
    let ((own, own_rate), (all, all_rate)) = (own, all);
    let has_room = own.has_room(own_rate, now) && all.has_room(all_rate, now);
    if has_room {
        own.use_one();
        all.use_one();
    }
    has_room
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn v4(number: u32) -> Option<IpAddr> {
        Some(Ipv4Addr::from_bits(0x0A00_0000 + number).into())
    }

    #[test]
    fn a_network_has_its_lines_and_what_is_left_out_is_counted() {
        let (mut thinning, now) = (Thinning::default(), Instant::now());
        let said = (0..100).filter(|_| thinning.take(v4(1), now).is_some()).count();
        assert_eq!(said, 20);
        // Another one is not in its shadow, and tells of it.
        assert_eq!(thinning.take(v4(2), now), Some(80));
        assert_eq!(thinning.take(v4(2), now), Some(0));
        let later = now + Duration::from_secs(1);
        assert_eq!(thinning.take(v4(1), later), Some(0));
        assert_eq!(thinning.take(v4(1), later), None);
    }

    #[test]
    fn all_networks_together_have_a_bound() {
        let (mut thinning, now) = (Thinning::default(), Instant::now());
        let said = |thinning: &mut Thinning, now| {
            (0..1_000).filter(|n| thinning.take(v4(*n), now).is_some()).count()
        };
        assert_eq!(said(&mut thinning, now), 200);
        assert_eq!(said(&mut thinning, now + Duration::from_secs(1)), 50);
    }

    #[test]
    fn exempt_addresses_have_the_lines_of_many_and_leave_half_to_others() {
        let (mut thinning, now) = (Thinning::default(), Instant::now());
        let said = |thinning: &mut Thinning, now| {
            (0..1_000).filter(|_| thinning.take_exempt(now).is_some()).count()
        };
        assert_eq!(said(&mut thinning, now), 100);
        let others = (0..1_000).filter(|n| thinning.take(v4(*n), now).is_some()).count();
        assert_eq!(others, 100);
        assert_eq!(said(&mut thinning, now + Duration::from_secs(1)), 25);
    }

    #[test]
    fn networks_beyond_those_that_are_counted_share_one_count() {
        let (mut thinning, now) = (Thinning::default(), Instant::now());
        let busy = |number| {
            let mut bucket = Bucket::default();
            (0..20).for_each(|_| bucket.use_one());
            assert!(!bucket.has_room(NETWORK, now));
            (v4(number).map(Network::of), bucket)
        };
        thinning.networks.extend((1..NETWORKS_MAX as u32).map(busy));
        let counted = [thinning.take(v4(5_000), now), thinning.take(v4(5_001), now)];
        assert_eq!(counted, [Some(0), Some(0)]);
        assert_eq!(thinning.networks.len(), NETWORKS_MAX + 1, "the last apart, and all others");
        let said = (6_000..7_000).filter(|n| thinning.take(v4(*n), now).is_some()).count();
        assert_eq!(said, 19);
        thinning.take(v4(5_000), now + Duration::from_secs(60));
        thinning.take(v4(8_000), now + Duration::from_secs(60));
        assert_eq!(thinning.networks.len(), 2, "those that are quiet are forgotten");
    }
}
