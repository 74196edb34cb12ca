//! A rate limit for lines of the log: each network has its own, and all together have one. A
//! network that floods does not take the lines of others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::server::network::Network;
use crate::server::token_bucket::{Rate, TokenBucket};

/// Lines of all that may come at once, and then a second.
const ALL: Rate = Rate { burst: 200.0, per_second: 50.0 };
/// The same of one network: an IPv4 address, or 64 bits of an IPv6 address.
const NETWORK: Rate = Rate { burst: 20.0, per_second: 1.0 };
/// The same of all exempt addresses together. Behind a proxy all clients have its address, so these
/// are the lines of many; the other half of [`ALL`] is for everybody else.
const EXEMPT: Rate = Rate { burst: 100.0, per_second: 25.0 };
/// Networks that are counted apart; those beyond share one count.
const NETWORKS_MAX: usize = 1_024;

/// A rate limit for lines of a log that are about addresses. It counts the lines that it
/// suppresses.
///
/// An IPv4 address, or 64 bits of an IPv6 address, has 20 lines at once and then one a second; all
/// together have 200 at once and then 50 a second. Of up to 1,024 such networks those that flood do
/// not take the lines of others. Exempt addresses, such as those of proxies, together have 100 at
/// once and then 25 a second.
#[derive(Debug, Default)]
pub struct LogRateLimiter {
    all: TokenBucket,
    exempt: TokenBucket,
    networks: HashMap<Option<Network>, TokenBucket>,
    suppressed: u64,
}

impl LogRateLimiter {
    /// `Some` if a line about this address is to be logged, with the number of lines suppressed
    /// since the last one; `None` if this one is suppressed too.
    pub fn allow(&mut self, address: Option<IpAddr>, now: Instant) -> Option<u64> {
        let network = self.counted_network(address.map(Network::of), now);
        let own = self.networks.entry(network).or_default();
        let has_room = take_of_both((own, NETWORK), (&mut self.all, ALL), now);
        self.counted(has_room)
    }

    /// [`allow`](Self::allow), for a line about an address for which the limits of a network do not
    /// hold.
    pub fn allow_exempt(&mut self, now: Instant) -> Option<u64> {
        let has_room = take_of_both((&mut self.exempt, EXEMPT), (&mut self.all, ALL), now);
        self.counted(has_room)
    }

    fn counted(&mut self, has_room: bool) -> Option<u64> {
        if has_room {
            return Some(std::mem::take(&mut self.suppressed));
        }
        self.suppressed += 1;
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
fn take_of_both(
    own: (&mut TokenBucket, Rate),
    all: (&mut TokenBucket, Rate),
    now: Instant,
) -> bool {
    let ((own, own_rate), (all, all_rate)) = (own, all);
    let has_room = own.has_token(own_rate, now) && all.has_token(all_rate, now);
    if has_room {
        own.take_one();
        all.take_one();
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
        let (mut limiter, now) = (LogRateLimiter::default(), Instant::now());
        let said = (0..100).filter(|_| limiter.allow(v4(1), now).is_some()).count();
        assert_eq!(said, 20);
        // Another one is not in its shadow, and tells of it.
        assert_eq!(limiter.allow(v4(2), now), Some(80));
        assert_eq!(limiter.allow(v4(2), now), Some(0));
        let later = now + Duration::from_secs(1);
        assert_eq!(limiter.allow(v4(1), later), Some(0));
        assert_eq!(limiter.allow(v4(1), later), None);
    }

    #[test]
    fn all_networks_together_have_a_bound() {
        let (mut limiter, now) = (LogRateLimiter::default(), Instant::now());
        let said = |limiter: &mut LogRateLimiter, now| {
            (0..1_000).filter(|n| limiter.allow(v4(*n), now).is_some()).count()
        };
        assert_eq!(said(&mut limiter, now), 200);
        assert_eq!(said(&mut limiter, now + Duration::from_secs(1)), 50);
    }

    #[test]
    fn exempt_addresses_have_the_lines_of_many_and_leave_half_to_others() {
        let (mut limiter, now) = (LogRateLimiter::default(), Instant::now());
        let said = |limiter: &mut LogRateLimiter, now| {
            (0..1_000).filter(|_| limiter.allow_exempt(now).is_some()).count()
        };
        assert_eq!(said(&mut limiter, now), 100);
        let others = (0..1_000).filter(|n| limiter.allow(v4(*n), now).is_some()).count();
        assert_eq!(others, 100);
        assert_eq!(said(&mut limiter, now + Duration::from_secs(1)), 25);
    }

    #[test]
    fn networks_beyond_those_that_are_counted_share_one_count() {
        let (mut limiter, now) = (LogRateLimiter::default(), Instant::now());
        let busy = |number| {
            let mut bucket = TokenBucket::default();
            (0..20).for_each(|_| bucket.take_one());
            assert!(!bucket.has_token(NETWORK, now));
            (v4(number).map(Network::of), bucket)
        };
        limiter.networks.extend((1..NETWORKS_MAX as u32).map(busy));
        let counted = [limiter.allow(v4(5_000), now), limiter.allow(v4(5_001), now)];
        assert_eq!(counted, [Some(0), Some(0)]);
        assert_eq!(limiter.networks.len(), NETWORKS_MAX + 1, "the last apart, and all others");
        let said = (6_000..7_000).filter(|n| limiter.allow(v4(*n), now).is_some()).count();
        assert_eq!(said, 19);
        limiter.allow(v4(5_000), now + Duration::from_secs(60));
        limiter.allow(v4(8_000), now + Duration::from_secs(60));
        assert_eq!(limiter.networks.len(), 2, "those that are quiet are forgotten");
    }
}
