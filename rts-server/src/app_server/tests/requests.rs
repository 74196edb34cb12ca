//! Requests to app servers, byte for byte.

use rts_proto::Payload;

use super::Poster;
use super::peer::Peer;
use crate::AppServer;

const OK: &str = "HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n";

async fn request_for(
    app_server: impl Fn(u16) -> AppServer,
    path: &str,
    payload: Payload,
) -> String {
    let mut peer = Peer::says(OK).await;
    let port = peer.address.port();
    let poster = Poster::new(app_server(port));
    poster.network.name("app.test", &[&["127.0.0.1"]]);
    let url = format!("http://app.test:{port}/rts{path}");
    poster.post(&url, payload).outcome().await;
    peer.request().await.replace(&port.to_string(), "PORT")
}

#[tokio::test]
async fn text_post_has_three_fields_and_no_extra_header() {
    let request = request_for(super::listing, "/in?room=1", Payload::text("hi \"bob\"")).await;
    assert_eq!(
        request,
        "POST /rts/in?room=1 HTTP/1.1\r\n\
         host: app.test:PORT\r\n\
         content-type: text/plain; charset=utf-8\r\n\
         connection: close\r\n\
         content-length: 64\r\n\
         \r\n\
         {\"message\":\"hi \\\"bob\\\"\",\"binary\":false,\"signature\":\"sïgnature\"}"
    );
}

#[tokio::test]
async fn bytes_are_posted_as_base64() {
    let request = request_for(super::listing, "", Payload::binary(vec![0, 255, 13, 10])).await;
    let (_, body) = request.split_once("\r\n\r\n").expect("a body");
    assert_eq!(body, "{\"message\":\"AP8NCg==\",\"binary\":true,\"signature\":\"sïgnature\"}");
}

#[tokio::test]
async fn message_cannot_escape_the_json_body() {
    let text = "x\r\nHost: evil\r\n\r\nGET / HTTP/1.1\r\n\0\u{2028}\u{7f}";
    let request = request_for(super::listing, "", Payload::text(text)).await;
    let (head, body) = request.split_once("\r\n\r\n").expect("a body");
    assert_eq!(head.lines().count(), 5);
    assert!(!body.contains(['\r', '\n', '\0']), "{body:?}");
    let value: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(value["message"], text);
}

#[tokio::test]
async fn content_type_is_configurable() {
    let json = |port| AppServer {
        content_type: "application/json".parse().expect("a media type"),
        ..super::listing(port)
    };
    let request = request_for(json, "", Payload::text("x")).await;
    assert!(request.contains("\r\ncontent-type: application/json\r\n"), "{request}");
}

#[tokio::test]
async fn signed_post_has_one_more_header_with_fresh_nonce() {
    let signed = |port| AppServer {
        forwarding_key: Some("forwarding key".parse().expect("a key")),
        ..super::listing(port)
    };
    let mut headers = Vec::new();
    for _ in 0..2 {
        let request = request_for(signed, "", Payload::text("x")).await;
        let (head, _) = request.split_once("\r\n\r\n").expect("a body");
        assert_eq!(head.lines().count(), 6, "{head}");
        let header = head.lines().find_map(|line| line.strip_prefix("rts-signature: "));
        let header = header.expect("it is signed").to_owned();
        assert!(header.contains(",uid=alice,id=7,v1="), "{header}");
        assert!(!request.contains("forwarding key"));
        headers.push(header);
    }
    assert_ne!(headers[0], headers[1], "the nonce differs");
}

#[tokio::test]
async fn cookies_are_not_kept() {
    let mut peer = Peer::says(OK).await;
    let poster = Poster::listing(peer.address.port());
    for _ in 0..2 {
        poster.outcome(&peer.url()).await;
        assert!(!peer.request().await.contains("cookie"));
    }
}
