//! Parsing of requests: accepted ones, and the error codes of refused ones.

use std::time::Duration;

use rts_openapi::{Action, Call, Command, Error, ErrorCode, Method, Query};
use rts_proto::server::{Ban, CommandError};
use rts_proto::{Payload, RoomId, UserId};
use serde_json::{Value, json};

const APP_ID: &str = "123456781234567812345678";

fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("well formed")
}

fn lobby() -> RoomId {
    RoomId::new("lobby").expect("well formed")
}

/// A request with the fields of all actions.
fn full() -> Value {
    json!({"AppId": APP_ID, "RoomId": "lobby", "From": "system", "To": "bob", "UserId": "bob",
        "UserIds": ["bob"], "Message": "hi"})
}

fn parse(action: Action, body: &Value) -> Result<Command, Error> {
    let query = match action.method() {
        Method::Get => {
            let object = body.as_object().expect("an object").iter();
            let texts = object.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())));
            Query::of(texts)
        }
        Method::Post => Query::default(),
    };
    Call::parse(action, &query, body.to_string().as_bytes()).map(|call| {
        assert_eq!(call.app_id.as_str(), APP_ID);
        call.command
    })
}

/// The full request with one field changed or removed.
fn with(action: Action, name: &str, value: Value) -> Result<Command, Error> {
    let mut body = full();
    match value {
        Value::Null => drop(body.as_object_mut().expect("an object").remove(name)),
        value => body[name] = value,
    }
    parse(action, &body)
}

fn code(result: Result<Command, Error>) -> ErrorCode {
    result.expect_err("refused").code
}

#[test]
fn parses_each_action() {
    let (to, room, from) = (user("bob"), lobby(), user("system"));
    let payload = Payload::text("hi");
    let read = |action| parse(action, &full()).expect("taken");
    let unicast = Command::Unicast { from: from.clone(), to: to.clone(), payload: payload.clone() };
    assert_eq!(read(Action::SendUnicast), unicast);
    let broadcast =
        Command::Broadcast { room: room.clone(), from: from.clone(), payload: payload.clone() };
    assert_eq!(read(Action::SendBroadcast), broadcast);
    let in_room = Command::RoomUnicast { room: room.clone(), from, to: vec![to.clone()], payload };
    assert_eq!(read(Action::SendRoomUnicast), in_room);
    assert_eq!(read(Action::BatchSendRoomUnicast), in_room);
    assert_eq!(with(Action::BatchSendRoomUnicast, "To", json!(["bob"])), Ok(in_room));
    let kick = Command::Kick { room: room.clone(), uid: to.clone(), interval: Duration::ZERO };
    assert_eq!(read(Action::KickUser), kick);
    let dismiss = Command::Dismiss { room: room.clone(), interval: Duration::ZERO };
    assert_eq!(read(Action::DismissRoom), dismiss);
    let ban = Ban::UserInRoom(room.clone(), to.clone());
    let lifted = Command::Unban { ban: ban.clone() };
    assert_eq!(read(Action::UnbanRoomUser), lifted);
    assert_eq!(read(Action::BanRoomUser), Command::Ban { ban, interval: Duration::ZERO });
    assert_eq!(read(Action::GetRoomOnlineUsers), Command::OnlineUsers { room });
    assert_eq!(read(Action::GetUserOnlineStatus), Command::Statuses { uids: vec![to.clone()] });
    assert_eq!(read(Action::DisconnectUser), Command::Disconnect { uid: to.clone() });
    let for_ever = Command::BanLogin { uid: to.clone(), interval: None };
    assert_eq!(read(Action::BanUser), for_ever);
    assert_eq!(read(Action::UnbanUser), Command::Unban { ban: Ban::Login(to.clone()) });
    let until_now = Command::Revoke { uid: Some(to), issued_before: None };
    assert_eq!(read(Action::RevokeTokens), until_now);
    assert_eq!(read(Action::ListUsers), Command::Users { after: None, limit: 100 });
    assert_eq!(read(Action::ListRooms), Command::Rooms { after: None, limit: 100 });
    assert_eq!(read(Action::GetStats), Command::Stats);
}

#[test]
fn ban_is_of_room_user_or_both() {
    let ban = |body: Value| match parse(Action::BanRoomUser, &body) {
        Ok(Command::Ban { ban, interval }) => Ok((ban, interval)),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.code),
    };
    let minute = Duration::from_secs(60);
    let both =
        json!({"AppId": APP_ID, "RoomId": "lobby", "UserId": "bob", "ForbiddenInterval": 60});
    assert_eq!(ban(both), Ok((Ban::UserInRoom(lobby(), user("bob")), minute)));
    let room = json!({"AppId": APP_ID, "RoomId": "lobby", "UserId": "", "ForbiddenInterval": 60});
    assert_eq!(ban(room), Ok((Ban::Room(lobby()), minute)));
    let everywhere = json!({"AppId": APP_ID, "UserId": "bob"});
    assert_eq!(ban(everywhere), Ok((Ban::User(user("bob")), Duration::ZERO)));
    assert_eq!(ban(json!({"AppId": APP_ID})), Err(ErrorCode::MissingParameter));
    let lifted = |body: Value| parse(Action::UnbanRoomUser, &body);
    let room = json!({"AppId": APP_ID, "RoomId": "lobby", "UserId": ""});
    assert_eq!(lifted(room), Ok(Command::Unban { ban: Ban::Room(lobby()) }));
    let everywhere = json!({"AppId": APP_ID, "UserId": "bob"});
    assert_eq!(lifted(everywhere), Ok(Command::Unban { ban: Ban::User(user("bob")) }));
    assert_eq!(code(lifted(json!({"AppId": APP_ID}))), ErrorCode::MissingParameter);
}

#[test]
fn login_ban_has_a_duration_or_lasts_until_lifted() {
    let ban = |seconds| with(Action::BanUser, "Seconds", seconds);
    let lasting = |interval| Ok(Command::BanLogin { uid: user("bob"), interval });
    assert_eq!(ban(json!(0)), lasting(None));
    assert_eq!(ban(json!(1)), lasting(Some(Duration::from_secs(1))));
    assert_eq!(ban(json!(u64::MAX)), lasting(Some(Duration::from_secs(u64::MAX))));
    assert_eq!(code(ban(json!(-1))), ErrorCode::Unmarshal);
    for action in [Action::DisconnectUser, Action::BanUser, Action::UnbanUser] {
        assert_eq!(code(with(action, "UserId", Value::Null)), ErrorCode::MissingParameter);
        assert_eq!(code(with(action, "UserId", json!("no user"))), ErrorCode::IllegalTo);
    }
}

#[test]
fn tokens_are_revoked_for_one_user_or_all() {
    let all = Command::Revoke { uid: None, issued_before: None };
    assert_eq!(with(Action::RevokeTokens, "UserId", Value::Null), Ok(all));
    let of_bob = with(Action::RevokeTokens, "IssuedBefore", json!(u32::MAX));
    let latest = Command::Revoke { uid: Some(user("bob")), issued_before: Some(u32::MAX) };
    assert_eq!(of_bob, Ok(latest));
    let later = with(Action::RevokeTokens, "IssuedBefore", json!(u64::from(u32::MAX) + 1));
    assert_eq!(code(later), ErrorCode::Unmarshal);
    // An empty id must not revoke the tokens of all users.
    assert_eq!(code(with(Action::RevokeTokens, "UserId", json!(""))), ErrorCode::IllegalTo);
}

#[test]
fn page_has_1_to_1_000_entries() {
    for action in [Action::ListUsers, Action::ListRooms] {
        for (limit, is_taken) in [(0, false), (1, true), (1_000, true), (1_001, false)] {
            let read = with(action, "Limit", json!(limit));
            match read {
                Ok(Command::Users { limit: read, .. } | Command::Rooms { limit: read, .. }) => {
                    assert!(is_taken && read == limit, "{limit}");
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => assert!(!is_taken && error.code == ErrorCode::SizeOverLimit),
            }
        }
        assert_eq!(with(action, "After", json!("")), with(action, "After", Value::Null));
        assert!(with(action, "After", json!("no id")).is_err());
    }
    let after = with(Action::ListUsers, "After", json!("bob"));
    assert_eq!(after, Ok(Command::Users { after: Some(user("bob")), limit: 100 }));
}

#[test]
fn list_parameters_are_in_query_or_body() {
    let wanted = Command::Users { after: Some(user("bob")), limit: 7 };
    let query = Query::parse(&format!("AppId={APP_ID}&After=bob&Limit=7"));
    let in_query = Call::parse(Action::ListUsers, &query, b" ").expect("taken");
    assert_eq!((in_query.app_id.as_str(), in_query.command), (APP_ID, wanted.clone()));
    let body = json!({"AppId": APP_ID, "After": "bob", "Limit": 7});
    assert_eq!(parse(Action::ListUsers, &body), Ok(wanted));
    let query = Query::parse(&format!("AppId={APP_ID}&Limit=seven"));
    let error = Call::parse(Action::ListUsers, &query, b"").expect_err("no number");
    assert_eq!(error.code, ErrorCode::Unmarshal);
    for action in [Action::ListUsers, Action::ListRooms, Action::GetStats] {
        assert!(action.takes(Method::Get) && action.takes(Method::Post));
    }
    assert!(!Action::GetRoomOnlineUsers.takes(Method::Post), "the contract has GET only");
    assert!(!Action::DisconnectUser.takes(Method::Get), "the action changes state");
}

#[test]
fn kick_with_interval_bans_and_outlives_restart() {
    for seconds in [0, 60] {
        let interval = Duration::from_secs(seconds);
        let kick = with(Action::KickUser, "ForbiddenInterval", json!(seconds)).expect("taken");
        assert_eq!(kick, Command::Kick { room: lobby(), uid: user("bob"), interval });
        assert_eq!(kick.outlives_restarts(), seconds > 0);
        assert_eq!(kick.interval(), (seconds > 0).then_some(interval));
    }
}

#[test]
fn bytes_are_base64() {
    let message = |text: &str| {
        let mut body = full();
        body["Binary"] = json!(true);
        body["Message"] = json!(text);
        parse(Action::SendUnicast, &body)
    };
    let bytes = |bytes: &'static [u8]| Command::Unicast {
        from: user("system"),
        to: user("bob"),
        payload: Payload::binary(bytes),
    };
    assert_eq!(message("AP8="), Ok(bytes(&[0, 255])));
    assert_eq!(message(""), Ok(bytes(&[])));
    for bad in ["AP8", "not base64!", "AP8=\n", "-_8="] {
        assert_eq!(code(message(bad)), ErrorCode::Unmarshal, "{bad:?}");
    }
}

/// Each required field: missing, of the wrong type, and with an invalid value.
#[test]
fn error_names_the_invalid_field() {
    use ErrorCode::{IllegalFrom, IllegalRoomId, IllegalTo, NotExistAppId};
    let room_actions = [
        Action::SendBroadcast,
        Action::SendRoomUnicast,
        Action::KickUser,
        Action::DismissRoom,
        Action::GetRoomOnlineUsers,
    ];
    let cases = Action::ALL
        .map(|action| (action, "AppId", "short", NotExistAppId))
        .into_iter()
        .chain(room_actions.map(|action| (action, "RoomId", "a.b", IllegalRoomId)))
        .chain([
            (Action::SendUnicast, "From", "a b", IllegalFrom),
            (Action::SendBroadcast, "From", "", IllegalFrom),
            (Action::SendRoomUnicast, "From", "ä", IllegalFrom),
            (Action::SendUnicast, "To", "", IllegalTo),
            (Action::SendRoomUnicast, "To", "a b", IllegalTo),
            (Action::KickUser, "UserId", "a b", IllegalTo),
        ]);
    for (action, name, bad, expected) in cases {
        let absent = with(action, name, Value::Null).expect_err(name);
        assert_eq!(absent.code, ErrorCode::MissingParameter, "{action:?} {name}");
        assert!(absent.message.contains(name), "{absent}");
        let refused = with(action, name, json!(bad)).expect_err(name);
        assert_eq!(refused.code, expected, "{action:?} {name}");
        assert!(refused.message.contains(name), "{refused}");
        if action.method() == Method::Post {
            let wrong = with(action, name, json!({"a": 1}));
            assert_eq!(code(wrong), ErrorCode::Unmarshal, "{action:?} {name}");
        }
    }
    for action in [Action::SendUnicast, Action::SendBroadcast, Action::SendRoomUnicast] {
        let absent = code(with(action, "Message", Value::Null));
        assert_eq!(absent, ErrorCode::MissingParameter);
        assert_eq!(code(with(action, "Binary", json!("yes"))), ErrorCode::Unmarshal);
    }
    assert_eq!(code(with(Action::SendRoomUnicast, "To", json!([]))), ErrorCode::MissingParameter);
    assert_eq!(code(with(Action::SendUnicast, "To", json!(["bob"]))), ErrorCode::Unmarshal);
    let statuses = Action::GetUserOnlineStatus;
    assert_eq!(code(with(statuses, "UserIds", Value::Null)), ErrorCode::MissingParameter);
    assert_eq!(code(with(statuses, "UserIds", json!("bob"))), ErrorCode::Unmarshal);
    assert_eq!(code(with(statuses, "UserIds", json!(["a b"]))), IllegalTo);
    for bad in [json!(-1), json!(1.5), json!("60")] {
        let refused = with(Action::BanRoomUser, "ForbiddenInterval", bad);
        assert_eq!(code(refused), ErrorCode::Unmarshal);
    }
}

#[test]
fn accepts_600_users_but_not_601() {
    let names = |count: usize| json!((0..count).map(|n| format!("user-{n}")).collect::<Vec<_>>());
    for (action, name) in
        [(Action::BatchSendRoomUnicast, "To"), (Action::GetUserOnlineStatus, "UserIds")]
    {
        assert!(with(action, name, names(600)).is_ok());
        assert_eq!(code(with(action, name, names(601))), ErrorCode::UserCountOverLimit);
    }
}

#[test]
fn accepts_ids_of_128_bytes_but_not_129() {
    let long = "x".repeat(129);
    for (name, expected) in [
        ("RoomId", ErrorCode::IllegalRoomId),
        ("From", ErrorCode::IllegalFrom),
        ("To", ErrorCode::IllegalTo),
    ] {
        assert!(with(Action::SendRoomUnicast, name, json!(long[..128])).is_ok());
        assert_eq!(code(with(Action::SendRoomUnicast, name, json!(long))), expected);
    }
}

#[test]
fn empty_body_and_malformed_body_differ() {
    let parse = |body: &[u8]| Call::parse(Action::SendUnicast, &Query::default(), body);
    for body in ["", " \n"] {
        let error = parse(body.as_bytes()).expect_err("nothing there");
        assert_eq!(error.code, ErrorCode::BodyIsEmpty);
    }
    for body in ["{", "null", "[]", "\"x\"", "{\"AppId\":1}", "{} {}", "AppId=1"] {
        let error = parse(body.as_bytes()).expect_err(body);
        assert_eq!(error.code, ErrorCode::Unmarshal, "{body}");
    }
    assert_eq!(parse(&[b'{', 0xFF, b'}']).expect_err("not UTF-8").code, ErrorCode::Unmarshal);
    let deep = "[".repeat(100_000);
    assert_eq!(parse(deep.as_bytes()).expect_err("deep").code, ErrorCode::Unmarshal);
    let mut with_more = full();
    with_more["Unknown"] = json!({"what": "a later version may have"});
    assert!(
        Call::parse(Action::SendUnicast, &Query::default(), with_more.to_string().as_bytes())
            .is_ok()
    );
}

#[test]
fn actions_have_the_versions_of_the_contract() {
    let sends = ["2020-12-01", "2023-07-20"];
    for (name, good, bad) in [
        ("SendUnicast", &sends[..], "2023-11-01"),
        ("SendBroadcast", &sends[..], "2023-11-01"),
        ("SendRoomUnicast", &sends[..], ""),
        ("BatchSendRoomUnicast", &sends[..], "2020-12-1"),
        ("GetUserOnlineStatus", &sends[..], "2023-11-01"),
        ("KickUser", &["2020-12-01"][..], "2023-07-20"),
        ("DismissRoom", &["2020-12-01"][..], "2023-11-01"),
        ("BanRoomUser", &["2020-12-01", "2023-11-01"][..], "2023-07-20"),
        ("GetRoomOnlineUsers", &["2023-11-01"][..], "2020-12-01"),
    ] {
        for version in good {
            assert_eq!(Action::find(name, version).map(Action::name), Some(name));
        }
        assert_eq!(Action::find(name, bad), None, "{name} {bad}");
    }
    assert_eq!(Action::find("sendunicast", "2020-12-01"), None);
    assert_eq!(Action::find("", ""), None);
}

#[test]
fn every_error_of_the_core_has_a_code() {
    let name = |error: CommandError| Error::from(error).code.name();
    let qps = "FlowLimitExceeded.QPSOverLimit";
    assert_eq!(name(CommandError::OverAppRate { per_second: 500 }), qps);
    assert_eq!(name(CommandError::OverRoomRate), qps);
    let too_long = CommandError::TooLong { len: 2, max: 1 };
    assert_eq!(name(too_long), "InvalidParameter.SizeOverLimit");
    let many = "InvalidParameter.UserCountOverLimit";
    assert_eq!(name(CommandError::TooManyReceivers { count: 2, max: 1 }), many);
    assert_eq!(name(CommandError::TooManyBans { max: 1 }), many);
}

#[test]
fn codes_have_distinct_names_statuses_and_numbers() {
    let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ErrorCode::ALL.len());
    for code in ErrorCode::ALL {
        let expected = match code.name() {
            "MissingParameter" | "InvalidTimestamp" => 400,
            name if name.starts_with("InvalidParameter.") => 400,
            "InvalidRequest" => 400,
            "InvalidRequest.ContentEncoding" => 415,
            "InvalidRequest.TransferEncoding" => 501,
            "AccessDenied" => 403,
            "InvalidActionOrVersion" => 404,
            "FlowLimitExceeded.QPSOverLimit" => 429,
            "InternalError" => 500,
            "ServiceUnavailable" => 503,
            "ResultUnknown" => 504,
            _ => 401,
        };
        assert_eq!(code.status(), expected, "{code:?}");
    }
}

#[test]
fn only_reading_actions_are_queries() {
    for action in Action::ALL {
        let is_query = parse(action, &full()).expect("taken").is_query();
        let asks = action.name().starts_with("Get") || action.name().starts_with("List");
        assert_eq!(is_query, asks, "{action:?}");
    }
}

#[test]
fn duplicate_fields_are_refused() {
    let body = r#"{"AppId": "123456781234567812345678", "From": "system", "Message": "hi", "#;
    for (receivers, is_taken) in [
        (r#""To": "bob"}"#, true),
        (r#""To": "bob", "To": "alice"}"#, false),
        (r#""To": "bob", "To": "bob"}"#, false),
        (r#""To": "bob", "Other": {"To": 1, "To": 2}}"#, true),
    ] {
        let body = format!("{body}{receivers}");
        let read = Call::parse(Action::SendUnicast, &Query::default(), body.as_bytes());
        assert_eq!(read.is_ok(), is_taken, "{body}");
        assert!(is_taken || read.expect_err("twice").message.contains("twice"));
    }
    for (more, is_taken) in [("", true), ("&RoomId=attic", false), ("&RoomId=lobby", false)] {
        let query = Query::parse(&format!("AppId={APP_ID}&RoomId=lobby{more}"));
        let read = Call::parse(Action::GetRoomOnlineUsers, &query, b"");
        assert_eq!(read.is_ok(), is_taken, "{more}");
    }
}
