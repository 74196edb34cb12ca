//! The handshake of WebSocket: accepted requests and answers, and the refusal of others.

mod support;

use rts_stream::Origins;
use support::{ANSWER, Pair, REQUEST, Side, both, listener};

/// The first line of the answer to a request. It does not depend on cuts.
fn answered(request: &str) -> String {
    let answers = [1, 5, usize::MAX].map(|size| {
        let origins = ["https://chat.example.com".to_owned(), "http://localhost:8000".to_owned()];
        let mut server = listener(Origins::Only(origins.into()));
        server.read(request.as_bytes(), size);
        String::from_utf8(server.written()).expect("ASCII")
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let [answer, ..] = answers;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let status = head.lines().next().expect("a line").to_owned();
    assert_eq!(body.is_empty(), status.contains(" 101 "), "refusals have an explanation: {answer}");
    status
}

#[test]
fn only_a_whole_request_is_granted() {
    assert_eq!(answered(REQUEST), "HTTP/1.1 101 Switching Protocols");
    for (part, instead, status) in [
        ("GET /", "POST /", "405 Method Not Allowed"),
        ("HTTP/1.1", "HTTP/1.0", "426 Upgrade Required"),
        ("HTTP/1.1", "HTTP/2.0", "400 Bad Request"),
        ("GET / ", "GET /other ", "404 Not Found"),
        ("GET / ", "GET /?token=secret ", "404 Not Found"),
        ("Upgrade: websocket", "Upgrade: h2c", "426 Upgrade Required"),
        ("keep-alive, Upgrade", "keep-alive", "426 Upgrade Required"),
        ("Version: 13", "Version: 8", "426 Upgrade Required"),
        ("Sec-WebSocket-Key", "X-Key", "400 Bad Request"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", "400 Bad Request"),
        ("chat, rts.v1", "chat", "400 Bad Request"),
        ("Sec-WebSocket-Protocol: chat, rts.v1\r\n", "", "400 Bad Request"),
        ("Host: localhost\r\n", "", "400 Bad Request"),
        ("Host: localhost", "Host: localhost\r\nHost: other", "400 Bad Request"),
        ("Host: localhost", "Host localhost", "400 Bad Request"),
        ("Host: localhost", "Host:", "400 Bad Request"),
        ("Host: localhost", "Host: localhost, other", "400 Bad Request"),
        ("Host: localhost", "Host: user@localhost", "400 Bad Request"),
        ("Host: localhost", "Host: localhost\r\nhost: localhost", "400 Bad Request"),
        ("GET / ", "GET http://other/ ", "400 Bad Request"),
        ("GET / ", "GET http://localhost:81/ ", "400 Bad Request"),
        ("GET / ", "GET http://user@localhost/ ", "400 Bad Request"),
        ("GET / ", "GET http://localhost/other ", "404 Not Found"),
        ("GET / ", "GET ftp://localhost/ ", "400 Bad Request"),
        ("GET / ", "GET http://localhost:443/ ", "400 Bad Request"),
        ("Host: localhost", "Host: localhost:", "101 Switching Protocols"),
        ("Host: localhost", "Host: localhost:65535", "101 Switching Protocols"),
        ("Host: localhost", "Host: localhost:65536", "400 Bad Request"),
        ("Host: localhost", "Host: localhost:+80", "400 Bad Request"),
        ("Host: localhost", "Host: localhost:ws", "400 Bad Request"),
        ("Host: localhost", "Host: localhost:80:80", "400 Bad Request"),
        ("Host: localhost", "Host: ::1", "400 Bad Request"),
        ("Host: localhost", "Host: [::1", "400 Bad Request"),
        ("Host: ", "Authorization: a\r\nAuthorization: b\r\nHost: ", "400 Bad Request"),
        ("Host: ", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nHost: ", "400 Bad Request"),
        ("Host: ", "Sec-WebSocket-Version: 13\r\nHost: ", "400 Bad Request"),
        ("Host: ", "Content-Length: 5\r\nHost: ", "400 Bad Request"),
        ("Host: ", "Content-Length: 0\r\nContent-Length: 0\r\nHost: ", "400 Bad Request"),
        ("Host: ", "Transfer-Encoding: chunked\r\nHost: ", "400 Bad Request"),
        ("Host: ", "PROXY: no\r\nHost: ", "101 Switching Protocols"),
        ("GET / HTTP/1.1", "\x16\x03\x01", "405 Method Not Allowed"),
    ] {
        assert!(REQUEST.contains(part), "{part}");
        let request = REQUEST.replacen(part, instead, 1);
        assert_eq!(answered(&request), format!("HTTP/1.1 {status}"), "{request}");
    }
}

#[test]
fn grants_valid_requests_in_all_forms() {
    for (part, instead) in [
        ("keep-alive, Upgrade", "upgrade"),
        ("keep-alive, Upgrade", "Upgrade,"),
        ("keep-alive, Upgrade", ",,Upgrade ,\tkeep-alive"),
        ("keep-alive, Upgrade", "keep-alive\r\nConnection: Upgrade"),
        ("keep-alive, Upgrade", "UPGRADE\r\nConnection: keep-alive\r\nConnection:"),
        ("Upgrade: websocket", "Upgrade: WebSocket"),
        ("Upgrade: websocket", "Upgrade: websocket, foo/2"),
        ("Upgrade: websocket", "Upgrade: h2c\r\nUPGRADE: foo, WEBSOCKET"),
        ("Upgrade: websocket", "Upgrade:\t websocket \t"),
        ("chat, rts.v1", "chat\r\nSec-WebSocket-Protocol: rts.v1"),
        ("chat, rts.v1", "rts.v1,"),
        ("GET / ", "GET http://localhost/ "),
        ("GET / ", "GET ws://LOCALHOST/ "),
        ("GET / ", "GET http://localhost:80/ "),
        (
            "GET / HTTP/1.1\r\nHost: localhost",
            "GET wss://localhost/ HTTP/1.1\r\nHost: localhost:443",
        ),
        ("GET / ", "\r\nGET / "),
        ("GET / ", "\r\n\r\nGET / "),
        ("Host: ", "Authorization: Bearer a\r\nHost: "),
        ("Host: ", "Content-Length: 0\r\nHost: "),
        ("Host: localhost", "Host: [::1]:7680"),
        ("Host: ", "Cookie: name=j\u{fc}rgen\r\nX-Empty:\r\nHost: "),
    ] {
        assert!(REQUEST.contains(part), "{part}");
        let request = REQUEST.replacen(part, instead, 1);
        assert_eq!(answered(&request), "HTTP/1.1 101 Switching Protocols", "{request}");
    }
}

/// The request that nginx forwards by default.
#[test]
fn explains_proxy_that_removes_the_upgrade() {
    let (connector, acceptor) = both("ws");
    let mut pair = Pair::new(&connector, &acceptor);
    let request = String::from_utf8(pair.client.written()).expect("ASCII");
    let request = request.replace("HTTP/1.1", "HTTP/1.0").replace(": Upgrade\r\n", ": close\r\n");
    let request =
        request.replace("upgrade: websocket\r\n", "").replace("Upgrade: websocket\r\n", "");
    pair.server.read(request.as_bytes(), usize::MAX);
    assert!(
        pair.server.failure().contains("proxy_set_header Upgrade"),
        "{}",
        pair.server.failure()
    );
    let answer = pair.server.written();
    assert!(answer.starts_with(b"HTTP/1.1 426 "), "{}", String::from_utf8_lossy(&answer));
    pair.client.read(&answer, 1);
    let said = pair.client.failure();
    assert!(said.contains("a proxy in between has to pass them on"), "{said}");
}

#[test]
fn client_accepts_answers_in_all_forms() {
    for (part, instead) in [
        ("connection: Upgrade", "Connection: keep-alive, Upgrade"),
        ("connection: Upgrade", "connection: upgrade,"),
        ("connection: Upgrade", "Connection: keep-alive\r\nConnection: UPGRADE"),
        ("upgrade: websocket", "Upgrade: WebSocket"),
        ("upgrade: websocket", "Upgrade: foo\r\nUpgrade: websocket"),
        ("101 Switching Protocols", "101"),
        ("101 Switching Protocols", "101 Web Socket Protocol Handshake"),
        ("101 Switching Protocols", "101 \u{dc}bergang"),
        ("connection: Upgrade", "Connection: keep-alive,\r\n Upgrade"),
        ("upgrade: websocket", "upgrade: \r\n\twebsocket\r\nX-Folded: a\r\n b\r\n  c"),
        ("connection: Upgrade", "Via: 1.1 a\r\nSet-Cookie: a=b\r\nconnection: Upgrade"),
        ("connection: Upgrade", "Sec-WebSocket-Extensions:\r\nconnection: Upgrade"),
        ("HTTP/1.1 101", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101"),
        (
            "HTTP/1.1 101",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102\r\n\r\nHTTP/1.1 101",
        ),
    ] {
        let (connector, acceptor) = both("ws");
        let mut pair = Pair::new(&connector, &acceptor);
        let request = pair.client.written();
        pair.server.read(&request, usize::MAX);
        let answer = String::from_utf8(pair.server.written()).expect("ASCII");
        assert!(answer.contains(part), "{answer}");
        pair.client.read(answer.replace(part, instead).as_bytes(), 1);
        assert!(pair.client.layers.is_open(), "{instead}: {:?}", pair.client.layers.end());
    }
}

#[test]
fn accepts_listed_origins_and_programs() {
    for (origin, status) in [
        ("https://chat.example.com", "101 Switching Protocols"),
        ("http://localhost:8000", "101 Switching Protocols"),
        ("http://chat.example.com", "403 Forbidden"),
        ("https://chat.example.com.evil.example", "403 Forbidden"),
        ("https://chat.example.com:444", "403 Forbidden"),
        ("null", "403 Forbidden"),
        ("", "403 Forbidden"),
        ("https://chat.example.com\r\nOrigin: https://evil.example", "400 Bad Request"),
    ] {
        let request = REQUEST.replacen("\r\n", &format!("\r\nOrigin: {origin}\r\n"), 1);
        assert_eq!(answered(&request), format!("HTTP/1.1 {status}"), "{origin}");
    }
}

#[test]
fn compression_is_not_agreed_on() {
    let offer = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    let mut server = listener(Origins::Any);
    server.read(REQUEST.replacen("\r\n", offer, 1).as_bytes(), usize::MAX);
    assert_eq!(String::from_utf8(server.written()).expect("ASCII"), ANSWER);
}

#[test]
fn endless_head_is_cut_off() {
    let mut server = listener(Origins::Any);
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000));
    server.read(endless.as_bytes(), 1_000);
    assert!(server.failure().contains("more than 8192 bytes"));
    assert!(server.written().starts_with(b"HTTP/1.1 431 "));
}

#[test]
fn client_refuses_other_answers() {
    for (answer, what) in [
        ("HTTP/1.1 404 Not Found\r\n\r\n", "none at this path"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "does not allow it"),
        ("HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\n", "none at this path"),
        ("HTTP/1.1 302 Found\r\nLocation: ws://other/\r\n\r\n", "HTTP 302), and redirects"),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", "asks for a password"),
        ("HTTP/1.1 200 OK\r\n\r\n", "HTTP 200"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "does not reach the server"),
        (ANSWER, "not one to this request"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "not one to this request"),
        ("HTTP/1.0 101 Switching Protocols\r\n\r\n", "not well formed"),
        ("HTTP/1.1 101 Switching Protocols\r\nA : b\r\n\r\n", "not well formed"),
        // The error does not wait for the end of the head, which may never come.
        ("SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
        ("HTML", "does not speak HTTP"),
        (&"HTTP/1.1 100 Continue\r\n\r\n".repeat(131_072 / 25 + 1), "more than 131072 bytes"),
    ] {
        let mut client = Side::new(both("ws").0.layers());
        let request = String::from_utf8(client.written()).expect("ASCII");
        assert!(request.starts_with("GET / HTTP/1.1\r\nHost: localhost\r\n"), "{request}");
        client.read(answer.as_bytes(), 3);
        assert!(client.failure().contains(what), "{}", client.failure());
        assert_eq!(client.written(), b"");
    }
}

#[test]
fn client_requires_its_subprotocol_and_no_extension() {
    for (change, what) in [
        (("sec-websocket-protocol: rts.v1", "sec-websocket-protocol: chat"), "something else"),
        (("sec-websocket-protocol: rts.v1\r\n", ""), "something else"),
        (("upgrade: websocket", "upgrade: websocket\r\nSec-WebSocket-Extensions: x"), "extension"),
        (("upgrade: websocket", "upgrade: h2c"), "not one to this request"),
        (("connection: Upgrade", "connection: keep-alive"), "not one to this request"),
        (
            ("sec-websocket-accept: ", "sec-websocket-accept: x\r\nsec-websocket-accept: "),
            "not one",
        ),
    ] {
        let (connector, acceptor) = both("ws");
        let mut pair = Pair::new(&connector, &acceptor);
        let request = pair.client.written();
        pair.server.read(&request, usize::MAX);
        let answer = String::from_utf8(pair.server.written()).expect("ASCII");
        assert!(answer.contains(change.0), "{answer}");
        pair.client.read(answer.replace(change.0, change.1).as_bytes(), 1);
        assert!(pair.client.failure().contains(what), "{}", pair.client.failure());
    }
}
