//! The address of a server. It has one form for all transports; the scheme selects the transport.

use std::fmt;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// `SCHEME://HOST[:PORT][/PATH]`, such as `rts://127.0.0.1:7600` or `wss://chat.example.com/rts`
/// (§12.1).
///
/// The path is for `ws` and `wss` only. A token, user or password never goes into an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
}

/// The transport of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `rts`: plain TCP. The default port is 7600.
    Rts,
    /// `rtss`: TLS. The default port is 7602.
    Rtss,
    /// `ws`: WebSocket. The default port is 80.
    Ws,
    /// `wss`: WebSocket over TLS. The default port is 443.
    Wss,
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a server address: {what}; write SCHEME://HOST:PORT with rts, rtss, ws or wss, \
     such as rts://127.0.0.1:7600 or wss://chat.example.com/rts"
)]
pub struct AddressError {
    text: String,
    what: AddressProblem,
}

impl AddressError {
    /// The reason, without the invalid text.
    #[must_use]
    pub const fn problem(&self) -> AddressProblem {
        self.what
    }
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressProblem {
    /// There is no `://`.
    #[error("it has no scheme")]
    NoScheme,
    /// The scheme is another one.
    #[error("its scheme is not one of rts, rtss, ws and wss")]
    Scheme,
    /// There is a user or a password.
    #[error("it has a user in it, and what is secret never goes into an address")]
    UserInfo,
    /// There is a query or a fragment.
    #[error("it has a query, and what is secret never goes into an address")]
    Query,
    /// There is a path, and the transport is not WebSocket.
    #[error("it has a path, which only ws and wss have")]
    Path,
    /// A character of the path is not one of RFC 3986.
    #[error("its path has a character that must be percent-encoded")]
    PathCharacter,
    /// The host is missing or malformed.
    #[error("its host is not a name, an IPv4 address or an IPv6 address in [ ]")]
    Host,
    /// The port is malformed, or 0 where nothing listens.
    #[error("its port is not a number from 1 to 65535")]
    Port,
}

impl Scheme {
    const ALL: [Self; 4] = [Self::Rts, Self::Rtss, Self::Ws, Self::Wss];

    const fn name(self) -> &'static str {
        match self {
            Self::Rts => "rts",
            Self::Rtss => "rtss",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Rts => 7600,
            Self::Rtss => 7602,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// Whether the link is encrypted.
    #[must_use]
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::Rtss | Self::Wss)
    }

    /// Whether the link is a WebSocket.
    #[must_use]
    pub const fn has_web_socket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

impl Address {
    /// Parses an address to listen on. Like [`FromStr`], but also accepts port 0, which takes a
    /// free port.
    ///
    /// # Errors
    ///
    /// The text is not an address. The error says why.
    pub fn to_listen_on(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, 0..=u16::MAX)
    }

    /// The transport.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A name, an IPv4 address, or an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path of a WebSocket, which begins with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `host:port`, for a resolver.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The value of HTTP's `Host`: without the port if it is the scheme's default.
    #[cfg(feature = "websocket")]
    pub(crate) fn host_header(&self) -> String {
        if self.port == self.scheme.default_port() { self.host.clone() } else { self.authority() }
    }

    /// The same address with another port, such as the port that a listener on port 0 got.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    fn parse(text: &str, ports: RangeInclusive<u16>) -> Result<Self, AddressError> {
        let error = |what| AddressError { text: without_secrets(text), what };
        let (scheme, rest) = text.split_once("://").ok_or(error(AddressProblem::NoScheme))?;
        let scheme = Scheme::ALL
            .into_iter()
            .find(|known| known.name() == scheme)
            .ok_or(error(AddressProblem::Scheme))?;
        if rest.contains('@') {
            return Err(error(AddressProblem::UserInfo));
        }
        if rest.contains(['?', '#']) {
            return Err(error(AddressProblem::Query));
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        if !scheme.has_web_socket() && !path.is_empty() {
            return Err(error(AddressProblem::Path));
        }
        if !path.bytes().all(is_path_byte) {
            return Err(error(AddressProblem::PathCharacter));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        if !is_host(host) {
            return Err(error(AddressProblem::Host));
        }
        let port = match port {
            Some(port) => read_port(port)
                .filter(|port| ports.contains(port))
                .ok_or(error(AddressProblem::Port))?,
            None => scheme.default_port(),
        };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { scheme, host: host.to_owned(), port, path: path.to_owned() })
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, 1..=u16::MAX)
    }
}

/// Replaces secrets in an invalid address, so that the error does not carry them into a log.
fn without_secrets(text: &str) -> String {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    match text[..end].rfind('@') {
        Some(at) => format!("...{}", &text[at..end]),
        None => text[..end].to_owned(),
    }
}

/// Reads digits only. `parse` alone would also accept a sign.
pub(crate) fn read_port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

pub(crate) fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let in_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !host.is_empty() && host.len() <= HOST_BYTES_MAX && host.bytes().all(in_names)
        }
    }
}

/// The longest valid name.
const HOST_BYTES_MAX: usize = 253;

/// Whether RFC 3986 allows the byte in a path without encoding.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.name(), self.host, self.port)?;
        if self.path != "/" { f.write_str(&self.path) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_errors_name_the_fault() {
        for (text, problem) in [
            ("127.0.0.1:1", AddressProblem::NoScheme),
            ("http://a:1", AddressProblem::Scheme),
            ("rts://:1", AddressProblem::Host),
            ("rts://", AddressProblem::Host),
            ("rts://a:70000", AddressProblem::Port),
            ("rts://a:0", AddressProblem::Port),
            ("rts://a:+1", AddressProblem::Port),
            ("rts://a:", AddressProblem::Port),
            ("rts://a:1/path", AddressProblem::Path),
            ("rtss://a/", AddressProblem::Path),
            ("ws://a/b c", AddressProblem::PathCharacter),
            ("rts://::1:1", AddressProblem::Host),
            ("rts://[::1:1", AddressProblem::Host),
            ("wss://alice:secret@a/", AddressProblem::UserInfo),
            ("wss://a/?token=secret", AddressProblem::Query),
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert_eq!(error.problem(), problem, "{text}");
            let message = error.to_string();
            assert!(message.contains(&problem.to_string()), "{message}");
            assert!(!message.contains("secret") || message.contains("what is secret"), "{message}");
        }
    }

    #[test]
    fn errors_repeat_no_secret() {
        for text in ["wss://alice:hunter2@a/", "wss://a/?token=hunter2", "wss://a/#hunter2"] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn hosts_are_names_and_ip_addresses() {
        for text in ["rts://localhost:7600", "rtss://127.0.0.1:1", "ws://[::1]:65535/a/b"] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()), Ok(text.to_owned()));
        }
        let address: Address = "ws://[::1]:1".parse().expect("an address");
        assert_eq!((address.host(), &*address.authority()), ("::1", "[::1]:1"));
    }

    #[test]
    fn schemes_have_ports_and_web_sockets_have_paths() {
        for (text, full) in [
            ("rts://a", "rts://a:7600"),
            ("rtss://a", "rtss://a:7602"),
            ("ws://a", "ws://a:80"),
            ("wss://[::1]/chat", "wss://[::1]:443/chat"),
        ] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()), Ok(full.to_owned()));
        }
        assert_eq!("wss://a".parse::<Address>().map(|a| a.path().to_owned()), Ok("/".to_owned()));
    }

    #[test]
    fn only_a_listener_takes_port_zero() {
        assert!("rts://127.0.0.1:0".parse::<Address>().is_err());
        assert!(Address::to_listen_on("rts://127.0.0.1:0").is_ok());
    }
}
