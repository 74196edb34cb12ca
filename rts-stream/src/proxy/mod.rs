//! Proxies of clients: HTTP CONNECT and SOCKS5.

mod credentials;
mod http_connect;
mod socks5;

use std::fmt;
use std::str::FromStr;

use crate::address::{Address, is_host, read_port};
use crate::layer::Layer;
use credentials::Credentials;
use http_connect::HttpConnect;
use socks5::Socks5;

/// `http://[USER:PASSWORD@]HOST:PORT` or `socks5://[USER:PASSWORD@]HOST:PORT`. The proxy resolves
/// the server's name. Special characters of the user and the password are percent-encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
    credentials: Option<Credentials>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    Socks5,
}

/// Why a text is not a proxy. The message does not repeat the text, which may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a proxy: {what}; write http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ \
     before the host where the proxy wants it"
)]
pub struct ProxyError {
    what: ProxyProblem,
}

impl ProxyError {
    /// The reason.
    #[must_use]
    pub const fn problem(&self) -> ProxyProblem {
        self.what
    }
}

/// What is wrong with the text of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyProblem {
    /// The scheme is missing, or another one.
    #[error("it does not begin with http:// or socks5://")]
    Scheme,
    /// The user or the password is empty, too long, or badly encoded.
    #[error("its user or password is empty, too long, or badly encoded")]
    Credentials,
    /// There is no port.
    #[error("it has no port")]
    NoPort,
    /// The host is missing or malformed.
    #[error("its host is not a name, an IPv4 address or an IPv6 address in [ ]")]
    Host,
    /// The port is malformed or 0.
    #[error("its port is not a number from 1 to 65535")]
    Port,
}

impl Proxy {
    /// `host:port`, for a resolver.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The layer of the proxy, for a stack.
    pub(crate) fn layer(&self, target: &Address) -> Box<dyn Layer> {
        match self.kind {
            Kind::Http => Box::new(HttpConnect::new(target, self.credentials.as_ref())),
            Kind::Socks5 => Box::new(Socks5::new(target, self.credentials.clone())),
        }
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let error = |what| ProxyError { what };
        let (kind, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Kind::Http, rest),
            Some(("socks5", rest)) => (Kind::Socks5, rest),
            _ => return Err(error(ProxyProblem::Scheme)),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => {
                let credentials =
                    Credentials::decode(credentials).ok_or(error(ProxyProblem::Credentials))?;
                (Some(credentials), authority)
            }
            None => (None, rest),
        };
        let (host, port) = authority.rsplit_once(':').ok_or(error(ProxyProblem::NoPort))?;
        if !is_host(host) {
            return Err(error(ProxyProblem::Host));
        }
        let port = read_port(port).filter(|port| *port != 0).ok_or(error(ProxyProblem::Port))?;
        Ok(Self { kind, host: host.to_owned(), port, credentials })
    }
}

/// Without user and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http => "http",
            Kind::Socks5 => "socks5",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// Without user and password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::credentials::CREDENTIAL_BYTES_MAX;
    use super::*;

    #[test]
    fn user_and_password_are_decoded_and_never_shown() {
        let proxy: Proxy = "socks5://al%40ice:p%3Aw%20d@[::1]:1080".parse().expect("a proxy");
        let credentials = proxy.credentials.as_ref().expect("they are there");
        assert_eq!((&*credentials.user, &*credentials.password), ("al@ice", "p:w d"));
        assert_eq!(format!("{proxy:?}"), "Proxy(socks5://[::1]:1080)");
        assert_eq!(proxy.authority(), "[::1]:1080");
    }

    #[test]
    fn proxy_errors_hide_the_password() {
        let long = format!("http://{}:hunter2@a:1", "u".repeat(CREDENTIAL_BYTES_MAX + 1));
        for (text, problem) in [
            ("a:3128", ProxyProblem::Scheme),
            ("https://a:3128", ProxyProblem::Scheme),
            ("http://a", ProxyProblem::NoPort),
            ("http://a:0", ProxyProblem::Port),
            ("http://a b:1", ProxyProblem::Host),
            ("http://:hunter2@a:1", ProxyProblem::Credentials),
            ("http://u:hunter2%0D@a:1", ProxyProblem::Credentials),
            ("http://u:hunter2%4@a:1", ProxyProblem::Credentials),
            (&long, ProxyProblem::Credentials),
        ] {
            let error = text.parse::<Proxy>().expect_err(text);
            assert_eq!(error.problem(), problem, "{text}");
            let message = error.to_string();
            assert!(message.contains(&problem.to_string()), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
