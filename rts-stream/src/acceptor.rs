//! [`Acceptor`]: the layers of a listener's links.

#[cfg(any(feature = "__tls", feature = "websocket"))]
use std::sync::Arc;

#[cfg(any(feature = "__tls", feature = "websocket"))]
use crate::layer::Layer;
#[cfg(any(feature = "__tls", feature = "websocket"))]
use crate::layers::CLIENT_HANDSHAKE_BYTES_MAX;
use crate::layers::Layers;
#[cfg(feature = "__tls")]
use crate::tls::{Identity, IdentityError, Tls};
#[cfg(feature = "websocket")]
use crate::web_socket::{Origins, WebSocket};

/// The layers of a listener's links, one acceptor for each scheme. Clones are cheap.
///
/// Until its layers are open, a link holds at most 16 KiB of the client's bytes, and the server
/// answers at most a few KiB. The time for this is bounded by the server core: its login deadline
/// begins when the link is accepted (§2.3).
#[derive(Clone, Debug, Default)]
pub struct Acceptor {
    #[cfg(feature = "__tls")]
    tls: Option<Arc<rustls::ServerConfig>>,
    #[cfg(feature = "websocket")]
    web_socket: Option<WebSocketParts>,
}

#[cfg(feature = "websocket")]
#[derive(Clone, Debug)]
struct WebSocketParts {
    path: Arc<str>,
    origins: Origins,
}

impl Acceptor {
    /// `rts`: plain TCP.
    #[must_use]
    pub fn plain() -> Self {
        Self::default()
    }

    /// `rtss`: TLS.
    ///
    /// # Errors
    ///
    /// TLS cannot be set up.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
    pub fn tls(identity: &Identity) -> Result<Self, IdentityError> {
        Ok(Self { tls: Some(identity.server_config(false)?), ..Self::default() })
    }

    /// `ws`: WebSocket at this path, for pages of these origins.
    #[cfg(feature = "websocket")]
    #[must_use]
    pub fn web_socket(path: &str, origins: Origins) -> Self {
        let web_socket = Some(WebSocketParts { path: path.into(), origins });
        Self { web_socket, ..Self::default() }
    }

    /// `wss`: WebSocket over TLS.
    ///
    /// # Errors
    ///
    /// TLS cannot be set up.
    #[cfg(all(any(feature = "tls-ring", feature = "tls-aws-lc"), feature = "websocket"))]
    pub fn secure_web_socket(
        path: &str,
        origins: Origins,
        identity: &Identity,
    ) -> Result<Self, IdentityError> {
        let tls = Some(identity.server_config(true)?);
        Ok(Self { tls, ..Self::web_socket(path, origins) })
    }

    /// The layers of a new link.
    #[must_use]
    pub fn layers(&self) -> Layers {
        #[cfg(any(feature = "__tls", feature = "websocket"))]
        {
            let mut layers: Vec<Box<dyn Layer>> = Vec::new();
            #[cfg(feature = "__tls")]
            if let Some(config) = &self.tls {
                match Tls::server(config) {
                    Ok(tls) => layers.push(Box::new(tls)),
                    Err(error) => return Layers::failed(error, Vec::new()),
                }
            }
            #[cfg(feature = "websocket")]
            if let Some(WebSocketParts { path, origins }) = &self.web_socket {
                layers.push(Box::new(WebSocket::server(path, origins)));
            }
            if !layers.is_empty() {
                return Layers::stack(layers, CLIENT_HANDSHAKE_BYTES_MAX);
            }
        }
        Layers::plain()
    }
}
