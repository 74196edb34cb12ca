//! Commands of the back end for users and rooms.

use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::limits::{BAN_MAX, BAN_MIN};
use rts_proto::server::{Ban, CommandError, Config};
use rts_proto::{AppId, LeaveReason, Payload, RoomId, RoomKey, RoomState, UserId};
use rts_testkit::{EngineIndex, World};

use super::seconds;
use rts_tests::without_rates;

const ALICE: EngineIndex = 0;
const BOB: EngineIndex = 1;
const CAROL: EngineIndex = 2;

fn app() -> AppId {
    AppId::new("123456781234567812345678").expect("well formed")
}

fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("well formed")
}

fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("well formed")
}

fn three(config: Config) -> World {
    let mut world = World::new(config, 3, 1);
    for (who, uid) in [(ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")] {
        world.log_in(who, uid);
    }
    world
}

/// All three users in one room without unread events, and the handle of each.
fn three_in(id: &str, config: Config) -> (World, [RoomKey; 3]) {
    let mut world = three(config);
    let keys = [ALICE, BOB, CAROL].map(|who| world.join(who, id));
    for who in [ALICE, BOB, CAROL] {
        world.take_events(who);
    }
    (world, keys)
}

fn unicast(world: &mut World, to: &str, text: &str) -> Result<usize, CommandError> {
    let payload = Payload::text(text);
    world.backend(|server, now| server.unicast(now, &app(), user("system"), &user(to), payload))
}

fn broadcast(world: &mut World, id: &str, text: &str) -> Result<usize, CommandError> {
    let payload = Payload::text(text);
    world.backend(|server, now| {
        server.broadcast_to_room(now, &app(), &room(id), user("system"), payload)
    })
}

fn unicast_in(
    world: &mut World,
    id: &str,
    to: &[UserId],
    text: &str,
) -> Result<usize, CommandError> {
    let payload = Payload::text(text);
    world.backend(|server, now| {
        server.unicast_in_room(now, &app(), &room(id), user("system"), to, payload)
    })
}

fn ban(world: &mut World, ban: &Ban, interval: Duration) -> usize {
    world.backend(|server, now| server.ban(now, &app(), ban, interval)).expect("few bans")
}

/// An engine's room events, in a short form.
fn room_events(world: &mut World, who: EngineIndex) -> Vec<String> {
    let short = |event| match event {
        Event::Room { event: RoomEvent::Joined { .. }, .. } => Some("joined".to_owned()),
        Event::Room { event: RoomEvent::StateChanged { state, .. }, .. } => {
            Some(state.code().to_string())
        }
        Event::Room { event: RoomEvent::UserLeft { uid, reason }, .. } => {
            Some(format!("{uid} left, {}", reason.code()))
        }
        Event::Room { event: RoomEvent::Left, .. } => Some("left".to_owned()),
        _ => None,
    };
    world.take_events(who).into_iter().filter_map(short).collect()
}

/// Joins with an existing handle, and returns the room events.
fn rejoin(world: &mut World, who: EngineIndex, key: RoomKey) -> Vec<String> {
    world.take_events(who);
    world.call(who, |engine, now| engine.join_room(now, key)).expect("not in it");
    world.run_for(seconds(1));
    room_events(world, who)
}

#[test]
fn back_end_message_has_its_sender_name() {
    let mut world = three(Config::default());
    assert_eq!(unicast(&mut world, "bob", "hi bob"), Ok(1));
    assert_eq!(unicast(&mut world, "nobody", "hi"), Ok(0), "absent is no error");
    world.run_for(seconds(1));
    let seen = world.take_events(BOB);
    let received = |event: &Event| {
        matches!(event, Event::MessageReceived { from, payload: Payload::Text(text) }
            if from.as_str() == "system" && text.as_str() == "hi bob")
    };
    assert_eq!(seen.iter().filter(|event| received(event)).count(), 1, "{seen:?}");
}

#[test]
fn back_end_message_waits_for_link_in_order() {
    let mut world = three(Config::default());
    world.block_connects(BOB);
    world.run_for(seconds(5));
    for number in 0..10 {
        assert_eq!(unicast(&mut world, "bob", &number.to_string()), Ok(1));
        world.send(ALICE, "bob", &number.to_string());
        world.run_for(Duration::from_millis(10));
    }
    world.allow_connects(BOB);
    world.run_for(seconds(10));
    let twice: Vec<String> = (0..10).flat_map(|n| [n.to_string(), n.to_string()]).collect();
    assert_eq!(world.texts(BOB), twice);
}

#[test]
fn back_end_broadcast_is_in_the_order_of_the_room() {
    let (mut world, keys) = three_in("room", without_rates());
    for number in 0..10 {
        world.broadcast(ALICE, keys[ALICE], &format!("alice {number}"));
        assert_eq!(broadcast(&mut world, "room", &format!("system {number}")), Ok(3));
        world.run_for(Duration::from_millis(3));
    }
    world.run_for(seconds(1));
    assert_eq!(world.room_texts(BOB).len(), 20);
    assert_eq!(world.room_texts(BOB), world.room_texts(CAROL));
    assert_eq!(world.room_texts(ALICE).len(), 10, "only what she did not say herself");
    assert_eq!(broadcast(&mut world, "another", "hi"), Ok(0));
}

#[test]
fn unicast_reaches_only_its_members() {
    let (mut world, _) = three_in("room", Config::default());
    let to = [user("alice"), user("carol"), user("alice"), user("nobody")];
    assert_eq!(unicast_in(&mut world, "room", &to, "psst"), Ok(2), "once each");
    world.run_for(seconds(1));
    for (who, expected) in [(ALICE, 1), (BOB, 0), (CAROL, 1)] {
        let seen = world.take_events(who);
        let psst = |event: &Event| {
            matches!(event, Event::Room { event: RoomEvent::UserMessageReceived { from, .. }, .. }
                if from.as_str() == "system")
        };
        assert_eq!(seen.iter().filter(|event| psst(event)).count(), expected, "{seen:?}");
    }
}

#[test]
fn kicked_user_may_join_again() {
    let (mut world, keys) = three_in("room", Config::default());
    let kick = |world: &mut World| {
        world.backend(|server, now| server.kick(now, &app(), &room("room"), &user("bob")))
    };
    assert!(kick(&mut world));
    world.run_for(seconds(1));
    assert_eq!(room_events(&mut world, BOB), ["-1006"], "no onLeaveRoom");
    assert_eq!(room_events(&mut world, ALICE), ["bob left, 3"]);
    assert!(!kick(&mut world), "not there any more");
    assert_eq!(rejoin(&mut world, BOB, keys[BOB]), ["joined"]);
}

#[test]
fn kick_while_offline_is_reported_on_reconnect() {
    let (mut world, _) = three_in("room", Config::default());
    world.block_connects(BOB);
    world.run_for(seconds(3));
    world.backend(|server, now| server.kick(now, &app(), &room("room"), &user("bob")));
    world.run_for(seconds(1));
    assert_eq!(room_events(&mut world, ALICE), ["bob left, 3"]);
    world.allow_connects(BOB);
    world.run_for(seconds(10));
    assert_eq!(room_events(&mut world, BOB), ["-1006"]);
}

#[test]
fn dismissed_room_is_empty_and_members_are_notified() {
    let (mut world, keys) = three_in("room", Config::default());
    assert_eq!(world.backend(|server, now| server.dismiss(now, &app(), &room("room"))), 3);
    assert_eq!(world.stats().rooms, 0);
    world.run_for(seconds(1));
    for who in [ALICE, BOB, CAROL] {
        assert_eq!(room_events(&mut world, who), ["-1011"]);
    }
    assert_eq!(rejoin(&mut world, BOB, keys[BOB]), ["joined"]);
}

#[test]
fn banned_user_is_refused_until_the_ban_ends() {
    let (mut world, keys) = three_in("room", Config::default());
    let bob_in_room = Ban::UserInRoom(room("room"), user("bob"));
    assert_eq!(ban(&mut world, &bob_in_room, seconds(60)), 1);
    world.run_for(seconds(1));
    assert_eq!(room_events(&mut world, BOB), ["-1006"]);
    assert_eq!(rejoin(&mut world, BOB, keys[BOB]), ["-1026"]);
    world.join(BOB, "another");
    assert_eq!(room_events(&mut world, BOB), ["joined"]);
    world.call(ALICE, |engine, now| engine.leave_room(now, keys[ALICE]));
    world.run_for(seconds(1));
    assert_eq!(rejoin(&mut world, ALICE, keys[ALICE]), ["joined"], "nobody else is banned");
    world.run_for(seconds(60));
    assert_eq!(world.stats().bans, 0);
    assert_eq!(rejoin(&mut world, BOB, keys[BOB]), ["joined"]);
}

#[test]
fn a_user_banned_everywhere_is_in_no_room() {
    let (mut world, keys) = three_in("room", Config::default());
    let another = world.join(BOB, "another");
    world.take_events(BOB);
    assert_eq!(ban(&mut world, &Ban::User(user("bob")), seconds(60)), 2);
    world.run_for(seconds(1));
    assert_eq!(room_events(&mut world, BOB), ["-1006", "-1006"]);
    assert_eq!(rejoin(&mut world, BOB, keys[BOB]), ["-1026"]);
    assert_eq!(rejoin(&mut world, BOB, another), ["-1026"]);
    assert_eq!(ban(&mut world, &Ban::User(user("bob")), Duration::ZERO), 0, "lifted");
    assert_eq!(rejoin(&mut world, BOB, keys[BOB]), ["joined"]);
}

#[test]
fn a_banned_room_is_empty_and_refuses_everybody() {
    let (mut world, keys) = three_in("room", Config::default());
    assert_eq!(ban(&mut world, &Ban::Room(room("room")), seconds(60)), 3);
    world.run_for(seconds(1));
    for who in [ALICE, BOB, CAROL] {
        assert_eq!(room_events(&mut world, who), ["-1006"]);
        assert_eq!(rejoin(&mut world, who, keys[who]), ["-1025"]);
    }
    world.run_for(seconds(60));
    assert_eq!(rejoin(&mut world, ALICE, keys[ALICE]), ["joined"]);
}

#[test]
fn a_ban_lasts_ten_seconds_at_least_and_seven_days_at_most() {
    let nearly = Duration::from_micros(1);
    for (asked, lasts) in [(nearly, BAN_MIN), (BAN_MAX + BAN_MAX, BAN_MAX)] {
        let mut world = World::new(Config::default(), 0, 1);
        let everywhere = Ban::User(user("nobody"));
        ban(&mut world, &everywhere, asked);
        world.run_for(lasts - nearly);
        assert_eq!(world.stats().bans, 1, "{asked:?}");
        world.run_for(nearly);
        assert_eq!(world.stats().bans, 0, "{asked:?}");
    }
}

#[test]
fn later_ban_replaces_the_earlier() {
    let mut world = three(Config::default());
    let everywhere = Ban::User(user("bob"));
    ban(&mut world, &everywhere, seconds(600));
    ban(&mut world, &everywhere, seconds(20));
    assert_eq!(world.stats().bans, 1);
    world.run_for(seconds(20));
    world.join(BOB, "room");
    assert_eq!(room_events(&mut world, BOB), ["joined"]);
}

#[test]
fn membership_without_session_can_be_kicked() {
    let mut world = World::new(Config::default(), 3, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world.join(ALICE, "room");
    world.join(BOB, "room");
    // The user logs in elsewhere, and does not join the room.
    world.log_in(CAROL, "bob");
    world.take_events(ALICE);
    assert!(world.backend(|server, now| server.kick(now, &app(), &room("room"), &user("bob"))));
    world.run_for(seconds(60));
    assert_eq!(
        room_events(&mut world, ALICE),
        ["bob left, 3"],
        "and not once more when the grace ends"
    );
}

#[test]
fn app_rate_covers_all_kinds_of_messages() {
    let mut config = without_rates();
    config.backend_sends_per_second = 500;
    let (mut world, _) = three_in("room", config);
    let names: Vec<UserId> = (0..597).map(|number| user(&format!("user-{number}"))).collect();
    assert_eq!(unicast_in(&mut world, "room", &names, "x"), Ok(0), "600 may go at once");
    assert_eq!(broadcast(&mut world, "room", "x"), Ok(3));
    assert_eq!(unicast(&mut world, "bob", "x"), Ok(1));
    assert_eq!(unicast(&mut world, "nobody", "x"), Ok(0), "which counts as well");
    let over = Err(CommandError::OverAppRate { per_second: 500 });
    assert_eq!(unicast(&mut world, "bob", "x"), over);
    world.run_for(Duration::from_millis(2));
    assert_eq!(unicast(&mut world, "bob", "x"), Ok(1));
    assert_eq!(broadcast(&mut world, "room", "x"), over);
}

#[test]
fn room_rate_covers_members_and_back_end() {
    let mut config = without_rates();
    config.room_broadcasts_per_second = 3;
    let (mut world, keys) = three_in("room", config);
    world.broadcast(ALICE, keys[ALICE], "x");
    world.run_for(Duration::from_millis(20));
    assert_eq!(broadcast(&mut world, "room", "x"), Ok(3));
    assert_eq!(broadcast(&mut world, "room", "x"), Ok(3));
    assert_eq!(broadcast(&mut world, "room", "x"), Err(CommandError::OverRoomRate));
}

#[test]
fn sizes_are_limited_to_the_byte() {
    let (mut world, _) = three_in("room", without_rates());
    let text = |bytes: usize| "x".repeat(bytes);
    let too_long = |len, max| Err(CommandError::TooLong { len, max });
    assert_eq!(unicast(&mut world, "bob", &text(65_536)), Ok(1));
    assert_eq!(unicast(&mut world, "bob", &text(65_537)), too_long(65_537, 65_536));
    assert_eq!(broadcast(&mut world, "room", &text(65_536)), Ok(3));
    assert_eq!(broadcast(&mut world, "room", &text(65_537)), too_long(65_537, 65_536));
    let bob = [user("bob")];
    assert_eq!(unicast_in(&mut world, "room", &bob, &text(20_480)), Ok(1));
    let over = unicast_in(&mut world, "room", &bob, &text(20_481));
    assert_eq!(over, too_long(20_481, 20_480));
    let names: Vec<UserId> = (0..601).map(|number| user(&format!("user-{number}"))).collect();
    assert_eq!(unicast_in(&mut world, "room", &names[..600], "x"), Ok(0));
    let over = unicast_in(&mut world, "room", &names, "x");
    assert_eq!(over, Err(CommandError::TooManyReceivers { count: 601, max: 600 }));
}

#[test]
fn members_are_listed_while_they_are_members() {
    let (mut world, _) = three_in("room", Config::default());
    let members = |world: &mut World, id: &str| {
        world.backend(|server, _| {
            let members = server.room_members(&app(), &room(id));
            members.map(|members| members.map(ToString::to_string).collect::<Vec<_>>())
        })
    };
    let all = ["alice", "bob", "carol"].map(str::to_owned).to_vec();
    assert_eq!(members(&mut world, "room"), Some(all));
    assert_eq!(members(&mut world, "another"), None);
    world.freeze(CAROL);
    world.run_for(seconds(40));
    let rest = ["alice", "bob"].map(str::to_owned).to_vec();
    assert_eq!(members(&mut world, "room"), Some(rest));
}

#[test]
fn apps_are_isolated() {
    let (mut world, _) = three_in("room", Config::default());
    let other = AppId::new("abcdefghabcdefghabcdefgh").expect("well formed");
    let text = || Payload::text("x");
    let nobody = world.backend(|server, now| {
        let to = user("bob");
        assert_eq!(server.unicast(now, &other, user("system"), &to, text()), Ok(0));
        let sent = server.broadcast_to_room(now, &other, &room("room"), user("system"), text());
        assert_eq!(sent, Ok(0));
        assert!(!server.kick(now, &other, &room("room"), &to));
        assert_eq!(server.dismiss(now, &other, &room("room")), 0);
        let everywhere = Ban::User(to);
        assert_eq!(server.ban(now, &other, &everywhere, seconds(60)), Ok(0));
        server.room_members(&other, &room("room")).is_none()
    });
    assert!(nobody);
    world.run_for(seconds(1));
    for who in [ALICE, BOB, CAROL] {
        assert_eq!(world.take_events(who), []);
    }
    world.join(BOB, "another");
    assert_eq!(room_events(&mut world, BOB), ["joined"], "the ban is the other app's");
}

#[test]
fn reasons_and_states_have_the_contracts_numbers() {
    assert_eq!(LeaveReason::Kicked.code(), 3);
    let states =
        [RoomState::Kicked, RoomState::Dismissed, RoomState::RoomBanned, RoomState::UserBanned];
    assert_eq!(states.map(RoomState::code), [-1006, -1011, -1025, -1026]);
}
