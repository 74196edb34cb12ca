//! Networks in CIDR notation, as the configuration lists them.

use ipnet::IpNet;

use super::ConfigError;

/// Parses the networks of the list `key`.
pub(super) fn networks(key: &str, texts: &[String]) -> Result<Vec<IpNet>, ConfigError> {
    let parse = |(at, text): (usize, &String)| {
        let network = text.parse::<IpNet>().ok().filter(|network| *network == network.trunc());
        network.ok_or_else(|| ConfigError::Value {
            key: format!("{key}, entry {}", at + 1),
            what: "a network is written 10.1.0.0/16 or fd00::/8, with no bits set after the prefix"
                .to_owned(),
        })
    };
    texts.iter().enumerate().map(parse).collect()
}
