//! Texts of others cannot forge a line of the log, fill the log, or control the terminal that shows
//! it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use super::Logged;
use super::servers::free_port;

/// A text that clients put wherever the server may log it.
const EVIL: &str = "\u{1b}[2J\u{7}\r\n2026-01-01T00:00:00.0Z ERROR rts: forged \u{202e}";

#[test]
fn clients_cannot_forge_lines_or_control_the_terminal() {
    let logged = Logged::start("trace");
    let percent: String = EVIL.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let web = logged.web_socket.strip_prefix("ws://").expect("a url");
    let openapi = logged.openapi.strip_prefix("http://").expect("a url");
    let tcp = logged.server.url.strip_prefix("rts://").expect("plain TCP");
    let long = "x".repeat(10_000);
    let mut says: Vec<(&str, Vec<u8>)> = Vec::new();
    for address in [tcp, web.split('/').next().expect("an address"), openapi] {
        says.push((address, format!("PROXY TCP4 {EVIL} 1.2.3.4 5 6\r\n").into_bytes()));
        says.push((address, EVIL.as_bytes().to_vec()));
        for target in [
            format!("/{percent}?Action={percent}&Version={percent}"),
            format!("/{EVIL}"),
            format!("/?Action={long}&Version={long}"),
        ] {
            let head = format!(
                "GET {target} HTTP/1.1\r\nHost: {EVIL}\r\nOrigin: {EVIL}\r\nAuthorization: Bearer {EVIL}\r\n\
                 Sec-WebSocket-Protocol: {EVIL}\r\nUpgrade: {EVIL}\r\nConnection: {EVIL}, close\r\n\r\n"
            );
            says.push((address, head.into_bytes()));
        }
        let head = format!(
            "POST /?Action={percent}&Version={percent} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Authorization: Bearer x\r\nContent-Length: 0\r\n\r\n"
        );
        says.push((address, head.into_bytes()));
        let body = json!({"AppId": EVIL, "RoomId": EVIL, "UserId": long}).to_string();
        let head = format!(
            "POST /?Action=KickUser&Version=2020-12-01 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Authorization: Bearer development-bearer-key-known-to-all\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        says.push((address, head.into_bytes()));
    }
    // Ids that no honest client sends, in frames that are otherwise well formed.
    let mut login = crate::hostile::hello_and_login("alice-the-first");
    let at =
        login.windows(5).position(|bytes| bytes == b"alice").expect("the text is in the frame");
    login[at..at + 5].copy_from_slice(b"\x1b[2J\n");
    says.push((tcp, login));
    for (address, bytes) in says {
        let mut stream = TcpStream::connect(address).expect("a listening server");
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut alice = logged.server.user("alice");
    for (call, fields) in [
        ("createRoom", json!({"room": EVIL})),
        ("setBusinessId", json!({"businessId": EVIL})),
        ("sendMessage", json!({"uid": EVIL, "message": EVIL})),
        ("getPeerOnlineStatus", json!({"uid": EVIL})),
        ("setServerParams", json!({"signature": "x", "url": format!("http://127.0.0.1:1/{EVIL}")})),
        (
            "setServerParams",
            json!({"signature": "x", "url": format!("http://127.0.0.1:1/{percent}")}),
        ),
        ("sendServerMessage", json!({"message": EVIL})),
    ] {
        alice.answer(call, fields);
    }
    alice.until("onServerMessageSendResult");
    alice.end();
    logged.server.kill();
    let lines = logged.log.rest();
    assert!(lines.len() > 40, "{lines:?}");
    for line in lines {
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
        assert!(line.starts_with("20") && !line.starts_with("2026-01-01T00:00:00.0Z"), "{line:?}");
        assert!(line.len() < 4_096, "{} bytes: {line:?}", line.len());
    }
}

/// Values chosen by others are cut where they are logged, whichever module logs them.
#[test]
fn values_of_others_are_cut_to_128_characters() {
    let mut logged = Logged::start("info");
    let long = format!("/{}", "x".repeat(1_000));
    let mut alice = logged.server.user("alice");
    let url = format!("http://127.0.0.1:{}{long}", free_port());
    alice.call("setServerParams", json!({"signature": "x", "url": url}));
    assert_eq!(alice.until("onServerParamsSetResult")["code"], json!(200));
    alice.call("sendServerMessage", json!({"message": "x"}));
    let line = logged.log.until(&["WARN rts::app_server: "]);
    assert!(line.contains(&format!("{}… ", &long[..128])), "{line}");
    let request = format!(
        "POST /?Action={}&Version=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        &long[1..]
    );
    let mut stream = TcpStream::connect(logged.openapi.strip_prefix("http://").expect("a url"))
        .expect("a listening server");
    stream.write_all(request.as_bytes()).expect("an open connection");
    stream.read_to_end(&mut Vec::new()).expect("an answer");
    let line = logged.log.until(&["rts::openapi: OpenAPI refused"]);
    let longest = line.split(|c| c != 'x').map(str::len).max().expect("a part");
    assert!((1..=128).contains(&longest), "{line}");
}
