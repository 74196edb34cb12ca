//! The operator's view and commands: pages of users and rooms, figures, and revocations of waiting
//! logins.

use std::time::Duration;

use rts_proto::server::{Ban, Config};
use rts_proto::wire::Frame;
use rts_proto::{AppId, CloseCode, OnlineStatus, Payload, RoomId};

use crate::support::{APP, Shard, login, user};

fn app() -> AppId {
    AppId::new(APP).expect("well formed")
}

fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("well formed")
}

#[test]
fn pages_of_users_contain_every_user() {
    let mut shard = Shard::new(Config::default());
    let names: Vec<_> = (0..10).map(|number| format!("user{number}")).collect();
    for name in names.iter().rev() {
        shard.log_in(login(name));
    }
    for limit in [1, 3, 9, 10, 11] {
        let mut seen = Vec::new();
        let mut has_more = true;
        while has_more {
            let page = shard.server.users_page(shard.now, &app(), seen.last(), limit);
            assert!(page.items.len() <= limit);
            assert_eq!(page.total, 10);
            has_more = page.has_more;
            seen.extend(page.items.into_iter().map(|user| user.uid));
        }
        assert_eq!(seen, names.iter().map(|name| user(name)).collect::<Vec<_>>(), "{limit}");
    }
    let elsewhere = AppId::new("abcdefghabcdefghabcdefgh").expect("well formed");
    assert_eq!(shard.server.users_page(shard.now, &elsewhere, None, 10).total, 0);
}

#[test]
fn figures_match_users_rooms_and_app() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    let (bob, _) = shard.log_in(login("bob"));
    for (link, rooms) in [(alice, &["attic", "lobby"][..]), (bob, &["lobby"])] {
        for (ticket, id) in rooms.iter().enumerate() {
            let ticket = ticket as u64;
            shard.say(link, Frame::Join { room: room(id), ticket, business_id: None });
        }
    }
    shard.tick();
    shard.hang_up(bob);
    shard.wait(Duration::from_secs(16));
    shard.tick();
    let page = shard.server.users_page(shard.now, &app(), None, 10);
    let [first, second] = &page.items[..] else { panic!("two users: {page:?}") };
    assert_eq!((first.uid.as_str(), first.rooms), ("alice", 2));
    assert_eq!((second.uid.as_str(), second.rooms), ("bob", 1));
    assert_eq!(second.status, OnlineStatus::Unreachable);
    assert_eq!(second.silent_for, Duration::from_secs(16));
    assert!(second.window_bytes > 0, "the answer to bob's join");
    let rooms = shard.server.rooms_page(&app(), None, 10);
    let members: Vec<_> =
        rooms.items.iter().map(|room| (room.room.as_str(), room.members)).collect();
    assert_eq!(members, [("attic", 1), ("lobby", 2)]);
    let first = shard.server.rooms_page(&app(), None, 1);
    assert!(first.has_more && first.items.len() == 1 && first.total == 2);
    let second = shard.server.rooms_page(&app(), Some(&room("attic")), 1);
    assert!(!second.has_more && second.items[0].room == room("lobby"));
    let ban = Ban::Login(user("carol"));
    shard.server.ban(shard.now, &app(), &ban, Duration::MAX).expect("few bans");
    let stats = shard.server.app_stats(&app());
    assert_eq!((stats.users, stats.connected, stats.rooms), (2, 1, 2));
    assert_eq!((stats.memberships, stats.bans), (3, 1));
    assert!(stats.window_bytes > 0);
}

#[test]
fn revocation_ends_sessions_with_earlier_credentials() {
    let mut shard = Shard::new(Config::default());
    shard.issued_at = 99;
    let (early, _) = shard.log_in(login("alice"));
    shard.issued_at = 100;
    let (late, _) = shard.log_in(login("bob"));
    assert_eq!(shard.server.revoke(shard.now, &app(), None, 100), 1);
    shard.tick();
    assert_eq!(shard.closed(early), Some(Some(CloseCode::LoginAgain)));
    assert_eq!(shard.closed(late), None);
}

#[test]
fn ban_or_revocation_ends_a_queued_login() {
    for is_ban in [true, false] {
        let mut config = Config::default();
        config.logins_per_second = 1;
        let mut shard = Shard::new(config);
        shard.log_in(login("alice"));
        let waiting = shard.link();
        shard.say(waiting, Frame::Login(login("alice")));
        assert_eq!(shard.frames_to(waiting), [], "it has not had its turn");
        if is_ban {
            let ban = Ban::Login(user("alice"));
            shard.server.ban(shard.now, &app(), &ban, Duration::MAX).expect("few bans");
        } else {
            shard.server.revoke(shard.now, &app(), Some(&user("alice")), 1);
        }
        shard.wait(Duration::from_secs(2));
        shard.tick();
        let code = (!is_ban).then_some(CloseCode::LoginAgain);
        assert_eq!(shard.closed(waiting), Some(code), "refused with an answer, or sent away");
        assert_eq!(shard.server.stats().sessions, 0);
    }
}

#[test]
fn revocation_ends_matching_queued_logins_only() {
    for (uid, moment, ends) in [
        (Some("alice"), 100, [true, false, false]),
        (Some("alice"), 99, [false, false, false]),
        (None, 100, [true, false, true]),
        (Some("carol"), 100, [false, false, false]),
    ] {
        let mut config = Config::default();
        config.logins_per_second = 1;
        let mut shard = Shard::new(config);
        let mut waiting = Vec::new();
        for (uid, issued_at) in [("alice", 99), ("alice", 100), ("bob", 99)] {
            shard.issued_at = 1_000;
            if waiting.len() != 1 {
                shard.log_in(login(uid));
            }
            shard.issued_at = issued_at;
            let link = shard.link();
            shard.say(link, Frame::Login(login(uid)));
            waiting.push(link);
        }
        let uid = uid.map(user);
        assert_eq!(shard.server.revoke(shard.now, &app(), uid.as_ref(), moment), 0, "no session");
        shard.tick();
        let ended = waiting.iter().map(|link| shard.closed(*link).is_some());
        assert_eq!(ended.collect::<Vec<_>>(), ends, "{uid:?} {moment}");
    }
}

#[test]
fn unban_removes_no_user() {
    let is_of_logins = |ban: &Ban| matches!(ban, Ban::Login(_));
    let bans = [
        Ban::Room(room("lobby")),
        Ban::UserInRoom(room("lobby"), user("alice")),
        Ban::User(user("alice")),
        Ban::Login(user("alice")),
    ];
    let enter = || Frame::Join { room: room("lobby"), ticket: 1, business_id: None };
    for ban in bans {
        let mut shard = Shard::new(Config::default());
        let minute = Duration::from_secs(60);
        let (mut link, _) = shard.log_in(login("alice"));
        assert!(!shard.server.unban(shard.now, &app(), &ban), "{ban:?}: no ban was set");
        shard.server.ban(shard.now, &app(), &ban, minute).expect("few bans");
        assert!(shard.server.unban(shard.now, &app(), &ban), "{ban:?}");
        assert!(!shard.server.unban(shard.now, &app(), &ban), "{ban:?}: it is lifted");
        // After an unban, or after another ban has expired, the user joins and stays.
        for runs_out in [false, true] {
            if runs_out {
                shard.server.ban(shard.now, &app(), &ban, minute).expect("few bans");
                shard.say(link, Frame::Ping);
                shard.wait(minute - Duration::from_micros(1));
                assert_eq!(shard.server.app_stats(&app()).bans, 1, "{ban:?}");
                shard.wait(Duration::from_micros(1));
                assert!(!shard.server.unban(shard.now, &app(), &ban), "{ban:?}: it ran out");
            }
            if is_of_logins(&ban) || runs_out {
                link = shard.log_in(login("alice")).0;
            }
            shard.say(link, enter());
            shard.frames_to(link);
            let is_there = |shard: &Shard| {
                let stats = shard.server.app_stats(&app());
                (stats.users, stats.memberships)
            };
            assert_eq!(is_there(&shard), (1, 1), "{ban:?}");
            assert!(!shard.server.unban(shard.now, &app(), &ban), "{ban:?}");
            assert_eq!((is_there(&shard), shard.closed(link)), ((1, 1), None), "{ban:?}");
        }
    }
}

/// Anyone with the key of a back end can send messages in an app without users.
#[test]
fn app_without_users_is_forgotten_when_its_rate_is_full() {
    let apps_after_a_message = |shard: &mut Shard| {
        let (from, payload) = (user("back-end"), Payload::text("x"));
        let sent = shard.server.unicast(shard.now, &app(), from, &user("nobody"), payload);
        assert_eq!(sent, Ok(0));
        shard.tick();
        shard.server.stats().apps
    };
    let per_second = |backend_sends_per_second| {
        let mut config = Config::default();
        config.backend_sends_per_second = backend_sends_per_second;
        Shard::new(config)
    };
    assert_eq!(apps_after_a_message(&mut per_second(0)), 0, "there is no rate");
    let mut shard = per_second(4);
    assert_eq!(apps_after_a_message(&mut shard), 1);
    shard.wait(Duration::from_millis(100));
    assert_eq!(apps_after_a_message(&mut shard), 1);
    // Two messages are worth half a second. The app is checked after a second.
    shard.wait(Duration::from_micros(899_999));
    shard.tick();
    assert_eq!(shard.server.stats().apps, 1);
    shard.wait(Duration::from_micros(1));
    shard.tick();
    assert_eq!(shard.server.stats().apps, 0);
}
