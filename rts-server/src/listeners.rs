//! The listeners for clients.

use std::io;
use std::net::SocketAddr;

use rts_transport_tokio::Address;
use rts_transport_tokio::server::{Acceptor, Node};
use tokio::net::{TcpListener, TcpSocket};

use crate::ServerError;
use crate::certificates::Certificates;
use crate::config::{Listen, place};

/// Most connections that the system holds until they are accepted. After a restart all clients
/// connect at once, and a client that finds no place retries only a second later. The system may
/// have a lower bound of its own.
const BACKLOG: u32 = 4_096;

/// A socket with an address, on which nobody listens yet. Connections are refused.
#[derive(Debug)]
pub(crate) struct Bound {
    socket: TcpSocket,
    at: SocketAddr,
}

impl Bound {
    pub(crate) fn new(address: SocketAddr) -> Result<Self, ServerError> {
        let bind = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // A restarted server can bind while connections of its predecessor linger.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let at = socket.local_addr()?;
            Ok(Self { socket, at })
        };
        bind().map_err(|error: io::Error| ServerError::Listen { address, error })
    }

    /// The address, with the actual port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.at
    }

    pub(crate) fn listen(self) -> Result<TcpListener, ServerError> {
        let address = self.at;
        self.socket.listen(BACKLOG).map_err(|error| ServerError::Listen { address, error })
    }
}

/// A listener for clients, before it listens.
#[derive(Debug)]
pub(crate) struct BoundListener {
    bound: Bound,
    acceptor: Acceptor,
    address: Address,
}

impl BoundListener {
    /// The listener at this place of the configuration.
    pub(crate) fn new(
        at: usize,
        listen: &Listen,
        certificates: &mut Certificates,
    ) -> Result<Self, ServerError> {
        let acceptor = certificates.acceptor(listen, &place(at))?;
        let bound = Bound::new(listen.url.socket_addr())?;
        let address = listen.url.address().clone().with_port(bound.at.port());
        Ok(Self { bound, acceptor, address })
    }

    pub(crate) fn listen(self) -> Result<Listener, ServerError> {
        let Self { bound, acceptor, address } = self;
        let at = bound.address();
        Ok(Listener { listener: bound.listen()?, acceptor, address, at })
    }
}

/// A listener for clients.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    acceptor: Acceptor,
    address: Address,
    at: SocketAddr,
}

impl Listener {
    /// Its address and scheme.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Its address, with the actual port.
    pub(crate) fn at(&self) -> SocketAddr {
        self.at
    }

    /// Its name and address.
    pub(crate) fn named(&self) -> (String, SocketAddr) {
        (self.address.to_string(), self.at)
    }

    /// Serves until the node is shut down.
    pub(crate) async fn serve(self, node: Node) {
        if let Err(error) = node.serve(self.listener, self.acceptor).await {
            tracing::error!(%error, "cannot start a thread for each shard");
        }
    }
}
