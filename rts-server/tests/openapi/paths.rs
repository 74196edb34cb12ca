//! Plain paths beside the actions, with the same keys, checks and answers.

use rts_openapi::signature::{Parts, sign};
use rts_openapi::{Method, Query};
use rts_transport_tokio::{Event, Payload};
use serde_json::{Value, json};

use crate::support::{ACCESS_KEY, APP_ID, Answer, BEARER, OTHER_APP, SECRET, World, unix_now};

async fn post(world: &World, path: &str, body: &Value) -> Answer {
    world.http("POST", path, &[("Authorization", BEARER)], body.to_string().as_bytes()).await
}

#[tokio::test]
async fn message_by_path_is_answered_like_its_action() {
    let world = World::start().await;
    let mut bob = world.log_in("bob").await;
    let body = json!({"AppId": APP_ID, "From": "system", "To": "bob", "Message": "hi bob"});
    let answer = post(&world, "/v1/messages", &body).await;
    assert_eq!(answer.result(), json!({"Message": "success", "Receivers": 1}));
    let metadata = &answer.json()["ResponseMetadata"];
    assert_eq!(
        (&metadata["Action"], &metadata["Version"]),
        (&json!("SendUnicast"), &json!("2023-07-20"))
    );
    let Event::MessageReceived { payload, .. } = bob.next().await else { panic!("a message") };
    assert_eq!(payload, Payload::text("hi bob"));
}

#[tokio::test]
async fn room_by_path_is_listed_and_member_put_out() {
    let world = World::start().await;
    let mut bob = world.log_in("bob").await;
    let _room = bob.join("lobby").await;
    let target = format!("/v1/rooms/lobby/members?AppId={APP_ID}");
    let members = world.http("GET", &target, &[("Authorization", BEARER)], b"").await;
    assert_eq!(members.result()["VisibleUserList"], json!(["bob"]));
    let kick = post(&world, "/v1/rooms/lobby/members/bob/kick", &json!({"AppId": APP_ID})).await;
    assert_eq!(kick.result(), json!({"Message": "success", "Members": 1}));
    assert_eq!(bob.room_state().await, -1006);
}

#[tokio::test]
async fn signature_covers_the_path_in_any_escaping() {
    let world = World::start().await;
    let body = json!({"AppId": APP_ID, "From": "system", "Message": "hi"}).to_string();
    let query = Query::parse("");
    let headers = [("host".to_owned(), world.openapi.to_string())];
    let (signed_path, other_path) = ("/v1/rooms/a@b/messages", "/v1/rooms/a@c/messages");
    let parts = Parts {
        method: Method::Post,
        path: signed_path,
        query: &query,
        headers: &headers,
        body: body.as_bytes(),
    };
    let signed = sign(&parts, ACCESS_KEY, SECRET, "cn-north-1", unix_now());
    let headers: Vec<_> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for path in [signed_path, "/v1/rooms/a%40b/messages"] {
        let answer = world.http("POST", path, &headers, body.as_bytes()).await;
        assert_eq!(answer.result()["Receivers"], json!(0), "{path}");
    }
    let answer = world.http("POST", other_path, &headers, body.as_bytes()).await;
    assert_eq!(answer.error(), (401, "SignatureDoesNotMatch".to_owned()));
}

#[tokio::test]
async fn path_errors_equal_action_errors() {
    let world = World::start().await;
    let body = json!({"AppId": APP_ID, "From": "system", "To": "bob", "Message": "hi"});
    let error = |status: u16, code: &str| (status, code.to_owned());
    let stranger = world.http("POST", "/v1/messages", &[], body.to_string().as_bytes()).await;
    assert_eq!(stranger.error(), error(401, "MissingAuthenticationToken"));
    for path in ["/v1/x", "/v1/message", "/v1/messages/", "/v1/rooms/lobby/members"] {
        let answer = post(&world, path, &body).await;
        assert_eq!(answer.error(), error(404, "InvalidActionOrVersion"), "{path}");
    }
    let put = world.http("PUT", "/v1/messages", &[("Authorization", BEARER)], b"").await;
    assert_eq!(put.error(), error(404, "InvalidActionOrVersion"));
    let other = json!({"AppId": OTHER_APP, "From": "system", "To": "bob", "Message": "hi"});
    assert_eq!(post(&world, "/v1/messages", &other).await.error(), error(403, "AccessDenied"));
    let bad = post(&world, "/v1/rooms/a.b/dismiss", &json!({"AppId": APP_ID})).await;
    assert_eq!(bad.error(), error(400, "InvalidParameter.IllegalRoomID"));
}
