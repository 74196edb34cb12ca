//! TLS: certificates, trust, and the errors for mismatches.

mod support;

use std::error::Error as _;

use rcgen::date_time_ymd;
use rts_stream::{
    Acceptor, CLOSE_TO_PROXIED, ConnectOptions, Connector, ConnectorError, Identity, IdentityError,
    PemError, Roots,
};
use support::{Authority, Pair, SCHEMES, Side, acceptor, both};

fn connector(url: &str, options: ConnectOptions) -> Connector {
    Connector::new(url, options).expect("good options")
}

/// The error of a client that trusts `trusted`, about a server with `identity`.
fn judged(trusted: &Authority, identity: &Identity, scheme: &str) -> String {
    let connector = connector(&format!("{scheme}://localhost"), trusted.trusted());
    let mut pair = Pair::new(&connector, &acceptor(scheme, identity));
    pair.client.send("secret");
    pair.run();
    assert_eq!(pair.server.received, b"", "no bytes go to a server that is not trusted");
    let failure = pair.server.failure();
    assert!(failure.contains("does not accept the certificate"), "{failure}");
    pair.client.failure()
}

fn issued(authority: &Authority, change: impl FnOnce(&mut rcgen::CertificateParams)) -> Identity {
    let (chain, key) = authority.issue(change);
    Identity::from_pem(chain.as_bytes(), key.as_bytes()).expect("an identity")
}

#[test]
fn errors_distinguish_bad_certificates() {
    let authority = Authority::new();
    let expired = issued(&authority, |params| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let early = issued(&authority, |params| params.not_before = date_time_ymd(2500, 1, 1));
    let other = issued(&authority, |params| {
        params.subject_alt_names = vec![
            rcgen::SanType::DnsName("other.example".try_into().expect("a name")),
            rcgen::SanType::IpAddress([192, 0, 2, 1].into()),
        ];
    });
    let an_authority = issued(&authority, |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    for scheme in ["rtss", "wss"] {
        let said = judged(&authority, &an_authority, scheme);
        assert!(said.contains("CA:FALSE") && !said.contains("Other("), "{said}");
        let said = judged(&authority, &expired, scheme);
        assert!(said.contains("has expired") && said.contains("days ago"), "{said}");
        let said = judged(&authority, &early, scheme);
        assert!(said.contains("not valid yet"), "{said}");
        let said = judged(&authority, &other, scheme);
        let names = "is for another name: other.example, 192.0.2.1, and not for localhost";
        assert!(said.contains(names), "{said}");
        let said = judged(&Authority::new(), &authority.identity(), scheme);
        assert!(said.contains("authority that is not trusted") && said.contains("--ca"), "{said}");
    }
}

#[test]
fn a_self_signed_certificate_can_be_trusted_itself() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    let identity = Identity::from_pem(certificate.as_bytes(), key.serialize_pem().as_bytes());
    let options = ConnectOptions::default().with_roots(Roots::None).with_extra_roots(certificate);
    let acceptor = Acceptor::tls(&identity.expect("an identity")).expect("TLS");
    let mut pair = Pair::new(&connector("rtss://localhost", options), &acceptor);
    pair.client.send("hello");
    pair.run();
    assert_eq!(pair.server.received, b"hello");
}

#[test]
fn a_certificate_is_replaced_under_open_links() {
    let (old, new) = (Authority::new(), Authority::new());
    let identity = old.identity();
    let acceptor = Acceptor::tls(&identity).expect("TLS");
    let of = |authority: &Authority| connector("rtss://localhost", authority.trusted());
    let mut before = Pair::new(&of(&old), &acceptor);
    before.run();

    let (chain, key) = new.issue(|_| {});
    identity.replace(chain.as_bytes(), key.as_bytes()).expect("a better one");
    before.client.send("still here");
    before.run();
    assert_eq!(before.server.received, b"still here");
    let mut after = Pair::new(&of(&new), &acceptor);
    after.run();
    assert!(after.client.layers.is_open());
    let mut behind = Pair::new(&of(&old), &acceptor);
    behind.run();
    assert!(behind.client.failure().contains("not trusted"));

    assert!(identity.replace(b"nonsense", key.as_bytes()).is_err());
    let mut unharmed = Pair::new(&of(&new), &acceptor);
    unharmed.run();
    assert!(unharmed.client.layers.is_open());
}

#[test]
fn explains_files_that_are_not_an_identity() {
    let authority = Authority::new();
    let ((chain, key), (_, other_key)) = (authority.issue(|_| {}), authority.issue(|_| {}));
    let read = |chain: &str, key: &str| {
        Identity::from_pem(chain.as_bytes(), key.as_bytes()).expect_err("the key is invalid")
    };
    assert_eq!(read(&chain, &other_key), IdentityError::Mismatch);
    let certificate = |chain: &str| match read(chain, &key) {
        IdentityError::Certificate(cause) => cause,
        other => panic!("{other:?}"),
    };
    let key_of = |key: &str| match read(&chain, key) {
        IdentityError::Key(cause) => cause,
        other => panic!("{other:?}"),
    };
    assert_eq!(certificate(""), PemError::NoCertificate);
    assert_eq!(certificate(&key), PemError::NoCertificate);
    assert_eq!(certificate(&chain[..chain.len() / 2]), PemError::NoSectionEnd);
    assert!(matches!(certificate(NO_CERTIFICATE), PemError::Content(_)));
    assert_eq!(key_of(&chain), PemError::NoKey);
    assert_eq!(key_of(&key[..key.len() / 2]), PemError::NoSectionEnd);
    assert_eq!(key_of(&key.replace('\n', " ")), PemError::NoSectionEnd);
    assert_eq!(key_of(&key.replacen("-----\n", "\n", 1)), PemError::BadSectionStart);
    assert_eq!(key_of(&key.replacen('M', "?", 1)), PemError::NotBase64);
    let no_key = NO_CERTIFICATE.replace("CERTIFICATE", "PRIVATE KEY");
    assert!(matches!(key_of(&no_key), PemError::Content(_)));
    let said = read(&chain, &no_key);
    let source = said.source().expect("the cause").to_string();
    assert_eq!(said.to_string(), format!("the key file: {source}"));
}

/// A section whose content is base64, and nothing else.
const NO_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

#[test]
fn refuses_invalid_trusted_certificates() {
    let options =
        |pem: &str| ConnectOptions::default().with_roots(Roots::None).with_extra_roots(pem);
    let error = |options| Connector::new("rtss://localhost", options).expect_err("no trust");
    for (pem, words) in [
        ("nonsense", "it has no certificate in PEM form"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA",
            "a section has no -----END line; were the ends of lines lost?",
        ),
        (
            "-----BEGIN CERTIFICATE----- AAAA",
            "a -----BEGIN line does not end with -----; were the ends of lines lost?",
        ),
        (&NO_CERTIFICATE.replace("AAAA", "?"), "what is in a section is not base64"),
        (NO_CERTIFICATE, "a certificate in it is not valid: BadEncoding"),
    ] {
        let error = error(options(pem));
        assert!(matches!(error, ConnectorError::Roots(_)), "{error:?}");
        assert_eq!(error.to_string(), format!("the certificate to trust: {words}"));
    }
    let nobody = ConnectOptions::default().with_roots(Roots::None);
    assert_eq!(error(nobody), ConnectorError::NoRoots);
    let bundled = ConnectOptions::default().with_roots(Roots::Bundled);
    assert!(Connector::new("rtss://localhost", bundled).is_ok());
}

/// Clients and servers with different protocols, and the errors on both sides.
#[test]
fn mixed_up_schemes_are_explained_on_both_sides() {
    for (client, server, client_says, server_says) in [
        ("rts", "rtss", "speaks TLS", "does not speak TLS"),
        ("rts", "wss", "speaks TLS", "does not speak TLS"),
        ("ws", "rtss", "HTTP 400", "does not speak TLS"),
        ("ws", "wss", "HTTP 400", "does not speak TLS"),
        ("ws", "rts", "HTTP 400", "speaks HTTP"),
        ("rts", "ws", "speaks HTTP", "no request of HTTP"),
        ("rtss", "rts", "does not speak TLS", "speaks TLS"),
        ("wss", "rts", "does not speak TLS", "speaks TLS"),
        ("rtss", "ws", "does not speak TLS", "no WebSocket"),
        ("wss", "ws", "does not speak TLS", "no WebSocket"),
        ("rtss", "wss", "speaks no RTS inside of it", "speaks no RTS inside of it"),
        ("wss", "rtss", "speaks no RTS inside of it", "speaks no RTS inside of it"),
    ] {
        let authority = Authority::new();
        let connector = connector(&format!("{client}://localhost"), authority.trusted());
        let mut pair = Pair::new(&connector, &acceptor(server, &authority.identity()));
        // The length and the tag of a Hello, with which plain clients begin; and the end of a head,
        // which may occur in the bytes of a TLS client.
        if client == "rts" {
            pair.client.send(&b"\x04\x0a\x02\x08\x01"[..]);
        }
        pair.run();
        pair.server.read(b"\r\n\r\n", 4);
        let answer = pair.server.written();
        pair.client.read(&answer, 1);
        let context = format!("{client} client, {server} server");
        assert!(
            pair.server.failure().contains(server_says),
            "{context}: {}",
            pair.server.failure()
        );
        assert!(
            pair.client.failure().contains(client_says),
            "{context}: {}",
            pair.client.failure()
        );
        assert_eq!(pair.server.received, b"", "{context}");
    }
}

#[test]
fn browser_at_the_wrong_port_gets_an_explanation() {
    for scheme in ["rts", "rtss", "wss"] {
        let (_, acceptor) = both(scheme);
        let mut server = Side::new(acceptor.layers());
        server.read(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 1);
        let answer = String::from_utf8(server.written()).expect("text");
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains("This port speaks RTS, not HTTP"), "{answer}");
    }
}

#[test]
fn explains_proxy_headers_of_load_balancers() {
    let version_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02";
    for header in [&b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 7600\r\n"[..], version_2] {
        for scheme in SCHEMES {
            for size in [1, usize::MAX] {
                let (connector, acceptor) = both(scheme);
                let mut client = Side::new(connector.layers());
                client.send(&b"\x04\x0a\x02\x08\x01"[..]);
                let mut server = Side::new(acceptor.layers());
                server.read(&[header, &client.written()].concat(), size);
                let said = server.failure();
                assert!(said.contains("PROXY protocol"), "{scheme}: {said}");
                client.read(&server.written(), size);
                let is_refused = if scheme == "rts" {
                    client.received == CLOSE_TO_PROXIED
                } else {
                    client.layers.end().is_some()
                };
                assert!(is_refused, "{scheme}: {:?}", client.layers.end());
            }
        }
    }
}

#[test]
fn endless_tls_handshake_is_cut_off() {
    // The head of a ClientHello of the greatest length, followed by filler, record by record.
    let mut record = vec![0x16, 3, 1, 0x10, 0];
    record.resize(5 + 4_096, 0);
    let mut first = record.clone();
    first[5..9].copy_from_slice(&[1, 0, 0xFF, 0xFF]);
    for scheme in ["rtss", "wss"] {
        let (_, acceptor) = both(scheme);
        let mut server = Side::new(acceptor.layers());
        server.read(&first, 1);
        let records = (0..).take_while(|_| {
            server.read(&record, 100);
            server.layers.end().is_none()
        });
        assert!(records.count() <= 3, "over 16 KiB");
        assert!(!server.layers.is_open());
    }
}

#[test]
fn old_tls_version_gets_an_alert() {
    // A ClientHello of TLS 1.1 with one cipher.
    let mut hello = vec![1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 0x2F, 1, 0]);
    let record = [&[0x16, 3, 1, 0, u8::try_from(hello.len()).expect("short")][..], &hello].concat();
    let mut server = Side::new(both("rtss").1.layers());
    server.read(&record, 1);
    assert!(server.layers.end().is_some());
    assert_eq!(server.written().first(), Some(&0x15), "an alert");
}
