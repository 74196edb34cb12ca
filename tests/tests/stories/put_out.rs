//! Users that the back end disconnects, bans from logging in, or whose tokens it revokes.

use std::time::Duration;

use rts_proto::client::{Event, JoinType, RoomEvent};
use rts_proto::server::{Ban, Config, Report};
use rts_proto::{
    AppId, ConnectionState, LeaveReason, LoginCode, LogoutReason, RoomKey, SendCode, UserId,
};
use rts_testkit::{EngineIndex, Happening, World};

use super::seconds;

const ALICE: EngineIndex = 0;
const BOB: EngineIndex = 1;

fn app() -> AppId {
    AppId::new("123456781234567812345678").expect("well formed")
}

fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("well formed")
}

/// Alice and bob in one room without unread events, and bob's handle.
fn two_in_a_room(config: Config) -> (World, RoomKey) {
    let mut world = World::new(config, 2, 1);
    for (who, uid) in [(ALICE, "alice"), (BOB, "bob")] {
        world.log_in(who, uid);
    }
    let [_, handle] = [ALICE, BOB].map(|who| world.join(who, "lobby"));
    for who in [ALICE, BOB] {
        world.take_events(who);
    }
    (world, handle)
}

fn put_out(world: &mut World, uid: &str) -> bool {
    world.backend(|server, now| server.put_out(now, &app(), &user(uid)))
}

fn bar(world: &mut World, uid: &str, interval: Duration) -> usize {
    let ban = Ban::Login(user(uid));
    world.backend(|server, now| server.ban(now, &app(), &ban, interval)).expect("few bans")
}

/// The second in which a world begins, and in which these stories issue tokens.
const ISSUED_AT: u32 = 1_700_000_000;

/// Revokes tokens that were issued before this number of seconds after [`ISSUED_AT`].
fn revoke(world: &mut World, uid: Option<&str>, seconds_later: u32) -> usize {
    let (uid, before) = (uid.map(user), ISSUED_AT + seconds_later);
    world.backend(|server, now| server.revoke(now, &app(), uid.as_ref(), before))
}

/// Logs in, and returns the result.
fn log_in(world: &mut World, who: EngineIndex, uid: &str) -> LoginCode {
    world.take_events(who);
    let token = world.token(uid);
    world.call(who, |engine, now| engine.login(now, &token, uid)).expect("logged out");
    world.run_for(seconds(1));
    let events = world.take_events(who);
    let code = |event: &Event| match event {
        Event::LoginResult { code, .. } => Some(*code),
        _ => None,
    };
    events.iter().find_map(code).unwrap_or_else(|| panic!("no result: {events:?}"))
}

fn is_logged_out(event: &Event) -> bool {
    *event == Event::Logout(LogoutReason::PutOut)
}

/// The users that an engine saw leave the room, with the reasons.
fn leaves(world: &mut World, who: EngineIndex) -> Vec<(String, LeaveReason)> {
    let left = |event| match event {
        Event::Room { event: RoomEvent::UserLeft { uid, reason }, .. } => {
            Some((uid.to_string(), reason))
        }
        _ => None,
    };
    world.take_events(who).into_iter().filter_map(left).collect()
}

#[test]
fn put_out_user_stays_out_until_it_logs_in() {
    let (mut world, _) = two_in_a_room(Config::default());
    let open = world.send(BOB, "alice", "on its way");
    assert!(put_out(&mut world, "bob"));
    assert!(!put_out(&mut world, "bob"), "he is out already");
    world.run_for(seconds(600));
    let seen = world.take_events(BOB);
    assert!(seen.last().is_some_and(is_logged_out), "nothing comes after it: {seen:?}");
    assert_eq!(seen.iter().filter(|event| is_logged_out(event)).count(), 1);
    let result = seen
        .iter()
        .position(|event| matches!(event, Event::MessageSendResult { id, .. } if id.0 == open));
    assert!(result.is_some(), "what is open has its result before: {seen:?}");
    let of_rooms = seen.iter().any(|event| matches!(event, Event::Room { .. }));
    assert!(!of_rooms, "his rooms end silently: {seen:?}");
    assert_eq!(leaves(&mut world, ALICE), [("bob".to_owned(), LeaveReason::Kicked)]);
    assert_eq!(world.stats().sessions, 1);
    assert_eq!(log_in(&mut world, BOB, "bob"), LoginCode::Ok, "nothing keeps him out");
}

#[test]
fn put_out_while_offline_is_reported_on_reconnect() {
    let (mut world, _) = two_in_a_room(Config::default());
    world.block_connects(BOB);
    world.run_for(seconds(5));
    assert!(put_out(&mut world, "bob"));
    world.run_for(seconds(5));
    assert_eq!(leaves(&mut world, ALICE), [("bob".to_owned(), LeaveReason::Kicked)]);
    world.allow_connects(BOB);
    world.run_for(seconds(60));
    let seen = world.take_events(BOB);
    assert!(seen.last().is_some_and(is_logged_out), "{seen:?}");
    assert_eq!(world.stats().sessions, 1);
}

#[test]
fn put_out_ends_memberships_without_session() {
    let (mut world, _) = two_in_a_room(Config::default());
    let other = world.add(app().as_str(), Default::default());
    world.log_in(other, "bob");
    assert_eq!(leaves(&mut world, ALICE), [], "it waits for him");
    assert!(put_out(&mut world, "bob"));
    world.run_for(seconds(1));
    assert_eq!(leaves(&mut world, ALICE), [("bob".to_owned(), LeaveReason::Kicked)]);
}

#[test]
fn login_ban_ends_session_and_refuses_logins() {
    let (mut world, _) = two_in_a_room(Config::default());
    assert_eq!(bar(&mut world, "bob", seconds(100)), 1, "one session ended");
    world.run_for(seconds(98));
    assert!(world.take_events(BOB).last().is_some_and(is_logged_out));
    assert_eq!(log_in(&mut world, BOB, "bob"), LoginCode::BadUserId);
    assert_eq!(log_in(&mut world, BOB, "carol"), LoginCode::Ok, "others may");
    world.call(BOB, |engine, now| engine.logout(now));
    world.run_for(seconds(1));
    assert_eq!(log_in(&mut world, BOB, "bob"), LoginCode::Ok, "it is over");
    assert_eq!(world.stats().bans, 0);
}

#[test]
fn lifting_a_login_ban_ends_no_session() {
    let mut world = World::new(Config::default(), 2, 1);
    assert_eq!(bar(&mut world, "bob", Duration::MAX), 0, "he was not there");
    world.run_for(seconds(365 * 86_400));
    assert_eq!(log_in(&mut world, BOB, "bob"), LoginCode::BadUserId);
    assert_eq!(bar(&mut world, "bob", Duration::ZERO), 0);
    assert_eq!(log_in(&mut world, BOB, "bob"), LoginCode::Ok);
    assert_eq!(bar(&mut world, "bob", Duration::ZERO), 0, "there was none");
    world.run_for(seconds(60));
    assert_eq!(world.take_events(BOB), [], "he stays in");
}

#[test]
fn login_ban_is_reported_to_valid_tokens_only() {
    let mut world = World::new(Config::default(), 2, 1);
    bar(&mut world, "bob", seconds(100));
    let token = world.token("alice");
    world.call(BOB, |engine, now| engine.login(now, &token, "bob")).expect("logged out");
    world.run_for(seconds(1));
    let is_refused =
        |event: &Event| matches!(event, Event::LoginResult { code: LoginCode::InvalidToken, .. });
    assert!(world.take_events(BOB).iter().any(is_refused));
}

#[test]
fn user_banned_everywhere_cannot_send_to_users() {
    let (mut world, _) = two_in_a_room(Config::default());
    let ban = |world: &mut World, interval| {
        let ban = Ban::User(user("bob"));
        world.backend(|server, now| server.ban(now, &app(), &ban, interval)).expect("few bans")
    };
    assert_eq!(ban(&mut world, seconds(60)), 1, "one membership ended");
    let first = world.send(BOB, "alice", "let me in");
    let others = world.send(ALICE, "bob", "you are out");
    world.run_for(seconds(1));
    let second = {
        ban(&mut world, Duration::ZERO);
        world.send(BOB, "alice", "thank you")
    };
    world.run_for(seconds(1));
    assert_eq!(world.results(BOB), [(first, SendCode::Unknown), (second, SendCode::Ok)]);
    assert_eq!(world.results(ALICE), [(others, SendCode::Ok)], "others reach him");
    assert_eq!(world.texts(ALICE), ["thank you"]);
}

#[test]
fn revoked_session_logs_in_again_with_newer_token() {
    let (mut world, _) = two_in_a_room(Config::default());
    assert_eq!(revoke(&mut world, None, 0), 0, "issued in that second, which is not before it");
    assert_eq!(revoke(&mut world, Some("bob"), 1), 1);
    world.run_for(seconds(30));
    let seen = world.take_events(BOB);
    let is_back = |event: &Event| {
        matches!(event, Event::Room { event: RoomEvent::Joined { how: JoinType::Anew, .. }, .. })
    };
    assert!(seen.iter().any(is_back), "in his room again, with a report of the gap: {seen:?}");
    let is_out = |event: &Event| matches!(event, Event::Logout(_) | Event::LoginResult { .. });
    assert!(!seen.iter().any(is_out), "{seen:?}");
    assert_eq!(world.take_events(ALICE).iter().filter(|event| is_out(event)).count(), 0);
    assert_eq!(revoke(&mut world, None, 1), 2, "and so do all users of the app");
    world.run_for(seconds(30));
    assert_eq!(world.stats().sessions, 2);
}

#[test]
fn revoked_user_is_notified_and_fresh_token_restores_rooms() {
    let (mut world, _) = two_in_a_room(Config::default());
    world.refuse("bob", LoginCode::InvalidToken);
    assert_eq!(revoke(&mut world, Some("bob"), 1), 1);
    world.run_for(seconds(30));
    let is_refused =
        |event: &Event| matches!(event, Event::LoginResult { code: LoginCode::InvalidToken, .. });
    let seen = world.take_events(BOB);
    assert_eq!(seen.iter().filter(|event| is_refused(event)).count(), 1, "{seen:?}");
    assert_eq!(world.stats().sessions, 1);
    world.refuse("bob", LoginCode::Ok);
    let fresh = world.token("bob");
    world.call(BOB, |engine, now| engine.update_login_token(now, &fresh));
    world.run_for(seconds(5));
    let seen = world.take_events(BOB);
    let joined =
        |event: &Event| matches!(event, Event::Room { event: RoomEvent::Joined { .. }, .. });
    assert!(seen.iter().any(joined), "{seen:?}");
    assert_eq!(world.stats().memberships, 2);
}

#[test]
fn back_end_gets_report_of_put_out_user() {
    let mut config = Config::default();
    config.reported_apps = [app()].into();
    let (mut world, _) = two_in_a_room(config);
    world.take_log();
    put_out(&mut world, "bob");
    world.run_for(seconds(60));
    let reported = |(_, happening)| match happening {
        Happening::Reported(_, report) => Some(report),
        _ => None,
    };
    let reports: Vec<Report> = world.take_log().into_iter().filter_map(reported).collect();
    let reason = LeaveReason::Kicked;
    let (uid, room) = (user("bob"), "lobby".parse().expect("well formed"));
    let left = Report::MemberLeft { room, uid: uid.clone(), reason };
    assert_eq!(reports, [left, Report::UserOffline { uid, reason }]);
}

#[test]
fn revocation_changes_no_connection_state() {
    let (mut world, _) = two_in_a_room(Config::default());
    revoke(&mut world, Some("bob"), 1);
    world.run_for(seconds(5));
    let states: Vec<_> = world.states(BOB).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [] as [u32; 0], "{:?} is for breaks of 10 s", ConnectionState::Reconnecting);
}
