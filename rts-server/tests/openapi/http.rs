//! What is served beside the actions, and what a connection may do.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::World;

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
    assert!(!page.body.contains("http://") && !page.body.contains("https://"), "it loads nothing");
    for path in paths.keys() {
        assert!(page.body.contains(&path.replace('&', "&amp;")), "{path}");
    }
    for field in ["ForbiddenInterval", "VisibleUserList", "UserIds", "Receivers"] {
        assert!(page.body.contains(&format!("<code>{field}</code>")), "{field}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::start().await;
    for target in ["/other", "/health/", "/docs/x"] {
        assert_eq!(world.http("GET", target, &[], b"").await.status, 404, "{target}");
    }
}

#[tokio::test]
async fn a_connection_carries_one_request_after_the_other() {
    let world = World::start().await;
    let mut stream = TcpStream::connect(world.openapi).await.expect("it listens");
    let request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(&request.repeat(3)).await.expect("it reads");
    let mut heard = String::new();
    while heard.matches(r#"{"status":"ok"}"#).count() < 3 {
        let mut buffer = [0; 1_024];
        let count = stream.read(&mut buffer).await.expect("it answers");
        assert_ne!(count, 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}

#[tokio::test]
async fn what_is_no_request_is_answered_or_closed() {
    let world = World::start().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000));
    for bytes in [&b"\0\0\0\0\r\n\r\n"[..], b"GET / HTTP/9.9\r\n\r\n", long.as_bytes()] {
        let mut stream = TcpStream::connect(world.openapi).await.expect("it listens");
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let health: Value = world.http("GET", "/health", &[], b"").await.json();
    assert_eq!(health["status"], "ok");
}
