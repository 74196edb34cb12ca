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

/// Links of one shard, unless its limits say otherwise.
const LINKS_MAX: usize = 100_000;

/// What a network may open at once after quiet: as much as its rate allows in this time.
const NETWORK_BURST_SECONDS: f64 = 5.0;
/// The links of an IPv6 site, which is 65,536 networks, as a multiple of those of a network; the
/// same for new links a second. A university or a carrier may have one site.
const SITE_LINKS: usize = 4;
/// The same for links before login: with the quarter that a network has by default, one site
/// leaves half to others.
const SITE_BEFORE_LOGIN: usize = 2;

/// Limits on the links of a shard. A network is an IPv4 address, or the first 64 bits of an IPv6
/// address, which one customer usually has to itself. All networks of an IPv6 site, which have the
/// first 48 bits in common, together have four times the links of a network and four times its new
/// ones a second, and twice those before login.
#[derive(Clone)]
#[non_exhaustive]
pub struct LinkLimits {
    /// Of all links.
    pub links_max: usize,
    /// Of the links from one network.
    pub per_network_max: usize,
    /// Of those among them that have not logged in.
    pub per_network_before_login_max: usize,
    /// New links a second from one network, five times as many at once after quiet; 0 is no limit.
    /// Each costs the server a handshake.
    pub per_network_per_second: u32,
    /// Handshakes of TLS and WebSocket that begin a second, of all networks together, five times
    /// as many at once after quiet; 0 is no limit. Those beyond wait for their turn, until their
    /// login deadline at the longest. Sites take turns, and so do networks where
    /// somebody has logged in within an hour and all others.
    pub handshakes_per_second: u32,
    /// Of the numbers that the system gives to open sockets and files: a link with a greater one is
    /// closed, so that those above stay free for other things. The system gives the smallest that
    /// is free.
    pub descriptor_max: usize,
    /// Addresses for which neither the limits of a network hold nor the rate of handshakes, such as
    /// those of proxies, behind which all clients are.
    pub is_exempt: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

/// 100,000 links, from wherever they are.
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

/// Why a link is refused, for the log. Its operator has to do something about a server that is
/// full; a network that takes too much is kept in its limits.
#[derive(Debug)]
enum Refusal {
    Server(String),
    Network(String),
}

/// A link is refused, and how loud the log is to be about it.
#[derive(Debug)]
pub(crate) struct NoPlace {
    refusal: Refusal,
    /// `None` if a line about it was written lately; else the number of those suppressed since.
    left_out: Option<u64>,
}

impl NoPlace {
    /// Call it without a lock.
    pub(crate) fn log(&self, peer: SocketAddr) {
        let address = display(peer);
        let left_out = self.left_out.map(|count| (count > 0).then_some(count));
        match (&self.refusal, left_out) {
            (Refusal::Server(why), Some(left_out)) => {
                tracing::warn!(target: LINKS, address, why, left_out, "no place for a link");
            }
            (Refusal::Network(why), Some(left_out)) => {
                tracing::info!(target: LINKS, address, why, left_out, "no place for a link");
            }
            (Refusal::Server(why) | Refusal::Network(why), None) => {
                tracing::debug!(target: LINKS, address, why, "no place for a link");
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
    ) -> Result<Permit, NoPlace> {
        let ip = peer.ip().to_canonical();
        let network = (!(self.limits.is_exempt)(ip)).then(|| Network::of(ip));
        if let Err(refusal) = self.check(network, descriptor, now) {
            return Err(self.no_place(refusal, now));
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

    fn no_place(&mut self, refusal: Refusal, now: Instant) -> NoPlace {
        let throttle = match refusal {
            Refusal::Server(_) => &mut self.server_throttle,
            Refusal::Network(_) => &mut self.network_throttle,
        };
        NoPlace { refusal, left_out: throttle.allow(now) }
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

    /// Somebody has logged in over the link of this permit.
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

    pub(crate) fn is_empty(&self) -> bool {
        self.links == 0
    }
}

/// The site, where it is more than the network.
fn counted_site(network: Network) -> Option<Site> {
    matches!(network, Network::V6(_)).then(|| network.site())
}

/// The place that a link which was admitted takes. It has to be [released](Admission::release).
#[derive(Clone, Copy)]
pub(crate) struct Permit {
    /// `None` for exempt addresses.
    network: Option<Network>,
    /// Whether somebody had logged in from there lately when it was taken.
    is_known: bool,
    is_before_login: bool,
}

impl Permit {
    pub(crate) fn is_exempt(self) -> bool {
        self.network.is_none()
    }

    /// Where its handshake waits before it begins.
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
