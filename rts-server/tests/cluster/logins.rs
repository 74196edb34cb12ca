//! TLS and the kinds of login.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rts_cluster::view::Incarnation;
use rts_server::NatsPassword;
use rts_server::cluster::{NatsBus, NatsConfig, NatsError, NatsLogin};
use serde_json::json;

use crate::support::{NatsServer, config};

#[tokio::test]
async fn nkey_of_a_file() {
    let (key, other) = (nkeys::KeyPair::new_user(), nkeys::KeyPair::new_user());
    let seed = |key: &nkeys::KeyPair| key.seed().expect("a seed") + "\n";
    let server = NatsServer::with_files(
        &format!("authorization {{ users = [{{ nkey: {} }}] }}", key.public_key()),
        &[("right", &seed(&key)), ("other", &seed(&other)), ("wrong", "canary")],
    );
    let with = |file: &str| {
        let login = NatsLogin::NkeySeedFile(server.file(file));
        NatsConfig { login, ..config(&[server.url()]) }
    };
    assert!(NatsBus::open(with("right"), Incarnation(1)).await.is_ok());
    for (file, fault) in
        [("other", "refuses the login"), ("wrong", "refuses the login"), ("absent", "no such file")]
    {
        let error = NatsBus::open(with(file), Incarnation(1)).await.expect_err(file);
        let said = error.to_string();
        assert!(said.contains(fault) && said.contains(file), "{said}");
        assert!(!format!("{said} {error:?}").contains("canary"), "{said}");
    }
}

#[tokio::test]
async fn token() {
    let server = NatsServer::with("authorization { token: \"good token\" }");
    let with = |text: &str| {
        let login = NatsLogin::Token(NatsPassword::new(text).expect("a token"));
        NatsConfig { login, ..config(&[server.url()]) }
    };
    assert!(NatsBus::open(with("good token"), Incarnation(1)).await.is_ok());
    let error = NatsBus::open(with("canary"), Incarnation(1)).await.expect_err("a wrong token");
    let said = error.to_string();
    assert!(said.contains("refuses the login") && !said.contains("canary"), "{said}");
}

/// A JWT as NATS has them.
fn jwt(signer: &nkeys::KeyPair, subject: &nkeys::KeyPair, claims: serde_json::Value) -> String {
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let body = json!({
        "jti": "1", "iat": 1, "iss": signer.public_key(), "name": "rts",
        "sub": subject.public_key(), "nats": claims,
    });
    let encoded = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let text = format!("{}.{}", encoded(header), encoded(body));
    let signature = signer.sign(text.as_bytes()).expect("signed");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn jwt_and_key_of_a_creds_file() {
    let (operator, account) = (nkeys::KeyPair::new_operator(), nkeys::KeyPair::new_account());
    let user = nkeys::KeyPair::new_user();
    let of_operator = jwt(&operator, &operator, json!({ "type": "operator", "version": 2 }));
    let limits = json!({
        "subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1,
        "payload": -1, "wildcards": true,
    });
    let of_account = json!({ "type": "account", "version": 2, "limits": limits });
    let of_account = jwt(&operator, &account, of_account);
    let of_user = json!({
        "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1,
    });
    let creds = |of_user: &str| {
        format!(
            "-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            user.seed().expect("a seed")
        )
    };
    let right = creds(&jwt(&account, &user, of_user.clone()));
    let of_stranger = creds(&jwt(&nkeys::KeyPair::new_account(), &user, of_user));
    let server = NatsServer::with_files(
        &format!(
            "operator: {of_operator}\nresolver: MEMORY\n\
             resolver_preload: {{ {}: {of_account} }}",
            account.public_key()
        ),
        &[("right", &right), ("stranger", &of_stranger)],
    );
    let with = |file: &str| {
        let login = NatsLogin::CredsFile(server.file(file));
        NatsConfig { login, ..config(&[server.url()]) }
    };
    let bus = NatsBus::open(with("right"), Incarnation(1)).await;
    assert!(bus.is_ok(), "{:?}", bus.err());
    let error = NatsBus::open(with("stranger"), Incarnation(1)).await.expect_err("a stranger");
    assert!(matches!(error, NatsError::Refused { .. }), "{error:?}");
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

/// A server with a certificate of its own authority, for 127.0.0.1. It has a certificate for nodes
/// too.
fn with_tls() -> NatsServer {
    with_more_tls("")
}

fn with_more_tls(more: &str) -> NatsServer {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("valid");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).expect("signed").pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("valid");
    let own = own.signed_by(&key, &issuer).expect("signed");
    let node_key = KeyPair::generate().expect("a key");
    let node = CertificateParams::new(Vec::new()).expect("valid");
    let node = node.signed_by(&node_key, &issuer).expect("signed");
    NatsServer::with_files(
        &format!(
            "tls {{ cert_file: \"DIRECTORY/cert.pem\", key_file: \"DIRECTORY/key.pem\", {more} }}"
        ),
        &[
            ("ca.pem", &ca_pem),
            ("cert.pem", &own.pem()),
            ("key.pem", &key.serialize_pem()),
            ("node.pem", &node.pem()),
            ("node.key", &node_key.serialize_pem()),
        ],
    )
}

#[tokio::test]
async fn server_that_demands_a_certificate() {
    let server = with_more_tls("ca_file: \"DIRECTORY/ca.pem\", verify: true");
    let with = |identity: Option<(&str, &str)>| {
        let identity = identity.map(|(of, key)| (server.file(of), server.file(key)));
        let ca_file = Some(server.file("ca.pem"));
        NatsConfig { ca_file, identity, ..config(&[server.url()]) }
    };
    let bus = NatsBus::open(with(Some(("node.pem", "node.key"))), Incarnation(1)).await;
    assert!(bus.is_ok(), "{:?}", bus.err());
    assert!(NatsBus::open(with(None), Incarnation(1)).await.is_err());
    for (of, key, fault) in [
        ("node.pem", "absent", "absent cannot be read"),
        ("node.key", "node.key", "no PEM certificates in"),
        ("node.pem", "node.pem", "no PEM private key in"),
        ("node.pem", "key.pem", "node.pem and "),
    ] {
        let error = NatsBus::open(with(Some((of, key))), Incarnation(1)).await.expect_err(fault);
        assert!(error.to_string().contains(fault), "{error}");
    }
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
    assert!(matches!(error, Err(NatsError::TlsFile(_))));
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
