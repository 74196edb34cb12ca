//! A rate limit for lines of the log: one for each network, and one for all together. A network
//! that floods does not use up the lines of others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::server::network::Network;
use crate::server::token_bucket::{Rate, TokenBucket};

/// Lines in all: at once after quiet, and then a second.
const ALL: Rate = Rate { burst: 200.0, per_second: 50.0 };
/// Lines about one network: an IPv4 address, or 64 bits of an IPv6 address.
const NETWORK: Rate = Rate { burst: 20.0, per_second: 1.0 };
/// Lines about all exempt addresses together. Behind a proxy all clients have its address, so these
/// are lines about many clients. The other half of [`ALL`] is left for other addresses.
const EXEMPT: Rate = Rate { burst: 100.0, per_second: 25.0 };
/// Networks that are counted separately. Further networks share one count.
const NETWORKS_MAX: usize = 1_024;

/// A rate limit for lines of a log that are about addresses. It counts the lines that it
/// suppresses.
///
/// Each network, an IPv4 address or 64 bits of an IPv6 address, has 20 lines at once and then one a
/// second. All networks together have 200 at once and then 50 a second. Up to 1,024 networks are
/// counted separately, so those that flood do not use up the lines of others. Exempt addresses,
/// such as those of proxies, together have 100 at once and then 25 a second.
#[derive(Debug, Default)]
pub struct LogRateLimiter {
    all: TokenBucket,
    exempt: TokenBucket,
    networks: HashMap<Option<Network>, TokenBucket>,
    suppressed: u64,
}

impl LogRateLimiter {
    /// `Some` if a line about this address may be logged, with the number of lines suppressed since
    /// the last one. `None` if this line is suppressed too.
    pub fn allow(&mut self, address: Option<IpAddr>, now: Instant) -> Option<u64> {
        let network = self.counted_network(address.map(Network::of), now);
        let own = self.networks.entry(network).or_default();
        let has_room = take_of_both((own, NETWORK), (&mut self.all, ALL), now);
        self.counted(has_room)
    }

    /// Like [`allow`](Self::allow), for a line about an address to which the limits of a network do
    /// not apply.
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

    /// The network, if there is room to count it separately.
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

/// Takes a line from both buckets, or from neither.
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
    fn each_network_has_its_lines_and_counts_suppressed_ones() {
        let (mut limiter, now) = (LogRateLimiter::default(), Instant::now());
        let said = (0..100).filter(|_| limiter.allow(v4(1), now).is_some()).count();
        assert_eq!(said, 20);
        // Another network is not affected, and its line reports the suppressed ones.
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
    fn exempt_addresses_leave_half_of_the_lines() {
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
    fn further_networks_share_one_count() {
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
        assert_eq!(
            limiter.networks.len(),
            NETWORKS_MAX + 1,
            "one count is shared by further networks"
        );
        let said = (6_000..7_000).filter(|n| limiter.allow(v4(*n), now).is_some()).count();
        assert_eq!(said, 19);
        limiter.allow(v4(5_000), now + Duration::from_secs(60));
        limiter.allow(v4(8_000), now + Duration::from_secs(60));
        assert_eq!(limiter.networks.len(), 2, "quiet networks are forgotten");
    }
}
