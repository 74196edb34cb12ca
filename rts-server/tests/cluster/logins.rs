//! TLS and the kinds of login.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rts_cluster::view::Incarnation;
use rts_server::cluster::{NatsBus, NatsConfig, NatsError, NatsLogin};

use crate::support::{NatsServer, config};

/// The seed and the public key that the documents of NATS show.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

#[tokio::test]
async fn nkey_of_a_file() {
    let server = NatsServer::with_files(
        &format!("authorization {{ users = [{{ nkey: {PUBLIC} }}] }}"),
        &[("right", &format!("{SEED}\n")), ("wrong", "canary")],
    );
    let with = |file: &str| {
        let login = NatsLogin::NkeySeedFile(server.file(file));
        NatsConfig { login, ..config(&[server.url()]) }
    };
    assert!(NatsBus::open(with("right"), Incarnation(1)).await.is_ok());
    for (file, fault) in [("wrong", "refuses the login"), ("absent", "no such file")] {
        let error = NatsBus::open(with(file), Incarnation(1)).await.expect_err(file);
        let said = error.to_string();
        assert!(said.contains(fault) && said.contains(file), "{said}");
        assert!(!format!("{said} {error:?}").contains("canary"), "{said}");
    }
}

#[tokio::test]
async fn creds_file_without_creds() {
    let server = NatsServer::with_files("", &[("creds", "canary")]);
    let login = NatsLogin::CredsFile(server.file("creds"));
    let config = NatsConfig { login, ..config(&[server.url()]) };
    let error = NatsBus::open(config, Incarnation(1)).await.expect_err("no creds");
    assert!(matches!(error, NatsError::LoginFile { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
}

/// A server with a certificate of its own authority, for 127.0.0.1.
fn with_tls() -> NatsServer {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("valid");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).expect("signed").pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("valid");
    let own = own.signed_by(&key, &issuer).expect("signed");
    NatsServer::with_files(
        "tls { cert_file: \"DIRECTORY/cert.pem\", key_file: \"DIRECTORY/key.pem\" }",
        &[("ca.pem", &ca_pem), ("cert.pem", &own.pem()), ("key.pem", &key.serialize_pem())],
    )
}

#[tokio::test]
async fn tls_with_an_authority_of_a_file() {
    let server = with_tls();
    let with = |scheme: &str, ca_file: Option<PathBuf>| {
        let url = server.url().replace("nats://", scheme);
        NatsConfig { ca_file, ..config(&[url]) }
    };
    for scheme in ["nats://", "tls://"] {
        let trusted = with(scheme, Some(server.file("ca.pem")));
        let bus = NatsBus::open(trusted, Incarnation(1)).await;
        assert!(bus.is_ok(), "{:?}", bus.err());
        let error = NatsBus::open(with(scheme, None), Incarnation(1)).await.expect_err(scheme);
        assert!(matches!(error, NatsError::Tls { .. }), "{error:?}");
    }
    let error = NatsBus::open(with("tls://", Some(server.file("absent"))), Incarnation(1)).await;
    assert!(matches!(error, Err(NatsError::CaFile(_))));
}

#[tokio::test]
async fn tls_that_is_demanded_and_not_offered() {
    let tls = with_tls();
    let server = NatsServer::with("");
    let demands = NatsConfig { ca_file: Some(tls.file("ca.pem")), ..config(&[server.url()]) };
    let by_url = config(&[server.url().replace("nats://", "tls://")]);
    for config in [demands, by_url] {
        let error = NatsBus::open(config, Incarnation(1)).await;
        assert!(error.is_err());
    }
}
