//! Login, refusal, refresh, displacement, logout.

use rts_proto::client::{Event, LoginError};
use rts_proto::server::Config;
use rts_proto::{LoginCode, LogoutReason};
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

#[test]
fn a_refused_token_is_told_and_a_fresh_one_logs_in_by_itself() {
    let mut world = World::new(Config::default(), 1, 1);
    let token = world.token_for(ALICE, "alice", seconds(60));
    world.run_for(seconds(61));
    world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
    world.run_for(seconds(60));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::InvalidToken]);
    let fresh = world.token("alice");
    world.call(ALICE, |engine, now| engine.update_login_token(now, &fresh));
    world.run_for(seconds(1));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::Ok]);
}

#[test]
fn a_logout_while_the_token_is_refused_does_nothing() {
    let mut world = World::new(Config::default(), 1, 1);
    let token = world.token_for(ALICE, "bob", seconds(60));
    world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
    world.run_for(seconds(1));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::InvalidToken]);
    world.call(ALICE, |engine, now| engine.logout(now));
    assert_eq!(world.take_events(ALICE), []);
    let fresh = world.token("alice");
    world.call(ALICE, |engine, now| engine.update_login_token(now, &fresh));
    world.run_for(seconds(1));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::Ok]);
}

#[test]
fn other_refusals_end_the_login_and_it_may_be_called_again() {
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

#[test]
fn a_login_in_flight_or_live_refuses_another() {
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
fn a_token_that_expires_ends_no_live_login_but_a_lost_session_needs_a_good_one() {
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
    let fresh = world.token("alice");
    world.call(ALICE, |engine, now| engine.update_login_token(now, &fresh));
    world.run_for(seconds(1));
    assert_eq!(logins(&world.take_events(ALICE)), [LoginCode::Ok]);
}

#[test]
fn the_newest_login_wins_and_the_older_one_stays_out() {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(OTHER, "alice");
    world.run_for(seconds(600));
    assert_eq!(logouts(&world.take_events(ALICE)), [LogoutReason::Displaced]);
    assert_eq!(logouts(&world.take_events(OTHER)), []);
    assert_eq!(world.stats().sessions, 1);
}

/// Shortly after, the displaced session is remembered; later only the claims tell who was first.
#[test]
fn a_login_displaced_while_its_link_was_down_does_not_displace_its_successor() {
    for away in [1, 60] {
        let mut world = World::new(Config::default(), 2, away);
        world.log_in(ALICE, "alice");
        world.keep_out(ALICE);
        world.log_in(OTHER, "alice");
        world.run_for(seconds(away));
        world.let_in(ALICE);
        world.run_for(seconds(120));
        assert_eq!(logouts(&world.take_events(ALICE)), [LogoutReason::Displaced], "{away} s");
        assert_eq!(logouts(&world.take_events(OTHER)), []);
        assert_eq!(world.stats().sessions, 1);
    }
}

#[test]
fn logout_is_called_back_once_and_nothing_after_it() {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(OTHER, "bob");
    world.call(ALICE, |engine, now| engine.logout(now));
    world.take_events(ALICE);
    world.send(OTHER, "alice", "too late");
    world.call(ALICE, |engine, now| engine.logout(now));
    world.run_for(seconds(60));
    assert_eq!(world.take_events(ALICE), []);
    assert_eq!(world.stats().sessions, 1);
}

#[test]
fn logout_during_a_login_ends_it_without_a_result() {
    let mut world = World::new(Config::default(), 1, 1);
    let token = world.token("alice");
    world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
    world.call(ALICE, |engine, now| engine.logout(now));
    world.run_for(seconds(60));
    let events = world.take_events(ALICE);
    assert_eq!((logins(&events), logouts(&events)), (vec![], vec![LogoutReason::Own]));
    assert_eq!(world.stats(), rts_proto::server::Stats::default());
}
