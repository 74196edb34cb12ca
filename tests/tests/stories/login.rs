//! Login, refusal, refresh, displacement, logout.

use std::time::Duration;

use rts_proto::client::{Event, JoinType, LoginError, Parameters, RoomEvent};
use rts_proto::server::Config;
use rts_proto::{LoginCode, LogoutReason, RoomKey, RoomState, SendCode, UserId};
use rts_testkit::World;

use super::seconds;

const ALICE: usize = 0;
const OTHER: usize = 1;

fn logins(events: &[Event]) -> Vec<LoginCode> {
    let code = |event: &Event| match event {
        Event::LoginResult { code, .. } => Some(*code),
        _ => None,
    };
    events.iter().filter_map(code).collect()
}

fn logouts(events: &[Event]) -> Vec<LogoutReason> {
    let reason = |event: &Event| match event {
        Event::Logout(reason) => Some(*reason),
        _ => None,
    };
    events.iter().filter_map(reason).collect()
}

fn a_fresh_token_is_enough(world: &mut World) {
    let fresh = world.token("alice");
    world.call(ALICE, |engine, now| engine.update_login_token(now, &fresh));
    world.run_for(seconds(1));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::Ok]);
}

#[test]
fn fresh_token_after_refusal_logs_in() {
    let mut world = World::new(Config::default(), 1, 1);
    let token = world.token_for(ALICE, "alice", seconds(60));
    world.run_for(seconds(61));
    world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
    world.run_for(seconds(60));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::InvalidToken]);
    a_fresh_token_is_enough(&mut world);
}

#[test]
fn logout_after_refused_token_does_nothing() {
    let mut world = World::new(Config::default(), 1, 1);
    let token = world.token_for(ALICE, "bob", seconds(60));
    world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
    world.run_for(seconds(1));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::InvalidToken]);
    world.call(ALICE, |engine, now| engine.logout(now));
    assert_eq!(world.take_events(ALICE), []);
    a_fresh_token_is_enough(&mut world);
}

#[test]
fn other_refusals_end_the_login() {
    for code in [LoginCode::Unknown, LoginCode::BadUserId, LoginCode::ServerError] {
        let mut world = World::new(Config::default(), 1, 1);
        world.refuse("alice", code);
        let token = world.token("alice");
        world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
        world.run_for(seconds(60));
        assert_eq!(logins(&world.take_events(ALICE)), [code]);
        world.refuse("alice", LoginCode::Ok);
        world.log_in(ALICE, "alice");
    }
}

/// Five logins are admitted at once, five are queued, and two are asked to retry.
#[test]
fn twelve_logins_of_one_user_all_succeed_in_turn() {
    let mut world = World::new(Config::default(), 12, 1);
    for who in 0..12 {
        let token = world.token("alice");
        world.call(who, |engine, now| engine.login(now, &token, "alice")).expect("login");
        world.run_for(Duration::from_millis(5));
    }
    world.run_for(seconds(30));
    let mut winners = Vec::new();
    for who in 0..12 {
        let events = world.take_events(who);
        assert_eq!(logins(&events), [LoginCode::Ok], "{who}");
        match &logouts(&events)[..] {
            [] => winners.push(who),
            reasons => assert_eq!(reasons, [LogoutReason::Displaced], "{who}"),
        }
    }
    assert!(matches!(winners[..], [10 | 11]), "{winners:?}");
}

#[test]
fn second_login_call_is_refused() {
    let mut world = World::new(Config::default(), 1, 1);
    let good = world.token("alice");
    let login = |world: &mut World, token: &str, uid: &str| {
        world.call(ALICE, |engine, now| engine.login(now, token, uid))
    };
    assert_eq!(login(&mut world, "", "alice"), Err(LoginError::BadArgument));
    assert_eq!(login(&mut world, &good, ""), Err(LoginError::BadArgument));
    assert_eq!(login(&mut world, &good, "alice"), Ok(()));
    assert_eq!(login(&mut world, &good, "alice"), Err(LoginError::AlreadyLoggedIn));
    world.run_for(seconds(1));
    assert_eq!(login(&mut world, &good, "alice"), Err(LoginError::AlreadyLoggedIn));
    world.call(ALICE, |engine, now| engine.destroy(now));
    assert_eq!(login(&mut world, &good, "alice"), Err(LoginError::NoEngine));
}

#[test]
fn expired_token_matters_only_after_a_lost_session() {
    let mut world = World::new(Config::default(), 1, 1);
    let token = world.token_for(ALICE, "alice", seconds(60));
    world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
    world.run_for(seconds(61));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::Ok]);
    world.cut(ALICE);
    world.run_for(seconds(3_600));
    assert_eq!(world.take_events(ALICE), [], "a resume does not look at the token");
    world.restart_server(Config::default());
    world.run_for(seconds(30));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::InvalidToken]);
    a_fresh_token_is_enough(&mut world);
}

#[test]
fn newest_login_displaces_the_older() {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(OTHER, "alice");
    world.run_for(seconds(1));
    assert_eq!(world.stats().sessions, 1, "at once, and not when a grace ends");
    world.run_for(seconds(600));
    assert_eq!(logouts(&world.take_events(ALICE)), [LogoutReason::Displaced]);
    assert_eq!(logouts(&world.take_events(OTHER)), []);
    assert_eq!(world.stats().sessions, 1);
}

/// At first the server remembers the displaced session. Later only the claims order the logins.
#[test]
fn login_displaced_while_offline_stays_displaced() {
    for away in [1, 60] {
        let mut world = World::new(Config::default(), 2, away);
        world.log_in(ALICE, "alice");
        world.block_connects(ALICE);
        world.log_in(OTHER, "alice");
        world.run_for(seconds(away));
        world.allow_connects(ALICE);
        world.run_for(seconds(120));
        assert_eq!(logouts(&world.take_events(ALICE)), [LogoutReason::Displaced], "{away} s");
        assert_eq!(logouts(&world.take_events(OTHER)), []);
        assert_eq!(world.stats().sessions, 1);
    }
}

#[test]
fn logout_is_the_last_event() {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(OTHER, "bob");
    world.call(ALICE, |engine, now| engine.logout(now));
    world.take_events(ALICE);
    world.run_for(seconds(1));
    assert_eq!(world.stats().sessions, 1, "at once, and not when a grace ends");
    world.send(OTHER, "alice", "too late");
    world.call(ALICE, |engine, now| engine.logout(now));
    world.run_for(seconds(60));
    assert_eq!(world.take_events(ALICE), []);
    assert_eq!(
        (world.stats().sessions, world.results(OTHER)),
        (1, vec![(1, SendCode::ReceiverNotLoggedIn)])
    );
}

#[test]
fn logout_cancels_a_login_without_result() {
    let mut world = World::new(Config::default(), 1, 1);
    let token = world.token("alice");
    world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
    world.call(ALICE, |engine, now| engine.logout(now));
    world.run_for(seconds(60));
    let events = world.take_events(ALICE);
    assert_eq!((logins(&events), logouts(&events)), (vec![], vec![LogoutReason::Own]));
    assert_eq!(world.stats(), rts_proto::server::Stats::default());
}

fn login(world: &mut World, token: &str, uid: &str) {
    world.call(ALICE, |engine, now| engine.login(now, token, uid)).expect("accepted");
}

#[test]
fn login_may_follow_logout_after_refused_token() {
    let mut world = World::new(Config::default(), 1, 1);
    login(&mut world, "no token at all", "alice");
    world.run_for(seconds(1));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::InvalidToken]);
    world.call(ALICE, |engine, now| engine.logout(now));
    world.run_for(seconds(60));
    assert_eq!(world.take_events(ALICE), []);
    let good = world.token("alice");
    login(&mut world, &good, "alice");
    world.run_for(seconds(1));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::Ok]);
}

#[test]
fn fresh_token_logs_in_only_after_refusal() {
    let mut world = World::new(Config::default(), 1, 1);
    let good = world.token("alice");
    let update = |world: &mut World| {
        world.call(ALICE, |engine, now| engine.update_login_token(now, &good));
        world.run_for(seconds(1));
        logins(&world.take_events(ALICE))
    };
    assert_eq!(update(&mut world), [], "no login yet");
    login(&mut world, &good, "alice");
    assert_eq!(update(&mut world), [LoginCode::Ok], "the one that was under way");
    assert_eq!(update(&mut world), [], "live");
    world.call(ALICE, |engine, now| engine.logout(now));
    assert_eq!(update(&mut world), [], "logged out");
    world.refuse("alice", LoginCode::ServerError);
    login(&mut world, &good, "alice");
    world.run_for(seconds(1));
    assert_eq!(update(&mut world), [LoginCode::ServerError], "that was not for its token");
    world.run_for(seconds(60));
    assert_eq!(world.take_events(ALICE), []);
}

#[test]
fn token_of_other_user_or_app_is_refused() {
    let mut world = World::new(Config::default(), 1, 1);
    let elsewhere = world.add("876543218765432187654321", Parameters::default());
    let (bobs, mine) = (world.token("bob"), world.token("alice"));
    let of_another_app = world.token_for(elsewhere, "alice", seconds(60));
    let claiming_my_app = format!("{}{}", &mine[..27], &of_another_app[27..]);
    let cut_short = &mine[..mine.len() - 4];
    for token in [&bobs, &of_another_app, &*claiming_my_app, cut_short] {
        login(&mut world, token, "alice");
        world.run_for(seconds(1));
        assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::InvalidToken], "{token}");
    }
}

#[test]
fn reserved_user_ids_cannot_log_in() {
    let reserved_uids = [UserId::new("system").expect("well formed")].into();
    let mut config = Config::default();
    config.reserved_uids = reserved_uids;
    let mut world = World::new(config, 1, 1);
    let good = world.token("system");
    // The refusal does not reveal that the user id is reserved.
    for (token, code) in
        [("no token", LoginCode::InvalidToken), (good.as_str(), LoginCode::BadUserId)]
    {
        login(&mut world, token, "system");
        world.run_for(seconds(1));
        assert_eq!(logins(&world.take_events(ALICE)), [code]);
    }
    world.log_in(ALICE, "alice");
    world.send(ALICE, "system", "x");
    world.run_for(seconds(1));
    assert_eq!(world.results(ALICE), [(1, SendCode::ReceiverNotFound)]);
}

#[test]
fn unanswered_login_fails_after_10_seconds() {
    let mut world = World::new(Config::default(), 1, 1);
    let good = world.token("alice");
    login(&mut world, &good, "alice");
    // One way is 10 ms: the link is open, and the login is in transit.
    world.run_for(Duration::from_millis(25));
    world.net.is_silent = true;
    world.run_for(Duration::from_millis(9_990));
    assert_eq!(logins(&world.take_events(ALICE)), []);
    world.run_for(Duration::from_millis(10));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::Unknown]);
    world.net.is_silent = false;
    world.run_for(seconds(60));
    assert_eq!(world.take_events(ALICE), [], "it is over, and may be called again");
    world.log_in(ALICE, "alice");
}

/// An engine in a room, whose session is lost and whose token is invalid.
fn refused_on_the_way_back() -> (World, RoomKey) {
    let mut world = World::new(Config::default(), 1, 1);
    let token = world.token_for(ALICE, "alice", seconds(60));
    login(&mut world, &token, "alice");
    world.run_for(seconds(1));
    let key = world.join(ALICE, "room");
    world.run_for(seconds(61));
    world.restart_server(Config::default());
    world.run_for(seconds(5));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::Ok, LoginCode::InvalidToken]);
    (world, key)
}

fn room_events(world: &mut World) -> Vec<RoomEvent> {
    let of_room = |event| match event {
        Event::Room { event, .. } => Some(event),
        _ => None,
    };
    world.take_events(ALICE).into_iter().filter_map(of_room).collect()
}

#[test]
fn rooms_are_kept_until_a_valid_token() {
    for how in ["updateLoginToken", "login"] {
        let (mut world, _) = refused_on_the_way_back();
        let good = world.token("alice");
        match how {
            "login" => login(&mut world, &good, "alice"),
            _ => world.call(ALICE, |engine, now| engine.update_login_token(now, &good)),
        }
        world.run_for(seconds(1));
        let seen = room_events(&mut world);
        assert!(
            matches!(seen[..], [RoomEvent::Joined { how: JoinType::Anew, .. }]),
            "{how}: {seen:?}"
        );
    }
}

#[test]
fn kept_rooms_do_not_pass_to_another_user() {
    let (mut world, key) = refused_on_the_way_back();
    let bobs = world.token("bob");
    login(&mut world, &bobs, "bob");
    world.run_for(seconds(1));
    let seen = room_events(&mut world);
    let uid = UserId::new("alice").expect("well formed");
    let state = RoomState::JoinFailed;
    assert_eq!(seen, [RoomEvent::StateChanged { uid: Some(uid), state }]);
    assert_eq!(world.stats().memberships, 0);
    world.call(ALICE, |engine, now| engine.join_room(now, key)).expect("bob may join it himself");
}
