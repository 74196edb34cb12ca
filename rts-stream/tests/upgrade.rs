//! The handshake of WebSocket: accepted requests and answers, and the refusal of others.

mod support;

use rts_stream::{Connector, End, LayerError, Origins, UpgradeError, UpgradeRefusal};
use support::{ANSWER, Pair, REQUEST, Side, both, listener};

/// The status of the answer to a request, and the cause of a refusal. They do not depend on cuts.
fn answered(request: &str) -> (String, Option<UpgradeRefusal>) {
    let answers = [1, 5, usize::MAX].map(|size| {
        let origins = ["https://chat.example.com".to_owned(), "http://localhost:8000".to_owned()];
        let mut server = listener(Origins::Only(origins.into()));
        server.read(request.as_bytes(), size);
        let refusal = match server.layers.end() {
            None => None,
            Some(End::Failed(LayerError::UpgradeRefused(refusal))) => Some(refusal),
            other => panic!("{other:?} after {request}"),
        };
        (String::from_utf8(server.written()).expect("ASCII"), refusal)
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let [(answer, refusal), ..] = answers;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let status = head.lines().next().expect("a line");
    let status = status.strip_prefix("HTTP/1.1 ").expect("the version");
    match refusal {
        None => assert_eq!(body, ""),
        Some(UpgradeRefusal::NotHttp) => assert!(body.starts_with("Only requests of HTTP/1.1")),
        Some(refusal) => assert_eq!(body, format!("{refusal}\n")),
    }
    if let Some(refusal) = refusal {
        assert!(status.starts_with(&refusal.status().to_string()), "{status}: {refusal}");
    }
    (status.to_owned(), refusal)
}

const GRANTED: &str = "101 Switching Protocols";

#[test]
fn only_a_whole_request_is_granted() {
    assert_eq!(answered(REQUEST), (GRANTED.to_owned(), None));
    let once = |header| UpgradeRefusal::RepeatedHeader { header };
    for (part, instead, refusal) in [
        ("GET /", "POST /", UpgradeRefusal::NotGet),
        ("HTTP/1.1", "HTTP/1.0", UpgradeRefusal::NoUpgrade),
        ("HTTP/1.1", "HTTP/2.0", UpgradeRefusal::Malformed),
        ("GET / ", "GET /other ", UpgradeRefusal::WrongPath),
        ("GET / ", "GET /?token=secret ", UpgradeRefusal::WrongPath),
        ("Upgrade: websocket", "Upgrade: h2c", UpgradeRefusal::NoUpgrade),
        ("keep-alive, Upgrade", "keep-alive", UpgradeRefusal::NoUpgrade),
        ("Version: 13", "Version: 8", UpgradeRefusal::WrongVersion),
        ("Sec-WebSocket-Key", "X-Key", UpgradeRefusal::BadKey),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", UpgradeRefusal::BadKey),
        ("chat, rts.v1", "chat", UpgradeRefusal::NoSubprotocol),
        ("Sec-WebSocket-Protocol: chat, rts.v1\r\n", "", UpgradeRefusal::NoSubprotocol),
        ("Host: localhost\r\n", "", UpgradeRefusal::BadHost),
        ("Host: localhost", "Host: localhost\r\nHost: other", once("host")),
        ("Host: localhost", "Host localhost", UpgradeRefusal::Malformed),
        ("Host: localhost", "Host:", UpgradeRefusal::BadHost),
        ("Host: localhost", "Host: localhost, other", UpgradeRefusal::BadHost),
        ("Host: localhost", "Host: user@localhost", UpgradeRefusal::BadHost),
        ("Host: localhost", "Host: localhost\r\nhost: localhost", once("host")),
        ("GET / ", "GET http://other/ ", UpgradeRefusal::TwoHosts),
        ("GET / ", "GET http://localhost:81/ ", UpgradeRefusal::TwoHosts),
        ("GET / ", "GET http://user@localhost/ ", UpgradeRefusal::TwoHosts),
        ("GET / ", "GET http://localhost/other ", UpgradeRefusal::WrongPath),
        ("GET / ", "GET ftp://localhost/ ", UpgradeRefusal::TwoHosts),
        ("GET / ", "GET http://localhost:443/ ", UpgradeRefusal::TwoHosts),
        ("Host: localhost", "Host: localhost:65536", UpgradeRefusal::BadHost),
        ("Host: localhost", "Host: localhost:+80", UpgradeRefusal::BadHost),
        ("Host: localhost", "Host: localhost:ws", UpgradeRefusal::BadHost),
        ("Host: localhost", "Host: localhost:80:80", UpgradeRefusal::BadHost),
        ("Host: localhost", "Host: ::1", UpgradeRefusal::BadHost),
        ("Host: localhost", "Host: [::1", UpgradeRefusal::BadHost),
        ("Host: ", "Authorization: a\r\nAuthorization: b\r\nHost: ", once("authorization")),
        (
            "Host: ",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nHost: ",
            once("sec-websocket-key"),
        ),
        ("Host: ", "Sec-WebSocket-Version: 13\r\nHost: ", once("sec-websocket-version")),
        ("Host: ", "Content-Length: 5\r\nHost: ", UpgradeRefusal::Body),
        ("Host: ", "Content-Length: 0\r\nContent-Length: 0\r\nHost: ", UpgradeRefusal::Body),
        ("Host: ", "Transfer-Encoding: chunked\r\nHost: ", UpgradeRefusal::Body),
        ("GET / HTTP/1.1", "\x16\x03\x01", UpgradeRefusal::NotHttp),
    ] {
        assert!(REQUEST.contains(part), "{part}");
        let request = REQUEST.replacen(part, instead, 1);
        assert_eq!(answered(&request).1, Some(refusal), "{request}");
    }
}

#[test]
fn refusals_have_the_status_of_http() {
    for (part, instead, status) in [
        ("GET /", "POST /", "405 Method Not Allowed"),
        ("HTTP/1.1", "HTTP/1.0", "426 Upgrade Required"),
        ("HTTP/1.1", "HTTP/2.0", "400 Bad Request"),
        ("GET / ", "GET /other ", "404 Not Found"),
        ("Version: 13", "Version: 8", "426 Upgrade Required"),
        ("Sec-WebSocket-Key", "X-Key", "400 Bad Request"),
        ("chat, rts.v1", "chat", "400 Bad Request"),
        ("Host: localhost\r\n", "", "400 Bad Request"),
        ("Host: localhost", "Host: localhost\r\nHost: other", "400 Bad Request"),
        ("GET / ", "GET http://other/ ", "400 Bad Request"),
        ("Host: ", "Content-Length: 5\r\nHost: ", "400 Bad Request"),
        ("Host: ", "Origin: null\r\nHost: ", "403 Forbidden"),
        ("GET / HTTP/1.1", "\x16\x03\x01", "405 Method Not Allowed"),
    ] {
        assert!(REQUEST.contains(part), "{part}");
        let request = REQUEST.replacen(part, instead, 1);
        assert_eq!(answered(&request).0, status, "{request}");
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
        ("Host: localhost", "Host: localhost:"),
        ("Host: localhost", "Host: localhost:65535"),
        ("Host: ", "PROXY: no\r\nHost: "),
        ("Host: ", "Cookie: name=j\u{fc}rgen\r\nX-Empty:\r\nHost: "),
    ] {
        assert!(REQUEST.contains(part), "{part}");
        let request = REQUEST.replacen(part, instead, 1);
        assert_eq!(answered(&request), (GRANTED.to_owned(), None), "{request}");
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
    let not_allowed = Some(UpgradeRefusal::OriginNotAllowed);
    for (origin, refusal) in [
        ("https://chat.example.com", None),
        ("http://localhost:8000", None),
        ("http://chat.example.com", not_allowed),
        ("https://chat.example.com.evil.example", not_allowed),
        ("https://chat.example.com:444", not_allowed),
        ("null", not_allowed),
        ("", not_allowed),
        (
            "https://chat.example.com\r\nOrigin: https://evil.example",
            Some(UpgradeRefusal::RepeatedHeader { header: "origin" }),
        ),
    ] {
        let request = REQUEST.replacen("\r\n", &format!("\r\nOrigin: {origin}\r\n"), 1);
        assert_eq!(answered(&request).1, refusal, "{origin}");
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

/// The client's end after `answer`, which does not depend on cuts, and its message.
fn refused_answer(client: impl Fn() -> Side, answer: &str) -> (LayerError, String) {
    let mut ends = [1, 3, usize::MAX].map(|size| {
        let mut client = client();
        client.read(answer.as_bytes(), size);
        assert_eq!(client.written(), b"");
        let message = client.failure();
        match client.layers.end() {
            Some(End::Failed(error)) => (error, message),
            other => panic!("{other:?} after {answer}"),
        }
    });
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    std::mem::replace(&mut ends[0], (LayerError::Random, String::new()))
}

fn client_that_asked() -> Side {
    let mut client = Side::new(both("ws").0.layers());
    let request = String::from_utf8(client.written()).expect("ASCII");
    assert!(request.starts_with("GET / HTTP/1.1\r\nHost: localhost\r\n"), "{request}");
    client
}

#[test]
fn client_explains_statuses() {
    for (status, words) in [
        (404, "the server has none at this path (HTTP 404)"),
        (403, "the server does not allow it from here (HTTP 403)"),
        (
            302,
            "the server sends to another address (HTTP 302), and redirects are not followed: use \
             that address",
        ),
        (
            400,
            "the server refuses the request (HTTP 400); if it speaks RTS, the address must begin \
             with rts://, rtss:// or wss://",
        ),
        (401, "a proxy in between asks for a password (HTTP 401)"),
        (407, "a proxy in between asks for a password (HTTP 407)"),
        (
            426,
            "the server got the request without its headers Upgrade and Connection, or as HTTP/1.0 \
             (HTTP 426): a proxy in between has to pass them on (nginx: proxy_http_version 1.1, and \
             proxy_set_header for both)",
        ),
        (200, "the server answers with HTTP 200"),
        (502, "a proxy in between does not reach the server (HTTP 502)"),
    ] {
        for version in ["1.0", "1.1"] {
            let answer = format!("HTTP/{version} {status} Reason\r\nConnection: close\r\n\r\n");
            let (error, message) = refused_answer(client_that_asked, &answer);
            assert_eq!(error, UpgradeError::Status(status).into());
            assert_eq!(message, format!("no WebSocket: {words}"));
        }
    }
}

#[test]
fn client_refuses_other_answers() {
    let not_http = "does not speak HTTP here; if it speaks RTS, the address must begin with rts:// \
                    or rtss://";
    for (answer, cause, words) in [
        (ANSWER, UpgradeError::BadAccept, "is not one to this request"),
        ("HTTP/1.1 101 Hi\r\n\r\n", UpgradeError::NotUpgraded, "is not one to this request"),
        ("HTTP/1.0 101 Hi\r\n\r\n", UpgradeError::BadHead, "is not well formed HTTP/1.1"),
        ("HTTP/1.1 101 Hi\r\nA : b\r\n\r\n", UpgradeError::BadHead, "is not well formed HTTP/1.1"),
        // The error does not wait for the end of the head, which may never come.
        ("SSH-2.0-OpenSSH_9.2\r\n", UpgradeError::NotHttp, not_http),
        ("HTML", UpgradeError::NotHttp, not_http),
        ("HTTP/2 101 Hi\r\n\r\n", UpgradeError::NotHttp, not_http),
    ] {
        let (error, message) = refused_answer(client_that_asked, answer);
        assert_eq!(error, cause.into(), "{answer}");
        assert!(message.starts_with("no WebSocket: the "), "{message}");
        assert!(message.contains(words), "{message}");
    }
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(131_072 / 25 + 1);
    let (error, _) = refused_answer(client_that_asked, &interim);
    assert_eq!(error, LayerError::HandshakeTooLong { max: 131_072 });
}

#[test]
fn client_requires_an_answer_to_its_request() {
    for ((part, instead), cause) in [
        (
            ("sec-websocket-protocol: rts.v1", "sec-websocket-protocol: chat"),
            UpgradeError::BadSubprotocol,
        ),
        (("sec-websocket-protocol: rts.v1\r\n", ""), UpgradeError::BadSubprotocol),
        (
            ("upgrade: websocket", "upgrade: websocket\r\nSec-WebSocket-Extensions: x"),
            UpgradeError::Extension,
        ),
        (("upgrade: websocket", "upgrade: h2c"), UpgradeError::NotUpgraded),
        (("connection: Upgrade", "connection: keep-alive"), UpgradeError::NotUpgraded),
        (
            ("sec-websocket-accept: ", "sec-websocket-accept: x\r\nsec-websocket-accept: "),
            UpgradeError::BadAccept,
        ),
    ] {
        let (connector, acceptor) = both("ws");
        let mut pair = Pair::new(&connector, &acceptor);
        let request = pair.client.written();
        pair.server.read(&request, usize::MAX);
        let answer = String::from_utf8(pair.server.written()).expect("ASCII");
        assert!(answer.contains(part), "{answer}");
        pair.client.read(answer.replace(part, instead).as_bytes(), 1);
        assert_eq!(pair.client.layers.end(), Some(End::Failed(cause.into())), "{instead}");
    }
}

#[test]
fn path_has_a_bound() {
    for (length, end) in [(65_534, None), (65_535, Some(UpgradeError::PathTooLong))] {
        let address = format!("ws://localhost/{}", "a".repeat(length - 1));
        let connector = Connector::new(&address, Default::default()).expect("an address");
        let end = end.map(|error| End::Failed(error.into()));
        assert_eq!(connector.layers().end(), end, "{length}");
    }
}
