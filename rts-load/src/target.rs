//! Where the load goes, and in which protocol.

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
    /// As it is written in an address.
    #[must_use]
    pub fn name(self) -> &'static str {
        SCHEMES.iter().find(|(_, scheme)| *scheme == self).map_or("", |(name, _)| name)
    }
}

/// Why there is nothing to put load on.
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
    /// TLS is for others to measure.
    #[error("the load has no TLS, so it cannot measure {0:?}: use a listener for rts or ws")]
    Tls(String),
    /// The name has no address.
    #[error("cannot find {host}: {error}")]
    Resolve {
        /// Which.
        host: String,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// Load is for a server on this machine, or one that its owner knows about.
    #[error("{0} is not a loopback address; --anywhere allows it for servers of your own")]
    NotLoopback(SocketAddr),
    /// The app key cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// A server, and how to get in.
#[derive(Clone, Debug)]
pub struct Target {
    pub(crate) scheme: Scheme,
    pub(crate) address: SocketAddr,
    app_id: String,
    app_key: AppKey,
    issued_at: u32,
}

impl Target {
    /// A server at `url`. Tokens of RTS are made with the app's key, as its own server would;
    /// `unix_now` is in seconds.
    ///
    /// # Errors
    ///
    /// An address that cannot be used, or that is not on this machine unless `anywhere`; a key that
    /// cannot be used.
    pub fn new(
        url: &str,
        app_id: &str,
        app_key: &str,
        unix_now: u32,
        anywhere: bool,
    ) -> Result<Self, TargetError> {
        let form = || TargetError::Form(url.to_owned());
        let (scheme, host) = url.split_once("://").ok_or_else(form)?;
        let scheme = scheme.parse()?;
        let host = host.trim_end_matches('/');
        let resolve = |error| TargetError::Resolve { host: host.to_owned(), error };
        let address = host.to_socket_addrs().map_err(resolve)?.next().ok_or_else(form)?;
        if !address.ip().is_loopback() && !anywhere {
            return Err(TargetError::NotLoopback(address));
        }
        let app_key = AppKey::new(app_key)?;
        // So that a bad app id is found out here.
        Token::new(app_id, "user", Expiry::Never)?;
        Ok(Self { scheme, address, app_id: app_id.to_owned(), app_key, issued_at: unix_now })
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
