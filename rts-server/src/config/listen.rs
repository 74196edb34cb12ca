//! Listeners for clients: addresses, schemes, certificates and origins.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use rts_transport_tokio::{Address, Scheme};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Value;

use super::ConfigError;

/// Longest name of a file, in bytes. A longer text may be the content of a key file.
const PATH_BYTES_MAX: usize = 255;

/// One listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The scheme and address: `rts://IP:PORT`, `rtss://IP:PORT`, `ws://IP:PORT/PATH` or
    /// `wss://IP:PORT/PATH`. Port 0 takes a free port.
    #[serde(deserialize_with = "address")]
    pub url: Address,
    /// For `rtss` and `wss`: a PEM file with the server's certificate, followed by the certificates
    /// of its chain.
    pub certificate: Option<PathBuf>,
    /// For `rtss` and `wss`: a PEM file with the private key of the certificate.
    pub key: Option<PathBuf>,
    /// For `ws` and `wss`: the origins whose pages may connect, such as `https://chat.example.com`.
    /// `*` allows any. Clients other than browsers may always connect.
    #[serde(default)]
    pub origins: Vec<String>,
}

impl Listen {
    /// A listener for plain TCP.
    #[must_use]
    pub fn plain(at: SocketAddr) -> Self {
        Self::without_tls(format!("rts://{at}"))
    }

    /// A listener for WebSocket without TLS, at the path `/`, for pages of any origin.
    #[must_use]
    pub fn development_web_socket(at: SocketAddr) -> Self {
        Self { origins: vec!["*".to_owned()], ..Self::without_tls(format!("ws://{at}")) }
    }

    fn without_tls(url: String) -> Self {
        let url = Address::to_listen_on(&url).expect("a socket's address is one of ours");
        Self { url, certificate: None, key: None, origins: Vec::new() }
    }

    /// The address of the socket to bind.
    pub(crate) fn socket_addr(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.url.host().parse().ok()?;
        Some(SocketAddr::new(ip, self.url.port()))
    }

    /// `at` is the index of the listener, from 0.
    pub(super) fn check(&self, at: usize, allow_public_plaintext: bool) -> Result<(), ConfigError> {
        let error = |what: &str| ConfigError::Value { key: place(at), what: what.to_owned() };
        for (name, path) in [("certificate", &self.certificate), ("key", &self.key)] {
            if path.as_deref().is_some_and(|path| !is_path(path)) {
                return Err(error(&format!("{name}: {NO_PATH}")));
            }
        }
        let Some(at) = self.socket_addr() else {
            return Err(error("the host must be an IP address, such as 0.0.0.0 for all"));
        };
        let scheme = self.url.scheme();
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
            if !at.ip().is_loopback() && !allow_public_plaintext {
                return Err(error(
                    "this is not a loopback address, and links are not encrypted: use rtss:// or wss:// with a \
                     certificate, or say allow_public_plaintext = true",
                ));
            }
        }
        if !scheme.has_web_socket() && !self.origins.is_empty() {
            return Err(error("origins are for ws:// and wss:// only"));
        }
        for (entry, origin) in self.origins.iter().enumerate() {
            if origin != "*" && !is_origin(origin) {
                return Err(error(&format!(
                    "origins, entry {}, is not an origin: write \"https://chat.example.com\", without a path, or \"*\" for any",
                    entry + 1
                )));
            }
        }
        Ok(())
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.url.scheme()
    }
}

/// The place of the listener with this index in the configuration, for errors.
pub(crate) fn place(at: usize) -> String {
    format!("listen, entry {}", at + 1)
}

pub(super) const NO_PATH: &str = "write the name of a file here, and not its content; only the server should be able to read the file";

/// Whether a text can be the name of a file, so that errors may show it. The content of a key file
/// cannot.
pub(super) fn is_path(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.len() <= PATH_BYTES_MAX && !text.contains(char::is_control) && !text.contains("-----BEGIN")
}

/// Whether a text is an origin: `SCHEME://HOST[:PORT]`, or `null`, which some pages send.
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

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    let text = String::deserialize(deserializer)?;
    Address::to_listen_on(&text).map_err(|error| D::Error::custom(error.problem()))
}

/// Deserialises listeners. `listen = "IP:PORT"` is short for one listener, `rts://IP:PORT`.
pub(super) fn listeners<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Listen>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => match text.parse() {
            Ok(at) => Ok(vec![Listen::plain(at)]),
            Err(_) => Err(D::Error::custom(
                "listen is not IP:PORT; for other transports than plain TCP write [[listen]] and below it url = \"...\"",
            )),
        },
        other => other.try_into().map_err(D::Error::custom),
    }
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
