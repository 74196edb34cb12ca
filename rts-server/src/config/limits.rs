//! Rates and bounds for clients and back ends.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use rts_egress::Network;
use rts_proto::server;
use rts_transport_tokio::server::LinkLimits;
use serde::Deserialize;

use super::descriptors::link_descriptor_max;
use super::text;

/// Rates and bounds. A rate of 0 means no limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Limits {
    /// Messages to users per second and sender.
    pub sends_per_second: u32,
    /// Broadcasts per second and sender.
    pub broadcasts_per_second: u32,
    /// Messages to the app server per second and sender.
    pub server_sends_per_second: u32,
    /// Status queries per second and user.
    pub status_queries_per_second: u32,
    /// Rooms that one user may join per second. A burst of at least 256 is allowed.
    pub joins_per_second: u32,
    /// Logins per second and user.
    pub logins_per_second: u32,
    /// Broadcasts per second in a room of fewer than 500 members.
    pub room_broadcasts_per_second: u32,
    /// Broadcasts per second in a room of 500 members or more.
    pub large_room_broadcasts_per_second: u32,
    /// Messages per second of the back ends of one app, of all kinds together. A message to n
    /// members of a room counts n times.
    pub backend_sends_per_second: u32,
    /// Members of a room.
    pub room_members_max: NonZeroUsize,
    /// Links that have not logged in.
    pub links_before_login_max: NonZeroUsize,
    /// Links from one network that have not logged in. A network is an IPv4 address or the first 64
    /// bits of an IPv6 address. `None`: a quarter of `links_before_login_max`.
    pub links_before_login_per_network_max: Option<NonZeroUsize>,
    /// Links from one network.
    pub links_per_network_max: NonZeroUsize,
    /// New links per second from one network. A burst of five times the rate is allowed.
    pub links_per_network_per_second: u32,
    /// TLS and WebSocket handshakes that begin per second, over all networks. A burst of five times
    /// the rate is allowed. Further handshakes wait.
    pub handshakes_per_second: u32,
    /// Networks without a bound or rate of their own, such as those of proxies. The bounds for all
    /// networks together still apply.
    #[serde(deserialize_with = "text::list")]
    pub exempt_networks: Vec<Network>,
}

/// Default of the links from one network.
const LINKS_PER_NETWORK_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not 0");
/// Default of the new links per second from one network. With TLS each link costs the server a
/// signature.
const LINKS_PER_NETWORK_PER_SECOND: u32 = 200;
/// Default of the handshakes per second: no limit. Messages take precedence over handshakes in any
/// case, and after a restart all users connect at once.
const HANDSHAKES_PER_SECOND: u32 = 0;

impl Default for Limits {
    fn default() -> Self {
        let core = server::Config::default();
        Self {
            sends_per_second: core.sends_per_second,
            broadcasts_per_second: core.broadcasts_per_second,
            server_sends_per_second: core.server_sends_per_second,
            status_queries_per_second: core.status_queries_per_second,
            joins_per_second: core.joins_per_second,
            logins_per_second: core.logins_per_second,
            room_broadcasts_per_second: core.room_broadcasts_per_second,
            large_room_broadcasts_per_second: core.large_room_broadcasts_per_second,
            backend_sends_per_second: core.backend_sends_per_second,
            room_members_max: core.room_members_max,
            links_before_login_max: core.links_before_login_max,
            links_before_login_per_network_max: None,
            links_per_network_max: LINKS_PER_NETWORK_MAX,
            links_per_network_per_second: LINKS_PER_NETWORK_PER_SECOND,
            handshakes_per_second: HANDSHAKES_PER_SECOND,
            exempt_networks: Vec::new(),
        }
    }
}

impl Limits {
    /// The limits in the form of the core. Without `..`, so that no limit can be forgotten.
    pub(super) fn core(&self) -> server::Config {
        let Self {
            sends_per_second,
            broadcasts_per_second,
            server_sends_per_second,
            status_queries_per_second,
            joins_per_second,
            logins_per_second,
            room_broadcasts_per_second,
            large_room_broadcasts_per_second,
            backend_sends_per_second,
            room_members_max,
            links_before_login_max,
            links_before_login_per_network_max: _,
            links_per_network_max: _,
            links_per_network_per_second: _,
            handshakes_per_second: _,
            exempt_networks: _,
        } = *self;
        let mut core = server::Config::default();
        core.sends_per_second = sends_per_second;
        core.broadcasts_per_second = broadcasts_per_second;
        core.server_sends_per_second = server_sends_per_second;
        core.status_queries_per_second = status_queries_per_second;
        core.joins_per_second = joins_per_second;
        core.logins_per_second = logins_per_second;
        core.room_broadcasts_per_second = room_broadcasts_per_second;
        core.large_room_broadcasts_per_second = large_room_broadcasts_per_second;
        core.backend_sends_per_second = backend_sends_per_second;
        core.room_members_max = room_members_max;
        core.links_before_login_max = links_before_login_max;
        core
    }

    /// The places before login of one network: a quarter of all, unless configured.
    pub(crate) fn before_login_per_network(&self) -> usize {
        let quarter = (self.links_before_login_max.get() / 4).max(1);
        self.links_before_login_per_network_max.map_or(quarter, NonZeroUsize::get)
    }

    /// The link limits of the shard. `descriptors` is how many descriptors this process may open.
    pub(crate) fn link_limits(&self, descriptors: Option<usize>) -> LinkLimits {
        let exempt = self.exempt_networks.clone();
        let mut limits = LinkLimits::default();
        limits.per_network_max = self.links_per_network_max.get();
        limits.per_network_before_login_max = self.before_login_per_network();
        limits.per_network_per_second = self.links_per_network_per_second;
        limits.handshakes_per_second = self.handshakes_per_second;
        limits.is_exempt = Arc::new(move |ip: IpAddr| exempt.iter().any(|net| net.contains(ip)));
        if let Some(descriptors) = descriptors {
            limits.descriptor_max = link_descriptor_max(descriptors);
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::super::descriptors::openapi_descriptor_max;
    use super::*;

    #[test]
    fn network_has_a_quarter_of_places_before_login() {
        let of = |max, said: Option<usize>| {
            let limits = Limits {
                links_before_login_max: NonZeroUsize::new(max).expect("not 0"),
                links_before_login_per_network_max: said.and_then(NonZeroUsize::new),
                ..Limits::default()
            };
            limits.link_limits(None).per_network_before_login_max
        };
        assert_eq!(of(400, None), 100);
        assert_eq!(of(1, None), 1);
        assert_eq!(of(400, Some(7)), 7);
    }

    #[test]
    fn handshakes_have_a_rate_only_if_set() {
        let of = |text: &str| {
            let limits: Limits = toml::from_str(text).expect("limits");
            limits.link_limits(None).handshakes_per_second
        };
        assert_eq!(of(""), 0);
        assert_eq!(of("handshakes_per_second = 7"), 7);
    }

    #[test]
    fn listed_networks_are_exempt_and_invalid_ones_refused() {
        let parse =
            |networks: &str| toml::from_str::<Limits>(&format!("exempt_networks = [{networks}]"));
        let limits = parse("\"10.1.0.0/16\", \"fd00::/8\"").expect("networks").link_limits(None);
        for (ip, is_exempt) in
            [("10.1.2.3", true), ("10.2.0.0", false), ("fd00::1", true), ("127.0.0.1", false)]
        {
            assert_eq!((limits.is_exempt)(ip.parse().expect("an address")), is_exempt, "{ip}");
        }
        for network in ["10.1.0.1/16", "10.1.0.0", "localhost", ""] {
            let error = parse(&format!("\"::/0\", {network:?}")).expect_err(network).to_string();
            assert!(error.contains("entry 2: a network is written 10.1.0.0/16"), "{error}");
        }
    }

    #[test]
    fn reserves_descriptors_for_back_ends_and_posts() {
        for (descriptors, of_links, of_openapi) in
            [(64, 47, 55), (1_024, 959, 1_007), (1_048_576, 1_048_511, 1_048_559)]
        {
            let limits = Limits::default().link_limits(Some(descriptors));
            assert_eq!(limits.descriptor_max, of_links);
            assert_eq!(openapi_descriptor_max(Some(descriptors)), of_openapi);
        }
    }
}
