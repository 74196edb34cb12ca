//! The protocol stacks below the frames of a story.

use std::net::SocketAddr;
use std::sync::LazyLock;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rts_stream::{Acceptor, ConnectOptions, Connector, Identity, Origins, Roots};

const PATH: &str = "/rts";

/// One for each URL scheme.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Tcp,
    Tls,
    WebSocket,
    SecureWebSocket,
}

/// A certificate for loopback, in PEM form, and what a server shows.
static CERTIFIED: LazyLock<(String, Identity)> = LazyLock::new(|| {
    let names = ["127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("a key");
    let (chain, key) = (cert.pem(), signing_key.serialize_pem());
    let identity = Identity::from_pem(chain.as_bytes(), key.as_bytes()).expect("an identity");
    (chain, identity)
});

impl Way {
    /// Whether the client has to say something before the server can send frames.
    pub(crate) fn has_handshake(self) -> bool {
        !matches!(self, Self::Tcp)
    }

    pub(crate) fn acceptor(self) -> Acceptor {
        let identity = || &CERTIFIED.1;
        match self {
            Self::Tcp => Acceptor::plain(),
            Self::Tls => Acceptor::tls(identity()).expect("TLS"),
            Self::WebSocket => Acceptor::web_socket(PATH, Origins::Any),
            Self::SecureWebSocket => {
                Acceptor::secure_web_socket(PATH, Origins::Any, identity()).expect("TLS")
            }
        }
    }

    /// For a client of any of these servers.
    pub(crate) fn connector(self, servers: &[SocketAddr]) -> Connector {
        let address = |server| match self {
            Self::Tcp => format!("rts://{server}"),
            Self::Tls => format!("rtss://{server}"),
            Self::WebSocket => format!("ws://{server}{PATH}"),
            Self::SecureWebSocket => format!("wss://{server}{PATH}"),
        };
        let addresses: Vec<_> = servers.iter().map(address).collect();
        let options = ConnectOptions::default().with_roots(Roots::None);
        let options = match self {
            Self::Tcp | Self::WebSocket => options,
            Self::Tls | Self::SecureWebSocket => options.with_extra_roots(CERTIFIED.0.as_str()),
        };
        Connector::new(&addresses.join(","), options).expect("an address")
    }
}
