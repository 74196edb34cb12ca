//! Where the server is: one form for all transports; the scheme chooses.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// `rts://host:port`: plain TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    authority: String,
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a server address: {what}; write rts://host:port, such as rts://127.0.0.1:7600"
)]
pub struct AddressError {
    text: String,
    what: &'static str,
}

impl Address {
    /// `host:port`, for a resolver.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = |what| AddressError { text: text.to_owned(), what };
        let (scheme, authority) = text.split_once("://").ok_or(error("it has no scheme"))?;
        if scheme != "rts" {
            return Err(error("the only scheme so far is rts (plain TCP)"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => return Err(error("it has no port")),
        };
        if !is_host(host) {
            return Err(error("its host is not a name, an IPv4 address or an IPv6 address in [ ]"));
        }
        // `parse` alone would take a sign.
        if !port.bytes().all(|byte| byte.is_ascii_digit())
            || !matches!(port.parse(), Ok(1..=u16::MAX))
        {
            return Err(error("its port is not a number from 1 to 65535"));
        }
        Ok(Self { authority: authority.to_owned() })
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let in_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !host.is_empty() && host.bytes().all(in_names)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rts://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (text, what) in [
            ("127.0.0.1:1", "no scheme"),
            ("http://a:1", "only scheme"),
            ("rts://a", "no port"),
            ("rts://:1", "host"),
            ("rts://a:70000", "port"),
            ("rts://a:0", "port"),
            ("rts://a:+1", "port"),
            ("rts://a:", "port"),
            ("rts://a:1/path", "port"),
            ("rts://a/b:1", "host"),
            ("rts://::1:1", "host"),
            ("rts://[::1:1", "host"),
            ("rts://[::1]", "no port"),
        ] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn names_and_both_kinds_of_ip_addresses_are_hosts() {
        for text in ["rts://localhost:7600", "rts://127.0.0.1:1", "rts://[::1]:65535"] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()), Ok(text.to_owned()));
        }
    }
}
