//! The layers of both sides with a wire between them, and certificates.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rts_stream::{Acceptor, ConnectOptions, Connector, End, Identity, Layers, Origins, Roots};

/// A request for a WebSocket.
pub(crate) const REQUEST: &str = "GET / HTTP/1.1\r\n\
    Host: localhost\r\n\
    Connection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: chat, rts.v1\r\n\r\n";

/// The answer to the key of [`REQUEST`], which is RFC 6455's example.
pub(crate) const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    connection: Upgrade\r\n\
    upgrade: websocket\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    sec-websocket-protocol: rts.v1\r\n\r\n";

/// A server's side, before a request.
pub(crate) fn listener(origins: Origins) -> Side {
    Side::new(Acceptor::web_socket("/", origins).layers())
}

/// One side: its layers, and its bytes to send.
pub(crate) struct Side {
    pub(crate) layers: Layers,
    pub(crate) batch: VecDeque<Bytes>,
    pub(crate) received: Vec<u8>,
}

impl Side {
    pub(crate) fn new(layers: Layers) -> Self {
        Self { layers, batch: VecDeque::new(), received: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl Into<Bytes>) {
        self.batch.push_back(bytes.into());
    }

    /// All bytes for the wire now.
    pub(crate) fn written(&mut self) -> Vec<u8> {
        let mut written = Vec::new();
        loop {
            self.layers.fill(&mut self.batch);
            let mut slices = [IoSlice::new(&[]); 4];
            let count = self.layers.slices(&self.batch, &mut slices);
            if count == 0 {
                return written;
            }
            let before = written.len();
            slices[..count].iter().for_each(|slice| written.extend_from_slice(slice));
            self.layers.wrote(written.len() - before, &mut self.batch);
        }
    }

    /// Takes bytes of the wire, in chunks of `size`.
    pub(crate) fn read(&mut self, wire: &[u8], size: usize) {
        for chunk in wire.chunks(size) {
            if self.layers.end().is_some() {
                return;
            }
            let bytes = self.layers.receive(&mut chunk.to_vec());
            self.received.extend_from_slice(&bytes);
        }
    }

    pub(crate) fn failure(&self) -> String {
        match self.layers.end() {
            Some(End::Failed(error)) => error.to_string(),
            other => panic!("it should have failed: {other:?}"),
        }
    }
}

/// A client and a server, and a wire that cuts its bytes into chunks.
pub(crate) struct Pair {
    pub(crate) client: Side,
    pub(crate) server: Side,
    pub(crate) chunk: usize,
}

impl Pair {
    pub(crate) fn new(connector: &Connector, acceptor: &Acceptor) -> Self {
        let (client, server) = (Side::new(connector.layers()), Side::new(acceptor.layers()));
        Self { client, server, chunk: 4_096 }
    }

    /// Carries bytes until there are no more.
    pub(crate) fn run(&mut self) {
        loop {
            let (up, down) = (self.client.written(), self.server.written());
            if up.is_empty() && down.is_empty() {
                return;
            }
            self.server.read(&up, self.chunk);
            self.client.read(&down, self.chunk);
        }
    }
}

static AUTHORITIES: AtomicU32 = AtomicU32::new(0);

/// An operator's authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        // Each authority has its own name.
        let number = AUTHORITIES.fetch_add(1, Ordering::Relaxed);
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for `localhost`, changed by `change`, and its key.
    pub(crate) fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn identity(&self) -> Identity {
        let (chain, key) = self.issue(|_| {});
        Identity::from_pem(chain.as_bytes(), key.as_bytes()).expect("an identity")
    }

    /// Options of a client that trusts only this authority.
    pub(crate) fn trusted(&self) -> ConnectOptions {
        ConnectOptions::default().with_roots(Roots::None).with_extra_roots(self.pem.as_str())
    }
}

pub(crate) const SCHEMES: [&str; 4] = ["rts", "rtss", "ws", "wss"];

/// Both sides of a scheme.
pub(crate) fn both(scheme: &str) -> (Connector, Acceptor) {
    let authority = Authority::new();
    let connector = Connector::new(&format!("{scheme}://localhost"), authority.trusted());
    (connector.expect("good options"), acceptor(scheme, &authority.identity()))
}

pub(crate) fn acceptor(scheme: &str, identity: &Identity) -> Acceptor {
    match scheme {
        "rts" => Acceptor::plain(),
        "rtss" => Acceptor::tls(identity).expect("TLS"),
        "ws" => Acceptor::web_socket("/", Origins::Any),
        "wss" => Acceptor::secure_web_socket("/", Origins::Any, identity).expect("TLS"),
        other => panic!("no scheme {other}"),
    }
}
