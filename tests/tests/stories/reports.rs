//! Reports to the back end.

use rts_proto::server::{Ban, Config, Report};
use rts_proto::{AppId, LeaveReason, RoomId, UserId};
use rts_testkit::{APP_ID, EngineIndex, Happening, World};

use super::seconds;

const ALICE: EngineIndex = 0;
const BOB: EngineIndex = 1;
const ELSEWHERE: EngineIndex = 2;

fn app() -> AppId {
    AppId::new(APP_ID).expect("well formed")
}

fn lobby() -> RoomId {
    RoomId::new("lobby").expect("well formed")
}

fn world() -> World {
    let mut config = Config::default();
    config.reported_apps = [app()].into();
    World::new(config, 3, 1)
}

/// The reports since the last call, in a short form.
fn reports(world: &mut World) -> Vec<String> {
    let short = |report: Report| match report {
        Report::UserOnline { uid } => format!("{uid} on"),
        Report::UserOffline { uid, reason } => format!("{uid} off {}", reason.code()),
        Report::RoomCreated { room } => format!("{room} new"),
        Report::RoomEmptied { room } => format!("{room} empty"),
        Report::MemberJoined { room, uid, business_id } => {
            let tag = business_id.map_or(String::new(), |tag| format!(" as {tag}"));
            format!("{uid} in {room}{tag}")
        }
        Report::MemberLeft { room, uid, reason } => format!("{uid} out {room} {}", reason.code()),
    };
    let reported = world.take_log().into_iter().filter_map(|(_, happening)| match happening {
        Happening::Reported(_, report) => Some(short(report)),
        _ => None,
    });
    reported.collect()
}

#[test]
fn reports_of_a_whole_visit() {
    let mut world = world();
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world.call(BOB, |engine, now| engine.set_business_id(now, "guest")).expect("outside all rooms");
    let key = world.join(ALICE, "lobby");
    world.join(BOB, "lobby");
    assert_eq!(
        reports(&mut world),
        ["alice on", "bob on", "lobby new", "alice in lobby", "bob in lobby as guest"]
    );
    world.call(ALICE, |engine, now| engine.leave_room(now, key));
    world.run_for(seconds(1));
    world.call(BOB, |engine, now| engine.logout(now));
    world.run_for(seconds(1));
    assert_eq!(
        reports(&mut world),
        ["alice out lobby 0", "bob out lobby 0", "lobby empty", "bob off 0"]
    );
}

#[test]
fn resume_within_grace_is_not_reported() {
    let mut world = world();
    world.log_in(ALICE, "alice");
    world.join(ALICE, "lobby");
    reports(&mut world);
    world.block_connects(ALICE);
    world.run_for(seconds(25));
    world.allow_connects(ALICE);
    world.run_for(seconds(60));
    assert!(reports(&mut world).is_empty());
    world.freeze(ALICE);
    world.run_for(seconds(60));
    assert_eq!(reports(&mut world), ["alice out lobby 1", "lobby empty", "alice off 1"]);
}

#[test]
fn displacing_login_keeps_the_user_online() {
    let mut world = world();
    world.log_in(ALICE, "alice");
    world.join(ALICE, "lobby");
    reports(&mut world);
    world.log_in(ELSEWHERE, "alice");
    assert!(reports(&mut world).is_empty());
    world.run_for(seconds(60));
    assert_eq!(reports(&mut world), ["alice out lobby 1", "lobby empty"], "but not in the room");
}

#[test]
fn kick_and_dismiss_are_reported_with_reason_3() {
    let mut world = world();
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world.join(ALICE, "lobby");
    world.join(BOB, "lobby");
    reports(&mut world);
    let bob = UserId::new("bob").expect("well formed");
    world.backend(|server, now| server.kick(now, &app(), &lobby(), &bob));
    assert_eq!(reports(&mut world), ["bob out lobby 3"]);
    world.backend(|server, now| server.dismiss(now, &app(), &lobby()));
    assert_eq!(reports(&mut world), ["alice out lobby 3", "lobby empty"]);
    let everywhere = Ban::User(bob);
    world.backend(|server, now| server.ban(now, &app(), &everywhere, seconds(60))).expect("few");
    world.join(BOB, "attic");
    assert!(reports(&mut world).is_empty(), "a refused join is not reported");
    assert_eq!(LeaveReason::Kicked.code(), 3);
}

#[test]
fn apps_without_reports_get_none() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    world.join(ALICE, "lobby");
    assert!(reports(&mut world).is_empty());
}
