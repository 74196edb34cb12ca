//! DNS, addresses and TLS: everything before the request.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rts_proto::Payload;
use rts_proto::server::PostProgress::{Answered, NotReached};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::peer::{Peer, Saw, Script};
use super::{Poster, ended};
use crate::outage::Over;
use crate::{AppServer, DEV_APP_ID};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn unknown_name_is_not_reached() {
    let poster = Poster::new(super::listing(8080));
    assert_eq!(poster.outcome("http://app.test:8080/rts").await, ended(NotReached, false));
    assert_eq!(poster.dialled(), []);
}

#[tokio::test]
async fn closed_port_is_not_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("a bound socket").port();
    drop(listener);
    let poster = Poster::listing(port);
    let url = format!("http://app.test:{port}/rts");
    assert_eq!(poster.outcome(&url).await, ended(NotReached, false));
}

#[tokio::test(start_paused = true)]
async fn connecting_times_out_after_two_seconds() {
    let poster = Poster::listing(8080);
    poster.network.record().hangs = true;
    let begun = tokio::time::Instant::now();
    assert_eq!(poster.outcome("http://app.test:8080/rts").await, ended(NotReached, false));
    assert_eq!(begun.elapsed().as_secs(), 2, "seconds of the paused clock");
    assert_eq!(poster.dialled().len(), 1);
}

#[tokio::test]
async fn next_address_is_tried_after_failure() {
    let mut peer = Peer::says(OK).await;
    let poster = Poster::listing(peer.address.port());
    // The first address has no listener.
    poster.network.name("app.test", &[&["127.0.0.2", "127.0.0.1"]]);
    assert_eq!(poster.outcome(&peer.url()).await.progress, Answered(Default::default()));
    assert_eq!(poster.dialled().len(), 2);
    assert_eq!(peer.next().await, Saw::Connection);
}

#[tokio::test]
async fn misdirected_connection_gets_no_bytes() {
    let mut elsewhere = Peer::start(Script::Hangs(Vec::new())).await;
    let poster = Poster::listing(8080);
    poster.network.record().misled = Some(elsewhere.address);
    assert_eq!(poster.outcome("http://app.test:8080/rts").await, ended(NotReached, false));
    assert_eq!(elsewhere.next().await, Saw::Connection);
    assert_eq!(elsewhere.next().await, Saw::End, "the connection ends without a request");
}

#[tokio::test]
async fn each_post_resolves_and_connects_anew() {
    let mut peer =
        Peer::says("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n").await;
    let poster = Poster::listing(peer.address.port());
    for _ in 0..3 {
        poster.outcome(&peer.url()).await;
        peer.until(Saw::Connection).await;
    }
    assert_eq!(poster.dialled().len(), 3);
    assert_eq!(poster.network.record().resolved.len(), 3);
}

#[tokio::test]
async fn origin_is_left_alone_after_ten_failures() {
    let poster = Poster::listing(1);
    poster.network.name("app.test", &[&["127.0.0.1"]]);
    for _ in 0..10 {
        assert_eq!(poster.outcome("http://app.test:1/rts").await, ended(NotReached, false));
    }
    let dialled = poster.dialled().len();
    assert_eq!(dialled, 10);
    assert_eq!(poster.outcome("http://app.test:1/rts").await, ended(NotReached, false));
    assert_eq!(poster.dialled().len(), dialled);
}

#[tokio::test]
async fn dropped_post_counts_as_failure_and_bad_answer_does_not() {
    let mut peer = Peer::start(Script::Hangs(Vec::new())).await;
    let poster = Poster::listing(peer.address.port());
    for _ in 0..10 {
        let posted = poster.post(&peer.url(), Payload::text("x"));
        drop(posted.until(peer.until(Saw::Said)).await);
    }
    let dialled = poster.dialled().len();
    poster.outcome(&peer.url()).await;
    assert_eq!(poster.dialled().len(), dialled);

    let peer = Peer::says("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await;
    let poster = Poster::listing(peer.address.port());
    for _ in 0..20 {
        poster.outcome(&peer.url()).await;
    }
    assert_eq!(poster.dialled().len(), 20);
}

/// The outage in the log of the app's only server, ended by a success.
fn over(poster: &Poster) -> Option<Over> {
    let outage = &poster.posts.apps[DEV_APP_ID].outages[0];
    outage.lock().expect("not poisoned").worked(std::time::Instant::now())
}

#[tokio::test]
async fn dropped_post_is_logged_as_failure() {
    let mut peer = Peer::start(Script::Hangs(Vec::new())).await;
    let poster = Poster::listing(peer.address.port());
    for _ in 0..2 {
        drop(poster.post(&peer.url(), Payload::text("x")).until(peer.until(Saw::Said)).await);
        // The task of the post ends.
        tokio::task::yield_now().await;
    }
    assert_eq!(over(&poster).map(|over| over.failures), Some(2));
    let peer = Peer::says(OK).await;
    let poster = Poster::listing(peer.address.port());
    poster.outcome(&peer.url()).await;
    assert_eq!(over(&poster), None);
}

/// A certificate authority with its file, and a server with its certificate for `name`.
struct TlsServer {
    address: SocketAddr,
    ca_file: std::path::PathBuf,
}

impl TlsServer {
    async fn start(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("params");
        let certificate = params.signed_by(&key, &ca).expect("a certificate");

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let file = format!("rts-test-ca-{}-{}.pem", std::process::id(), address.port());
        let ca_file = std::env::temp_dir().join(file);
        std::fs::write(&ca_file, ca.pem()).expect("it can be written");

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .expect("a certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(OK.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { address, ca_file }
    }

    fn poster(&self, ca_file: Option<std::path::PathBuf>) -> (Poster, String) {
        let url = format!("https://app.test:{}/", self.address.port());
        let poster = Poster::new(AppServer {
            allow: vec![url.parse().expect("an entry")],
            networks: vec!["127.0.0.0/8".parse().expect("a network")],
            ca_file,
            ..AppServer::default()
        });
        poster.network.name("app.test", &[&["127.0.0.1"]]);
        (poster, url)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.ca_file);
    }
}

#[tokio::test]
async fn certificate_must_match_name_and_authority() {
    let server = TlsServer::start("app.test").await;
    let (poster, url) = server.poster(Some(server.ca_file.clone()));
    assert_eq!(poster.outcome(&url).await, ended(Answered(Default::default()), true));

    let (poster, url) = server.poster(None);
    assert_eq!(poster.outcome(&url).await, ended(NotReached, false), "unknown authority");

    let server = TlsServer::start("other.test").await;
    let (poster, url) = server.poster(Some(server.ca_file.clone()));
    assert_eq!(poster.outcome(&url).await, ended(NotReached, false), "another name");
}

#[tokio::test]
async fn server_without_tls_gets_no_message_over_https() {
    let server = TlsServer::start("app.test").await;
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = plain.local_addr().expect("a bound socket").port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.expect("a connection");
        let mut heard = vec![0; 4_096];
        let bytes = stream.read(&mut heard).await.expect("a greeting");
        stream.write_all(OK.as_bytes()).await.expect("an open connection");
        heard.truncate(bytes);
        heard
    });
    let url = format!("https://app.test:{port}/");
    let poster = Poster::new(AppServer {
        allow: vec![url.parse().expect("an entry")],
        networks: vec!["127.0.0.0/8".parse().expect("a network")],
        ca_file: Some(server.ca_file.clone()),
        ..AppServer::default()
    });
    poster.network.name("app.test", &[&["127.0.0.1"]]);
    assert_eq!(poster.outcome(&url).await, ended(NotReached, false));
    let heard = String::from_utf8_lossy(&heard.await.expect("no panic")).into_owned();
    assert!(!heard.contains("POST") && !heard.contains("hello"), "{heard:?}");
}
