//! Proxies, byte for byte, and every transport through them.

mod support;

use rts_stream::{
    ConnectOptions, Connector, End, Hop, LayerError, LinkError, Proxy, ProxyFailure, Socks5Reply,
};
use support::{Authority, Pair, SCHEMES, Side, acceptor};

const FRAMES: &[u8] = b"\x04\x0a\x02\x08\x01";

fn client(proxy: &str, target: &str) -> Side {
    let proxy: Proxy = proxy.parse().expect("a proxy");
    let options = ConnectOptions::default().with_proxy(proxy);
    let connector = Connector::new(target, options).expect("good options");
    assert_eq!(connector.dial(), "proxy.example:3128");
    Side::new(connector.layers())
}

/// Plays a proxy: expects the client's bytes, and answers, in chunks of `size`. A frame follows the
/// last answer.
fn play(proxy: &str, target: &str, script: &[(&[u8], &[u8])], size: usize) -> Side {
    let mut client = client(proxy, target);
    client.send(FRAMES);
    for (asked, answer) in script {
        assert_eq!(client.written(), *asked);
        client.read(answer, size);
    }
    client
}

fn assert_opens(proxy: &str, target: &str, script: &[(&[u8], &[u8])]) {
    for size in [1, 2, 3, usize::MAX] {
        let (last, before) = script.split_last().expect("the script has a step");
        let with_frames = [last.1, FRAMES].concat();
        let script = [before, &[(last.0, &with_frames[..])]].concat();
        let mut client = play(proxy, target, &script, size);
        assert_eq!(client.layers.end(), None);
        assert_eq!(client.received, FRAMES, "bytes right after the answer arrive");
        assert_eq!(client.written(), FRAMES);
    }
}

fn assert_fails(
    proxy: &str,
    script: &[(&[u8], &[u8])],
    failure: impl Into<LayerError>,
    message: &str,
) {
    let failure = failure.into();
    for size in [1, usize::MAX] {
        let mut client = play(proxy, "rts://chat.example:7600", script, size);
        assert_eq!(client.layers.end(), Some(End::Failed(failure.clone())));
        assert_eq!(client.failure(), message);
        assert_eq!(client.written(), b"", "no frame goes to a proxy that failed");
    }
}

#[test]
fn http_connect() {
    assert_opens(
        "http://proxy.example:3128",
        "rts://chat.example:7600",
        &[(
            b"CONNECT chat.example:7600 HTTP/1.1\r\nHost: chat.example:7600\r\n\r\n",
            b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n",
        )],
    );
    assert_opens(
        "http://alice:hunter2@proxy.example:3128",
        "rts://[2001:db8::1]:1",
        &[(
            b"CONNECT [2001:db8::1]:1 HTTP/1.1\r\nHost: [2001:db8::1]:1\r\n\
              Proxy-Authorization: Basic YWxpY2U6aHVudGVyMg==\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\n",
        )],
    );
}

#[test]
fn http_connect_that_fails_is_explained() {
    let asked = b"CONNECT chat.example:7600 HTTP/1.1\r\nHost: chat.example:7600\r\n\r\n";
    for (answer, failure, message) in [
        (
            &b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..],
            ProxyFailure::HttpStatus(407),
            "the proxy wants another user or password than it was given, written USER:PASSWORD@ \
             before its host (HTTP 407)",
        ),
        (
            b"HTTP/1.1 403 Forbidden\r\n\r\n",
            ProxyFailure::HttpStatus(403),
            "the proxy does not allow connections to this server and port (HTTP 403)",
        ),
        (
            b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
            ProxyFailure::HttpStatus(502),
            "the proxy could not connect to the server (HTTP 502)",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n",
            ProxyFailure::HttpStatus(302),
            "the proxy could not connect to the server (HTTP 302)",
        ),
        (
            b"\x05\xff\r\n\r\n",
            ProxyFailure::NotHttp,
            "the proxy does not speak HTTP; is it a socks5:// one?",
        ),
    ] {
        assert_fails("http://proxy.example:3128", &[(asked, answer)], failure, message);
    }
    let endless = [b"HTTP/1.1 200 OK\r\nX: ", &[b'x'; 10_000][..]].concat();
    assert_fails(
        "http://proxy.example:3128",
        &[(asked, &endless)],
        LayerError::HandshakeTooLong { max: 8_192 },
        "more than 8192 bytes, and the handshake is not complete",
    );
}

#[test]
fn error_names_the_hop_that_cannot_be_reached() {
    for (proxy, message) in [
        (None, "cannot connect to chat.example:7600: timed out"),
        (Some("socks5://proxy.example:3128"), "cannot connect to the proxy proxy.example:3128: "),
    ] {
        let options = ConnectOptions::default().with_proxy(proxy.map(|p| p.parse().expect("one")));
        let connector = Connector::new("rts://chat.example", options).expect("good options");
        let at = connector.first_hop();
        assert_eq!(matches!(at, Hop::Proxy(_)), proxy.is_some());
        let error = LinkError::Connect { at, error: std::io::ErrorKind::TimedOut.into() };
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

#[test]
fn socks5() {
    let by_name = b"\x05\x01\x00\x03\x0cchat.example\x1d\xb0";
    assert_opens(
        "socks5://proxy.example:3128",
        "rts://chat.example:7600",
        &[(b"\x05\x01\x00", b"\x05\x00"), (by_name, b"\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38")],
    );
    assert_opens(
        "socks5://alice:hunter2@proxy.example:3128",
        "rts://192.0.2.1:7600",
        &[
            (b"\x05\x02\x00\x02", b"\x05\x02"),
            (b"\x01\x05alice\x07hunter2", b"\x01\x00"),
            (b"\x05\x01\x00\x01\xc0\x00\x02\x01\x1d\xb0", b"\x05\x00\x00\x03\x05proxy\x04\x38"),
        ],
    );
    // The proxy may need no password although one was offered.
    assert_opens(
        "socks5://alice:hunter2@proxy.example:3128",
        "rts://[2001:db8::1]:7600",
        &[
            (b"\x05\x02\x00\x02", b"\x05\x00"),
            (
                b"\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1d\xb0",
                b"\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\x38",
            ),
        ],
    );
}

#[test]
fn socks5_that_fails_is_explained() {
    let (plain, login) =
        ("socks5://proxy.example:3128", "socks5://alice:hunter2@proxy.example:3128");
    let hello = b"\x05\x01\x00";
    let fails = |proxy, script: &[(&[u8], &[u8])], failure: ProxyFailure, words: &str| {
        assert_fails(proxy, script, failure, &format!("the proxy {words}"));
    };
    let no_socks5 = "does not speak SOCKS5; is it an http:// one?";
    let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    fails(plain, &[(hello, answer)], ProxyFailure::NotSocks5, no_socks5);
    for way in [b"\x05\xff", b"\x05\x02"] {
        let words = "wants another way to log in than it was offered (SOCKS5)";
        fails(plain, &[(hello, way)], ProxyFailure::NoCommonLogin, words);
    }
    fails(
        login,
        &[(b"\x05\x02\x00\x02", b"\x05\x02"), (b"\x01\x05alice\x07hunter2", b"\x01\x01")],
        ProxyFailure::LoginRefused,
        "refuses this user and password (SOCKS5)",
    );
    let connect = b"\x05\x01\x00\x03\x0cchat.example\x1d\xb0";
    for (number, reply, words) in [
        (1, Socks5Reply::GeneralFailure, "failed"),
        (2, Socks5Reply::NotAllowed, "does not allow connections to this server and port"),
        (3, Socks5Reply::NetworkUnreachable, "has no way to the server's network"),
        (4, Socks5Reply::HostUnreachable, "cannot reach the server, or cannot find its name"),
        (5, Socks5Reply::ConnectionRefused, "reached the server, which refused the connection"),
        (6, Socks5Reply::TtlExpired, "did not reach the server in time"),
        (7, Socks5Reply::CommandNotSupported, "cannot make such connections"),
        (8, Socks5Reply::AddressTypeNotSupported, "cannot make such connections"),
    ] {
        assert_eq!(reply.number(), number);
        let answer = [5, number, 0, 1, 0, 0, 0, 0, 0, 0];
        let script = [(&hello[..], &b"\x05\x00"[..]), (connect, &answer)];
        fails(plain, &script, ProxyFailure::Socks5(reply), &format!("{words} (SOCKS5 {number})"));
    }
    // An unassigned reply, another version, and an unknown kind of address.
    for answer in [b"\x05\x09\x00\x01", b"\x04\x01\x00\x01", b"\x05\x00\x00\x09"] {
        let answer = [&answer[..], &[0; 6]].concat();
        let script = [(&hello[..], &b"\x05\x00"[..]), (connect, &answer)];
        fails(plain, &script, ProxyFailure::BadSocks5, "broke the rules of SOCKS5");
    }
}

#[test]
fn every_transport_goes_through_a_proxy() {
    let authority = Authority::new();
    for scheme in SCHEMES {
        let proxy: Proxy = "http://proxy.example:3128".parse().expect("a proxy");
        let options = authority.trusted().with_proxy(proxy);
        let connector = Connector::new(&format!("{scheme}://localhost"), options);
        let acceptor = acceptor(scheme, &authority.identity());
        let mut pair = Pair::new(&connector.expect("good options"), &acceptor);
        assert!(pair.client.written().starts_with(b"CONNECT localhost:"));
        pair.client.read(b"HTTP/1.1 200 OK\r\n\r\n", 5);
        pair.client.send(FRAMES);
        pair.server.send(&b"\x04answer"[..]);
        pair.run();
        assert_eq!(pair.server.received, FRAMES, "{scheme}");
        assert_eq!(pair.client.received, b"\x04answer", "{scheme}");
    }
}
