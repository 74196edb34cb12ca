//! What clients and back ends are allowed: rates and bounds.

use std::net::IpAddr;
use std::sync::Arc;

use rts_proto::server;
use rts_transport_tokio::server::LinkLimits;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::descriptors::link_descriptor_max;
use super::networks::networks;

/// Rates and bounds. A rate of 0 means no limit.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Messages to users a second from one user.
    pub sends_per_second: u32,
    /// Broadcasts a second from one user.
    pub broadcasts_per_second: u32,
    /// Messages to the app's server a second from one user.
    pub server_sends_per_second: u32,
    /// Status queries a second from one user.
    pub status_queries_per_second: u32,
    /// Rooms a second that one user may enter. At least 256 may be entered at once after quiet.
    pub joins_per_second: u32,
    /// Logins a second of one user.
    pub logins_per_second: u32,
    /// Broadcasts a second in a room of fewer than 500 members.
    pub room_broadcasts_per_second: u32,
    /// The same from 500 members on.
    pub large_room_broadcasts_per_second: u32,
    /// Messages a second from the back end of one app, all kinds together; one to n members of a
    /// room counts n.
    pub backend_sends_per_second: u32,
    /// Members of one room.
    pub room_members_max: usize,
    /// Links that have not logged in.
    pub links_before_login_max: usize,
    /// The same from one network, which is an IPv4 address or 64 bits of an IPv6 address; a quarter
    /// of all if it is absent.
    pub links_before_login_per_network_max: Option<usize>,
    /// Links from one network.
    pub links_per_network_max: usize,
    /// New links a second from one network, five times as many at once after quiet.
    pub links_per_network_per_second: u32,
    /// Handshakes of TLS and WebSocket that begin a second, of all networks together, five times as
    /// many at once after quiet. More wait for their turn.
    pub handshakes_per_second: u32,
    /// Networks from which any number of links may come, at any rate, up to the bounds of all, such
    /// as those of proxies.
    pub exempt_networks: Vec<String>,
}

/// Links from one network, unless configured otherwise.
const LINKS_PER_NETWORK_MAX: usize = 10_000;
/// New ones a second, unless configured otherwise. With TLS each costs the server a signature.
const LINKS_PER_NETWORK_PER_SECOND: u32 = 200;
/// Handshakes that begin a second, unless configured otherwise: no limit. They give way to messages
/// in any case, and after a restart all users make theirs at once.
const HANDSHAKES_PER_SECOND: u32 = 0;

/// A struct with the limits that the core and this configuration have under the same names, taken
/// from the other of both, and its other fields.
macro_rules! with_core_limits {
    ($from:expr, $to:ident $(:: $part:ident)* { $($rest:tt)* }) => {
        $to $(:: $part)* {
            sends_per_second: $from.sends_per_second,
            broadcasts_per_second: $from.broadcasts_per_second,
            server_sends_per_second: $from.server_sends_per_second,
            status_queries_per_second: $from.status_queries_per_second,
            joins_per_second: $from.joins_per_second,
            logins_per_second: $from.logins_per_second,
            room_broadcasts_per_second: $from.room_broadcasts_per_second,
            large_room_broadcasts_per_second: $from.large_room_broadcasts_per_second,
            backend_sends_per_second: $from.backend_sends_per_second,
            room_members_max: $from.room_members_max,
            links_before_login_max: $from.links_before_login_max,
            $($rest)*
        }
    };
}

impl Default for Limits {
    fn default() -> Self {
        let core = server::Config::default();
        with_core_limits!(
            core,
            Self {
                links_before_login_per_network_max: None,
                links_per_network_max: LINKS_PER_NETWORK_MAX,
                links_per_network_per_second: LINKS_PER_NETWORK_PER_SECOND,
                handshakes_per_second: HANDSHAKES_PER_SECOND,
                exempt_networks: Vec::new(),
            }
        )
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, value) in [
            ("room_members_max", self.room_members_max),
            ("links_before_login_max", self.links_before_login_max),
            ("links_before_login_per_network_max", self.before_login_per_network()),
            ("links_per_network_max", self.links_per_network_max),
        ] {
            if value == 0 {
                let what =
                    "at least 1 is needed: 0 would admit nobody; only for a rate 0 means no limit";
                return Err(ConfigError::Value {
                    key: format!("limits.{key}"),
                    what: what.to_owned(),
                });
            }
        }
        self.link_limits(None).map(drop)
    }

    /// As the core has them.
    pub(super) fn core(&self) -> server::Config {
        with_core_limits!(self, server::Config { ..server::Config::default() })
    }

    /// Of the places before login, one network has a quarter, unless it is said.
    pub(crate) fn before_login_per_network(&self) -> usize {
        let quarter = (self.links_before_login_max / 4).max(1);
        self.links_before_login_per_network_max.unwrap_or(quarter)
    }

    /// What the shard is told, with `descriptors` files and sockets that this process may open.
    pub(crate) fn link_limits(
        &self,
        descriptors: Option<usize>,
    ) -> Result<LinkLimits, ConfigError> {
        let exempt = networks("limits.exempt_networks", &self.exempt_networks)?;
        let mut limits = LinkLimits::default();
        limits.per_network_max = self.links_per_network_max;
        limits.per_network_before_login_max = self.before_login_per_network();
        limits.per_network_per_second = self.links_per_network_per_second;
        limits.handshakes_per_second = self.handshakes_per_second;
        limits.is_exempt = Arc::new(move |ip: IpAddr| exempt.iter().any(|net| net.contains(&ip)));
        if let Some(descriptors) = descriptors {
            limits.descriptor_max = link_descriptor_max(descriptors);
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::super::descriptors::openapi_descriptor_max;
    use super::*;

    #[test]
    fn one_network_has_a_quarter_of_the_places_before_login_unless_it_is_said() {
        let of = |max, said| {
            let limits = Limits {
                links_before_login_max: max,
                links_before_login_per_network_max: said,
                ..Limits::default()
            };
            limits.link_limits(None).expect("good networks").per_network_before_login_max
        };
        assert_eq!(of(400, None), 100);
        assert_eq!(of(1, None), 1);
        assert_eq!(of(400, Some(7)), 7);
    }

    #[test]
    fn handshakes_of_all_networks_have_a_rate_when_one_is_set() {
        let of = |text: &str| {
            let limits: Limits = toml::from_str(text).expect("limits");
            limits.link_limits(None).expect("good networks").handshakes_per_second
        };
        assert_eq!(of(""), 0);
        assert_eq!(of("handshakes_per_second = 7"), 7);
    }

    #[test]
    fn listed_networks_are_exempt_and_what_is_none_is_refused() {
        let with = |networks: &[&str]| {
            let exempt_networks = networks.iter().map(|text| (*text).to_owned()).collect();
            Limits { exempt_networks, ..Limits::default() }.link_limits(None)
        };
        let limits = with(&["10.1.0.0/16", "fd00::/8"]).expect("networks");
        for (ip, is_exempt) in
            [("10.1.2.3", true), ("10.2.0.0", false), ("fd00::1", true), ("127.0.0.1", false)]
        {
            assert_eq!((limits.is_exempt)(ip.parse().expect("an address")), is_exempt, "{ip}");
        }
        for network in ["10.1.0.1/16", "10.1.0.0", "localhost", ""] {
            let error = with(&[network]).expect_err(network).to_string();
            assert!(error.starts_with("limits.exempt_networks, entry 1: "), "{error}");
        }
    }

    #[test]
    fn some_descriptors_are_kept_back_from_clients_and_fewer_from_back_ends() {
        for (descriptors, of_links, of_openapi) in
            [(64, 47, 55), (1_024, 959, 1_007), (1_048_576, 1_048_511, 1_048_559)]
        {
            let limits = Limits::default().link_limits(Some(descriptors)).expect("good networks");
            assert_eq!(limits.descriptor_max, of_links);
            assert_eq!(openapi_descriptor_max(Some(descriptors)), of_openapi);
        }
    }
}
