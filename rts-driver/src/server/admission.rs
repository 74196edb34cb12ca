//! Admission of links: limits on all, and on those from one network or one site of IPv6.

mod usage;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use tracing::field::display;

use crate::server::handshakes::Lane;
use crate::server::log::LogThrottle;
use crate::server::log::targets::LINKS;
use crate::server::network::{Network, Site};
use crate::server::token_bucket::Rate;
use usage::{UsageBy, UsageLimits};

/// Links of a node, unless its limits override this.
const LINKS_MAX: usize = 100_000;

/// The time of quiet whose new links a network may open at once.
const NETWORK_BURST_SECONDS: f64 = 5.0;
/// The links of an IPv6 site, which is 65,536 networks, as a multiple of those of a network. Also
/// the multiple of its new links a second. One site may be a university or a carrier.
const SITE_LINKS: usize = 4;
/// The multiple for links before login. By default a network has a quarter of them, so one site
/// leaves half to others.
const SITE_BEFORE_LOGIN: usize = 2;

/// Limits on the links of a node. All but one are exact, however many shards it has.
///
/// A network is an IPv4 address, or the first 64 bits of an IPv6 address, which one customer
/// usually has. The networks of an IPv6 site have their first 48 bits in common. Together they have
/// four times the links of a network, four times its new links a second, and twice its links before
/// login.
#[derive(Clone)]
#[non_exhaustive]
pub struct LinkLimits {
    /// All links.
    pub links_max: usize,
    /// Links from one network.
    pub per_network_max: usize,
    /// Links before login from one network. They also count as links.
    pub per_network_before_login_max: usize,
    /// New links a second from one network, with bursts of up to five times this number. 0 means no
    /// limit. Each new link costs the server a handshake.
    pub per_network_per_second: u32,
    /// Handshakes of TLS and WebSocket that may begin a second, of all networks together, with
    /// bursts of up to five times this number. 0 means no limit. Further handshakes wait, at most
    /// until their login deadline. Sites take turns. Networks from which a user has logged in
    /// within the last hour take turns with all others. Each shard has an equal part, rounded up.
    pub handshakes_per_second: u32,
    /// The highest descriptor of a link. A link with a higher one is closed, so that higher
    /// descriptors stay free for other sockets and files. The system assigns the lowest free
    /// descriptor.
    pub descriptor_max: usize,
    /// Returns whether an address is exempt from the limits of a network and from the rate of
    /// handshakes. An example is a proxy, whose address all its clients share.
    pub is_exempt: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

/// 100,000 links, from any network.
impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            links_max: LINKS_MAX,
            per_network_max: usize::MAX,
            per_network_before_login_max: usize::MAX,
            per_network_per_second: 0,
            handshakes_per_second: 0,
            descriptor_max: usize::MAX,
            is_exempt: Arc::new(|_| false),
        }
    }
}

impl fmt::Debug for LinkLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkLimits")
            .field("links_max", &self.links_max)
            .field("per_network_max", &self.per_network_max)
            .field("per_network_before_login_max", &self.per_network_before_login_max)
            .field("per_network_per_second", &self.per_network_per_second)
            .field("handshakes_per_second", &self.handshakes_per_second)
            .field("descriptor_max", &self.descriptor_max)
            .finish_non_exhaustive()
    }
}

impl LinkLimits {
    fn of_network(&self) -> UsageLimits {
        UsageLimits {
            links_max: self.per_network_max,
            before_login_max: self.per_network_before_login_max,
            rate: Rate::new(self.per_network_per_second, NETWORK_BURST_SECONDS),
        }
    }

    fn of_site(&self) -> UsageLimits {
        let per_second = self.per_network_per_second.saturating_mul(SITE_LINKS as u32);
        UsageLimits {
            links_max: self.per_network_max.saturating_mul(SITE_LINKS),
            before_login_max: self.per_network_before_login_max.saturating_mul(SITE_BEFORE_LOGIN),
            rate: Rate::new(per_second, NETWORK_BURST_SECONDS),
        }
    }
}

/// Counts links against the limits.
#[derive(Default)]
pub(crate) struct Admission {
    limits: LinkLimits,
    links: usize,
    networks: UsageBy<Network>,
    /// Of IPv6.
    sites: UsageBy<Site>,
    server_throttle: LogThrottle,
    network_throttle: LogThrottle,
}

/// Why a link is refused, for the log. An operator must act when the server is full. A network over
/// its limits needs no action.
#[derive(Debug)]
enum Refusal {
    Server(String),
    Network(String),
}

/// A refused link, and the level of its line in the log.
#[derive(Debug)]
pub(crate) struct Refused {
    refusal: Refusal,
    /// `None` if a line about this was written lately. Otherwise the number of lines suppressed
    /// since.
    left_out: Option<u64>,
}

impl Refused {
    /// Logs the refusal. Call this without a lock.
    pub(crate) fn log(&self, peer: SocketAddr) {
        let address = display(peer);
        let left_out = self.left_out.map(|count| (count > 0).then_some(count));
        match (&self.refusal, left_out) {
            (Refusal::Server(why), Some(left_out)) => {
                tracing::warn!(
                    target: LINKS, address, why, left_out,
                    "link refused: connection limit reached"
                );
            }
            (Refusal::Network(why), Some(left_out)) => {
                tracing::info!(
                    target: LINKS, address, why, left_out,
                    "link refused: connection limit reached"
                );
            }
            (Refusal::Server(why) | Refusal::Network(why), None) => {
                tracing::debug!(
                    target: LINKS, address, why,
                    "link refused: connection limit reached"
                );
            }
        }
    }
}

impl Admission {
    pub(crate) fn set_limits(&mut self, limits: LinkLimits) {
        self.limits = limits;
    }

    /// Counts a link before login, if the limits allow it.
    pub(crate) fn admit(
        &mut self,
        peer: SocketAddr,
        descriptor: Option<usize>,
        now: Instant,
    ) -> Result<Permit, Refused> {
        let ip = peer.ip().to_canonical();
        let network = (!(self.limits.is_exempt)(ip)).then(|| Network::of(ip));
        if let Err(refusal) = self.check(network, descriptor, now) {
            return Err(self.refused(refusal, now));
        }
        self.links += 1;
        let is_known = network.is_some_and(|network| self.networks.is_known(network, now));
        if let Some(network) = network {
            self.networks.admit(network, &self.limits.of_network(), now);
            if let Some(site) = counted_site(network) {
                self.sites.admit(site, &self.limits.of_site(), now);
            }
        }
        Ok(Permit { network, is_known, is_before_login: true })
    }

    fn refused(&mut self, refusal: Refusal, now: Instant) -> Refused {
        let throttle = match refusal {
            Refusal::Server(_) => &mut self.server_throttle,
            Refusal::Network(_) => &mut self.network_throttle,
        };
        Refused { refusal, left_out: throttle.allow(now) }
    }

    fn check(
        &mut self,
        network: Option<Network>,
        descriptor: Option<usize>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let LinkLimits { links_max, descriptor_max, .. } = self.limits;
        if self.links >= links_max {
            return Err(Refusal::Server(format!("there are {links_max} already")));
        }
        if descriptor.is_some_and(|descriptor| descriptor > descriptor_max) {
            return Err(Refusal::Server(
                "the files that this process may open are used up but for a few; a higher limit \
                 (ulimit -n, LimitNOFILE of systemd) lets in more"
                    .to_owned(),
            ));
        }
        let Some(network) = network else { return Ok(()) };
        let network_limits = self.limits.of_network();
        self.networks.check(network, &network_limits, now).map_err(Refusal::Network)?;
        let Some(site) = counted_site(network) else { return Ok(()) };
        self.sites.check(site, &self.limits.of_site(), now).map_err(Refusal::Network)
    }

    /// A user has logged in over the link of this permit.
    pub(crate) fn logged_in(&mut self, permit: &mut Permit) {
        if std::mem::replace(&mut permit.is_before_login, false)
            && let Some(network) = permit.network
        {
            self.networks.logged_in(network);
            if let Some(site) = counted_site(network) {
                self.sites.logged_in(site);
            }
        }
    }

    /// Returns whether no link is left.
    pub(crate) fn release(&mut self, permit: Permit, now: Instant) -> bool {
        if let Some(network) = permit.network {
            let limits = self.limits.of_network();
            self.networks.release(network, permit.is_before_login, &limits, now);
            if let Some(site) = counted_site(network) {
                self.sites.release(site, permit.is_before_login, &self.limits.of_site(), now);
            }
        }
        self.links -= 1;
        self.links == 0
    }

    pub(crate) fn links(&self) -> usize {
        self.links
    }
}

/// The site of a network, if it is larger than the network.
fn counted_site(network: Network) -> Option<Site> {
    matches!(network, Network::V6(_)).then(|| network.site())
}

/// The place of an admitted link. It must be [released](Admission::release).
#[derive(Clone, Copy)]
pub(crate) struct Permit {
    /// `None` for exempt addresses.
    network: Option<Network>,
    /// Whether the network was known when the link was admitted: a user had logged in from there
    /// lately.
    is_known: bool,
    is_before_login: bool,
}

impl Permit {
    pub(crate) fn is_exempt(self) -> bool {
        self.network.is_none()
    }

    /// The lane in which the link's handshake waits before it begins.
    pub(crate) fn lane(self) -> Lane {
        match self.network {
            None => Lane::Free,
            Some(_) if self.is_known => Lane::Known,
            Some(_) => Lane::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
