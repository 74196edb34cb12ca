//! From a listed URL to a connection, over vetted addresses only.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rts_egress::{AddressPolicy, Refused, TargetUrl, Vetted};
use rts_transport_tokio::explain_tls;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Bound of everything before the request can be sent: DNS, TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

pub(super) type Later<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// DNS and connections. Only addresses vetted by a policy can be dialled.
pub(super) trait Network: Send + Sync {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Later<'a, Vec<SocketAddr>>;
    fn dial(&self, address: Vetted) -> Later<'_, TcpStream>;
}

/// The network of the operating system.
pub(super) struct SystemNetwork;

impl Network for SystemNetwork {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Later<'a, Vec<SocketAddr>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }

    fn dial(&self, address: Vetted) -> Later<'_, TcpStream> {
        Box::pin(TcpStream::connect(address.address()))
    }
}

/// A byte stream, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("the name cannot be resolved: {0}")]
    Resolve(io::Error),
    #[error("{0}")]
    Refused(#[from] Refused),
    #[error("cannot connect: {0}")]
    Dial(io::Error),
    #[error("connected to another address than the checked one")]
    OtherPeer,
    #[error("TLS: {}", explain_tls(.0).unwrap_or_else(|| .0.to_string()))]
    Tls(io::Error),
    #[error("no URL of the list uses TLS")]
    NoTls,
    #[error("no connection within {CONNECT_TIMEOUT:?}")]
    TimedOut,
}

impl ConnectError {
    /// A name for the log, which limits the lines of each name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "resolve",
            Self::Refused(_) => "refused",
            Self::Dial(_) => "dial",
            Self::OtherPeer => "other peer",
            Self::Tls(_) => "TLS",
            Self::NoTls => "no TLS",
            Self::TimedOut => "no connection in time",
        }
    }
}

/// Resolves the host, vets its addresses, connects to one, and checks the address of the peer. TLS
/// still checks the name.
pub(super) async fn connect(
    network: &dyn Network,
    url: &TargetUrl,
    policy: &AddressPolicy,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Box<dyn Stream>, ConnectError> {
    let connecting = async {
        let addresses = match url.ip() {
            Some(ip) => vec![SocketAddr::new(ip, url.port())],
            None => network.resolve(url.host(), url.port()).await.map_err(ConnectError::Resolve)?,
        };
        let stream = dial(network, &policy.vet(&addresses)?).await?;
        match tls {
            Some(tls) if url.is_tls() => encrypt(stream, url, tls).await,
            None if url.is_tls() => Err(ConnectError::NoTls),
            Some(_) | None => Ok(Box::new(stream) as _),
        }
    };
    timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or(Err(ConnectError::TimedOut))
}

async fn dial(network: &dyn Network, addresses: &[Vetted]) -> Result<TcpStream, ConnectError> {
    let mut failure = ConnectError::Refused(Refused);
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match network.dial(*address).await {
            Ok(stream) if stream.peer_addr().is_ok_and(|peer| peer == address.address()) => {
                return Ok(stream);
            }
            Ok(_) => return Err(ConnectError::OtherPeer),
            Err(error) => failure = ConnectError::Dial(error),
        }
    }
    Err(failure)
}

async fn encrypt(
    stream: TcpStream,
    url: &TargetUrl,
    tls: &Arc<ClientConfig>,
) -> Result<Box<dyn Stream>, ConnectError> {
    let name = match url.ip() {
        Some(ip) => ServerName::from(ip),
        None => ServerName::try_from(url.host().to_owned())
            .map_err(|error| ConnectError::Tls(io::Error::other(error)))?,
    };
    let connector = TlsConnector::from(Arc::clone(tls));
    let stream = connector.connect(name, stream).await.map_err(ConnectError::Tls)?;
    Ok(Box::new(stream))
}
