//! The example app server does what its documentation says.

#[path = "../examples/app_server.rs"]
#[expect(dead_code, reason = "it has a main of its own")]
mod app_server;

use std::net::SocketAddr;

use rts_server::{Config, DEV_APP_ID, DEV_APP_KEY, OpenApi, Server};
use rts_token::{AppKey, Expiry, Token};
use rts_transport_tokio::{Engine, Event, Events, Payload, SendCode, ServerParamsCode, connect};
use tokio::net::TcpListener;

async fn start_app_server(openapi: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    tokio::spawn(app_server::run(listener, openapi.to_string()));
    address
}

/// A development server with its OpenAPI, the example, and alice, who posts to the example.
async fn start() -> (Engine, Events) {
    let mut config = Config::development("127.0.0.1:0".parse().expect("an address"));
    config.openapi = Some(OpenApi::development("127.0.0.1:0".parse().expect("an address")));
    let server = Server::bind(&config).await.expect("a listening server");
    let url = format!("rts://{}", server.local_addr());
    let app_server = start_app_server(server.openapi_addr().expect("a listening server")).await;
    tokio::spawn(server.run(std::future::pending()));

    let alice = connect(&url, DEV_APP_ID).expect("an engine");
    let mut events = alice.events();
    let key = AppKey::new(DEV_APP_KEY).expect("a key");
    let token = Token::new(DEV_APP_ID, "alice", Expiry::Never).expect("a user id").sign(&key);
    alice.login(&token, "alice").expect("accepted");
    while !matches!(events.next().await, Some(Event::LoginResult { .. })) {}
    alice.set_server_params("alice", &format!("http://{app_server}/rts"));
    while events.next().await != Some(Event::ServerParamsSetResult(ServerParamsCode::Ok)) {}
    (alice, events)
}

#[tokio::test]
async fn answers_texts_in_capitals_and_bytes_with_their_count() {
    let (alice, _events) = start().await;
    let answer = alice.send_server_message("hello").expect("accepted").await;
    assert_eq!((answer.code, &*answer.reply), (SendCode::Ok, &b"HELLO"[..]));
    let answer = alice.send_server_binary_message(vec![0, 255, 13, 10]).expect("accepted").await;
    assert_eq!((answer.code, &*answer.reply), (SendCode::Ok, &b"4 bytes"[..]));
    let longest = "\0".repeat(65_536);
    let answer = alice.send_server_message(&*longest).expect("accepted").await;
    assert_eq!((answer.code, answer.reply.len()), (SendCode::Ok, longest.len()));
}

#[tokio::test]
async fn pushes_to_user_through_openapi() {
    let (alice, mut events) = start().await;
    let answer = alice.send_server_message("push hello yourself").expect("accepted").await;
    assert_eq!(&*answer.reply, b"HTTP/1.1 200 OK");
    loop {
        if let Event::MessageReceived { from, payload } =
            events.next().await.expect("the engine runs")
        {
            assert_eq!((from.as_str(), payload), ("app-server", Payload::text("hello yourself")));
            return;
        }
    }
}
