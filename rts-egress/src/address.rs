//! Classes of addresses, by table.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// Blocks of IPv4 that are not in the public internet, or are not single hosts in it.
const REFUSED_V4: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// The same kind of blocks within 2000::/3, the part of IPv6 that is assigned to hosts. All other
/// IPv6 addresses are refused, except for wrapped IPv4 addresses.
const REFUSED_V6: [([u16; 8], u8); 3] = [
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// Whether this is the address of a host in the public internet.
///
/// An IPv4 address inside of an IPv6 one (mapped, compatible, translated by NAT64, 6to4) is judged
/// as the IPv4 address. Teredo and the local prefix of NAT64 are never public.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let bits = u32::from(ip);
    !REFUSED_V4.iter().any(|(block, length)| {
        let shift = 32 - u32::from(*length);
        bits >> shift == u32::from(Ipv4Addr::from(*block)) >> shift
    })
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if ip.is_unspecified() || ip.is_loopback() {
        return false;
    }
    if let Some(wrapped) = wrapped_v4(ip) {
        return is_public_v4(wrapped);
    }
    let bits = u128::from(ip);
    let is_in = |block: &[u16; 8], length: u8| {
        let shift = 128 - u32::from(length);
        bits >> shift == u128::from(Ipv6Addr::from(*block)) >> shift
    };
    is_in(&[0x2000, 0, 0, 0, 0, 0, 0, 0], 3)
        && !REFUSED_V6.iter().any(|(block, length)| is_in(block, *length))
}

fn wrapped_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let at = |first: usize| {
        let octets: [u8; 16] = ip.octets();
        let four: [u8; 4] = octets.get(first..first + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(four))
    };
    match ip.segments() {
        // Compatible, mapped, translated by SIIT (RFC 2765) and by NAT64.
        [0, 0, 0, 0, 0, 0, ..]
        | [0, 0, 0, 0, 0, 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => at(12),
        // 6to4.
        [0x2002, ..] => at(2),
        _ => None,
    }
}

/// The addresses to which an app's messages may be posted.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    networks: Vec<Network>,
    loopback: bool,
    own: Vec<SocketAddr>,
}

/// A network in CIDR notation, such as `10.1.0.0/16` or `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// The text is not a network. The error does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is written 10.1.0.0/16 or fd00::/8, with no bits set after the prefix")]
pub struct NetworkError(());

impl Network {
    /// Whether the address is in the network.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network = text.parse::<IpNet>().ok().filter(|network| *network == network.trunc());
        network.map(Self).ok_or(NetworkError(()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A target has an address that must not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host has no address, or an address that is not allowed")]
pub struct Refused;

/// An address that a policy has accepted. Only [`AddressPolicy::vet`] makes one. So code that takes
/// only this type connects to no other address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vetted(SocketAddr);

impl Vetted {
    /// The address.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl AddressPolicy {
    /// Allows public addresses, and those in the operator's own `networks`.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self { networks: networks.into_iter().collect(), loopback: false, own: Vec::new() }
    }

    /// Also allows 127.0.0.1 and ::1, for development.
    #[must_use]
    pub fn with_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Always refuses these addresses, which are the server's own listeners.
    #[must_use]
    pub fn without(mut self, own: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.own.extend(own);
        self
    }

    /// Judges the answer of a resolver. All its addresses must be acceptable.
    ///
    /// # Errors
    ///
    /// One address is not acceptable, or there is no address.
    pub fn vet(&self, addresses: &[SocketAddr]) -> Result<Vec<Vetted>, Refused> {
        if addresses.is_empty() || !addresses.iter().all(|address| self.permits(*address)) {
            return Err(Refused);
        }
        Ok(addresses.iter().copied().map(Vetted).collect())
    }

    fn permits(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let is_in_network = self.networks.iter().any(|network| network.contains(ip));
        let is_loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].contains(&ip);
        !self.is_own(ip, address.port())
            && (is_public(ip) || is_in_network || (self.loopback && is_loopback))
    }

    /// A listener on all addresses has every address of this machine. They are not known here, so
    /// its port is refused on all addresses that are not public.
    fn is_own(&self, ip: IpAddr, port: u16) -> bool {
        self.own.iter().any(|own| {
            let listens_on_all = own.ip().is_unspecified();
            own.port() == port
                && (own.ip().to_canonical() == ip
                    || ip.is_loopback()
                    || ip.is_unspecified()
                    || (listens_on_all && !is_public(ip)))
        })
    }
}
