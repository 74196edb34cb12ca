//! Bounds on who may have a link.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rts_transport_tokio::server::LinkLimits;

use super::{ConfigError, Limits};

/// Files and sockets that are kept back from links, of those that the system allows this process:
/// for back ends, posts and certificates. Where the system allows few, it is a quarter.
const DESCRIPTORS_KEPT_BACK: usize = 64;
/// Of these, those that are kept back from back ends too: posts, `/health` and files go on while
/// strangers hold all that the OpenAPI has. Where the system allows few, it is an eighth.
const DESCRIPTORS_OF_NO_PEER: usize = 16;

impl Limits {
    /// Of the places before login, one network has a quarter, unless it is said.
    pub(crate) fn before_login_per_network(&self) -> usize {
        let quarter = (self.links_before_login_max / 4).max(1);
        self.links_before_login_per_network_max.unwrap_or(quarter)
    }

    /// What the shard is told, with `descriptors` files and sockets that this process may open.
    pub(crate) fn link_bounds(
        &self,
        descriptors: Option<usize>,
    ) -> Result<LinkLimits, ConfigError> {
        let exempt = self.exempt_networks()?;
        let bounds = LinkLimits::default();
        Ok(LinkLimits {
            per_network_max: self.links_per_network_max,
            per_network_before_login_max: self.before_login_per_network(),
            per_network_per_second: self.links_per_network_per_second,
            handshakes_per_second: self.handshakes_per_second,
            descriptor_max: descriptors.map_or(bounds.descriptor_max, |descriptors| {
                last_but(DESCRIPTORS_KEPT_BACK.min(descriptors / 4), descriptors)
            }),
            is_exempt: Arc::new(move |ip: IpAddr| exempt.iter().any(|net| net.contains(&ip))),
            ..bounds
        })
    }

    fn exempt_networks(&self) -> Result<Vec<IpNet>, ConfigError> {
        let parse = |(at, text): (usize, &String)| {
            let network = text.parse::<IpNet>().ok().filter(|network| *network == network.trunc());
            network.ok_or_else(|| ConfigError::Value {
                key: format!("limits.exempt_networks, entry {}", at + 1),
                what:
                    "a network is written 10.1.0.0/16 or fd00::/8, with no bits behind the prefix"
                        .to_owned(),
            })
        };
        self.exempt_networks.iter().enumerate().map(parse).collect()
    }
}

/// The greatest descriptor that a connection of the OpenAPI may have.
pub(crate) fn openapi_descriptor_max(descriptors: Option<usize>) -> usize {
    descriptors.map_or(usize::MAX, |descriptors| {
        last_but(DESCRIPTORS_OF_NO_PEER.min(descriptors / 8), descriptors)
    })
}

/// The greatest descriptor when the last `kept` are for other things; the first is 0.
fn last_but(kept: usize, descriptors: usize) -> usize {
    descriptors.saturating_sub(1 + kept)
}

/// Files and sockets that this process may have open.
pub(crate) fn descriptors() -> Option<usize> {
    #[cfg(unix)]
    return rlimit::Resource::NOFILE.get_soft().ok().and_then(|limit| usize::try_from(limit).ok());
    #[cfg(not(unix))]
    return None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_has_a_quarter_of_the_places_before_login_unless_it_is_said() {
        let of = |max, said| {
            let limits = Limits {
                links_before_login_max: max,
                links_before_login_per_network_max: said,
                ..Limits::default()
            };
            limits.link_bounds(None).expect("good networks").per_network_before_login_max
        };
        assert_eq!(of(400, None), 100);
        assert_eq!(of(1, None), 1);
        assert_eq!(of(400, Some(7)), 7);
    }

    #[test]
    fn handshakes_of_all_networks_have_a_rate_when_one_is_set() {
        let of = |text: &str| {
            let limits: Limits = toml::from_str(text).expect("limits");
            limits.link_bounds(None).expect("good networks").handshakes_per_second
        };
        assert_eq!(of(""), 0);
        assert_eq!(of("handshakes_per_second = 7"), 7);
    }

    #[test]
    fn listed_networks_are_exempt_and_what_is_none_is_refused() {
        let with = |networks: &[&str]| {
            let exempt_networks = networks.iter().map(|text| (*text).to_owned()).collect();
            Limits { exempt_networks, ..Limits::default() }.link_bounds(None)
        };
        let bounds = with(&["10.1.0.0/16", "fd00::/8"]).expect("networks");
        for (ip, is_exempt) in
            [("10.1.2.3", true), ("10.2.0.0", false), ("fd00::1", true), ("127.0.0.1", false)]
        {
            assert_eq!((bounds.is_exempt)(ip.parse().expect("an address")), is_exempt, "{ip}");
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
            let bounds = Limits::default().link_bounds(Some(descriptors)).expect("good networks");
            assert_eq!(bounds.descriptor_max, of_links);
            assert_eq!(openapi_descriptor_max(Some(descriptors)), of_openapi);
        }
    }
}
