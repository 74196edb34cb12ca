//! Addresses that must never be dialled. The tests look at dialled addresses instead of parsed
//! URLs: the dialer takes only vetted addresses, and keeps a record.

use rts_proto::server::PostProgress::NotReached;

use super::{Poster, ended, listing};
use crate::AppServer;

/// A poster for one entry, with public addresses only.
fn with_entry(entry: &str) -> Poster {
    let allow = vec![entry.parse().expect("an entry")];
    Poster::new(AppServer { allow, ..AppServer::default() })
}

/// A poster for `https://app.test/`, with public addresses only.
fn public_only() -> Poster {
    with_entry("https://app.test/")
}

#[tokio::test]
async fn name_with_internal_address_is_never_dialled() {
    for answer in [
        &["169.254.169.254"][..],
        &["127.0.0.1"],
        &["0.0.0.0"],
        &["10.0.0.1"],
        &["172.31.255.255"],
        &["192.168.1.1"],
        &["100.64.0.1"],
        &["255.255.255.255"],
        &["::1"],
        &["::"],
        &["fe80::1"],
        &["fd00:ec2::254"],
        &["fec0::1"],
        &["::ffff:127.0.0.1"],
        &["::ffff:169.254.169.254"],
        &["::127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["64:ff9b::169.254.169.254"],
        &["64:ff9b:1::10.0.0.1"],
        &["2002:7f00:1::1"],
        &["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
        // One public address beside it does not help.
        &["93.184.215.14", "127.0.0.1"],
        &["93.184.215.14", "::ffff:10.0.0.1"],
        &[],
    ] {
        let poster = public_only();
        poster.network.name("app.test", &[answer]);
        assert!(poster.allows("https://app.test/x"), "the url itself is listed");
        assert_eq!(poster.outcome("https://app.test/x").await, ended(NotReached, false));
        assert_eq!(poster.dialled(), [], "{answer:?}");
    }
}

#[tokio::test]
async fn internal_address_needs_its_network_listed() {
    for url in
        ["https://169.254.169.254/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/"]
    {
        let poster = with_entry(url);
        assert_eq!(poster.outcome(url).await, ended(NotReached, false));
        assert_eq!(poster.dialled(), [], "{url}");
        assert!(poster.network.record().resolved.is_empty());
    }
}

#[tokio::test]
async fn changing_name_is_vetted_for_each_post() {
    let peer = super::peer::Peer::says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let poster = Poster::listing(peer.address.port());
    poster.network.name("app.test", &[&["127.0.0.1"], &["169.254.169.254"], &["127.0.0.1"]]);
    for is_good in [true, false, true, true] {
        let progress = poster.outcome(&peer.url()).await.progress;
        assert_eq!(progress != NotReached, is_good);
    }
    assert_eq!(poster.dialled(), [peer.address; 3]);
    assert_eq!(
        poster.network.record().resolved.len(),
        4,
        "each post resolves once, and dials the vetted address"
    );
}

#[tokio::test]
async fn unlisted_url_is_neither_resolved_nor_dialled() {
    let poster = Poster::listing(8080);
    for url in [
        "http://other.test/rts",
        "https://app.test/rts",
        "http://app.test:81/rts",
        "http://app.test:8080/rts-admin",
        "http://app.test:8080/",
        "http://app.test:8080/rts/../admin",
        "http://app.test:8080/rts%2f..%2fadmin",
        "http://x@app.test:8080/rts",
        "http://app.test.:8080/rts",
        "http://127.0.0.1/rts",
        "http://[::1]/rts",
        "file:///etc/passwd",
        "rts",
    ] {
        assert!(!poster.allows(url), "{url}");
        assert_eq!(poster.outcome(url).await, ended(NotReached, false), "{url}");
    }
    assert!(poster.network.record().resolved.is_empty());
    assert_eq!(poster.dialled(), []);
}

#[tokio::test]
async fn default_posts_nowhere() {
    let poster = Poster::new(AppServer::default());
    for url in
        ["https://app.test/", "http://127.0.0.1/", "http://localhost:8080/", "https://[::1]/"]
    {
        assert!(!poster.allows(url), "{url}");
        assert_eq!(poster.outcome(url).await, ended(NotReached, false));
    }
    assert_eq!(poster.dialled(), []);
}

#[tokio::test]
async fn development_dials_loopback_but_not_the_server() {
    let mut peer = super::peer::Peer::says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let own = "127.0.0.1:7600".parse().expect("an address");
    let config = AppServer { allow_loopback: true, ..AppServer::default() };
    let poster = Poster::beside(config, &[own]);
    poster.network.name("localhost", &[&["127.0.0.1"], &["127.0.0.1"], &["10.0.0.1"]]);
    let port = peer.address.port();
    for url in [format!("http://127.0.0.1:{port}/x"), format!("http://localhost:{port}/x")] {
        assert_ne!(poster.outcome(&url).await.progress, NotReached, "{url}");
        peer.request().await;
    }
    let dialled = poster.dialled().len();
    for url in [
        "http://127.0.0.1:7600/",
        "http://localhost:7600/",
        "http://[::1]:7600/",
        "http://localhost/",
    ] {
        assert_eq!(poster.outcome(url).await, ended(NotReached, false), "{url}");
    }
    assert_eq!(poster.dialled().len(), dialled);
}

#[tokio::test]
async fn list_applies_to_its_own_app_only() {
    let poster = Poster::new(listing(8080));
    let other = rts_proto::AppId::new("abcdefghabcdefghabcdefgh").expect("an app id");
    let target =
        rts_proto::server::Target { app_id: other, url: "http://app.test:8080/rts".into() };
    use rts_transport_tokio::server::PostToAppServer as _;
    assert!(!poster.posts.allows(&target));
}
