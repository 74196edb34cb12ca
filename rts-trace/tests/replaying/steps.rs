//! The actions of users and their back end.

use std::time::Duration;

use proptest::prelude::*;
use rts_proto::server::{Ban, Command, CommandError, Returned, Shards};
use rts_proto::{MessageConfig, Payload, RoomId, RoomKey, UserId};

use crate::pair::{ENGINES, NAMES, Pair, app};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Login(usize, u8),
    NewToken(usize, u8),
    Logout(usize),
    Send { from: usize, payload: Vec<u8>, config: u32 },
    Status(usize),
    Join(usize),
    Leave(usize),
    Broadcast(usize, Vec<u8>),
    Parameters(usize),
    ServerParams(usize, String),
    ServerSend(usize, Vec<u8>),
    Backend(u8),
    Cut(usize),
    Refuse(bool),
    Congest(bool),
    Wait(u64),
    Destroy(usize),
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || 0..ENGINES;
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let step = prop_oneof![
        3 => (who(), 0..3_u8).prop_map(|(who, token)| Step::Login(who, token)),
        1 => (who(), 0..3_u8).prop_map(|(who, token)| Step::NewToken(who, token)),
        1 => who().prop_map(Step::Logout),
        8 => (who(), bytes(), 0..3_u32)
            .prop_map(|(from, payload, config)| Step::Send { from, payload, config }),
        1 => who().prop_map(Step::Status),
        2 => who().prop_map(Step::Join),
        1 => who().prop_map(Step::Leave),
        2 => (who(), bytes()).prop_map(|(who, bytes)| Step::Broadcast(who, bytes)),
        1 => who().prop_map(Step::Parameters),
        1 => (who(), any::<String>()).prop_map(|(who, text)| Step::ServerParams(who, text)),
        2 => (who(), bytes()).prop_map(|(who, bytes)| Step::ServerSend(who, bytes)),
        2 => (0..10_u8).prop_map(Step::Backend),
        3 => who().prop_map(Step::Cut),
        1 => any::<bool>().prop_map(Step::Refuse),
        1 => any::<bool>().prop_map(Step::Congest),
        4 => (0..40_000_u64).prop_map(Step::Wait),
        1 => who().prop_map(Step::Destroy),
    ];
    let log_in = [Step::Login(0, 0), Step::Login(1, 0), Step::Join(0), Step::Join(1)];
    prop::collection::vec(step, 0..40).prop_map(move |steps| [log_in.to_vec(), steps].concat())
}

/// A text if the bytes are UTF-8, else bytes.
fn payload(bytes: Vec<u8>) -> Payload {
    match String::from_utf8(bytes) {
        Ok(text) => Payload::text(text),
        Err(error) => Payload::binary(error.into_bytes()),
    }
}

pub(crate) fn play(pair: &mut Pair, steps: Vec<Step>) {
    let rooms: Vec<RoomKey> = (0..ENGINES)
        .map(|who| pair.call(who, |engine, now| engine.create_room(now, "room")).expect("a room"))
        .collect();
    for step in steps {
        match step {
            Step::Login(who, token) => {
                let token = format!("secret token {token}");
                let _ = pair.call(who, |engine, now| engine.login(now, &token, NAMES[who]));
            }
            Step::NewToken(who, token) => {
                let token = format!("secret token {token}");
                pair.call(who, |engine, now| engine.update_login_token(now, &token));
            }
            Step::Logout(who) => pair.call(who, |engine, now| engine.logout(now)),
            Step::Send { from, payload: bytes, config } => {
                let config = MessageConfig::try_from(config).expect("one of three");
                let to = NAMES[1 - from];
                let message = payload(bytes);
                let _ = pair.call(from, |e, now| e.send_message(now, to, message, config));
            }
            Step::Status(who) => {
                pair.call(who, |engine, now| engine.get_peer_online_status(now, "bob"));
            }
            Step::Join(who) => {
                let _ = pair.call(who, |engine, now| engine.join_room(now, rooms[who]));
            }
            Step::Leave(who) => pair.call(who, |e, now| e.leave_room(now, rooms[who])),
            Step::Broadcast(who, bytes) => {
                let message = payload(bytes);
                let _ = pair.call(who, |e, now| e.send_room_message(now, rooms[who], message));
            }
            Step::Parameters(who) => {
                let json = r#"{"sendTimeoutMs": 3000, "nonsense": 1}"#;
                let _ = pair.call(who, |engine, now| engine.set_runtime_parameters(now, json));
                let _ = pair.call(who, |engine, now| engine.set_business_id(now, "tag"));
            }
            Step::ServerParams(who, signature) => {
                let url = format!("https://canary/{}", signature.len());
                pair.call(who, |engine, now| engine.set_server_params(now, &signature, &url));
            }
            Step::ServerSend(who, bytes) => {
                let message = payload(bytes);
                let _ = pair.call(who, |engine, now| engine.send_server_message(now, message));
            }
            Step::Backend(what) => backend(pair, what),
            Step::Cut(who) => pair.cut(who),
            Step::Refuse(refuses) => pair.refuses = refuses,
            Step::Congest(is_congested) => pair.congest(is_congested),
            Step::Wait(ms) => pair.wait(Duration::from_millis(ms)),
            Step::Destroy(who) => pair.call(who, |engine, now| engine.destroy(now)),
        }
    }
}

fn backend(pair: &mut Pair, what: u8) {
    let user = |uid: &str| UserId::new(uid).expect("a user id");
    let (app_id, room_id) = (&app(), &RoomId::new("room").expect("a room id"));
    let both = &[user("alice"), user("bob")];
    let (shop, bob) = (&user("shop"), &both[1]);
    let payload = &Payload::text("canary of the back end");
    let interval = Duration::from_secs(11);
    let of_room = &Ban::UserInRoom(room_id.clone(), bob.clone());
    let of_login = &Ban::Login(bob.clone());
    let returned = pair.command(match what {
        0 => Command::Unicast { app_id, from: shop, to: bob, payload },
        1 => Command::BroadcastToRoom { app_id, room_id, from: shop, payload },
        2 => Command::UnicastInRoom { app_id, room_id, from: shop, to: both, payload },
        3 => Command::Kick { app_id, room_id, uid: bob },
        4 => Command::Dismiss { app_id, room_id },
        5 => Command::Ban { app_id, ban: of_room, interval },
        6 => Command::Unban { app_id, ban: of_room },
        7 => Command::Ban { app_id, ban: of_login, interval },
        8 => Command::Unban { app_id, ban: of_login },
        _ => Command::Shutdown { retry_after_max: Duration::from_secs(1) },
    });
    // Many of the steps in a second exceed the room's rate, which is recorded as well.
    let is_lawful = match &returned {
        Returned::Result(Err(error)) => *error == CommandError::OverRoomRate,
        _ => true,
    };
    assert!(is_lawful, "{returned:?}");
    pair.settle();
}
