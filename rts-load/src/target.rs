//! The target of the load, and its protocol.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use rts_token::{AppKey, Expiry, Token, TokenError};

/// A protocol, as the scheme of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `rts`: RTS over TCP. Results are end to end.
    Rts,
    /// `ws`: RTS over WebSocket.
    RtsWebSocket,
    /// `redis`: PUBLISH and SUBSCRIBE. A result is the count of receivers.
    Redis,
    /// `nats`: verbose mode. A result is the server's `+OK`.
    Nats,
    /// `nats-request`: a request and its reply, so the result is end to end.
    NatsRequest,
    /// `mqtt0`: MQTT 3.1.1 at QoS 0, without results.
    Mqtt0,
    /// `mqtt1`: QoS 1. A result is the broker's PUBACK.
    Mqtt1,
    /// `mqtt-request`: QoS 0, and the receiver answers through the broker: end to end.
    MqttRequest,
    /// `relay`: the WebSocket relay of `bench/relay.js`, without results.
    Relay,
    /// `floor`: the bare relay of `rts bench floor`, without results.
    Floor,
}

const SCHEMES: [(&str, Scheme); 10] = [
    ("rts", Scheme::Rts),
    ("ws", Scheme::RtsWebSocket),
    ("redis", Scheme::Redis),
    ("nats", Scheme::Nats),
    ("nats-request", Scheme::NatsRequest),
    ("mqtt0", Scheme::Mqtt0),
    ("mqtt1", Scheme::Mqtt1),
    ("mqtt-request", Scheme::MqttRequest),
    ("relay", Scheme::Relay),
    ("floor", Scheme::Floor),
];

impl Scheme {
    /// The scheme of the protocol's addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        SCHEMES.iter().find(|(_, scheme)| *scheme == self).map_or("", |(name, _)| name)
    }
}

/// Why a target is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Not of the form `scheme://host:port`.
    #[error("{0:?} is not an address such as rts://127.0.0.1:7600")]
    Form(String),
    /// No such protocol.
    #[error(
        "unknown protocol {0:?}; the protocols are rts, ws, redis, nats, nats-request, mqtt0, mqtt1, mqtt-request, relay, floor"
    )]
    Scheme(String),
    /// Several servers, and not of one protocol.
    #[error("the servers have different protocols, and the load has one")]
    Schemes,
    /// The load has no TLS.
    #[error("the load has no TLS, so it cannot measure {0:?}: use a listener for rts or ws")]
    Tls(String),
    /// The name has no address.
    #[error("cannot find {host}: {error}")]
    Resolve {
        /// The host.
        host: String,
        /// The reason.
        #[source]
        error: std::io::Error,
    },
    /// The address is not on this machine, and that is not allowed explicitly.
    #[error("{0} is not a loopback address; --anywhere allows it for servers of your own")]
    NotLoopback(SocketAddr),
    /// The app key is invalid.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// A server, or the nodes of a cluster, and the credentials for them.
#[derive(Clone, Debug)]
pub struct Target {
    pub(crate) scheme: Scheme,
    /// One at least. The clients take them in turn.
    pub(crate) addresses: Vec<SocketAddr>,
    app_id: String,
    app_key: AppKey,
    issued_at: u32,
}

impl Target {
    /// A server at `url`. Several URLs of one scheme, with commas between them, are the nodes of a
    /// cluster: the clients connect to them in turn. Tokens of RTS are signed with the app's key.
    /// `unix_now` is in seconds.
    ///
    /// # Errors
    ///
    /// Fails if the address is invalid or, unless `anywhere`, not on this machine, and if the key
    /// is invalid.
    pub fn new(
        url: &str,
        app_id: &str,
        app_key: &str,
        unix_now: u32,
        anywhere: bool,
    ) -> Result<Self, TargetError> {
        let servers: Vec<_> =
            url.split(',').map(|url| server(url.trim(), anywhere)).collect::<Result<_, _>>()?;
        let scheme = servers.first().ok_or_else(|| TargetError::Form(url.to_owned()))?.0;
        if servers.iter().any(|(other, _)| *other != scheme) {
            return Err(TargetError::Schemes);
        }
        let addresses = servers.into_iter().map(|(_, address)| address).collect();
        let app_key = AppKey::new(app_key)?;
        // An invalid app id fails here.
        Token::new(app_id, "user", Expiry::Never)?;
        Ok(Self { scheme, addresses, app_id: app_id.to_owned(), app_key, issued_at: unix_now })
    }

    pub(crate) fn app_id(&self) -> &str {
        &self.app_id
    }

    /// A token for one user.
    pub(crate) fn token(&self, uid: &str) -> String {
        let token =
            Token::new(&self.app_id, uid, Expiry::Never).expect("checked, and the uids are ours");
        token.with_issued_at(self.issued_at).sign(&self.app_key)
    }
}

fn server(url: &str, anywhere: bool) -> Result<(Scheme, SocketAddr), TargetError> {
    let form = || TargetError::Form(url.to_owned());
    let (scheme, host) = url.split_once("://").ok_or_else(form)?;
    let scheme = scheme.parse()?;
    let host = host.trim_end_matches('/');
    let resolve = |error| TargetError::Resolve { host: host.to_owned(), error };
    let address = host.to_socket_addrs().map_err(resolve)?.next().ok_or_else(form)?;
    if address.ip().is_loopback() || anywhere {
        Ok((scheme, address))
    } else {
        Err(TargetError::NotLoopback(address))
    }
}

impl FromStr for Scheme {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if matches!(text, "rtss" | "wss") {
            return Err(TargetError::Tls(text.to_owned()));
        }
        let found = SCHEMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, scheme)| *scheme).ok_or_else(|| TargetError::Scheme(text.to_owned()))
    }
}
