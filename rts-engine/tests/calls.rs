//! Calls given as data act like their methods.

mod common;

use common::{engine, exchange, now_or_never, take_all};
use rts_proto::client::{Call, Event, Returned};
use rts_proto::server::{self, Server};
use rts_proto::{BroadcastCode, MessageConfig, Payload, RoomKey};

const CONFIG: MessageConfig = MessageConfig::ReliableOrdered;

#[test]
fn call_as_data_acts_like_its_method() {
    let ((by_method, mut of_methods, _driver), (by_call, mut of_calls, _other)) =
        (engine(), engine());
    let payload = &Payload::text("hi");
    let mut same = |call: Call<'_>, returned: Returned| {
        assert_eq!(by_call.call(call), returned, "{call:?}");
        assert_eq!(take_all(&mut of_calls), take_all(&mut of_methods), "{call:?}");
    };

    let room = by_method.create_room("room").expect("a good id");
    let key = room.key();
    same(Call::CreateRoom { room_id: "room" }, Returned::CreateRoom(Ok(key)));
    let again = by_method.create_room("room").map(|room| room.key());
    same(Call::CreateRoom { room_id: "room" }, Returned::CreateRoom(again));
    let sent = room.send_message("hi").map(|sent| sent.id());
    same(Call::SendRoomMessage { key, payload }, Returned::Broadcast(sent));
    by_method.get_peer_online_status("bob");
    same(Call::GetPeerOnlineStatus { uid: "bob" }, Returned::Nothing);
    let send = Call::SendMessage { uid: "bob", payload, config: CONFIG };
    let sent = by_method.send_message("bob", "hi", CONFIG).map(|sent| sent.id());
    same(send, Returned::Send(sent));
    let sent = by_method.send_server_message("hi").map(|sent| sent.id());
    same(Call::SendServerMessage { payload }, Returned::Send(sent));
    by_method.set_server_params("s", "u");
    same(Call::SetServerParams { signature: "s", url: "u" }, Returned::Nothing);
    let set = by_method.set_business_id("a tag");
    same(Call::SetBusinessId { id: "a tag" }, Returned::SetBusinessId(set));
    let json = "{\"unknown\":1}";
    let set = by_method.set_runtime_parameters(json);
    same(Call::SetRuntimeParameters { json }, Returned::SetRuntimeParameters(set));
    for token in ["", "token"] {
        let done = by_method.login(token, "alice");
        same(Call::Login { token, uid: "alice" }, Returned::Login(done));
    }
    by_method.update_login_token("fresh");
    same(Call::UpdateLoginToken { token: "fresh" }, Returned::Nothing);
    by_method.logout();
    same(Call::Logout, Returned::Nothing);
    same(Call::JoinRoom { key }, Returned::JoinRoom(room.join().map(drop)));
    room.leave();
    same(Call::LeaveRoom { key }, Returned::Nothing);
    room.destroy();
    same(Call::DestroyRoom { key }, Returned::DestroyRoom(Vec::new()));
    same(Call::JoinRoom { key }, Returned::JoinRoom(room.join().map(drop)));
    by_method.destroy();
    same(Call::Destroy, Returned::Nothing);
    let sent = by_method.send_message("bob", "hi", CONFIG).map(|sent| sent.id());
    same(send, Returned::Send(sent));
}

#[test]
fn destroy_by_key_removes_events_of_the_room() {
    let (engine, mut events, _driver) = engine();
    let Returned::CreateRoom(Ok(key)) = engine.call(Call::CreateRoom { room_id: "room" }) else {
        panic!("no room");
    };
    let payload = &Payload::text("hi");
    for _ in 0..2 {
        engine.call(Call::SendRoomMessage { key, payload });
        engine.call(Call::GetPeerOnlineStatus { uid: "bob" });
    }
    engine.call(Call::DestroyRoom { key });
    let events = take_all(&mut events);
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| matches!(event, Event::PeerOnlineStatus { .. })));
}

#[test]
fn destroy_by_key_completes_open_broadcasts() {
    let (engine, mut events, driver) = engine();
    let mut server = Server::new(server::Config::default(), 1);
    engine.login("token", "alice").expect("not logged in");
    exchange(&driver, &mut server);
    let room = engine.create_room("room").expect("a good id");
    room.join().expect("not joined");
    exchange(&driver, &mut server);
    let mut sent = room.send_message("hi").expect("a room");
    assert_eq!(now_or_never(&mut sent), None);
    while driver.poll_link_output().is_some() {}
    let results = vec![(sent.id(), BroadcastCode::Timeout)];
    assert_eq!(engine.call(Call::DestroyRoom { key: room.key() }), Returned::DestroyRoom(results));
    assert_eq!(now_or_never(sent), Some(BroadcastCode::Timeout));
    take_all(&mut events);
}

#[test]
fn unknown_key_acts_like_destroyed_room() {
    let (engine, mut events, _driver) = engine();
    let (key, payload) = (RoomKey(1), &Payload::text("hi"));
    assert_eq!(engine.call(Call::JoinRoom { key }).number(), Some(-3));
    assert_eq!(engine.call(Call::LeaveRoom { key }), Returned::Nothing);
    assert_eq!(engine.call(Call::SendRoomMessage { key, payload }).number(), Some(-3));
    assert_eq!(engine.call(Call::DestroyRoom { key }), Returned::DestroyRoom(Vec::new()));
    assert_eq!(take_all(&mut events), []);
}
