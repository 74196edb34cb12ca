//! A server of several shards.

use std::time::Duration;

use rts_client::Event;
use rts_proto::server::{Ban, Command, Config, Placement, Returned, ShardId, Shards, Stats};
use rts_proto::{AppId, Payload, RoomId, UserId};
use rts_testkit::{APP_ID, Happening, World};

const SECOND: Duration = Duration::from_secs(1);

fn app_id() -> AppId {
    AppId::new(APP_ID).expect("an app id")
}

fn user(uid: &str) -> UserId {
    UserId::new(uid).expect("a user id")
}

/// A user whose home is this shard.
fn user_at(placement: Placement, shard: usize) -> String {
    let mut names = (0..).map(|number| format!("user-{number}"));
    let is_there = |uid: &String| placement.of_user(&app_id(), uid).number() == shard;
    names.find(is_there).expect("hashes reach every shard")
}

#[test]
fn users_of_three_shards_meet_in_a_room() {
    let mut world = World::new(Config::default(), 3, 42).shards(3);
    let placement = world.placement();
    let users: Vec<String> = (0..3).map(|shard| user_at(placement, shard)).collect();
    for (who, uid) in users.iter().enumerate() {
        world.log_in(who, uid);
        world.join(who, "room");
    }
    assert_eq!(world.stats().memberships, 3);
    for shard in placement.shards() {
        assert_eq!(world.shard(shard, |server, _| server.stats().sessions), 1, "{shard:?}");
    }
    let room = RoomId::new("room").expect("a room id");
    let mut members = world.room_members(&app_id(), &room).expect("three members");
    members.sort();
    let mut expected: Vec<UserId> = users.iter().map(|uid| user(uid)).collect();
    expected.sort();
    assert_eq!(members, expected);
}

#[test]
fn link_moves_to_its_users_shard_and_entries_arrive() {
    let mut world = World::new(Config::default(), 2, 7).shards(2);
    let placement = world.placement();
    // Links begin at the shards in turn, and both users have their home at the second one.
    let uid = user_at(placement, 1);
    world.log_in(0, &uid);
    let moves = |log: Vec<_>| -> Vec<_> {
        let of_one = |(_, happening)| match happening {
            Happening::HandedOver(who, from, to) => Some((who, from.number(), to.number())),
            _ => None,
        };
        log.into_iter().filter_map(of_one).collect()
    };
    assert_eq!(moves(world.take_log()), [(0, 0, 1)]);
    world.log_in(1, &user_at(placement, 0));
    assert_eq!(moves(world.take_log()), [(1, 1, 0)]);
    let (to, from, payload) = (user(&uid), user("shop"), Payload::text("hi"));
    let command = Command::Unicast { app_id: &app_id(), from: &from, to: &to, payload: &payload };
    assert_eq!(world.command(command), Returned::Result(Ok(1)));
    world.run_for(SECOND);
    assert_eq!(world.texts(0), ["hi"]);
}

#[test]
fn message_over_late_mailboxes_keeps_its_place_and_its_result() {
    let mut world = World::new(Config::default(), 0, 3).shards(2);
    world.mailboxes.delay = Duration::from_millis(50);
    let placement = world.placement();
    let (alice, bob) = (user_at(placement, 0), user_at(placement, 1));
    let ((_, at_alice), (_, at_bob)) = (world.connect(), world.connect());
    let mut events = at_bob.events();
    for (engine, uid) in [(&at_alice, &alice), (&at_bob, &bob)] {
        let token = world.token(uid);
        world.wait_for(SECOND, engine.login(&token, uid)).expect("accepted");
    }
    let texts: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let sends: Vec<_> = texts.iter().map(|text| at_alice.send(&bob, text.as_str())).collect();
    for send in sends {
        world.wait_for(SECOND, send).expect("bob has it");
    }
    let received = std::iter::from_fn(|| events.try_next()).filter_map(|event| match event {
        Event::Message { payload, .. } => payload.as_text().map(str::to_owned),
        _ => None,
    });
    assert_eq!(received.collect::<Vec<_>>(), texts);
}

#[test]
fn full_mailbox_refuses_what_would_go_there() {
    let mut world = World::new(Config::default(), 0, 3).shards(2);
    world.mailboxes.delay = Duration::from_millis(500);
    world.mailboxes.tail = Duration::from_millis(500);
    let placement = world.placement();
    let (alice, bob) = (user_at(placement, 0), user_at(placement, 1));
    let ((_, at_alice), (_, at_bob)) = (world.connect(), world.connect());
    for (engine, uid) in [(&at_alice, &alice), (&at_bob, &bob)] {
        let token = world.token(uid);
        world.wait_for(2 * SECOND, engine.login(&token, uid)).expect("accepted");
    }
    world.mailboxes.entries_max = 1;
    let first = at_alice.send(&bob, "first");
    world.run_for(Duration::from_millis(20));
    let second = at_alice.send(&bob, "second");
    let refused = world.wait_for(Duration::from_millis(100), second).expect_err("no space");
    assert!(refused.to_string().contains("takes no more"), "{refused}");
    world.wait_for(2 * SECOND, first).expect("bob has it");
    world.wait_for(2 * SECOND, at_alice.send(&bob, "third")).expect("there is space again");
    let congestions = world.take_log().into_iter().filter_map(|(_, happening)| match happening {
        Happening::MailboxCongested(from, to, on) => Some((from.number(), to.number(), on)),
        _ => None,
    });
    let of_pair: Vec<bool> =
        congestions.filter(|(from, to, _)| (*from, *to) == (0, 1)).map(|(.., on)| on).collect();
    assert_eq!(of_pair, [true, false, true, false]);
}

/// Each shard may know other apps.
#[test]
fn node_counts_each_app_once() {
    let mut world = World::new(Config::default(), 1, 9).shards(2);
    let placement = world.placement();
    let app_id_of = |shard| {
        let ids = (1..).map(|number| format!("{number:024}"));
        let mut ids = ids.map(|id| AppId::new(&id).expect("24 digits"));
        ids.find(|app_id| placement.of_app(app_id).number() == shard).expect("hashes reach both")
    };
    let uid = UserId::new("alice").expect("well formed");
    for shard in [0, 1] {
        let app_id = app_id_of(shard);
        let charged = world.command(Command::Charge { app_id: &app_id, count: 1 });
        assert!(matches!(charged, Returned::Result(Ok(_))), "{charged:?}");
    }
    assert_eq!((world.stats().apps, Shards::stats(&mut world).apps), (2, 2));
    // Every shard has all bans.
    let (app_id, ban) = (app_id_of(0), Ban::Login(uid));
    world.command(Command::Ban { app_id: &app_id, ban: &ban, interval: SECOND });
    assert_eq!((world.stats().apps, Shards::stats(&mut world).apps), (2, 2));
}

#[test]
fn restart_loses_every_shard_at_once() {
    let mut world = World::new(Config::default(), 4, 9).shards(4);
    let placement = world.placement();
    for who in 0..4 {
        world.log_in(who, &user_at(placement, who));
        world.join(who, "room");
    }
    world.restart_server(Config::default());
    assert_eq!((world.placement().count(), world.stats()), (4, Stats::default()));
    world.run_for(10 * SECOND);
    assert_eq!((world.stats().sessions, world.stats().memberships), (4, 4));
}

#[test]
fn one_seed_is_one_run_with_several_shards() {
    let run = |seed| {
        let mut world = World::new(Config::default(), 6, seed).shards(3);
        for who in 0..6 {
            world.log_in(who, &format!("user-{who}"));
            world.join(who, "room");
        }
        world.run_for(SECOND);
        world.take_log()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn every_valid_number_of_shards_serves() {
    for shards in [1, 2, ShardId::COUNT_MAX] {
        let mut world = World::new(Config::default(), 2, 1).shards(shards);
        world.log_in(0, "alice");
        world.log_in(1, "bob");
        assert_eq!((world.placement().count(), world.stats().sessions), (shards, 2));
    }
}

#[test]
#[should_panic(expected = "a server has from 1 to")]
fn server_without_shards_is_refused() {
    drop(World::new(Config::default(), 0, 1).shards(0));
}

#[test]
#[should_panic(expected = "a server has from 1 to")]
fn server_with_too_many_shards_is_refused() {
    drop(World::new(Config::default(), 0, 1).shards(ShardId::COUNT_MAX + 1));
}
