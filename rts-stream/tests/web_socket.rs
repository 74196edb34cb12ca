//! WebSocket, byte for byte: what is taken, what is refused and how, whatever the cuts.

mod support;

use rts_stream::{Acceptor, End, LayerError, Origins, WebSocketError};
use support::{Pair, Side, both};

/// The number of §12.7.
const MESSAGE_BYTES_MAX: u64 = 131_072;

const REQUEST: &str = "GET / HTTP/1.1\r\n\
    Host: localhost\r\n\
    Connection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: chat, rts.v1\r\n\r\n";

/// To the key of [`REQUEST`], which is RFC 6455's example.
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    connection: Upgrade\r\n\
    upgrade: websocket\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    sec-websocket-protocol: rts.v1\r\n\r\n";

fn listener(origins: Origins) -> Side {
    Side::new(Acceptor::web_socket("/", origins).layers())
}

fn open() -> Side {
    let mut server = listener(Origins::Any);
    server.read(REQUEST.as_bytes(), usize::MAX);
    assert_eq!(String::from_utf8(server.written()).expect("ASCII"), ANSWER);
    server
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

/// A frame of a client, with a mask that changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let head = match length {
        0..126 => vec![first, 0x80 | u8::try_from(length).expect("short")],
        126..65_536 => {
            [&[first, 0xFE], &u16::try_from(length).expect("short").to_be_bytes()[..]].concat()
        }
        _ => [&[first, 0xFF], &(length as u64).to_be_bytes()[..]].concat(),
    };
    [&head, &[0; 4][..], payload].concat()
}

/// Gives `wire` to an open WebSocket in every kind of cut, and returns what always came of it.
fn after(wire: &[u8]) -> (Vec<u8>, Vec<u8>, Option<End>) {
    let mut results = [1, 2, 3, 7, usize::MAX].map(|size| {
        let mut server = open();
        server.read(wire, size);
        let answer = server.written();
        (server.received, answer, server.layers.end())
    });
    for result in &results {
        assert_eq!(*result, results[0]);
    }
    std::mem::take(&mut results[0])
}

fn assert_taken(wire: &[u8], plain: &[u8], answer: &[u8]) {
    assert_eq!(after(wire), (plain.to_vec(), answer.to_vec(), None));
}

fn assert_refused(wire: &[u8], error: WebSocketError, code: u16) {
    let close = [&[0x88, 2][..], &code.to_be_bytes()].concat();
    let end = Some(End::Failed(LayerError::WebSocket(error)));
    assert_eq!(after(wire), (Vec::new(), close, end), "{wire:02x?}");
}

#[test]
fn messages_are_chunks_of_one_stream() {
    assert_taken(&hex("82 85 37fa213d 7f9f4d5158"), b"Hello", b"");
    assert_taken(&hex("82 80 00000000"), b"", b"");
    assert_taken(&[frame(0x82, b"a"), frame(0x82, b""), frame(0x82, b"bc")].concat(), b"abc", b"");
    for length in [125, 126, 65_535, 65_536] {
        assert_taken(&frame(0x82, &vec![7; length]), &vec![7; length], b"");
    }
}

#[test]
fn a_message_in_fragments_is_the_same_and_control_frames_may_come_in_between() {
    let whole = [frame(0x02, b"Hel"), frame(0x00, b""), frame(0x80, b"lo")].concat();
    assert_taken(&whole, b"Hello", b"");
    let with_ping = [frame(0x02, b"Hel"), frame(0x89, b"?"), frame(0x80, b"lo")].concat();
    assert_taken(&with_ping, b"Hello", b"\x8a\x01?");
}

#[test]
fn pings_are_answered_with_their_payload_and_pongs_are_nothing() {
    assert_taken(&frame(0x89, b""), b"", &hex("8a 00"));
    assert_taken(&frame(0x89, &[9; 125]), b"", &[&[0x8a, 125][..], &[9; 125]].concat());
    assert_taken(&frame(0x8A, b"unasked"), b"", b"");
    assert_taken(&hex("89 85 37fa213d 7f9f4d5158"), b"", b"\x8a\x05Hello");
}

#[test]
fn reserved_bits_and_kinds_are_refused() {
    for first in [0xC2, 0xA2, 0x92, 0xF2, 0xC9, 0xC8] {
        assert_refused(&frame(first, b""), WebSocketError::ReservedBit, 1002);
    }
    for kind in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_refused(&frame(0x80 | kind, b""), WebSocketError::UnknownOpcode, 1002);
    }
}

#[test]
fn lengths_must_be_in_their_shortest_form() {
    for wire in [
        "82 fe 0000 00000000",
        "82 fe 007d 00000000",
        "82 ff 0000000000000001 00000000",
        "82 ff 000000000000ffff 00000000",
        "82 ff 8000000000000000 00000000",
        "82 ff ffffffffffffffff 00000000",
    ] {
        assert_refused(&hex(wire), WebSocketError::BadLength, 1002);
    }
}

#[test]
fn a_client_masks_and_a_server_does_not() {
    assert_refused(&hex("82 01 61"), WebSocketError::BadMask, 1002);
    assert_refused(&hex("88 00"), WebSocketError::BadMask, 1002);

    let (connector, acceptor) = both("ws");
    let mut pair = Pair::new(&connector, &acceptor);
    pair.run();
    pair.client.read(&frame(0x82, b"masked"), 1);
    assert!(pair.client.failure().contains("mask"));
    // Close, masked, with code 1002 under the mask.
    let close = pair.client.written();
    assert_eq!(close[..2], [0x88, 0x82]);
    assert_eq!([close[2] ^ close[6], close[3] ^ close[7]], 1002_u16.to_be_bytes());
}

#[test]
fn each_frame_of_a_client_has_a_mask_of_its_own() {
    let (connector, acceptor) = both("ws");
    let mut pair = Pair::new(&connector, &acceptor);
    pair.run();
    let masks: std::collections::BTreeSet<_> = (0..16)
        .map(|_| {
            pair.client.send("same");
            let frame = pair.client.written();
            assert_eq!(frame[..2], [0x82, 0x84]);
            frame[2..6].to_vec()
        })
        .collect();
    assert!(masks.len() > 8, "16 masks, of which differ only {}", masks.len());
}

#[test]
fn control_frames_are_short_and_whole() {
    for kind in [0x88, 0x89, 0x8A] {
        assert_refused(&frame(kind, &[0; 126]), WebSocketError::BadControl, 1002);
        assert_refused(&frame(kind & 0x0F, b""), WebSocketError::BadControl, 1002);
    }
}

#[test]
fn fragments_continue_what_was_begun_and_nothing_else() {
    assert_refused(&frame(0x80, b""), WebSocketError::BadFragment, 1002);
    assert_refused(&frame(0x00, b""), WebSocketError::BadFragment, 1002);
    let twice = [frame(0x02, b""), frame(0x82, b"")].concat();
    assert_refused(&twice, WebSocketError::BadFragment, 1002);
    let after_the_end = [frame(0x02, b""), frame(0x80, b""), frame(0x80, b"")].concat();
    assert_refused(&after_the_end, WebSocketError::BadFragment, 1002);
}

#[test]
fn text_is_refused_whether_or_not_it_is_utf8() {
    assert_refused(&frame(0x81, b"hello"), WebSocketError::Text, 1003);
    assert_refused(&frame(0x81, b"\xff\xfe"), WebSocketError::Text, 1003);
    assert_refused(&frame(0x81, b"\xed\xa0\x80"), WebSocketError::Text, 1003);
    assert_refused(&frame(0x01, b""), WebSocketError::Text, 1003);
}

#[test]
fn a_message_may_be_so_long_and_no_byte_longer() {
    let most = usize::try_from(MESSAGE_BYTES_MAX).expect("it fits");
    let mut server = open();
    server.read(&frame(0x82, &vec![1; most]), usize::MAX);
    assert_eq!((server.received.len(), server.layers.end()), (most, None));
    let head = [&hex("82 ff")[..], &(MESSAGE_BYTES_MAX + 1).to_be_bytes(), &[0; 4]].concat();
    assert_refused(&head, WebSocketError::TooLong, 1009);

    let mut server = open();
    server.read(&[frame(0x02, &vec![1; most - 1]), frame(0x00, b"1")].concat(), 4_096);
    assert_eq!(server.layers.end(), None, "the same in fragments");
    server.read(&frame(0x80, b"1"), 4_096);
    assert_eq!(server.failure(), LayerError::from(WebSocketError::TooLong).to_string());
}

#[test]
fn a_goodbye_is_answered_with_its_code_and_what_follows_it_is_nothing() {
    let said = |payload: &[u8]| after(&[frame(0x88, payload), frame(0x82, b"late")].concat());
    let answered =
        |code: u16| (Vec::new(), [&[0x88, 2][..], &code.to_be_bytes()].concat(), Some(End::Closed));
    assert_eq!(said(b""), answered(1000));
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        assert_eq!(said(&code.to_be_bytes()), answered(code));
        let with_reason = [&code.to_be_bytes()[..], "späť".as_bytes()].concat();
        assert_eq!(said(&with_reason), answered(code));
    }
}

#[test]
fn a_goodbye_that_cannot_be_is_refused() {
    assert_refused(&frame(0x88, b"\x03"), WebSocketError::BadClose, 1002);
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, u16::MAX] {
        assert_refused(&frame(0x88, &code.to_be_bytes()), WebSocketError::BadClose, 1002);
    }
    for reason in [&b"\xff"[..], b"\xed\xa0\x80", b"ok\xc3"] {
        let payload = [&1000_u16.to_be_bytes()[..], reason].concat();
        assert_refused(&frame(0x88, &payload), WebSocketError::BadCloseReason, 1007);
    }
}

#[test]
fn who_asks_for_answers_and_does_not_read_them_is_given_up() {
    let mut server = open();
    let pings = frame(0x89, &[0; 125]).repeat(500);
    let answers = (0..).take_while(|_| {
        server.read(&pings, usize::MAX);
        server.layers.end().is_none()
    });
    assert_eq!(answers.count(), 2, "each has 500 pongs of 127 bytes");
    assert_eq!(server.failure(), LayerError::DoesNotRead.to_string());
}

/// What a request is answered with, whatever the cuts: its first line.
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
    assert_eq!(body.is_empty(), status.contains(" 101 "), "what is refused is explained: {answer}");
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
fn a_valid_request_is_granted_in_all_its_forms() {
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

/// What nginx makes of a request unless it is told otherwise.
#[test]
fn a_proxy_that_takes_the_upgrade_away_is_named_on_both_sides() {
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
fn a_client_takes_an_answer_in_all_its_forms() {
    for (part, instead) in [
        ("connection: Upgrade", "Connection: keep-alive, Upgrade"),
        ("connection: Upgrade", "connection: upgrade,"),
        ("connection: Upgrade", "Connection: keep-alive\r\nConnection: UPGRADE"),
        ("upgrade: websocket", "Upgrade: WebSocket"),
        ("upgrade: websocket", "Upgrade: foo\r\nUpgrade: websocket"),
        ("101 Switching Protocols", "101"),
        ("101 Switching Protocols", "101 Web Socket Protocol Handshake"),
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
fn only_pages_of_listed_origins_are_let_in_and_programs_are() {
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
fn a_head_without_end_costs_little() {
    let mut server = listener(Origins::Any);
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000));
    server.read(endless.as_bytes(), 1_000);
    assert!(server.failure().contains("more than 8192 bytes"));
    assert!(server.written().starts_with(b"HTTP/1.1 431 "));
}

#[test]
fn a_client_takes_no_other_answer() {
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
        // What is said does not wait for an end that may never come.
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
fn a_client_wants_its_subprotocol_and_no_extension() {
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
