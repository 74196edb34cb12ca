//! Plain paths are equivalent to actions.

use rts_openapi::{Action, Call, Error, ErrorCode, Method, Query, Route};
use serde_json::{Value, json};

const APP_ID: &str = "123456781234567812345678";

/// The fields of all actions.
fn full() -> Value {
    json!({"AppId": APP_ID, "RoomId": "lobby", "From": "system", "To": "bob@x", "UserId": "bob@x",
        "UserIds": ["bob@x"], "Message": "hi", "ForbiddenInterval": 60})
}

fn query_of(fields: &Value) -> Query {
    let fields = fields.as_object().expect("an object").iter();
    Query::of(fields.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))))
}

fn as_action(action: Action, fields: &Value) -> Result<Call, Error> {
    match action.method() {
        Method::Get => Call::parse(action, &query_of(fields), b""),
        Method::Post => Call::parse(action, &Query::default(), fields.to_string().as_bytes()),
    }
}

fn as_route(method: Method, path: &str, fields: &Value) -> Result<Call, Error> {
    let route = Route::find(method, path).unwrap_or_else(|| panic!("{path} is not a route"));
    match method {
        Method::Get => route.parse(&query_of(fields), b""),
        Method::Post => route.parse(&Query::default(), fields.to_string().as_bytes()),
    }
}

/// The path with its parameters filled in, and the remaining fields.
fn filled(action: Action, at: &str) -> (String, Value) {
    let (mut path, mut rest) = (action.path().to_owned(), full());
    for (name, value) in full().as_object().expect("an object") {
        let wanted = format!("{{{name}}}");
        if path.contains(&wanted) {
            path = path.replace(&wanted, &value.as_str().expect("a text").replace('@', at));
            rest.as_object_mut().expect("an object").remove(name);
        }
    }
    (path, rest)
}

#[test]
fn each_action_has_an_equivalent_path() {
    for action in Action::ALL {
        for at in ["@", "%40"] {
            let (path, rest) = filled(action, at);
            let route = Route::find(action.method(), &path).expect("a route");
            assert_eq!(route.action, action, "{path}");
            let call = as_route(action.method(), &path, &rest).expect("all is there");
            assert_eq!(call, as_action(action, &full()).expect("all is there"), "{path}");
        }
    }
}

#[test]
fn method_and_path_are_unique() {
    for action in Action::ALL {
        let (path, _) = filled(action, "@");
        let other = if action.method() == Method::Get { Method::Post } else { Method::Get };
        let found = Route::find(other, &path).map(|route| route.action);
        assert_ne!(found, Some(action), "{path}");
        for path in
            [format!("{path}/"), format!("{path}/x"), format!("/{path}"), path.to_uppercase()]
        {
            assert_eq!(Route::find(action.method(), &path), None, "{path}");
        }
    }
    for path in ["/", "", "/v1", "/v1/", "/v2/messages"] {
        assert_eq!(Route::find(Method::Post, path), None, "{path}");
    }
}

#[test]
fn path_parameters_are_checked_like_fields() {
    let body = json!({"AppId": APP_ID, "From": "system", "Message": "hi"});
    let code = |path: &str, body: &Value| as_route(Method::Post, path, body).expect_err(path).code;
    assert_eq!(code("/v1/rooms/a.b/messages", &body), ErrorCode::IllegalRoomId);
    assert_eq!(code("/v1/rooms//messages", &body), ErrorCode::IllegalRoomId);
    assert_eq!(code("/v1/rooms/a%2Fb/messages", &body), ErrorCode::IllegalRoomId);
    assert_eq!(code("/v1/rooms/lobby/members/a+b/messages", &body), ErrorCode::IllegalTo);
    assert_eq!(code("/v1/rooms/lobby/dismiss", &json!({})), ErrorCode::MissingParameter);
    let route = Route::find(Method::Post, "/v1/rooms/lobby/messages").expect("a route");
    for (body, code) in [
        (&b""[..], ErrorCode::BodyIsEmpty),
        (b" ", ErrorCode::BodyIsEmpty),
        (b"[]", ErrorCode::Unmarshal),
        (b"{", ErrorCode::Unmarshal),
    ] {
        assert_eq!(route.parse(&Query::default(), body).expect_err("refused").code, code);
    }
}

#[test]
fn other_fields_may_not_contradict_the_path() {
    let mut body = json!({"AppId": APP_ID, "RoomId": "lobby", "From": "system", "Message": "hi"});
    as_route(Method::Post, "/v1/rooms/lobby/messages", &body).expect("the same twice");
    body["RoomId"] = json!("other");
    let refused = as_route(Method::Post, "/v1/rooms/lobby/messages", &body).expect_err("which?");
    assert_eq!(refused.code, ErrorCode::Unmarshal);
    assert!(refused.message.starts_with("RoomId is in the path"), "{refused}");
    let refused = as_route(Method::Get, "/v1/rooms/lobby/members", &body).expect_err("which?");
    assert_eq!(refused.code, ErrorCode::Unmarshal);
    body["RoomId"] = json!("lobby");
    as_route(Method::Get, "/v1/rooms/lobby/members", &body).expect("the same twice");
}
