//! Every call of the table makes the call of the contract with its name.

use rts_flat::{Arguments, CallError, CallKind, Parameter, Wanted, number};
use rts_proto::client::{Call, Client, Config, Returned};
use rts_proto::{AppId, Instant};

const ARGUMENTS: Arguments<'_> = Arguments { room: 7, number: 2, first: b"one", second: b"two" };

fn shown(kind: CallKind) -> String {
    let shown = ARGUMENTS.call(kind, |wanted| match wanted {
        Wanted::Call(call) => format!("{call:?}"),
        Wanted::NetworkChanged => "NetworkChanged".to_owned(),
    });
    shown.expect("UTF-8")
}

#[test]
fn each_kind_makes_its_call() {
    let all: Vec<String> = CallKind::ALL.iter().map(|kind| shown(*kind)).collect();
    assert_eq!(
        all,
        [
            r#"Login { uid: "two", .. }"#,
            "Logout",
            "UpdateLoginToken { .. }",
            r#"GetPeerOnlineStatus { uid: "one" }"#,
            r#"SendMessage { uid: "one", payload: Text(3 bytes), config: UnreliableUnordered }"#,
            r#"SendMessage { uid: "one", payload: Binary(3 bytes), config: UnreliableUnordered }"#,
            "SetServerParams { .. }",
            "SendServerMessage { payload: Text(3 bytes) }",
            "SendServerMessage { payload: Binary(3 bytes) }",
            r#"CreateRoom { room_id: "one" }"#,
            "JoinRoom { key: RoomKey(7) }",
            "LeaveRoom { key: RoomKey(7) }",
            "DestroyRoom { key: RoomKey(7) }",
            "SendRoomMessage { key: RoomKey(7), payload: Text(3 bytes) }",
            "SendRoomMessage { key: RoomKey(7), payload: Binary(3 bytes) }",
            r#"SetBusinessId { id: "one" }"#,
            r#"SetRuntimeParameters { json: "one" }"#,
            "Destroy",
            "NetworkChanged",
        ]
    );
}

/// What `Debug` hides.
#[test]
fn secrets_are_the_first_text() {
    let token = ARGUMENTS.call(CallKind::Login, |call| match call {
        Wanted::Call(Call::Login { token, .. }) => token.to_owned(),
        call => panic!("{call:?}"),
    });
    assert_eq!(token.as_deref(), Ok("one"));
    let params = ARGUMENTS.call(CallKind::SetServerParams, |call| match call {
        Wanted::Call(Call::SetServerParams { signature, url }) => {
            (signature.to_owned(), url.to_owned())
        }
        call => panic!("{call:?}"),
    });
    assert_eq!(params, Ok(("one".to_owned(), "two".to_owned())));
}

/// A text that is not UTF-8 is an error where it is read, and any bytes where it is not.
#[test]
fn text_must_be_utf_8() {
    for kind in CallKind::ALL {
        let reads = |wanted: &[Parameter]| {
            kind.parameters().iter().any(|(_, parameter)| wanted.contains(parameter))
        };
        for (arguments, is_read) in [
            (
                Arguments { first: b"\xff", ..ARGUMENTS },
                reads(&[Parameter::First, Parameter::Json]),
            ),
            (
                Arguments { second: b"\xff", ..ARGUMENTS },
                reads(&[Parameter::Second, Parameter::Text]),
            ),
        ] {
            let called = arguments.call(*kind, |_| ());
            assert_eq!(called.is_err(), is_read, "{kind:?}");
        }
    }
}

#[test]
fn config_out_of_its_range_is_0() {
    for (config, shown) in [
        (0, "ReliableOrdered"),
        (1, "UnreliableOrdered"),
        (3, "ReliableOrdered"),
        (-1, "ReliableOrdered"),
    ] {
        let arguments = Arguments { number: config, ..ARGUMENTS };
        let called = arguments.call(CallKind::SendMessage, |call| format!("{call:?}"));
        assert!(called.is_ok_and(|call| call.contains(shown)), "{config}");
    }
}

#[test]
fn border_returns_the_number_of_the_contract() {
    let app_id = AppId::new("123456781234567812345678").expect("an app id");
    let mut client = Client::new(Config::new(app_id), 1);
    let mut call = |kind: CallKind, arguments: &Arguments<'_>| {
        let made = arguments.call(kind, |wanted| match wanted {
            Wanted::Call(call) => client.call(Instant::ORIGIN, call),
            Wanted::NetworkChanged => Returned::Nothing,
        });
        number(&made.expect("UTF-8"))
    };
    let text = |first| Arguments { first, ..Arguments::default() };
    assert_eq!(call(CallKind::CreateRoom, &text(b"room")), 1);
    assert_eq!(call(CallKind::CreateRoom, &text(b"room")), -1013);
    assert_eq!(call(CallKind::SendMessage, &text(b"bob")), 1);
    assert_eq!(call(CallKind::SendMessage, &text(b"")), -2);
    assert_eq!(call(CallKind::SetBusinessId, &text(b"tag")), 0);
    assert_eq!(call(CallKind::SetRuntimeParameters, &text(b"{}")), 0);
    assert_eq!(call(CallKind::SetRuntimeParameters, &text(b"[]")), -9003);
    assert_eq!(call(CallKind::Logout, &text(b"")), 0);
    assert_eq!(number(&Returned::Nothing), 0);
}

#[test]
fn numbers_of_errors_stay() {
    let numbers = [CallError::UnknownCall, CallError::NotUtf8, CallError::NotParameters];
    assert_eq!(numbers.map(CallError::number), [-9001, -9002, -9003]);
}
