//! Every error code: a request that causes it, and a similar one that is accepted.

use rts_openapi::Action;
use serde_json::{Value, json};

use crate::support::{APP_ID, Answer, BEARER, OTHER_APP, SECRET, World, to_bob};

const TARGET: &str = "/?Action=SendUnicast&Version=2023-07-20";

async fn post(world: &World, target: &str, authorization: &str, body: &str) -> Answer {
    world.http("POST", target, &[("Authorization", authorization)], body.as_bytes()).await
}

fn is(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.error(), (status, code.to_owned()), "{answer:?}");
}

fn changed(name: &str, value: Value) -> Value {
    let mut body = to_bob();
    body[name] = value;
    body
}

#[tokio::test]
async fn authentication_errors() {
    let world = World::start().await;
    let body = to_bob().to_string();
    world.http("POST", TARGET, &[("authorization", BEARER)], body.as_bytes()).await.result();
    let answer = world.http("POST", TARGET, &[], body.as_bytes()).await;
    is(&answer, 401, "MissingAuthenticationToken");
    for (authorization, code) in [
        ("", "InvalidAuthorization"),
        ("Basic dXNlcjpwYXNzd29yZA==", "InvalidAuthorization"),
        ("HMAC-SHA256 Credential=x", "InvalidAuthorization"),
        ("Bearer ", "InvalidAuthorization"),
        ("Bearer the-bearer-key-of-this-tess", "InvalidAccessKey"),
        ("Bearer the-bearer-key-of-this-test-", "InvalidAccessKey"),
        ("Bearer the-bearer-key-of-this-tes", "InvalidAccessKey"),
    ] {
        is(&post(&world, TARGET, authorization, &body).await, 401, code);
    }
    let good_form = format!(
        "HMAC-SHA256 Credential=AKLTother/20231114/cn-north-1/rtc/request, SignedHeaders=, \
         Signature={}",
        "0".repeat(64)
    );
    is(&post(&world, TARGET, &good_form, &body).await, 401, "InvalidAccessKey");
}

#[tokio::test]
async fn signature_must_match_and_be_recent() {
    let world = World::start().await;
    for clock in [0, -890, 890] {
        world.ask_signed(SECRET, clock, to_bob()).await.result();
    }
    for clock in [-910, 910] {
        is(&world.ask_signed(SECRET, clock, to_bob()).await, 400, "InvalidTimestamp");
    }
    let answer = world.ask_signed("the-secret-key-of-this-tess", 0, to_bob()).await;
    is(&answer, 401, "SignatureDoesNotMatch");
    assert_eq!(answer.json()["ResponseMetadata"]["Region"], json!("cn-north-1"));
}

#[tokio::test]
async fn unauthenticated_request_has_no_effect() {
    let world = World::start().await;
    let mut bob = world.log_in("bob").await;
    world.ask_signed("the-secret-key-of-this-tess", 0, changed("Message", json!("forged"))).await;
    let body = changed("Message", json!("forged")).to_string();
    post(&world, TARGET, "Bearer the-bearer-key-of-this-tess", &body).await;
    world.ask(Action::SendUnicast, to_bob()).await.result();
    let rts_transport_tokio::Event::MessageReceived { payload, .. } = bob.next().await else {
        panic!("a message")
    };
    assert_eq!(payload, rts_transport_tokio::Payload::text("hi bob"));
}

#[tokio::test]
async fn action_and_version_errors() {
    let world = World::start().await;
    let body = to_bob().to_string();
    for target in ["/", "/?", "/?Version=2023-07-20", "/?Action=SendUnicast", "/?Action=&Version=x"]
    {
        is(&post(&world, target, BEARER, &body).await, 400, "MissingParameter");
    }
    for target in [
        "/?Action=SendUnicast&Version=2023-11-01",
        "/?Action=SendUnicasts&Version=2023-07-20",
        "/?Action=GetRoomOnlineUsers&Version=2023-11-01",
    ] {
        is(&post(&world, target, BEARER, &body).await, 404, "InvalidActionOrVersion");
    }
    for method in ["GET", "PUT", "DELETE"] {
        let answer = world.http(method, TARGET, &[("Authorization", BEARER)], b"").await;
        is(&answer, 404, "InvalidActionOrVersion");
    }
}

#[tokio::test]
async fn app_errors() {
    let world = World::start().await;
    let answer = world.ask(Action::SendUnicast, changed("AppId", json!(OTHER_APP))).await;
    is(&answer, 403, "AccessDenied");
    for unknown in ["0".repeat(24), "short".to_owned()] {
        let answer = world.ask(Action::SendUnicast, changed("AppId", json!(unknown))).await;
        is(&answer, 400, "InvalidParameter.NotExistAppId");
    }
}

#[tokio::test]
async fn body_and_field_errors() {
    let world = World::start().await;
    is(&post(&world, TARGET, BEARER, "").await, 400, "InvalidParameter.BodyIsEmpty");
    is(&post(&world, TARGET, BEARER, "{").await, 400, "InvalidParameter.Unmarshal");
    for (name, value, code) in [
        ("To", Value::Null, "MissingParameter"),
        ("To", json!("a b"), "InvalidParameter.IllegalTo"),
        ("From", json!(""), "InvalidParameter.IllegalFrom"),
        ("Binary", json!(1), "InvalidParameter.Unmarshal"),
    ] {
        is(&world.ask(Action::SendUnicast, changed(name, value)).await, 400, code);
    }
    let room = json!({"AppId": APP_ID, "RoomId": "a.b", "From": "system", "Message": "hi"});
    let answer = world.ask(Action::SendBroadcast, room).await;
    is(&answer, 400, "InvalidParameter.IllegalRoomID");
}

#[tokio::test]
async fn body_sizes_at_the_limit() {
    let world = World::start().await;
    let over = "InvalidParameter.SizeOverLimit";
    let text = |count: usize| json!("x".repeat(count));
    world.ask(Action::SendUnicast, changed("Message", text(65_536))).await.result();
    is(&world.ask(Action::SendUnicast, changed("Message", text(65_537))).await, 400, over);
    // The longest JSON encoding of the largest text.
    let escaped = to_bob().to_string().replace("hi bob", &"\\u0000".repeat(65_536));
    post(&world, TARGET, BEARER, &escaped).await.result();

    let blank = " ".repeat(512 * 1_024);
    is(&post(&world, TARGET, BEARER, &blank).await, 400, "InvalidParameter.BodyIsEmpty");
    is(&post(&world, TARGET, BEARER, &format!("{blank} ")).await, 400, over);

    let batch = |users: usize, bytes: usize| {
        let to: Vec<_> = (0..users).map(|number| format!("user-{number}")).collect();
        json!({"AppId": APP_ID, "RoomId": "lobby", "From": "system", "To": to,
            "Message": "x".repeat(bytes)})
    };
    let send = Action::BatchSendRoomUnicast;
    let many = "InvalidParameter.UserCountOverLimit";
    is(&world.ask(send, batch(601, 1)).await, 400, many);
    is(&world.ask(send, batch(1, 20_481)).await, 400, over);
    world.ask(send, batch(1, 20_480)).await.result();
}

#[tokio::test]
async fn rates_of_app_and_room() {
    let over = "FlowLimitExceeded.QPSOverLimit";
    // The rate is so low that no token is added during the test.
    let world = World::start_with("\n[limits]\nbackend_sends_per_second = 1").await;
    let to: Vec<_> = (0..600).map(|number| format!("user-{number}")).collect();
    let batch = json!({"AppId": APP_ID, "RoomId": "lobby", "From": "system", "To": to,
        "Message": "x"});
    world.ask(Action::BatchSendRoomUnicast, batch.clone()).await.result();
    is(&world.ask(Action::BatchSendRoomUnicast, batch).await, 429, over);

    let world = World::start_with("\n[limits]\nroom_broadcasts_per_second = 1").await;
    let mut bob = world.log_in("bob").await;
    let _room = bob.join("lobby").await;
    let body = json!({"AppId": APP_ID, "RoomId": "lobby", "From": "system", "Message": "x"});
    let mut refused = None;
    for _ in 0..100 {
        let answer = world.ask(Action::SendBroadcast, body.clone()).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    is(&refused.expect("a hundred requests take less than a hundred seconds"), 429, over);
}
