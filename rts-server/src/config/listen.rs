//! Listeners for clients: addresses, schemes, certificates and origins.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use rts_transport_tokio::server::AddressProblem;
use rts_transport_tokio::{Address, Scheme};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{ConfigError, text};

/// One listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Listen {
    /// The scheme and address.
    #[serde(deserialize_with = "text::one")]
    pub url: ListenUrl,
    /// For `rtss` and `wss`: a PEM file with the server's certificate, followed by the certificates
    /// of its chain.
    #[serde(default, deserialize_with = "text::path")]
    pub certificate: Option<PathBuf>,
    /// For `rtss` and `wss`: a PEM file with the private key of the certificate.
    #[serde(default, deserialize_with = "text::path")]
    pub key: Option<PathBuf>,
    /// For `ws` and `wss`: the origins whose pages may connect. Clients other than browsers may
    /// always connect.
    #[serde(default, deserialize_with = "text::list")]
    pub origins: Vec<PageOrigin>,
}

impl Listen {
    /// A listener without a certificate, for pages of no origin.
    #[must_use]
    pub fn new(url: ListenUrl) -> Self {
        Self { url, certificate: None, key: None, origins: Vec::new() }
    }

    /// A listener for plain TCP.
    #[must_use]
    pub fn plain(at: SocketAddr) -> Self {
        Self::without_tls(&format!("rts://{at}"))
    }

    /// A listener for WebSocket without TLS, at the path `/`, for pages of any origin.
    #[must_use]
    pub fn development_web_socket(at: SocketAddr) -> Self {
        Self { origins: vec![PageOrigin::any()], ..Self::without_tls(&format!("ws://{at}")) }
    }

    fn without_tls(url: &str) -> Self {
        Self::new(url.parse().expect("a socket's address is one of ours"))
    }

    /// `at` is the index of the listener, from 0.
    pub(super) fn check(&self, at: usize, allow_public_plaintext: bool) -> Result<(), ConfigError> {
        let error = |what: &str| ConfigError::Value { key: place(at), what: what.to_owned() };
        let scheme = self.scheme();
        if scheme.has_tls() {
            if self.certificate.is_none() || self.key.is_none() {
                return Err(error(
                    "rtss:// and wss:// need a certificate and a key, each the name of a file",
                ));
            }
        } else {
            if self.certificate.is_some() || self.key.is_some() {
                return Err(error("a certificate and a key are for rtss:// and wss:// only"));
            }
            if !self.url.socket_addr().ip().is_loopback() && !allow_public_plaintext {
                return Err(error(
                    "this is not a loopback address, and links are not encrypted: use rtss:// or wss:// with a \
                     certificate, or say allow_public_plaintext = true",
                ));
            }
        }
        if !scheme.has_web_socket() && !self.origins.is_empty() {
            return Err(error("origins are for ws:// and wss:// only"));
        }
        Ok(())
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.url.address().scheme()
    }
}

/// The place of the listener with this index in the configuration, for errors.
pub(crate) fn place(at: usize) -> String {
    format!("listen, entry {}", at + 1)
}

/// Where a listener listens: `rts://IP:PORT`, `rtss://IP:PORT`, `ws://IP:PORT/PATH` or
/// `wss://IP:PORT/PATH`. Port 0 takes a free port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenUrl {
    address: Address,
    at: SocketAddr,
}

impl ListenUrl {
    /// The scheme, address and path.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The address of the socket to bind.
    #[must_use]
    pub fn socket_addr(&self) -> SocketAddr {
        self.at
    }

    pub(crate) fn set_port(&mut self, port: u16) {
        self.at.set_port(port);
        self.address = self.address.clone().with_port(port);
    }
}

impl FromStr for ListenUrl {
    type Err = ListenUrlError;

    fn from_str(text: &str) -> Result<Self, ListenUrlError> {
        let address = Address::to_listen_on(text).map_err(|error| error.problem())?;
        let ip: IpAddr = address.host().parse().map_err(|_| ListenUrlError::HostName)?;
        let at = SocketAddr::new(ip, address.port());
        Ok(Self { address, at })
    }
}

impl fmt::Display for ListenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// An origin whose pages may connect: `https://chat.example.com`, `null`, which some pages send, or
/// `*` for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageOrigin(String);

impl PageOrigin {
    const ANY: &str = "*";

    /// Any origin.
    #[must_use]
    pub fn any() -> Self {
        Self(Self::ANY.to_owned())
    }

    /// Whether this is [`any`](Self::any).
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == Self::ANY
    }

    /// The origin's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PageOrigin {
    type Err = PageOriginError;

    fn from_str(text: &str) -> Result<Self, PageOriginError> {
        if text == Self::ANY || is_origin(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(PageOriginError(()))
    }
}

/// Why a text is not the URL of a listener. The error does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenUrlError {
    /// It is not an address of RTS.
    #[error("{0}")]
    Address(#[from] AddressProblem),
    /// The host is a name, which could stand for several addresses.
    #[error("the host must be an IP address, such as 0.0.0.0 for all")]
    HostName,
}

/// The text is not an origin. The error does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not an origin: write \"https://chat.example.com\", without a path, or \"*\" for any"
)]
pub struct PageOriginError(());

/// Whether a text is an origin: `SCHEME://HOST[:PORT]`, or `null`.
fn is_origin(text: &str) -> bool {
    text == "null"
        || text.split_once("://").is_some_and(|(scheme, host)| {
            let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
            !scheme.is_empty()
                && !host.is_empty()
                && is_word(scheme)
                && is_word(host)
                && !host.contains(['/', '?', '#', '@'])
        })
}

/// Deserialises listeners. `listen = "IP:PORT"` is short for one listener, `rts://IP:PORT`.
pub(super) fn listeners<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Listen>, D::Error> {
    struct Listeners;

    impl<'de> Visitor<'de> for Listeners {
        type Value = Vec<Listen>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("IP:PORT, or [[listen]] for every listener")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            match text.parse() {
                Ok(at) => Ok(vec![Listen::plain(at)]),
                Err(_) => Err(E::custom(
                    "listen is not IP:PORT; for other transports than plain TCP write [[listen]] and below it url = \"...\"",
                )),
            }
        }

        fn visit_seq<A: SeqAccess<'de>>(self, listeners: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(listeners))
        }
    }

    deserializer.deserialize_any(Listeners)
}

#[cfg(test)]
mod tests {
    use crate::Config;

    const APP: &str = "[apps.123456781234567812345678]\nkeys = [\"k\"]\n";
    const FILES: &str = "certificate = \"c.pem\"\nkey = \"k.pem\"\n";

    fn parse(listen: &str) -> Result<Config, String> {
        Config::parse(&format!("{listen}\n{APP}")).map_err(|error| error.to_string())
    }

    #[test]
    fn listeners_of_all_schemes_parse_together() {
        let text = format!(
            "[[listen]]\nurl = \"rts://127.0.0.1:0\"\n[[listen]]\nurl = \"rtss://0.0.0.0\"\n{FILES}\
             [[listen]]\nurl = \"ws://[::1]:8080/chat\"\norigins = [\"*\", \"null\"]\n\
             [[listen]]\nurl = \"wss://[::]\"\n{FILES}origins = [\"https://chat.example.com\"]\n"
        );
        let config = parse(&text).expect("a valid configuration");
        let urls: Vec<_> = config.listen.iter().map(|listen| listen.url.to_string()).collect();
        let wanted =
            ["rts://127.0.0.1:0", "rtss://0.0.0.0:7602", "ws://[::1]:8080/chat", "wss://[::]:443"];
        assert_eq!(urls, wanted);
    }

    #[test]
    fn invalid_listeners_have_specific_errors() {
        for (listen, what) in [
            ("listen = \"rts://127.0.0.1:1\"".to_owned(), "[[listen]]"),
            ("listen = []".to_owned(), "at least one"),
            ("[[listen]]\nurl = \"http://127.0.0.1:1\"".to_owned(), "scheme is not one of"),
            ("[[listen]]\nurl = \"rts://localhost:1\"".to_owned(), "an IP address"),
            ("[[listen]]\nurl = \"rts://0.0.0.0:1\"".to_owned(), "not encrypted"),
            ("[[listen]]\nurl = \"ws://0.0.0.0:1\"".to_owned(), "not encrypted"),
            ("[[listen]]\nurl = \"wss://0.0.0.0:1\"".to_owned(), "a certificate and a key"),
            (format!("[[listen]]\nurl = \"ws://127.0.0.1:1\"\n{FILES}"), "rtss:// and wss:// only"),
            (
                "[[listen]]\nurl = \"rts://127.0.0.1:1\"\norigins = [\"*\"]".to_owned(),
                "ws:// and wss:// only",
            ),
            (
                "[[listen]]\nurl = \"ws://127.0.0.1:1\"\norigins = [\"https://a/b\"]".to_owned(),
                "is not an origin",
            ),
            ("[[listen]]\nurl = \"rts://127.0.0.1:1\"\ncert = \"c\"".to_owned(), "cert"),
        ] {
            let error = parse(&listen).expect_err(&listen);
            assert!(error.contains(what), "{listen}\n{error}");
        }
    }

    #[test]
    fn public_address_needs_tls_or_explicit_permission() {
        let public = "[[listen]]\nurl = \"ws://0.0.0.0:1\"\n";
        assert!(parse(public).is_err());
        assert!(parse(&format!("allow_public_plaintext = true\n{public}")).is_ok());
        assert!(parse(&format!("[[listen]]\nurl = \"wss://0.0.0.0:1\"\n{FILES}")).is_ok());
    }
}
