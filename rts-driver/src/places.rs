//! Who may have a link: bounds on all links, and on those from one place in the network.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use tracing::field::display;

use crate::seldom::Seldom;

/// Links of one shard, unless its bounds say otherwise.
const LINKS_MAX: usize = 100_000;

/// What a network may open at once after quiet: as much as its rate allows in this time.
const NETWORK_BURST_SECONDS: f64 = 5.0;
/// From this number of networks on, those are forgotten that have no links and have used none of
/// their rate.
const NETWORKS_FIRST_SWEEP: usize = 1_024;

/// Bounds on the links of a shard. A network is an IPv4 address, or the first 64 bits of an IPv6
/// address, which one customer usually has to itself.
#[derive(Clone)]
pub struct LinkBounds {
    /// Of all links.
    pub links_max: usize,
    /// Of the links from one network.
    pub per_network_max: usize,
    /// Of those among them that have not logged in.
    pub per_network_before_login_max: usize,
    /// New links a second from one network, five times as many at once after quiet; 0 is no limit.
    /// Each costs the server a handshake.
    pub per_network_per_second: u32,
    /// Of the numbers that the system gives to open sockets and files: a link with a greater one is
    /// closed, so that those above stay free for other things. The system gives the smallest that
    /// is free.
    pub descriptor_max: usize,
    /// Addresses for which the bounds of a network do not hold, such as those of proxies, behind
    /// which all clients are.
    pub is_exempt: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

/// 100,000 links, from wherever they are.
impl Default for LinkBounds {
    fn default() -> Self {
        Self {
            links_max: LINKS_MAX,
            per_network_max: usize::MAX,
            per_network_before_login_max: usize::MAX,
            per_network_per_second: 0,
            descriptor_max: usize::MAX,
            is_exempt: Arc::new(|_| false),
        }
    }
}

impl fmt::Debug for LinkBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkBounds")
            .field("links_max", &self.links_max)
            .field("per_network_max", &self.per_network_max)
            .field("per_network_before_login_max", &self.per_network_before_login_max)
            .field("per_network_per_second", &self.per_network_per_second)
            .field("descriptor_max", &self.descriptor_max)
            .finish_non_exhaustive()
    }
}

/// What one bound is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    V4(Ipv4Addr),
    /// The first 64 bits.
    V6([u16; 4]),
}

impl Network {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => write!(f, "{ip}"),
            Self::V6([a, b, c, d]) => write!(f, "{a:x}:{b:x}:{c:x}:{d:x}::/64"),
        }
    }
}

/// What is taken.
#[derive(Default)]
pub(crate) struct Places {
    bounds: LinkBounds,
    links: usize,
    /// It hashes with a secret: an attacker who chooses addresses must not be able to make them
    /// collide.
    networks: HashMap<Network, Taken>,
    /// The number of networks at which the next sweep is due.
    sweep_at: usize,
    told_of_server: Seldom,
    told_of_networks: Seldom,
}

/// Why there is no place, for the log. Its operator has to do something about a server that is
/// full; a network that takes too much is kept in its bounds.
enum Full {
    Server(String),
    Network(String),
}

#[derive(Default)]
struct Taken {
    links: usize,
    before_login: usize,
    /// Links that were opened, less those that time has given back.
    opened: f64,
    at: Option<Instant>,
}

impl Taken {
    /// What of its rate is used up.
    fn opened(&mut self, per_second: f64, now: Instant) -> f64 {
        let at = self.at.replace(now).unwrap_or(now);
        let given_back = now.saturating_duration_since(at).as_secs_f64() * per_second;
        self.opened = (self.opened - given_back).max(0.0);
        self.opened
    }
}

impl Places {
    pub(crate) fn set_bounds(&mut self, bounds: LinkBounds) {
        self.bounds = bounds;
    }

    /// Takes a place before login, if there is one. Tells the log now and then who found none.
    pub(crate) fn take(
        &mut self,
        peer: SocketAddr,
        descriptor: Option<usize>,
        now: Instant,
    ) -> Option<Place> {
        let ip = peer.ip().to_canonical();
        let network = (!(self.bounds.is_exempt)(ip)).then(|| Network::of(ip));
        self.sweep(now);
        if let Err(full) = self.check(network, descriptor, now) {
            self.tell(peer, &full, now);
            return None;
        }
        self.links += 1;
        if let Some(network) = network {
            let taken = self.networks.entry(network).or_default();
            taken.links += 1;
            taken.before_login += 1;
            taken.opened += 1.0;
        }
        Some(Place { network, is_before_login: true })
    }

    fn tell(&mut self, peer: SocketAddr, full: &Full, now: Instant) {
        let address = display(peer);
        let told = match full {
            Full::Server(_) => &mut self.told_of_server,
            Full::Network(_) => &mut self.told_of_networks,
        };
        let left_out = told.happened(now).map(|count| (count > 0).then_some(count));
        match (full, left_out) {
            (Full::Server(why), Some(left_out)) => {
                tracing::warn!(address, why, left_out, "no place for a link");
            }
            (Full::Network(why), Some(left_out)) => {
                tracing::info!(address, why, left_out, "no place for a link");
            }
            (Full::Server(why) | Full::Network(why), None) => {
                tracing::debug!(address, why, "no place for a link");
            }
        }
    }

    fn check(
        &mut self,
        network: Option<Network>,
        descriptor: Option<usize>,
        now: Instant,
    ) -> Result<(), Full> {
        let LinkBounds { links_max, descriptor_max, .. } = self.bounds;
        if self.links >= links_max {
            return Err(Full::Server(format!("there are {links_max} already")));
        }
        if descriptor.is_some_and(|descriptor| descriptor > descriptor_max) {
            return Err(Full::Server(
                "the files that this process may open are used up but for a few; a higher limit \
                 (ulimit -n, LimitNOFILE of systemd) lets in more"
                    .to_owned(),
            ));
        }
        let Some(network) = network else { return Ok(()) };
        let Some(taken) = self.networks.get_mut(&network) else { return Ok(()) };
        if taken.links >= self.bounds.per_network_max {
            return Err(Full::Network(format!("{} are from {network} already", taken.links)));
        }
        if taken.before_login >= self.bounds.per_network_before_login_max {
            let count = taken.before_login;
            let why = format!("{count} are from {network} already that have not logged in");
            return Err(Full::Network(why));
        }
        let per_second = f64::from(self.bounds.per_network_per_second);
        let opened = taken.opened(per_second, now);
        if per_second > 0.0 && opened + 1.0 > per_second * NETWORK_BURST_SECONDS {
            return Err(Full::Network(format!("{network} opens more than {per_second} a second")));
        }
        Ok(())
    }

    /// Forgets networks of which there is nothing to know, so seldom that it costs each link
    /// little.
    fn sweep(&mut self, now: Instant) {
        if self.networks.len() < self.sweep_at.max(NETWORKS_FIRST_SWEEP) {
            return;
        }
        let per_second = f64::from(self.bounds.per_network_per_second);
        self.networks.retain(|_, taken| taken.links > 0 || taken.opened(per_second, now) > 0.0);
        self.sweep_at = 2 * self.networks.len();
    }

    /// The link in this place has logged in.
    pub(crate) fn logged_in(&mut self, place: &mut Place) {
        if std::mem::replace(&mut place.is_before_login, false)
            && let Some(taken) = place.network.and_then(|network| self.networks.get_mut(&network))
        {
            taken.before_login -= 1;
        }
    }

    /// Returns whether no place is taken any more.
    pub(crate) fn give_back(&mut self, mut place: Place) -> bool {
        self.logged_in(&mut place);
        if let Some(network) = place.network
            && let Some(taken) = self.networks.get_mut(&network)
        {
            taken.links -= 1;
            // With a rate, what was opened is remembered for a while.
            if taken.links == 0 && self.bounds.per_network_per_second == 0 {
                self.networks.remove(&network);
            }
        }
        self.links -= 1;
        self.links == 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.links == 0
    }
}

/// A link's place. It has to be [given back](Places::give_back).
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// `None` for exempt addresses.
    network: Option<Network>,
    is_before_login: bool,
}

impl Place {
    pub(crate) fn is_exempt(self) -> bool {
        self.network.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().expect("an address"), 1)
    }

    fn take(places: &mut Places, peer: SocketAddr, descriptor: Option<usize>) -> Option<Place> {
        places.take(peer, descriptor, Instant::now())
    }

    fn places(bounds: LinkBounds) -> Places {
        let mut places = Places::default();
        places.set_bounds(bounds);
        places
    }

    #[test]
    fn one_network_has_so_many_places_before_login_and_others_have_theirs() {
        for (first, same, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8:0:1::1"),
        ] {
            let bounds = LinkBounds { per_network_before_login_max: 2, ..LinkBounds::default() };
            let mut places = places(bounds);
            let mut place = take(&mut places, at(first), None).expect("the first");
            take(&mut places, at(same), None).expect("the second");
            assert!(take(&mut places, at(first), None).is_none());
            assert!(take(&mut places, at(other), None).is_some());
            places.logged_in(&mut place);
            places.logged_in(&mut place);
            assert!(take(&mut places, at(same), None).is_some(), "the place before login is free");
            assert!(take(&mut places, at(same), None).is_none());
        }
    }

    #[test]
    fn one_network_has_so_many_places_in_all() {
        let mut places = places(LinkBounds { per_network_max: 2, ..LinkBounds::default() });
        let mut first = take(&mut places, at("192.0.2.1"), None).expect("the first");
        let second = take(&mut places, at("192.0.2.1"), None).expect("the second");
        places.logged_in(&mut first);
        assert!(take(&mut places, at("192.0.2.1"), None).is_none());
        assert!(!places.give_back(second));
        assert!(take(&mut places, at("192.0.2.1"), None).is_some());
    }

    #[test]
    fn exempt_addresses_have_only_the_bound_of_all_links() {
        let mut places = places(LinkBounds {
            links_max: 3,
            per_network_max: 1,
            is_exempt: Arc::new(|ip| ip.is_loopback()),
            ..LinkBounds::default()
        });
        for ip in ["127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1"] {
            assert!(take(&mut places, at(ip), None).is_some());
        }
        assert!(take(&mut places, at("127.0.0.1"), None).is_none());
    }

    #[test]
    fn the_last_descriptors_are_not_for_links() {
        let mut places = places(LinkBounds { descriptor_max: 48, ..LinkBounds::default() });
        assert!(take(&mut places, at("192.0.2.1"), Some(48)).is_some());
        assert!(take(&mut places, at("192.0.2.1"), Some(49)).is_none());
    }

    #[test]
    fn a_network_opens_so_many_links_at_once_and_then_a_second() {
        let bounds = LinkBounds { per_network_per_second: 2, ..LinkBounds::default() };
        let (mut places, start) = (places(bounds), Instant::now());
        let opened = |places: &mut Places, ip, now| {
            let taken = (0..100).map_while(|_| places.take(at(ip), None, now));
            taken.collect::<Vec<_>>().into_iter().map(|place| places.give_back(place)).count()
        };
        assert_eq!(opened(&mut places, "192.0.2.1", start), 10);
        assert_eq!(opened(&mut places, "192.0.2.1", start), 0);
        assert_eq!(opened(&mut places, "192.0.2.2", start), 10, "others have their own");
        assert_eq!(opened(&mut places, "192.0.2.1", start + Duration::from_secs(1)), 2);
    }

    #[test]
    fn networks_that_rest_are_forgotten() {
        let bounds = LinkBounds { per_network_per_second: 1, ..LinkBounds::default() };
        let (mut places, start) = (places(bounds), Instant::now());
        for number in 0..100_000 {
            let ip = Ipv4Addr::from_bits(0x0A00_0000 + number);
            let now = start + Duration::from_millis(u64::from(number));
            let place = places.take(SocketAddr::new(ip.into(), 1), None, now).expect("the first");
            places.give_back(place);
        }
        assert!(places.networks.len() <= 3 * NETWORKS_FIRST_SWEEP, "{}", places.networks.len());
    }

    #[test]
    fn nothing_is_remembered_of_who_is_gone() {
        let mut places = places(LinkBounds::default());
        let taken =
            ["192.0.2.1", "2001:db8::1", "192.0.2.1"].map(|ip| take(&mut places, at(ip), None));
        let last = taken.map(|place| places.give_back(place.expect("there is room")));
        assert_eq!(last, [false, false, true]);
        assert!(places.networks.is_empty() && places.is_empty());
    }
}
