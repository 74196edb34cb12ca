//! HTTP of the OpenAPI: other resources than actions, and rules for connections.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{BEARER, World, to_bob};

#[tokio::test]
async fn health_document_and_page_need_no_key() {
    let world = World::start().await;
    let health = world.http("GET", "/health", &[], b"").await;
    assert_eq!((health.status, health.body.as_str()), (200, r#"{"status":"ok"}"#));

    let document = world.http("GET", "/openapi.json", &[], b"").await.json();
    assert_eq!(document["openapi"].as_str().map(|version| &version[..2]), Some("3."));
    let paths = document["paths"].as_object().expect("paths");

    let page = world.http("GET", "/docs", &[], b"").await;
    assert!(page.head.contains("text/html"), "{}", page.head);
    assert!(page.head.contains("default-src 'none'"), "{}", page.head);
    assert!(
        !page.body.contains("http://") && !page.body.contains("https://"),
        "the page loads no resources"
    );
    for path in paths.keys() {
        assert!(page.body.contains(&path.replace('&', "&amp;")), "{path}");
    }
    for field in ["ForbiddenInterval", "VisibleUserList", "UserIds", "Receivers"] {
        assert!(page.body.contains(&format!("<code>{field}</code>")), "{field}");
    }
    for bound in ["1 to 600 of them", "integer, 1 to 1000", "string, 1 to 128 characters"] {
        assert!(page.body.contains(bound), "{bound}");
    }
    assert!(!page.body.contains('`'), "backticks become code elements");
}

#[tokio::test]
async fn unknown_path_is_404() {
    let world = World::start().await;
    for target in ["/other", "/health/", "/docs/x"] {
        assert_eq!(world.http("GET", target, &[], b"").await.status, 404, "{target}");
    }
}

#[tokio::test]
async fn connection_carries_requests_in_sequence() {
    let world = World::start().await;
    let mut stream = TcpStream::connect(world.openapi).await.expect("a listening server");
    let request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(&request.repeat(3)).await.expect("an open connection");
    let mut heard = String::new();
    while heard.matches(r#"{"status":"ok"}"#).count() < 3 {
        let mut buffer = [0; 1_024];
        let count = stream.read(&mut buffer).await.expect("an answer");
        assert_ne!(count, 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}

#[tokio::test]
async fn malformed_request_gets_4xx_or_close() {
    let world = World::start().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000));
    for bytes in [&b"\0\0\0\0\r\n\r\n"[..], b"GET / HTTP/9.9\r\n\r\n", long.as_bytes()] {
        let mut stream = TcpStream::connect(world.openapi).await.expect("a listening server");
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let health: Value = world.http("GET", "/health", &[], b"").await.json();
    assert_eq!(health["status"], "ok");
}

/// The answer to these bytes.
async fn raw(world: &World, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.openapi).await.expect("a listening server");
    stream.write_all(bytes).await.expect("an open connection");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

/// A request with a message to bob, this target, and these additional header lines.
fn message(target: &str, lines: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\n{lines}Authorization: {BEARER}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn ambiguous_head_is_refused_without_effect() {
    let world = World::start().await;
    let mut bob = world.log_in("bob").await;
    let target = "/?Action=SendUnicast&Version=2023-07-20";
    let whole = |host: &str| format!("http://{host}{target}");
    let body = to_bob().to_string();
    for (target, lines, wanted) in [
        (target, "Host: x\r\n", "200"),
        (target, "Host: [::1]:7601\r\n", "200"),
        (target, "", "400 Bad Request"),
        (target, "Host: x\r\nHost: x\r\n", "400 Bad Request"),
        (target, "Host: x\r\nhost: y\r\n", "400 Bad Request"),
        (target, "Host: x, y\r\n", "400 Bad Request"),
        (target, "Host: x/y\r\n", "400 Bad Request"),
        (target, "Host: user@x\r\n", "400 Bad Request"),
        (target, "Host:\r\n", "400 Bad Request"),
        (target, "Host: x:\r\n", "200"),
        (target, "Host: x:65535\r\n", "200"),
        (target, "Host: x:65536\r\n", "400 Bad Request"),
        (target, "Host: x:http\r\n", "400 Bad Request"),
        (target, "Host: ::1\r\n", "400 Bad Request"),
        (target, "Host: [::1\r\n", "400 Bad Request"),
        (&whole("x"), "Host: x\r\n", "200"),
        (&whole("X:80"), "Host: x\r\n", "200"),
        (&whole("y"), "Host: x\r\n", "400 Bad Request"),
        (&whole("x:81"), "Host: x\r\n", "400 Bad Request"),
        (&whole("x:443"), "Host: x\r\n", "400 Bad Request"),
        (&format!("https://x:443{target}"), "Host: x\r\n", "200"),
        (&whole("user@x"), "Host: x\r\n", "400 Bad Request"),
        (&format!("ftp://x{target}"), "Host: x\r\n", "400 Bad Request"),
        (target, "Host: x\r\nAuthorization: Bearer other\r\n", "400 Bad Request"),
        (target, &format!("Host: x\r\nauthorization: {BEARER}\r\n"), "400 Bad Request"),
        (target, "Host: x\r\nContent-Encoding: gzip\r\n", "415 "),
        (target, "Host: x\r\nContent-Encoding: identity, br\r\n", "415 "),
        (target, "Host: x\r\nContent-Encoding: identity\r\nContent-Encoding: zstd\r\n", "415 "),
        (target, "Host: x\r\nContent-Encoding: identity\r\n", "200"),
    ] {
        let answer = raw(&world, message(target, lines, &body).as_bytes()).await;
        let line = format!("HTTP/1.1 {wanted}");
        assert!(answer.starts_with(&line), "{target} {lines:?}: {answer}");
        assert!(
            answer.contains("\"Code\":\"InvalidRequest") != wanted.starts_with("200"),
            "{answer}"
        );
        if wanted.starts_with("200") {
            let next = bob.next().await;
            assert!(matches!(next, rts_transport_tokio::Event::MessageReceived { .. }), "{next:?}");
        }
    }
    let gzip = message(target, "Host: x\r\nContent-Encoding: gzip\r\n", "x");
    let answer = raw(&world, gzip.as_bytes()).await;
    assert!(answer.contains("Content-Encoding: a body is not compressed"));
    // HTTP/1.0 has no `Host`.
    let old = message(target, "", &body).replace("HTTP/1.1", "HTTP/1.0");
    assert!(raw(&world, old.as_bytes()).await.starts_with("HTTP/1.0 200"));
}

#[tokio::test]
async fn body_is_plain_or_chunked_only() {
    let world = World::start().await;
    let body = to_bob().to_string();
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (coding, wanted) in [
        ("chunked", "200"),
        ("Chunked", "200"),
        ("gzip, chunked", "501"),
        ("gzip\r\nTransfer-Encoding: chunked", "501"),
        ("identity, chunked", "501"),
        ("gzip", "4"),
        ("chunked, gzip", "4"),
    ] {
        let request = format!(
            "POST /?Action=SendUnicast&Version=2023-07-20 HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER}\r\n\
             Connection: close\r\nTransfer-Encoding: {coding}\r\n\r\n{chunked}"
        );
        let answer = raw(&world, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted}")), "{coding}: {answer}");
    }
}

#[tokio::test]
async fn body_with_two_lengths_is_refused_without_effect() {
    let world = World::start().await;
    let mut bob = world.log_in("bob").await;
    let body = to_bob().to_string();
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let request = |lines: &str| {
        format!(
            "POST /?Action=SendUnicast&Version=2023-07-20 HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER}\r\n\
             {lines}\r\n{chunked}"
        )
    };
    let (coding, length) = ("Transfer-Encoding: chunked\r\n", "content-length: 5\r\n");
    for lines in [[coding, length].concat(), [length, coding].concat()] {
        // The second case follows a valid request on the connection.
        for before in ["", "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"] {
            let answer = raw(&world, format!("{before}{}", request(&lines)).as_bytes()).await;
            let refusals = answer.matches("HTTP/1.1 400 Bad Request").count();
            assert_eq!(refusals, 1, "{lines:?}: {answer}");
            assert!(answer.contains("both say where the body ends"), "{answer}");
        }
    }
    // The connection closes after a chunked body, so a request behind it is not read.
    let answer = raw(&world, request(coding).repeat(2).as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    let once = bob.next().await;
    assert!(matches!(once, rts_transport_tokio::Event::MessageReceived { .. }), "{once:?}");
    // The refused requests sent no message.
    let last = to_bob().to_string().replace("hi bob", "the last");
    let target = "/?Action=SendUnicast&Version=2023-07-20";
    raw(&world, message(target, "Host: x\r\n", &last).as_bytes()).await;
    let rts_transport_tokio::Event::MessageReceived { payload, .. } = bob.next().await else {
        panic!("a message")
    };
    assert_eq!(payload, rts_transport_tokio::Payload::text("the last"));
}
