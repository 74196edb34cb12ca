//! [`Connector`]: how a client connects to its server, or to one of several.

use std::sync::Arc;

use crate::address::Address;
use crate::error::ConnectorError;
use crate::hop::Hop;
use crate::layer::Layer;
use crate::layers::{Layers, SERVER_HANDSHAKE_BYTES_MAX};
use crate::proxy::Proxy;
#[cfg(feature = "__tls")]
use crate::tls::{Roots, Tls, client_config};
#[cfg(feature = "websocket")]
use crate::web_socket::WebSocket;

/// Options that are not part of the address. By default a client trusts the system's authorities,
/// and uses no proxy.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    proxy: Option<Proxy>,
    #[cfg(feature = "__tls")]
    roots: Roots,
    #[cfg(feature = "__tls")]
    extra_roots: Option<Vec<u8>>,
    #[cfg(feature = "__tls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl ConnectOptions {
    /// The proxy, for all schemes. `None` connects directly.
    #[must_use]
    pub fn with_proxy(mut self, proxy: impl Into<Option<Proxy>>) -> Self {
        self.proxy = proxy.into();
        self
    }

    /// The trusted authorities, for `rtss` and `wss`.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
    #[must_use]
    pub fn with_roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Additional trusted certificates in PEM form, such as an operator's own authority or a
    /// self-signed certificate. [`Connector::new`] reads them.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
    #[must_use]
    pub fn with_extra_roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.extra_roots = Some(pem.into());
        self
    }

    /// Replaces all other options of TLS. A configuration without ALPN protocols gets those of
    /// §12.4.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
    #[must_use]
    pub fn with_tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }
}

/// All data for links to a server, or to one of several, read and checked. Clones are cheap. They
/// share TLS sessions, which makes reconnects quick.
#[derive(Clone, Debug)]
pub struct Connector {
    servers: Arc<[Server]>,
    /// The server of the next link.
    chosen: usize,
    proxy: Option<Proxy>,
}

#[derive(Debug)]
struct Server {
    address: Address,
    #[cfg(feature = "__tls")]
    tls: Option<TlsParts>,
}

#[cfg(feature = "__tls")]
type TlsParts = (Arc<rustls::ClientConfig>, rustls::pki_types::ServerName<'static>);

impl Connector {
    /// Makes a connector for the server at `address`. Several addresses, with commas between them,
    /// are those of the nodes of a cluster. With `rtss` or `wss` this may read the system's
    /// certificates, which takes some milliseconds.
    ///
    /// # Errors
    ///
    /// Invalid address; a scheme that is not built in; no trusted certificates, or invalid ones.
    pub fn new(address: &str, options: ConnectOptions) -> Result<Self, ConnectorError> {
        let server = |address: &str| {
            let address: Address = address.parse()?;
            Self::check_features(&address)?;
            Ok(Server {
                #[cfg(feature = "__tls")]
                tls: if address.scheme().has_tls() {
                    Some(tls(&address, options.clone())?)
                } else {
                    None
                },
                address,
            })
        };
        let servers = address.split(',').map(|address| server(address.trim()));
        let servers = servers.collect::<Result<_, ConnectorError>>()?;
        Ok(Self { servers, chosen: 0, proxy: options.proxy })
    }

    /// Chooses the server of the next links: any of them, by this random number. At first it is the
    /// first one.
    pub fn choose(&mut self, random: u64) {
        self.chosen = (random % self.servers.len() as u64) as usize;
    }

    /// Chooses any other server than the present one, by this random number. Of one, it stays.
    pub fn choose_another(&mut self, random: u64) {
        let count = self.servers.len();
        if let Some(others) = u64::try_from(count - 1).ok().filter(|others| *others > 0) {
            self.chosen = (self.chosen + 1 + (random % others) as usize) % count;
        }
    }

    fn server(&self) -> &Server {
        &self.servers[self.chosen]
    }

    fn check_features(address: &Address) -> Result<(), ConnectorError> {
        let missing = |feature| ConnectorError::NotBuiltIn { address: address.clone(), feature };
        if address.scheme().has_tls() && !cfg!(feature = "__tls") {
            return Err(missing("tls-ring or tls-aws-lc"));
        }
        if address.scheme().has_web_socket() && !cfg!(feature = "websocket") {
            return Err(missing("websocket"));
        }
        Ok(())
    }

    /// The address of the chosen server.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.server().address
    }

    /// The proxy on the way, if any.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// `host:port` of the first hop, to which the TCP connection is made.
    #[must_use]
    pub fn dial(&self) -> String {
        self.proxy.as_ref().map_or_else(|| self.address().authority(), Proxy::authority)
    }

    /// The first hop, for messages.
    #[must_use]
    pub fn first_hop(&self) -> Hop {
        match &self.proxy {
            Some(proxy) => Hop::Proxy(proxy.authority()),
            None => Hop::Server(self.address().authority()),
        }
    }

    /// The layers of a new link.
    #[must_use]
    pub fn layers(&self) -> Layers {
        let mut layers: Vec<Box<dyn Layer>> = Vec::new();
        layers.extend(self.proxy.as_ref().map(|proxy| proxy.layer(self.address())));
        #[cfg(feature = "__tls")]
        if let Some((config, name)) = &self.server().tls {
            match Tls::client(config, name) {
                Ok(tls) => layers.push(Box::new(tls)),
                Err(error) => return Layers::failed(error, Vec::new()),
            }
        }
        #[cfg(feature = "websocket")]
        if self.address().scheme().has_web_socket() {
            layers.push(Box::new(WebSocket::client(self.address())));
        }
        if layers.is_empty() {
            Layers::plain()
        } else {
            Layers::stack(layers, SERVER_HANDSHAKE_BYTES_MAX)
        }
    }
}

#[cfg(feature = "__tls")]
fn tls(address: &Address, options: ConnectOptions) -> Result<TlsParts, ConnectorError> {
    let host = address.host();
    let name = rustls::pki_types::ServerName::try_from(host.to_owned())
        .map_err(|_| ConnectorError::ServerName(host.to_owned()))?;
    let has_web_socket = address.scheme().has_web_socket();
    let config = match options.tls {
        Some(config) => crate::tls::with_alpn(config, has_web_socket),
        None => client_config(options.roots, options.extra_roots.as_deref(), has_web_socket)?,
    };
    Ok((config, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(connector: &Connector) -> String {
        connector.address().authority()
    }

    #[test]
    fn each_server_of_a_list_is_chosen_and_another_one_is_another_one() {
        let list = "rts://a:1, rts://b:2,rts://c:3";
        let mut connector = Connector::new(list, ConnectOptions::default()).expect("a list");
        let names = ["a:1", "b:2", "c:3"];
        assert_eq!(chosen(&connector), names[0]);
        for random in 0..6 {
            connector.choose(random);
            let first = chosen(&connector);
            assert_eq!(first, names[random as usize % 3]);
            let others = [0, 1].map(|random| {
                let mut moved = connector.clone();
                moved.choose_another(random);
                chosen(&moved)
            });
            assert!(others[0] != first && others[1] != first && others[0] != others[1]);
        }
    }

    #[test]
    fn only_server_stays_chosen() {
        let mut one = Connector::new("rts://a:1", ConnectOptions::default()).expect("an address");
        for random in 0..3 {
            one.choose(random);
            one.choose_another(random);
            assert_eq!(chosen(&one), "a:1");
        }
    }

    #[test]
    fn each_address_of_a_list_is_checked() {
        for list in ["", "rts://a:1,", "rts://a:1,b:2", "rts://a:1,,rts://b:2"] {
            let error = Connector::new(list, ConnectOptions::default()).expect_err(list);
            assert!(matches!(error, ConnectorError::Address(_)), "{error}");
        }
    }
}
