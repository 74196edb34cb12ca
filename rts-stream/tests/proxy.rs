//! Proxies, byte for byte, and every transport through them.

mod support;

use rts_stream::{ConnectOptions, Connector, Proxy};
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

fn assert_fails(proxy: &str, script: &[(&[u8], &[u8])], what: &str) {
    for size in [1, usize::MAX] {
        let mut client = play(proxy, "rts://chat.example:7600", script, size);
        assert!(client.failure().contains(what), "{}", client.failure());
        assert!(!client.failure().contains("hunter2"));
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
    for (answer, what) in [
        (&b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..], "user or password"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "does not allow"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "HTTP 502"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", "HTTP 302"),
        (b"\x05\xff\r\n\r\n", "does not speak HTTP"),
    ] {
        assert_fails("http://proxy.example:3128", &[(asked, answer)], what);
    }
    let endless = [b"HTTP/1.1 200 OK\r\nX: ", &[b'x'; 10_000][..]].concat();
    assert_fails("http://proxy.example:3128", &[(asked, &endless)], "more than 8192 bytes");
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
    assert_fails(plain, &[(hello, b"HTTP/1.1 400 Bad Request\r\n\r\n")], "does not speak SOCKS5");
    assert_fails(plain, &[(hello, b"\x05\xff")], "another way to log in");
    assert_fails(plain, &[(hello, b"\x05\x02")], "another way to log in");
    assert_fails(
        login,
        &[(b"\x05\x02\x00\x02", b"\x05\x02"), (b"\x01\x05alice\x07hunter2", b"\x01\x01")],
        "refuses this user and password",
    );
    let connect = b"\x05\x01\x00\x03\x0cchat.example\x1d\xb0";
    for (code, what) in [
        (1, "failed"),
        (2, "does not allow"),
        (3, "no way to the server's network"),
        (4, "cannot reach the server"),
        (5, "refused the connection"),
        (6, "in time"),
        (7, "cannot make such"),
        (99, "broke the rules"),
    ] {
        let answer = [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
        assert_fails(plain, &[(hello, b"\x05\x00"), (connect, &answer)], what);
    }
    let odd = b"\x05\x00\x00\x09\0\0\0\0\0\0";
    assert_fails(plain, &[(hello, b"\x05\x00"), (connect, odd)], "broke the rules");
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
